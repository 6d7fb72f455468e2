//! How often somebody may call.

use serde::{Deserialize, Serialize};

/// A limit of the gateway on the calls of a minute. No figure is published for this service; that of its sister, the
/// one for relational databases, is 60 for each user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttling {
    /// How many calls are let through within any 60 seconds of the simulator's time.
    pub calls_per_minute: u32,
    /// Whose calls are counted together.
    #[serde(default)]
    pub by: ThrottledBy,
    /// Whether the refusal says in `Retry-After`, in seconds, when the next call is let through.
    #[serde(default)]
    pub retry_after: bool,
}

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottledBy {
    /// All of an account's.
    #[default]
    Account,
    /// Those of each credential.
    Credential,
    /// Those of each credential and each kind of call.
    CredentialAndCall,
}

impl Throttling {
    /// So many calls of an account, of which all credentials take their part.
    pub fn of_accounts(calls_per_minute: u32) -> Self {
        Self {
            calls_per_minute,
            by: ThrottledBy::Account,
            retry_after: false,
        }
    }
}
