//! The one place that reads the clocks.
//!
//! Everything else takes a [`Moment`] as an argument.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;

use crate::model::Moment;

/// Reads the wall clock and the monotonic clock together.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    head_start: Duration,
}

impl Clock {
    /// A clock whose uptime begins now.
    pub fn start() -> Self {
        Self::with_head_start(Duration::ZERO)
    }

    /// A clock of a process that already runs for so long; tests spare themselves the wait of a newly started process.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn with_head_start(head_start: Duration) -> Self {
        Self {
            started: Instant::now(),
            head_start,
        }
    }

    /// Both clocks, read at once.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn now(&self) -> Moment {
        Moment::new(
            Timestamp::now(),
            self.started.elapsed().saturating_add(self.head_start),
        )
    }
}
