//! When the watch of the resources was heard of last.
//!
//! Only what was received counts, never what was asked for; and nothing while the API server stands still.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::Moment;

/// Signs of life of the watch.
#[derive(Debug, Default)]
pub struct Heartbeat(Mutex<Heard>);

#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    /// Uptime of the last sign of life; nothing while there is no watch.
    last: Option<Duration>,
    /// The version of the collection that was told last, and the uptime at which it had moved on to that.
    newest: Option<(u64, Duration)>,
    /// Whether it did not move on when it was asked for last.
    stands_still: bool,
}

impl Heartbeat {
    /// The watch was heard of; or is about to begin, and its silence counts from now on.
    pub fn beat(&self, now: Moment) {
        let mut heard = self.lock();
        if !heard.stands_still {
            heard.last = Some(now.uptime);
        }
    }

    /// The version of the collection is this now; gives the one before if that was a later one.
    pub(crate) fn told(&self, version: u64, now: Moment) -> Option<u64> {
        let mut heard = self.lock();
        let before = heard.newest;
        let stands_still = before.is_some_and(|(newest, _)| newest == version);
        heard.stands_still = stands_still;
        if let Some((_, moved)) = before.filter(|_| stands_still) {
            // What came meanwhile was of the past.
            heard.last = heard.last.map(|last| last.min(moved));
        } else {
            heard.newest = Some((version, now.uptime));
        }
        before
            .map(|(newest, _)| newest)
            .filter(|newest| *newest > version)
    }

    /// How long nothing was heard; zero before the first time, when there is no watch yet.
    pub fn silence(&self, now: Moment) -> Duration {
        let last = self.lock().last;
        last.map_or(Duration::ZERO, |last| now.elapsed(last))
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
