//! The right to begin a change: at most one of ours at a time on an instance, and never more over all resources than the
//! limits allow.
//!
//! Permits are acquired, not observed: who holds one has all that it needs, and gives it back by dropping it when the change
//! has ended. Who is refused is queued, and woken when its turn has come. The decisions are in `ledger`; here are the lock,
//! the clock and the bell.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use tokio::sync::Notify;

use crate::{
    clock::{self, Clock},
    crd::Outcome,
    pace::Pace,
    permits::limits::{Limits, Refusal},
    place::InstanceKey,
};

mod counted;
mod failures;
mod holders;
mod ledger;
pub mod limits;
mod queue;
mod recall;
mod records;
mod trace;
mod window;

pub use failures::Failed;
pub use ledger::{Figures, First};
pub use queue::Asker;
pub use trace::Trace;

use ledger::Ledger;

/// Hands out permits; cheap to clone.
#[derive(Debug, Clone)]
pub struct Permits {
    desk: Arc<Desk>,
}

struct Desk {
    ledger: Mutex<Ledger>,
    /// What was found in the first list; nothing once that was taken in.
    recalled: Mutex<Option<Vec<Trace>>>,
    clock: Clock,
    /// However far off the next turn is, it is looked at once in a while: a machine may have slept.
    longest_pause: Duration,
    sooner: Notify,
    wake: Box<dyn Fn(&Asker) + Send + Sync>,
}

/// The only permit for its instance, for as long as it lives.
///
/// It can't be made outside of [`Permits`]:
///
/// ```compile_fail,E0451
/// # use taurus_port_operator::permits::{Permit, Permits};
/// # use taurus_port_operator::place::InstanceKey;
/// fn forge(instance: InstanceKey, permits: Permits) -> Permit {
///     Permit { instance, permits }
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    instance: InstanceKey,
    permits: Permits,
}

impl Permits {
    /// Hands out permits within `limits`, whose durations are those of users. Whoever waits and may come is given to `wake`.
    pub fn new(
        limits: Limits,
        pace: &Pace,
        clock: Clock,
        wake: impl Fn(&Asker) + Send + Sync + 'static,
    ) -> Self {
        Self {
            desk: Arc::new(Desk {
                ledger: Mutex::new(Ledger::new(limits, pace)),
                recalled: Mutex::new(Some(Vec::new())),
                clock,
                longest_pause: pace.poll_longest,
                sooner: Notify::new(),
                wake: Box::new(wake),
            }),
        }
    }

    /// Takes a permit for a new change: instance and limits together, or nothing. Who is refused waits from now on, and is
    /// woken when it may ask again.
    pub fn acquire(&self, asker: &Asker, instance: &InstanceKey) -> Result<Permit, Refusal> {
        self.with(|ledger| ledger.acquire(asker, instance, self.desk.clock.now()))
            .map(|()| self.permit(instance))
    }

    /// Takes the permit for a change of the resource `uid` that is on record already; it counts as under way, whatever the
    /// limits say. Nothing if another one has that instance.
    pub fn resume(&self, uid: &str, instance: &InstanceKey) -> Option<Permit> {
        self.with(|ledger| ledger.resume(uid, instance))
            .then(|| self.permit(instance))
    }

    /// Whether nobody but the resource `uid` is at work on an instance, neither here nor on record.
    pub fn is_free(&self, instance: &InstanceKey, uid: &str) -> bool {
        self.with(|ledger| ledger.is_free(instance, uid))
    }

    /// Who is at work on an instance before the resource `uid`; nothing where nobody is.
    pub fn first_on(&self, instance: &InstanceKey, uid: &str) -> Option<First> {
        self.with(|ledger| ledger.first_on(instance, uid))
    }

    /// Waits until the instance is free, without asking for it.
    pub fn wait(&self, asker: &Asker, instance: &InstanceKey) {
        self.with(|ledger| ledger.wait(asker, instance));
    }

    /// The resource `uid` no longer waits for a permit.
    pub fn leave(&self, uid: &str) {
        self.with(|ledger| ledger.leave(uid));
    }

    /// Takes in what the watch tells of a resource. What comes before [`Self::recalled`] is from before this process. Gives the id of
    /// a change that is no longer on record of it.
    pub fn note(&self, trace: &Trace) -> Option<String> {
        if let Some(recalled) = &mut *self.recalling()
            && (trace.change.is_some() || trace.last.is_some())
        {
            recalled.push(trace.clone());
        }
        let change = trace.change.as_ref().map(|(id, _)| {
            let instance = trace.target.as_ref().map(|(instance, _)| instance);
            (id.as_str(), instance)
        });
        self.with(|ledger| ledger.note(&trace.uid, change, self.desk.clock.now()))
    }

    /// Forgets a deleted resource. A change of it that is still followed keeps its permit; one that is on record and that nobody
    /// follows yet gets it here.
    pub fn forget(&self, uid: &str) -> Option<Permit> {
        let instance = self.with(|ledger| {
            let inherited = ledger.inherit(uid);
            ledger.leave(uid);
            ledger.deleted(uid);
            ledger.note(uid, None, self.desk.clock.now());
            inherited
        });
        instance.map(|instance| self.permit(&instance))
    }

    /// All resources that there were before this process have been noted: the hour's count and the halt are made from them.
    pub fn recalled(&self) {
        let Some(traces) = self.recalling().take() else {
            return;
        };
        let now = self.desk.clock.now();
        self.with(|ledger| recall::recall(ledger, traces, now));
    }

    /// A change has ended, at this time of the wall clock; false if that was known.
    pub fn ended(&self, change: &str, outcome: Outcome, of: Failed, at: Timestamp) -> bool {
        self.with(|ledger| ledger.ended(change, outcome, of, at, self.desk.clock.now()))
    }

    /// Whether no change is under way that began, nor on record of any resource.
    pub fn is_idle(&self) -> bool {
        self.with(|ledger| ledger.is_idle())
    }

    /// Whether no new change may begin, not even by who has its permit already.
    pub fn is_halted(&self) -> bool {
        self.figures().halted_until.is_some()
    }

    /// Where things stand.
    pub fn figures(&self) -> Figures {
        self.with(|ledger| ledger.figures(self.desk.clock.now()))
    }

    /// Wakes those whose turn comes by time alone. Never ends by itself.
    pub async fn call_in_time(&self) {
        loop {
            let next = self.with(|ledger| ledger.next_call(self.desk.clock.now()));
            let Some(next) = next else {
                self.desk.sooner.notified().await;
                continue;
            };
            let left = next.saturating_sub(self.desk.clock.now().uptime);
            tokio::select! {
                () = clock::pause(left.min(self.desk.longest_pause)) => {}
                () = self.desk.sooner.notified() => {}
            }
        }
    }

    /// Does something, and wakes those who may come after it.
    fn with<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        let desk = &self.desk;
        let mut ledger = desk.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let now = desk.clock.now();
        let before = ledger.next_call(now);
        // First those whose turn has come by time: nobody slips in before them.
        let mut called = ledger.call(now);
        let result = act(&mut ledger);
        called.extend(ledger.call(now));
        let after = ledger.next_call(now);
        drop(ledger);
        if after.is_some() && before.is_none_or(|before| after < Some(before)) {
            desk.sooner.notify_one();
        }
        for asker in &called {
            (desk.wake)(asker);
        }
        result
    }

    fn recalling(&self) -> std::sync::MutexGuard<'_, Option<Vec<Trace>>> {
        let recalled = &self.desk.recalled;
        recalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permit(&self, instance: &InstanceKey) -> Permit {
        Permit {
            instance: instance.clone(),
            permits: self.clone(),
        }
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Desk")
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl Permit {
    /// The instance that it is for.
    pub fn instance(&self) -> &InstanceKey {
        &self.instance
    }

    /// The change was begun, or may have been: it counts for an hour.
    pub fn begun(&self) {
        let now = self.permits.desk.clock.now();
        self.permits
            .with(|ledger| ledger.begun(&self.instance, now));
    }

    /// Whether [`Self::begun`] was said of it, or its change was on record before.
    pub fn is_begun(&self) -> bool {
        self.permits.with(|ledger| ledger.is_begun(&self.instance))
    }

    /// Whether the change counts among those under way. Who can't go on gives that back and keeps the instance; who goes on
    /// takes it again, whatever the limits say.
    pub fn count(&self, under_way: bool) {
        self.permits
            .with(|ledger| ledger.count(&self.instance, under_way));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.with(|ledger| ledger.release(&self.instance));
    }
}

#[cfg(test)]
mod tests;
