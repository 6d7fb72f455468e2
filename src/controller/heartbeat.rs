//! When the watch of the resources was heard of last.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::Moment;

/// Signs of life of the watch. Only what was received counts, never what was asked for.
#[derive(Debug, Default)]
pub struct Heartbeat(Mutex<Heard>);

#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    /// Uptime of the last sign of life; nothing while there is no watch.
    last: Option<Duration>,
    /// How many pieces of a watch were received.
    pieces: u64,
}

impl Heartbeat {
    /// The watch is, or was proven to be, as good as one that was just heard of.
    pub fn beat(&self, now: Moment) {
        self.lock().last = Some(now.uptime);
    }

    /// A piece of the watch was received.
    pub(super) fn received(&self, now: Moment) {
        let mut heard = self.lock();
        heard.last = Some(now.uptime);
        heard.pieces = heard.pieces.wrapping_add(1);
    }

    /// Changes with each piece of the watch that is received.
    pub(super) fn pieces(&self) -> u64 {
        self.lock().pieces
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
