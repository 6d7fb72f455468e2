//! What is being reconciled, and since when: a reconcile that never ends would hold its slot for ever.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use crate::model::Moment;

/// The reconciles at work, and the job ids that are not on record yet.
#[derive(Debug, Default)]
pub struct Work {
    ledger: Mutex<Ledger>,
    saved: Notify,
}

#[derive(Debug, Default)]
struct Ledger {
    next: u64,
    running: BTreeMap<u64, Duration>,
    unsaved: usize,
}

/// One reconcile; it ends with this.
#[derive(Debug)]
pub struct Reconciling {
    work: Arc<Work>,
    number: u64,
}

/// A job id that is not on record yet; it is with the end of this, or can't be.
#[derive(Debug)]
pub struct Unsaved(Arc<Work>);

impl Work {
    /// A reconcile begins.
    pub fn begin(self: &Arc<Self>, now: Moment) -> Reconciling {
        let mut ledger = self.ledger();
        let number = ledger.next;
        ledger.next = ledger.next.wrapping_add(1);
        ledger.running.insert(number, now.uptime);
        Reconciling {
            work: Arc::clone(self),
            number,
        }
    }

    /// A job id has come that nobody else knows.
    pub fn unsaved(self: &Arc<Self>) -> Unsaved {
        let mut ledger = self.ledger();
        ledger.unsaved = ledger.unsaved.saturating_add(1);
        Unsaved(Arc::clone(self))
    }

    /// For how long the longest reconcile has been at work. While a job id is not on record it is not counted: a new
    /// process would not know that job.
    pub fn longest(&self, now: Moment) -> Duration {
        let ledger = self.ledger();
        let oldest = ledger.running.values().min();
        oldest
            .filter(|_| ledger.unsaved == 0)
            .map_or(Duration::ZERO, |began| now.elapsed(*began))
    }

    /// How many job ids are not on record yet.
    pub fn unsaved_jobs(&self) -> usize {
        self.ledger().unsaved
    }

    /// Waits until every job id is on record, or can't be.
    pub async fn all_saved(&self) {
        while self.unsaved_jobs() > 0 {
            self.saved.notified().await;
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.work.ledger().running.remove(&self.number);
    }
}

impl Drop for Unsaved {
    fn drop(&mut self) {
        let mut ledger = self.0.ledger();
        ledger.unsaved = ledger.unsaved.saturating_sub(1);
        drop(ledger);
        self.0.saved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn the_longest_reconcile_counts_unless_a_job_id_would_be_lost() {
        let work = Arc::new(Work::default());
        let start = Clock::start().now();
        let later = |seconds| Moment {
            uptime: start.uptime + Duration::from_secs(seconds),
            ..start
        };
        assert_eq!(work.longest(later(900)), Duration::ZERO);
        let first = work.begin(later(0));
        let second = work.begin(later(60));
        assert_eq!(work.longest(later(100)), Duration::from_secs(100));
        drop(first);
        assert_eq!(work.longest(later(100)), Duration::from_secs(40));
        let unsaved = work.unsaved();
        assert_eq!(work.longest(later(100)), Duration::ZERO);
        drop(unsaved);
        assert_eq!(work.longest(later(100)), Duration::from_secs(40));
        drop(second);
        assert_eq!(work.longest(later(100)), Duration::ZERO);
    }
}
