//! Effects that stand for an answer: what exactly it says depends on the request and the time.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Effect, ErrorShape, Stage, codes};
use crate::Answer;
use crate::clock::later;
use crate::times::http_date;

/// The value of a `Retry-After` header. In JSON an object with one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// So many seconds.
    Seconds(u64),
    /// The date of an instant this long from now (seconds in JSON).
    Date(#[serde(with = "crate::seconds")] Duration),
    /// This text.
    Junk(String),
}

impl RetryAfter {
    fn text(&self, now: Timestamp) -> String {
        match self {
            Self::Seconds(seconds) => seconds.to_string(),
            Self::Date(ahead) => http_date(later(now, *ahead)),
            Self::Junk(text) => text.clone(),
        }
    }
}

impl Effect {
    /// The answer that takes the place of the service's own, and on which side of its work; none for other effects.
    pub(crate) fn scripted(&self, request_id: &str, now: Timestamp) -> Option<(Stage, Answer)> {
        match self {
            Self::Respond { at, answer } => Some((*at, answer.clone())),
            Self::Throttle { retry_after } => {
                let answer = throttled("the API", request_id);
                let answer = match retry_after {
                    Some(when) => answer.header("Retry-After", when.text(now)),
                    None => answer,
                };
                Some((Stage::BeforeWork, answer))
            }
            Self::Error {
                at,
                status,
                code,
                shape,
            } => {
                let status = status.or_else(|| codes::status(code)).unwrap_or(500);
                let shape = shape.unwrap_or_else(|| ErrorShape::of(code));
                let message = "this error was ordered";
                Some((*at, shape.answer(status, code, message, request_id)))
            }
            _ => None,
        }
    }
}

/// The gateway's answer to who calls too often; `whose` names the limit.
pub(crate) fn throttled(whose: &str, request_id: &str) -> Answer {
    let message = format!("the throttling threshold has been reached: {whose}");
    ErrorShape::Gateway.answer(429, "APIGW.0308", &message, request_id)
}
