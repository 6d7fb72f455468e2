//! Errors of the cloud by what they mean for us.
//!
//! The code in the body decides, the HTTP status is the fallback: the same code comes with different statuses
//! in different places. The table from codes to meanings is data (`error/table.rs`).

use std::{fmt, time::Duration};

use super::excerpt::{self, excerpt};

use crate::place::endpoints::PlaceError;

pub mod answer;
pub mod body;
pub mod failure;
pub mod table;

/// What an error means, that is what has to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Meaning {
    /// Another operation is at work: wait, not a failure.
    Busy,
    /// Too many calls: slow down.
    Throttled,
    /// This operator itself makes no more calls for now: the budget of the credential is used up. The cloud was not asked.
    OutOfCalls,
    /// The cloud answers, but so slowly that what was seen is too old for a change when all of it is there.
    Slow,
    /// The operator itself did not send the change: something stood against it after its record and before its first byte.
    Withdrawn,
    /// Passes by itself: network, 5xx, HTML, empty answers and every unknown code.
    Transient,
    /// No call was made: those under way have to be answered first.
    Unasked,
    /// A 400 with a code that the table does not know, or a read whose parameters the service does not take: shown, tried again
    /// slowly.
    UnknownRefusal,
    /// The credential was not believed.
    Unauthenticated,
    /// The credential's clock differs from the cloud's by more than it allows; the text names the difference.
    ClockSkew,
    /// The user or key is locked for a while.
    Locked,
    /// The credential may not do this.
    Denied,
    /// The instance, proxy or job is not there.
    NotFound,
    /// The wanted port is refused; only a new one helps. Nothing but the answer to a change means that.
    Rejected,
    /// The instance can't be changed for now: storage full, frozen, kernel too old.
    Blocked,
    /// The answer can't be understood.
    Malformed,
    /// The endpoint is not one that may be called.
    EndpointNotAllowed,
    /// The region is not in the table of endpoints.
    RegionUnknown,
    /// The server's certificate was not believed; the text names the issuer where it is known.
    TlsFailed,
}

/// An error of one call. Its text is cleaned: cut, without control characters and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CloudError {
    /// What it means for us.
    pub meaning: Meaning,
    /// The service's or gateway's code, such as `DBS.200019`.
    pub code: Option<String>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What the other side said, or what happened on the way; at most 300 characters.
    pub text: String,
    /// How long the other side asked us to wait; capped.
    pub retry_after: Option<Duration>,
}

impl From<PlaceError> for CloudError {
    fn from(error: PlaceError) -> Self {
        let meaning = match &error {
            PlaceError::RegionUnknown(_) => Meaning::RegionUnknown,
            PlaceError::NotAllowed(_) => Meaning::EndpointNotAllowed,
        };
        Self::local(meaning, error.to_string())
    }
}

impl CloudError {
    /// An error that this process found by itself. `text` must be clean.
    pub fn local(meaning: Meaning, text: impl Into<String>) -> Self {
        Self {
            meaning,
            code: None,
            status: None,
            text: text.into(),
            retry_after: None,
        }
    }

    /// Whether a value of the request was refused, as one that is out of range.
    pub fn refuses_a_value(&self) -> bool {
        self.status == Some(400) && self.code.as_deref().is_some_and(table::refuses_a_value)
    }
}

impl CloudError {
    /// The same, with the call named that it is about.
    #[must_use]
    pub fn of_call(self, call: &str) -> Self {
        let text = excerpt(&format!("{call}: {}", self.text), &[]);
        Self { text, ..self }
    }

    /// Whether the service itself has said it, not its gateway or IAM.
    pub fn is_of_the_service(&self) -> bool {
        let origin = self.code.as_deref().and_then(|code| code.split_once('.'));
        origin.is_some_and(|(origin, _)| origin.eq_ignore_ascii_case("DBS"))
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.status) {
            (Some(code), _) => formatter.write_str(code)?,
            (None, Some(status)) => write!(formatter, "HTTP {status}")?,
            (None, None) => return formatter.write_str(&self.text),
        }
        if excerpt::says_something(&self.text) {
            write!(formatter, ": {}", self.text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
