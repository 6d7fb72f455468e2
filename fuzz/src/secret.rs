//! Secrets: what is taken can be sent, and what is refused is not shown.
//!
//! Input: pairs `key=value`, parted by `;`.

use std::collections::BTreeMap;

use http::HeaderValue;
use k8s_openapi::ByteString;
use secrecy::{ExposeSecret as _, SecretString};
use taurus_port_operator::cloud::auth::secret::{Credential, SecretError};

/// Checks the data of a Secret.
pub fn check(input: &[u8]) -> bool {
    let data: BTreeMap<String, ByteString> = input.split(|byte| *byte == b';').map(pair).collect();
    match Credential::from_secret(&data) {
        Ok(credential) => {
            check_credential(&credential);
            true
        }
        Err(error) => {
            check_refusal(&error, data);
            false
        }
    }
}

fn pair(pair: &[u8]) -> (String, ByteString) {
    let mut halves = pair.splitn(2, |byte| *byte == b'=');
    let mut half = || halves.next().unwrap_or_default();
    let key = String::from_utf8_lossy(half()).into_owned();
    (key, ByteString(half().to_vec()))
}

fn check_credential(credential: &Credential) {
    let (headers, others) = match credential {
        Credential::Token(token) => (vec![token], vec![]),
        Credential::AccessKey {
            access_key,
            secret_key,
            security_token,
        } => (
            [access_key, secret_key]
                .into_iter()
                .chain(security_token)
                .collect(),
            vec![],
        ),
        Credential::Password {
            username,
            password,
            domain_name,
        } => (vec![], vec![username, password, domain_name]),
        // No Secret holds an identity.
        Credential::Workload(_) | Credential::Machine(_) => (vec![], vec![]),
    };
    for value in headers.iter().chain(&others) {
        let value = value.expose_secret();
        assert!(!value.is_empty() && value.trim() == value, "{value:?}");
        assert!(!value.contains(char::is_control), "{value:?}");
    }
    for value in headers {
        HeaderValue::from_str(value.expose_secret()).expect("it can be sent in a header");
    }
    assert_eq!(
        format!("{credential:?}"),
        format!("{:?}", blank(credential))
    );
}

/// The same kind of credential with other values.
fn blank(credential: &Credential) -> Credential {
    let blank = || SecretString::from("");
    match credential {
        Credential::Token(_) => Credential::Token(blank()),
        Credential::AccessKey { security_token, .. } => Credential::AccessKey {
            access_key: blank(),
            secret_key: blank(),
            security_token: security_token.as_ref().map(|_| blank()),
        },
        Credential::Password { .. } => Credential::Password {
            username: blank(),
            password: blank(),
            domain_name: blank(),
        },
        Credential::Workload(_) | Credential::Machine(_) => credential.clone(),
    }
}

fn check_refusal(error: &SecretError, data: BTreeMap<String, ByteString>) {
    match error {
        SecretError::Keys(_) => {
            let keys_only: BTreeMap<_, _> = data
                .into_keys()
                .map(|key| (key, ByteString::default()))
                .collect();
            assert_eq!(
                Credential::from_secret(&keys_only).err().as_ref(),
                Some(error),
                "which keys there are does not hang on their values"
            );
        }
        SecretError::Value { key, .. } => assert!(data.contains_key(key), "{key}"),
    }
}
