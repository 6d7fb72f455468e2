//! Identifiers of the cloud and of our own changes.
//!
//! Promises that an id never holds a character that could change the path of a URL. Ids of the cloud are
//! compared in lower case: consoles, exports and people disagree on the case of hexadecimal digits.

use std::fmt;

/// Why a text is not the identifier that it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}, got {} characters", .length)]
pub struct IdError {
    kind: &'static str,
    rule: &'static str,
    length: usize,
}

macro_rules! cloud_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $suffix:literal, $rule:literal) => {
        $(#[$doc])*
        // Ids are of one length and kept by the ten thousand: no heap is needed for them.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 32 + $suffix.len()]);

        impl $name {
            /// Checks the documented form and folds the text to lower case.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                let folded = text.to_ascii_lowercase();
                let body = folded.strip_suffix($suffix);
                let plain = |body: &str| body.bytes().all(|byte| byte.is_ascii_alphanumeric());
                let checked = body.filter(|body| plain(body)).and(folded.as_bytes().try_into().ok());
                checked.map(Self).ok_or_else(|| IdError {
                    kind: $kind,
                    rule: $rule,
                    length: text.chars().count(),
                })
            }

            /// The id in lower case, as it is compared and put into paths.
            pub fn as_str(&self) -> &str {
                // It was checked to be of letters and digits.
                str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

cloud_id!(
    /// A tenant's project in one region: 32 letters or digits ("Obtaining a Project ID").
    ProjectId,
    "projectID",
    "",
    "32 letters or digits without dashes"
);
cloud_id!(
    /// A database instance: 32 letters or digits and `in07` (API page "Changing the Port of a Proxy Instance").
    InstanceId,
    "instanceID",
    "in07",
    "32 letters or digits followed by in07"
);
cloud_id!(
    /// A proxy instance: 32 letters or digits and `po01`; the field `pool_id` of the cloud's list.
    ProxyId,
    "proxyID",
    "po01",
    "32 letters or digits followed by po01"
);

/// The id of an asynchronous job, as the cloud gave it: opaque, never empty, compared to the letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(String);

impl JobId {
    /// The longest id that is kept; the documented ones are UUIDs of 36 characters.
    pub const MAX_LENGTH: usize = 128;

    /// Takes any text of 1 to [`Self::MAX_LENGTH`] characters without control characters; blanks around it are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= Self::MAX_LENGTH;
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The id as the cloud wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The id of one change that this operator makes: random, so that two processes never mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeId(String);

impl ChangeId {
    /// Makes an id of 128 random bits, written as 32 hexadecimal digits.
    pub fn from_bits(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// Takes the id of a stored record as it stands; it is only ever compared.
    pub fn recorded(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The id as it is stored in `status.change.id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChangeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789ABCDEF0123456789abcdef";

    #[test]
    fn documented_forms_are_taken_and_folded_to_lower_case() {
        let proxy = ProxyId::parse(&format!("{HEX}po01")).unwrap();
        assert_eq!(proxy.as_str(), "0123456789abcdef0123456789abcdefpo01");
        assert!(InstanceId::parse(&format!("{HEX}IN07")).is_ok());
        assert!(ProjectId::parse(HEX).is_ok());
    }

    #[test]
    fn swapped_dashed_short_long_and_multi_line_ids_are_refused() {
        for wrong in [
            "",
            HEX,
            &format!("{HEX}in07"),
            &format!("{HEX}po01\n"),
            &format!("{HEX}0po01"),
            "01234567-89ab-cdef-0123-456789abcdefpo01",
            "../../../../../../../../../../../xpo01",
            "\u{e9}123456789abcdef0123456789abcdefpo01",
        ] {
            let error = ProxyId::parse(wrong).unwrap_err();
            assert!(
                error.to_string().starts_with("proxyID must be 32 letters"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_job_id_is_opaque_but_never_empty_or_multi_line() {
        assert_eq!(JobId::parse(" a+b/c=% d ").unwrap().as_str(), "a+b/c=% d");
        assert!(JobId::parse(" \t ").is_none());
        assert!(JobId::parse("a\nb").is_none());
        assert!(JobId::parse(&"x".repeat(129)).is_none());
    }
}
