//! The Secrets with the credentials, and which of them the cloud accepts.
//!
//! Promises that what a Secret holds after all is accepted again at the latest when all faults have ended.

use bytes::Bytes;
use serde_json::json;

use crate::NAMESPACE;

/// Names of the Secrets of one tenant, each with a user of its own.
pub const NAMES: [&str; 3] = ["keys", "more-keys", "most-keys"];

/// Name of the Secret that is named where nothing else is said.
pub const NAME: &str = NAMES[0];

/// Name of the Secret of another tenant, and the token that it holds.
pub const OTHER: &str = "other-keys";
pub const OTHER_TOKEN: &str = "a token of the other tenant";

/// The Secret of another tenant.
pub fn of_the_other() -> Bytes {
    let encoded = k8s_openapi::ByteString(OTHER_TOKEN.as_bytes().to_vec());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "data": {"token": encoded},
        "metadata": {"name": OTHER, "namespace": NAMESPACE, "resourceVersion": "1"},
    });
    secret.to_string().into()
}

/// What is wrong with the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is deleted.
    Gone,
    /// It lacks a key.
    Incomplete,
    /// It holds a pair that the cloud does not know.
    Unknown,
}

/// A Secret and the cloud's view of it; times in milliseconds.
#[derive(Debug)]
pub struct Keys {
    /// The number of the Secret.
    number: usize,
    /// The number of the pair that was issued last.
    pair: u32,
    /// Until when the pairs before it are accepted.
    old_until: u64,
    fault: Option<(Fault, u64)>,
    /// What it holds in place of pairs.
    token: Option<&'static str>,
}

impl Keys {
    /// The Secret of this number, with a first pair.
    pub fn numbered(number: usize) -> Self {
        Self {
            number,
            pair: 1,
            old_until: 0,
            fault: None,
            token: None,
        }
    }

    /// A new pair is issued and put into the Secret; those before it are accepted until then.
    pub fn rotate(&mut self, old_until: u64) {
        self.pair += 1;
        self.old_until = old_until;
    }

    /// From now on it holds a token in place of pairs.
    pub fn hold_a_token(&mut self, token: &'static str) {
        self.token = Some(token);
    }

    /// Something is wrong with the Secret until then.
    pub fn spoil(&mut self, fault: Fault, until: u64) {
        self.fault = Some((fault, until));
    }

    /// All is well.
    pub fn heal(&mut self) {
        self.fault = None;
    }

    /// Whether the cloud accepts this access key.
    pub fn accepts(&self, access_key: &str, now: u64) -> bool {
        let own = format!("AK-{}-", self.number);
        let pair = access_key.strip_prefix(&own);
        let pair = pair.and_then(|pair| pair.parse().ok());
        pair.is_some_and(|pair: u32| pair == self.pair || pair < self.pair && now < self.old_until)
    }

    /// The Secret as the API server has it; nothing, if there is none.
    pub fn secret(&self, now: u64) -> Option<Bytes> {
        let fault = self.fault.filter(|(_, until)| now < *until);
        let fault = fault.map(|(fault, _)| fault);
        // "AK-m-n" and "SK-m-n" in base64, as a Secret holds them.
        let encoded = |text: String| k8s_openapi::ByteString(text.into_bytes());
        let access_key = match fault {
            Some(Fault::Gone) => return None,
            Some(Fault::Unknown) => "AK-unknown".to_owned(),
            Some(Fault::Incomplete) | None => format!("AK-{}-{}", self.number, self.pair),
        };
        let mut data = json!({"accessKey": encoded(access_key)});
        if fault != Some(Fault::Incomplete) {
            data["secretKey"] = json!(encoded(format!("SK-{}-{}", self.number, self.pair)));
        }
        if let Some(token) = self.token {
            data = json!({"token": encoded(token.to_owned())});
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "data": data,
            "metadata": {"name": NAMES[self.number], "namespace": NAMESPACE, "resourceVersion": format!("{}{fault:?}", self.pair)},
        });
        Some(secret.to_string().into())
    }
}
