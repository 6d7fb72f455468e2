//! Credentials: as they stand in a Secret, and the identities that take the place of one.
//!
//! Promises that a credential holds values that can be sent, and that a refusal names keys and never values. White space
//! around values is trimmed, since it comes from files and editors; nothing is decoded or guessed. Keys of other names decide
//! nothing: tools put notes and copies of the whole into Secrets.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::ByteString;
use secrecy::{ExposeSecret as _, SecretString};

use super::identity::{Machine, Workload};
use crate::cloud::excerpt;

/// The longest value that is taken, in bytes: tokens can have several thousand.
const LONGEST: usize = 32 * 1024;

/// So many keys of other names are named.
const MOST_NAMED: usize = 5;

/// So much of a key of another name is shown, in characters.
const LONGEST_NAMED: usize = 40;

/// The three sets of keys, and those of them that may be left out.
const SETS: [(&[&str], &[&str]); 3] = [
    (&["accessKey", "secretKey"], &["securityToken"]),
    (&["username", "password", "domainName"], &[]),
    (&["token"], &[]),
];

/// What gives access. Its `Debug` shows no value.
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
    /// Temporary keys are fetched from IAM.
    Workload(Workload),
    /// Temporary keys are fetched from what the operator runs in.
    Machine(Machine),
}

/// Why a Secret is no credential. Texts name keys only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The keys of credentials are not exactly one of the three sets.
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
        fault: String,
    },
}

/// Whom a credential names, and what it proves that with.
pub(super) struct Identity<'a> {
    /// Which kind of credential it is.
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
            Self::Workload(workload) => Identity {
                kind: "workload",
                // No tenant can have another one's refused: the namespace is a part of the name.
                name: [
                    &workload.idp_id,
                    &workload.namespace,
                    &workload.service_account,
                    &workload.audience,
                ]
                .map(|part| Cow::Borrowed(part.as_str()))
                .into(),
                secret: Vec::new(),
            },
            Self::Machine(machine) => Identity {
                kind: "machine",
                name: vec![Cow::Borrowed(machine.address())],
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

/// What of a Secret's data decides: the keys of its credential; where they make up none, all that it holds.
pub fn decisive(
    data: &BTreeMap<String, ByteString>,
) -> impl Iterator<Item = (&String, &ByteString)> {
    let complete = check_keys(data).is_ok();
    data.iter()
        .filter(move |(key, _)| !complete || is_known(key))
}

/// The keys of a Secret that are not looked at, in words for people; nothing if there are none.
pub fn ignored(data: &BTreeMap<String, ByteString>) -> Option<String> {
    let keys = data.keys().map(String::as_str);
    listed(keys.filter(|key| !is_known(key)))
}

/// Names keys: all that are known, and a few others, none of them at length. A Secret may hold thousands.
fn listed<'a>(keys: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut named, mut others) = (Vec::new(), 0_usize);
    for key in keys {
        if is_known(key) {
            named.push(key.to_owned());
            continue;
        }
        others += 1;
        if others <= MOST_NAMED {
            named.push(excerpt::cut(key, LONGEST_NAMED));
        }
    }
    let left = others.saturating_sub(MOST_NAMED);
    let more = if left == 0 {
        String::new()
    } else {
        format!(" and {left} more")
    };
    (!named.is_empty()).then(|| format!("{}{more}", named.join(", ")))
}

fn is_known(key: &str) -> bool {
    let mut sets = SETS.iter();
    sets.any(|(needed, optional)| needed.contains(&key) || optional.contains(&key))
}

fn check_keys(data: &BTreeMap<String, ByteString>) -> Result<(), SecretError> {
    let fits = |(needed, optional): &(&[&str], &[&str])| {
        needed.iter().all(|key| data.contains_key(*key))
            && data
                .keys()
                .filter(|key| is_known(key))
                .all(|key| needed.contains(&key.as_str()) || optional.contains(&key.as_str()))
    };
    if SETS.iter().any(fits) {
        return Ok(());
    }
    let keys = listed(data.keys().map(String::as_str));
    Err(SecretError::Keys(keys.map_or_else(
        || "It holds no keys.".to_owned(),
        |keys| format!("It holds: {keys}."),
    )))
}

fn value(data: &BTreeMap<String, ByteString>, key: &str) -> Result<SecretString, SecretError> {
    let bytes = data
        .get(key)
        .map(|bytes| bytes.0.as_slice())
        .unwrap_or_default();
    let refuse = |fault: &str| {
        Err(SecretError::Value {
            key: key.to_owned(),
            fault: fault.to_owned(),
        })
    };
    if bytes.len() > LONGEST {
        return refuse("is longer than 32 KiB");
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return refuse("is not UTF-8 text");
    };
    let value = text.trim();
    if value.is_empty() {
        return refuse("is empty");
    }
    // Passwords and names of accounts travel in a JSON body and may have letters of any script; names of users have none (IAM's
    // rules for them), and all else is sent in a header.
    let ascii_only = !matches!(key, "password" | "domainName");
    // Positions are those of the value as it stands in the Secret.
    let before = text.len() - text.trim_start().len();
    let before = text
        .get(..before)
        .map_or(0, |blanks| blanks.chars().count());
    for (letter, position) in value.chars().zip(before + 1..) {
        if let Some(kind) = unfit(letter, ascii_only) {
            return refuse(&format!(
                "holds {kind} as character {position}: write it without"
            ));
        }
    }
    Ok(SecretString::from(value))
}

/// What kind of character it is that can't be part of a value. Of one that can be seen no more is told: it is a part of the value.
fn unfit(letter: char, ascii_only: bool) -> Option<String> {
    let code = u32::from(letter);
    let kind = match letter {
        ' '..='~' => return None,
        '\n' | '\r' => return Some("a line end".to_owned()),
        '\t' => return Some("a tab".to_owned()),
        '\u{feff}' => "a byte order mark",
        '\u{200b}'..='\u{200d}' | '\u{2060}' => "a zero-width character",
        '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a mark of the direction of writing"
        }
        letter if letter.is_control() => "a control character",
        letter if letter.is_whitespace() => "a blank that is not the usual one",
        // What a debugger shows as an escape can't be seen, or not by itself.
        letter if letter.escape_debug().len() > 1 => "a character that can't be seen by itself",
        _ if ascii_only => return Some("a character that is not in ASCII".to_owned()),
        _ => return None,
    };
    Some(format!("{kind} (U+{code:04X})"))
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
                &[("secretKey", b"x".as_slice()), ("note", b"x")][..],
                "note, secretKey",
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
            (b"CANARY\nCANARY", "a line end as character 7"),
            ("CANARY\u{fc}".as_bytes(), "not in ASCII as character 7"),
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
    fn d08_what_can_t_be_seen_is_refused_by_key_kind_and_position_in_every_value() {
        let sets: [&[&str]; 3] = [
            &["accessKey", "secretKey", "securityToken"],
            &["username", "password", "domainName"],
            &["token"],
        ];
        for (letter, kind) in [
            ('\u{200b}', "a zero-width character (U+200B)"),
            ('\u{2060}', "a zero-width character (U+2060)"),
            ('\u{feff}', "a byte order mark (U+FEFF)"),
            ('\u{202e}', "a mark of the direction of writing (U+202E)"),
            ('\u{7}', "a control character (U+0007)"),
            ('\u{a0}', "a blank that is not the usual one (U+00A0)"),
            (
                '\u{ad}',
                "a character that can't be seen by itself (U+00AD)",
            ),
            (
                '\u{e000}',
                "a character that can't be seen by itself (U+E000)",
            ),
            ('\t', "a tab"),
            ('\r', "a line end"),
        ] {
            for set in sets {
                for wrong in set {
                    let odd = format!(" CAN{letter}ARY\n");
                    let pairs: Vec<(&str, &[u8])> = set
                        .iter()
                        .map(|key| (*key, if key == wrong { odd.as_bytes() } else { b"x" }))
                        .collect();
                    let told = read(&pairs).unwrap_err().to_string();
                    let expected = format!(
                        "the value of key {wrong} holds {kind} as character 5: write it without"
                    );
                    assert_eq!(told, expected);
                }
            }
        }
        let cyrillic = [
            ("username", "\u{430}dmin".as_bytes()),
            ("password", b"p"),
            ("domainName", b"d"),
        ];
        let told = read(&cyrillic).unwrap_err().to_string();
        assert!(
            told.contains("username holds a character that is not in ASCII as character 1"),
            "{told}"
        );
        let visible = [
            ("username", b"u".as_slice()),
            ("password", "p\u{e4}\u{20ac}".as_bytes()),
            ("domainName", "\u{4e91}".as_bytes()),
        ];
        read(&visible).unwrap();
    }

    #[test]
    fn h01_keys_of_other_names_decide_nothing_and_are_named() {
        let pairs: [(&str, &[u8]); 4] = [
            ("accessKey", b"AK"),
            ("secretKey", b"SK"),
            ("_raw", b"\xff CANARY"),
            ("note", b"\n"),
        ];
        assert!(matches!(read(&pairs), Ok(Credential::AccessKey { .. })));
        let data = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString((*value).to_owned())))
            .collect();
        assert_eq!(ignored(&data).as_deref(), Some("_raw, note"));
        let decisive: Vec<&String> = decisive(&data).map(|(key, _)| key).collect();
        assert_eq!(decisive, ["accessKey", "secretKey"]);
    }

    #[test]
    fn of_thousands_of_long_keys_a_few_are_named_and_cut() {
        let names: Vec<String> = (0..4000)
            .map(|number| format!("k{number:04}{}", "é".repeat(250)))
            .collect();
        let mut pairs: Vec<(&str, &[u8])> = names
            .iter()
            .map(|name| (name.as_str(), b"x".as_slice()))
            .collect();
        pairs.push(("token", b"x"));
        assert!(read(&pairs).is_ok());
        pairs.push(("username", b"x"));
        let refused = read(&pairs).unwrap_err().to_string();
        let held = refused.split_once("It holds: ").unwrap().1;
        assert!(held.ends_with("token, username and 3995 more."), "{held}");
        let data = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString((*value).to_owned())))
            .collect();
        let ignored = ignored(&data).unwrap();
        assert!(ignored.ends_with("… and 3995 more"), "{ignored}");
        for text in [held, &ignored] {
            assert!(text.chars().count() < 300, "{text}");
            assert!(text.contains("k0004é") && !text.contains("k0005"), "{text}");
        }
    }

    #[test]
    fn debug_output_shows_no_value() {
        let keys = read(&[("accessKey", b"CANARY1"), ("secretKey", b"CANARY2")]).unwrap();
        assert!(!format!("{keys:?}").contains("CANARY"));
    }
}
