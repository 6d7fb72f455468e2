//! Accounts of a scenario with their credentials. Errors never repeat a secret.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::Wrong;
use crate::Accounts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountNode {
    name: String,
    #[serde(default)]
    access_keys: Vec<AccessKeyNode>,
    #[serde(default)]
    users: Vec<UserNode>,
    /// Good for every project until they are revoked.
    #[serde(default)]
    tokens: Vec<TokenNode>,
    /// ID tokens for which an identity provider vouches.
    #[serde(default)]
    id_tokens: Vec<IdTokenNode>,
    /// Whether the machine whose metadata is asked for has an agency of this account.
    #[serde(default)]
    machine_agency: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdTokenNode {
    provider: String,
    text: Secret,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessKeyNode {
    id: String,
    secret: Secret,
    /// Makes it a temporary one.
    security_token: Option<Secret>,
    /// For how long it is blocked.
    #[serde(default, with = "crate::seconds::optional")]
    blocked_for: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserNode {
    name: String,
    password: Secret,
    /// For how long the user is locked.
    #[serde(default, with = "crate::seconds::optional")]
    locked_for: Option<Duration>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenNode {
    text: Spanned<Secret>,
    /// For how long it is good.
    #[serde(default, with = "crate::seconds::optional")]
    expires_after: Option<Duration>,
}

#[derive(Debug)]
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl Secret {
    fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Everybody who may call.
pub(super) fn build(nodes: &[AccountNode]) -> Result<Accounts, Wrong> {
    let mut accounts = Accounts::none();
    for (number, node) in nodes.iter().enumerate() {
        accounts = accounts.account(&node.name);
        for key in &node.access_keys {
            accounts = match &key.security_token {
                Some(token) => accounts.temporary_key(&key.id, key.secret.text(), token.text()),
                None => accounts.access_key(&key.id, key.secret.text()),
            };
            if let Some(made) = accounts.access_keys.last_mut() {
                made.blocked_for = key.blocked_for;
            }
        }
        for user in &node.users {
            accounts = accounts.user(&node.name, &user.name, user.password.text());
            if let Some(made) = accounts.users.last_mut() {
                made.locked_for = user.locked_for;
            }
        }
        for (place, token) in node.tokens.iter().enumerate() {
            let text = token.text.value.text();
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Wrong {
                    at: token.text.referenced,
                    field: format!("accounts[{number}].tokens[{place}].text"),
                    what: "a token is visible ASCII without blanks".to_owned(),
                });
            }
            accounts = accounts.token(text);
            if let Some(made) = accounts.tokens.last_mut() {
                made.expires_after = token.expires_after;
            }
        }
        for token in &node.id_tokens {
            accounts = accounts.id_token(&token.provider, token.text.text());
        }
        if node.machine_agency {
            accounts = accounts.machine_agency();
        }
    }
    // What is added by other means belongs to whom it always does.
    Ok(accounts.account(crate::sample::DOMAIN))
}
