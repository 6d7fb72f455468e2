//! The time of a look, booked.
//!
//! Relies on who books to keep it for as long as the look is wanted. Promises that a time which was booked in vain is given to
//! the next one who books, and that looks which are put off come one after the other, too.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Budget, Urgency};

/// A booked time; dropping it gives back what has not come yet.
pub struct Booked {
    /// As the bucket counts time.
    at: Mutex<Duration>,
    /// Whether there was no call when the time had come.
    is_put_off: AtomicBool,
    /// Where it was booked; nothing where no time is ever waited for.
    with: Option<(Arc<Budget>, Urgency)>,
}

impl Booked {
    /// A look whose time has come: for clouds without a budget.
    pub const fn now() -> Self {
        Self {
            at: Mutex::new(Duration::ZERO),
            is_put_off: AtomicBool::new(false),
            with: None,
        }
    }

    pub(super) fn of(budget: &Arc<Budget>, urgency: Urgency, at: Duration) -> Self {
        Self {
            at: Mutex::new(at),
            is_put_off: AtomicBool::new(false),
            with: Some((Arc::clone(budget), urgency)),
        }
    }

    /// How long it is until the time comes. Where one that comes earlier was given back, it is taken instead.
    pub fn wait(&self) -> Duration {
        let Some((budget, urgency)) = &self.with else {
            return Duration::ZERO;
        };
        let uptime = budget.clock.now().uptime;
        let mut at = self.at();
        let bucket = &mut budget.lock().bucket;
        *at = bucket.sooner(*urgency, *at, uptime);
        bucket.left(*at, uptime)
    }

    /// There was no call when the time had come, and there is none for so long at least: says how long it is until the next
    /// try.
    pub fn put_off(&self, wait: Duration) -> Duration {
        let Some((budget, urgency)) = &self.with else {
            return wait;
        };
        let uptime = budget.clock.now().uptime;
        let mut state = budget.lock();
        if !self.is_put_off.swap(true, Ordering::SeqCst) {
            state.put_off += 1;
        }
        let next = state.bucket.put_off(*urgency, wait, uptime);
        let left = state.bucket.left(next, uptime);
        drop(state);
        *self.at() = next;
        left
    }

    fn at(&self) -> MutexGuard<'_, Duration> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Booked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Booked")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Drop for Booked {
    fn drop(&mut self) {
        if let Some((budget, urgency)) = &self.with {
            let uptime = budget.clock.now().uptime;
            let at = *self.at();
            let mut state = budget.lock();
            if self.is_put_off.load(Ordering::SeqCst) {
                state.put_off = state.put_off.saturating_sub(1);
            }
            state.bucket.give_back(*urgency, at, uptime);
        }
    }
}
