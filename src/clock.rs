//! The one place that reads the clocks.
//!
//! Everything else takes a [`Moment`] as an argument.

use std::time::Instant;

use k8s_openapi::jiff::Timestamp;

use crate::model::Moment;

/// Reads the wall clock and the monotonic clock together.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock whose uptime begins now.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Both clocks, read at once.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn now(&self) -> Moment {
        Moment::new(Timestamp::now(), self.started.elapsed())
    }
}
