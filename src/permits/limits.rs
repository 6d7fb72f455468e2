//! How many changes there may be over all resources, and what is said to who waits because of it.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// The bounds that are set for all resources together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many changes may be under way at once; from 1.
    pub concurrent: usize,
    /// So many changes may be begun within an hour; from 1.
    pub hourly: usize,
    /// After so many failed changes in a row, on different proxies, no new one begins for a while; from 1.
    pub halt_after: usize,
    /// For how long no new one begins then.
    pub halt_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent: 5,
            hourly: 60,
            halt_after: 3,
            halt_for: Duration::from_mins(30),
        }
    }
}

/// A bound that is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// As many changes are under way as may be.
    Concurrent {
        /// How many that is.
        most: usize,
        /// How many of them are of resources that were deleted meanwhile.
        deleted: usize,
    },
    /// As many changes were begun within the last hour as may be.
    Hourly {
        /// How many that is.
        most: usize,
        /// When the next one may begin, by the wall clock; nothing where none was begun yet.
        next: Option<Timestamp>,
    },
    /// Too many changes failed in a row.
    Halted {
        /// On so many different proxies.
        failed: usize,
        /// Which of them are of the namespace of who is told.
        own: Vec<String>,
        /// Until when no new one begins, by the wall clock.
        until: Timestamp,
    },
}

/// Why a change may not begin yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Another change of ours is at work on the instance.
    Instance,
    /// A bound is reached.
    Limit(Limit),
}
