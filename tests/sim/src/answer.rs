//! An HTTP answer as a value: what the service says, or what a fault makes of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Oddity;

/// An HTTP answer. `Date`, `X-Request-Id` and `Content-Type: application/json` are added where it doesn't name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// Headers with their values.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body as it goes over the wire.
    #[serde(default)]
    pub body: String,
}

impl Answer {
    /// An answer with this text as its body.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    /// An error as the database service reports it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error_code": code, "error_msg": message}))
    }

    /// A page such as proxies and portals send.
    pub fn html(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, body).header("Content-Type", "text/html; charset=utf-8")
    }

    /// A success in JSON with oddities in it; anything else stays as it is.
    pub(crate) fn with_oddities<'a>(mut self, oddities: impl Iterator<Item = &'a Oddity>) -> Self {
        let mut oddities = oddities.peekable();
        if oddities.peek().is_some()
            && (200..300).contains(&self.status)
            && let Ok(mut json) = serde_json::from_str(&self.body)
        {
            oddities.for_each(|oddity| oddity.apply(&mut json));
            self.body = json.to_string();
        }
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
