//! Times in which an instance or a proxy shows another status, or isn't there.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::later;

/// Work that the vendor does on an instance or a proxy: for a while it shows another status, and changes are refused,
/// or it isn't there at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// The id of the instance or proxy.
    pub of: String,
    /// How long from now until it begins (seconds in JSON).
    #[serde(default, with = "crate::seconds")]
    pub after: Duration,
    /// How long it lasts (seconds in JSON); without it, for ever.
    #[serde(
        default,
        with = "crate::seconds::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub lasting: Option<Duration>,
    /// The status that is shown meanwhile; its own without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether it is there meanwhile.
    #[serde(default = "yes")]
    pub present: bool,
}

impl Maintenance {
    /// It shows this status from now on.
    pub fn showing(of: &str, status: &str) -> Self {
        Self {
            of: of.to_owned(),
            after: Duration::ZERO,
            lasting: None,
            status: Some(status.to_owned()),
            present: true,
        }
    }

    /// It isn't there from now on.
    pub fn absent(of: &str) -> Self {
        Self {
            of: of.to_owned(),
            after: Duration::ZERO,
            lasting: None,
            status: None,
            present: false,
        }
    }

    /// It begins after this long.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// It lasts for this long.
    #[must_use]
    pub fn lasting(self, lasting: Duration) -> Self {
        Self {
            lasting: Some(lasting),
            ..self
        }
    }
}

fn yes() -> bool {
    true
}

/// A maintenance with its place in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scheduled {
    /// When it begins or began.
    pub from: Timestamp,
    /// When it ends or ended; none for never.
    pub until: Option<Timestamp>,
    /// What it is.
    #[serde(flatten)]
    pub maintenance: Maintenance,
}

impl Scheduled {
    pub(crate) fn new(maintenance: Maintenance, now: Timestamp) -> Self {
        let from = later(now, maintenance.after);
        let until = maintenance.lasting.map(|lasting| later(from, lasting));
        Self {
            from,
            until,
            maintenance,
        }
    }

    pub(super) fn covers(&self, id: &str, now: Timestamp) -> bool {
        self.maintenance.of == id && self.from <= now && self.until.is_none_or(|until| now < until)
    }
}
