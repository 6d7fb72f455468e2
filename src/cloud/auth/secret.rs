//! Credentials, as they stand in a Secret.
//!
//! Promises that a credential holds values that can be sent, and that a refusal names keys and never values. White space
//! around values is trimmed, since it comes from files and editors; nothing is decoded or guessed.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::ByteString;
use secrecy::{ExposeSecret as _, SecretString};

/// The longest value that is taken, in bytes: tokens can have several thousand.
const LONGEST: usize = 32 * 1024;

/// The three sets of keys, and those of them that may be left out.
const SETS: [(&[&str], &[&str]); 3] = [
    (&["accessKey", "secretKey"], &["securityToken"]),
    (&["username", "password", "domainName"], &[]),
    (&["token"], &[]),
];

/// What a Secret gives access with. Its `Debug` shows no value.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Requests are signed.
    AccessKey {
        /// Access key id.
        access_key: SecretString,
        /// Secret key.
        secret_key: SecretString,
        /// Token of temporary keys.
        security_token: Option<SecretString>,
    },
    /// A token is fetched from IAM.
    Password {
        /// User.
        username: SecretString,
        /// Password.
        password: SecretString,
        /// Account that the user belongs to.
        domain_name: SecretString,
    },
    /// A token is sent as it is.
    Token(SecretString),
}

/// Why a Secret is no credential. Texts name keys only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The keys are not exactly one of the three sets.
    #[error(
        "the Secret must hold exactly one of: accessKey and secretKey (and securityToken); username, password and \
         domainName; token. {0}"
    )]
    Keys(String),
    /// A value can't be used.
    #[error("the value of key {key} {fault}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with the value, without the value.
        fault: &'static str,
    },
}

/// Whom a credential names, and what it proves that with.
pub(super) struct Identity<'a> {
    /// Which of the three sets it is.
    pub(super) kind: &'static str,
    /// Whom the cloud locks after refusals.
    pub(super) name: Vec<Cow<'a, str>>,
    /// All else.
    pub(super) secret: Vec<&'a str>,
}

impl Credential {
    pub(super) fn identity(&self) -> Identity<'_> {
        match self {
            Self::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => Identity {
                kind: "key",
                name: vec![Cow::Borrowed(access_key.expose_secret())],
                secret: [Some(secret_key), security_token.as_ref()]
                    .into_iter()
                    .flatten()
                    .map(SecretString::expose_secret)
                    .collect(),
            },
            Self::Password {
                username,
                password,
                domain_name,
            } => Identity {
                kind: "user",
                // However a name is written, the cloud may take it for the same one.
                name: [domain_name, username]
                    .map(|name| Cow::Owned(name.expose_secret().to_lowercase()))
                    .into(),
                secret: vec![password.expose_secret()],
            },
            Self::Token(token) => Identity {
                kind: "token",
                name: vec![Cow::Borrowed(token.expose_secret())],
                secret: Vec::new(),
            },
        }
    }

    /// Reads the data of a Secret.
    pub fn from_secret(data: &BTreeMap<String, ByteString>) -> Result<Self, SecretError> {
        check_keys(data)?;
        let value = |key| value(data, key);
        if data.contains_key("token") {
            return Ok(Self::Token(value("token")?));
        }
        if data.contains_key("username") {
            return Ok(Self::Password {
                username: value("username")?,
                password: value("password")?,
                domain_name: value("domainName")?,
            });
        }
        let security_token = data
            .contains_key("securityToken")
            .then(|| value("securityToken"));
        Ok(Self::AccessKey {
            access_key: value("accessKey")?,
            secret_key: value("secretKey")?,
            security_token: security_token.transpose()?,
        })
    }
}

fn check_keys(data: &BTreeMap<String, ByteString>) -> Result<(), SecretError> {
    let fits = |(needed, optional): &(&[&str], &[&str])| {
        needed.iter().all(|key| data.contains_key(*key))
            && data
                .keys()
                .all(|key| needed.contains(&key.as_str()) || optional.contains(&key.as_str()))
    };
    if SETS.iter().any(fits) {
        return Ok(());
    }
    let keys: Vec<&str> = data.keys().map(String::as_str).collect();
    Err(SecretError::Keys(match keys.as_slice() {
        [] => "It holds no keys.".to_owned(),
        _ => format!("It holds: {}.", keys.join(", ")),
    }))
}

fn value(data: &BTreeMap<String, ByteString>, key: &str) -> Result<SecretString, SecretError> {
    let bytes = data
        .get(key)
        .map(|bytes| bytes.0.as_slice())
        .unwrap_or_default();
    let refuse = |fault| {
        Err(SecretError::Value {
            key: key.to_owned(),
            fault,
        })
    };
    if bytes.len() > LONGEST {
        return refuse("is longer than 32 KiB");
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("is not UTF-8 text");
    };
    let text = text.trim();
    if text.is_empty() {
        return refuse("is empty");
    }
    if text.starts_with('\u{feff}') {
        return refuse("begins with a byte order mark: save it without");
    }
    if text.chars().any(char::is_control) {
        return refuse("holds a line end or another control character");
    }
    // Passwords and names travel in a JSON body, all else in a header.
    let in_header = !matches!(key, "username" | "password" | "domainName");
    if in_header && !text.is_ascii() {
        return refuse("holds characters that can't be sent in a header");
    }
    Ok(SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn read(pairs: &[(&str, &[u8])]) -> Result<Credential, SecretError> {
        let data = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())))
            .collect();
        Credential::from_secret(&data)
    }

    #[test]
    fn each_of_the_three_sets_is_taken_and_trimmed() {
        let Ok(Credential::Token(token)) = read(&[("token", b" abc\r\n")]) else {
            panic!("no token")
        };
        assert_eq!(token.expose_secret(), "abc");
        let keys = read(&[
            ("accessKey", b"AK"),
            ("secretKey", b"SK\n"),
            ("securityToken", b"ST"),
        ]);
        let Ok(Credential::AccessKey {
            secret_key,
            security_token: Some(_),
            ..
        }) = keys
        else {
            panic!("no key")
        };
        assert_eq!(secret_key.expose_secret(), "SK");
        let password = read(&[
            ("username", b"u"),
            ("password", "p\u{e4}ss w".as_bytes()),
            ("domainName", b"d"),
        ]);
        assert!(matches!(password, Ok(Credential::Password { .. })));
    }

    #[test]
    fn mixed_missing_misspelt_and_unknown_keys_are_named() {
        for (pairs, named) in [
            (&[][..], "no keys"),
            (&[("accessKey", b"x".as_slice())][..], "accessKey"),
            (
                &[("token", b"x".as_slice()), ("username", b"x")][..],
                "token, username",
            ),
            (
                &[("accesskey", b"x".as_slice()), ("secretKey", b"x")][..],
                "accesskey, secretKey",
            ),
            (
                &[("token", b"x".as_slice()), ("note", b"x")][..],
                "note, token",
            ),
        ] {
            let text = read(pairs).unwrap_err().to_string();
            assert!(text.contains(named), "{text}");
        }
    }

    #[test]
    fn of_all_sets_of_keys_four_are_taken_and_the_others_are_told_by_their_keys() {
        const KEYS: [&str; 7] = [
            "accessKey",
            "secretKey",
            "securityToken",
            "username",
            "password",
            "domainName",
            "token",
        ];
        let mut taken = Vec::new();
        for bits in 0..1_u32 << KEYS.len() {
            let keys = KEYS.iter().enumerate();
            let keys = keys.filter(|(place, _)| bits & (1 << place) != 0);
            let keys: Vec<&str> = keys.map(|(_, key)| *key).collect();
            let pairs: Vec<(&str, &[u8])> = keys.iter().map(|key| (*key, &b"CANARY"[..])).collect();
            match read(&pairs) {
                Ok(_) => taken.push(keys.join(" ")),
                Err(error) => {
                    let text = error.to_string();
                    let (rule, held) = text.split_once(" It holds").unwrap();
                    assert!(KEYS.iter().all(|key| rule.contains(key)), "{text}");
                    assert!(keys.iter().all(|key| held.contains(key)), "{text}");
                    assert!(!text.contains("CANARY"), "{text}");
                }
            }
        }
        assert_eq!(
            taken,
            [
                "accessKey secretKey",
                "accessKey secretKey securityToken",
                "username password domainName",
                "token",
            ]
        );
    }

    #[test]
    fn values_that_cannot_be_sent_are_refused_without_being_shown() {
        let long = vec![b'x'; LONGEST + 1];
        for (wrong, fault) in [
            (b" \n".as_slice(), "is empty"),
            (b"CANARY\nCANARY", "line end"),
            ("CANARY\u{fc}".as_bytes(), "header"),
            ("\u{feff}CANARY".as_bytes(), "byte order mark"),
            (b"CANARY\xff", "UTF-8"),
            (&long, "32 KiB"),
        ] {
            let error = read(&[("token", wrong)]).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(fault) && shown.contains("token"), "{shown}");
            assert!(!shown.contains("CANARY"), "{shown}");
        }
    }

    #[test]
    fn debug_output_shows_no_value() {
        let keys = read(&[("accessKey", b"CANARY1"), ("secretKey", b"CANARY2")]).unwrap();
        assert!(!format!("{keys:?}").contains("CANARY"));
    }
}
