//! Entrances to the cloud: what the calls of one credential, project and endpoint share with others.
//!
//! A pair shares its budget, a credential its guard, an endpoint its lanes, and a project its pause. No call is made here.
//!
//! Over a hand-over from one process to the next, a pair makes no more calls in any minute than its budget allows. The process that ends
//! closes all its budgets, so no call is taken from them any more, and leaves the least that is saved up in any of them
//! ([`Entrances::hand_over`]). Each budget of the next process begins with no more than that ([`Entrances::take_over`]). The least also
//! counts for a pair that the process has no budget of: one that nobody uses is forgotten only once it is full, and for all pairs that
//! the process has never used stands one that began as theirs would have when it began to lead. Therefore a budget that is forgotten
//! and made anew may begin with what was left once more: it held that already.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{
    auth::{
        entrance::{Entrance, Place},
        fingerprint::Fingerprint,
        guard::{Guard, Guards},
        ledger,
        secret::Credential,
    },
    budget::{Allowance, Budget, CallLimit, Urgency},
    lanes::Lanes,
    observer::CallObserver,
    throttle::Throttle,
};
use crate::{clock::Clock, pace::LockOut, place::endpoints};

/// Nobody waits longer than this for the calls of others; what is slower than this is not well.
const PATIENCE: Duration = Duration::from_secs(3);

/// For so long after a process began to lead, a new budget begins with what the process before has left. A pair that is used for the first
/// time later is a new one, perhaps of a user whose old pair has been used meanwhile.
const TAKING_OVER: Duration = Duration::from_mins(1);

/// How many calls may be made, and at once.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Every call ends within this.
    pub call_timeout: Duration,
    /// How the cloud locks keys and users, and for how long refused ones are held back.
    pub lock_out: LockOut,
    /// The first and the longest pause of a project that has made too many calls.
    pub throttle_pause: (Duration, Duration),
    /// How many calls may be made with one credential at one endpoint.
    pub call_limit: CallLimit,
    /// How many calls to one endpoint may be under way at once.
    pub calls_at_once: usize,
}

/// The entrances of a process.
pub struct Entrances {
    bounds: Bounds,
    clock: Clock,
    observer: Arc<dyn CallObserver>,
    guards: Guards,
    places: Mutex<Places>,
}

/// What is shared beyond a single credential.
#[derive(Default)]
struct Places {
    lanes: HashMap<String, Arc<Lanes>>,
    throttles: HashMap<(String, String), Arc<Throttle>>,
    /// What one pair shares at one endpoint.
    of_pairs: HashMap<(Fingerprint, String), OfPair>,
    /// What the process that leads has from the one before.
    taken_over: Option<TakenOver>,
    /// Whether no call is paid for any more.
    is_closed: bool,
}

/// What a process has from the one that led before.
struct TakenOver {
    /// The uptime since which this one leads.
    since: Duration,
    /// How many calls each pair had left.
    left: u32,
    /// Stands for every pair that this process has not used.
    unused: Arc<Budget>,
}

/// What the calls of one pair at one endpoint share.
#[derive(Clone)]
struct OfPair {
    lanes: Arc<Lanes>,
    budget: Arc<Budget>,
}

impl Places {
    /// Endpoints and projects come and go.
    fn forget_unused(&mut self) {
        self.lanes.retain(|_, lanes| Arc::strong_count(lanes) > 1);
        // Until it is full, one that is made anew could hold more than this one.
        self.of_pairs
            .retain(|_, shared| Arc::strong_count(&shared.budget) > 1 || !shared.budget.is_full());
        self.throttles
            .retain(|_, throttle| Arc::strong_count(throttle) > 1);
    }

    /// With how many calls a budget begins that is made at this uptime.
    fn at_first(&self, uptime: Duration) -> u32 {
        let taken_over = self.taken_over.as_ref();
        let lately = taken_over.filter(|of| uptime.saturating_sub(of.since) < TAKING_OVER);
        lately.map_or(0, |of| of.left)
    }
}

impl Entrances {
    /// None yet. `observer` is told of calls that are waited for.
    pub fn new(bounds: Bounds, clock: Clock, observer: Arc<dyn CallObserver>) -> Self {
        let patience = PATIENCE.min(bounds.call_timeout);
        Self {
            bounds,
            clock,
            observer,
            guards: Guards::new(bounds.lock_out, patience, clock),
            places: Mutex::default(),
        }
    }

    /// This process leads from now on. Of every budget of the process before so many calls are left, and it makes none any more.
    pub fn take_over(&self, left: u32) {
        let since = self.clock.now().uptime;
        let unused = self.budget(left);
        self.lock().taken_over = Some(TakenOver {
            since,
            left,
            unused,
        });
    }

    /// No call is paid for any more. Says how many calls every pair has left, whether it was used or not; none where this process has never
    /// led.
    pub fn hand_over(&self) -> u32 {
        let mut places = self.lock();
        places.is_closed = true;
        let used = places.of_pairs.values();
        let least = used.map(|shared| shared.budget.close()).min();
        let unused = places.taken_over.as_ref();
        let of_unused = unused.map_or(0, |of| of.unused.close());
        least.map_or(of_unused, |least| least.min(of_unused))
    }

    /// The entrance of a credential to a project at an endpoint, and leave for calls that are paid for one by one. `known_by` is
    /// the address that knows the credential.
    pub fn entrance(
        &self,
        credential: &Credential,
        (endpoint, known_by): (&str, &str),
        project: &str,
    ) -> (Entrance, Arc<Allowance>) {
        let place = self.place(endpoint, project);
        let guard = self.guards.guard(credential, endpoints::realm(known_by));
        let OfPair { lanes, budget } = self.of_pair(&guard, endpoint);
        let allowance = budget.open(Urgency::Job);
        let entrance = Entrance::new(guard, budget, lanes, place, self.clock);
        (entrance, allowance)
    }

    /// The lanes to an endpoint.
    pub(super) fn lanes(&self, endpoint: &str, project: &str) -> Arc<Lanes> {
        self.place(endpoint, project).lanes
    }

    /// What the calls of a project at an endpoint share.
    fn place(&self, endpoint: &str, project: &str) -> Place {
        let mut places = self.lock();
        places.forget_unused();
        let calls_at_once = self.bounds.calls_at_once.max(1);
        let lanes = places
            .lanes
            .entry(endpoint.to_owned())
            .or_insert_with(|| Lanes::new(calls_at_once, self.patience(), self.clock));
        let lanes = Arc::clone(lanes);
        let key = (endpoint.to_owned(), project.to_owned());
        let throttle = places
            .throttles
            .entry(key)
            .or_insert_with(|| Arc::new(Throttle::new(self.bounds.throttle_pause)));
        Place {
            lanes,
            throttle: Arc::clone(throttle),
        }
    }

    /// What the calls of a pair at an endpoint share, whoever uses it.
    fn of_pair(&self, guard: &Guard, endpoint: &str) -> OfPair {
        let mut places = self.lock();
        let at_first = places.at_first(self.clock.now().uptime);
        let is_closed = places.is_closed;
        let key = (guard.pair(), endpoint.to_owned());
        let shared = places.of_pairs.entry(key).or_insert_with(|| {
            // As many as may be refused at once without a lock.
            let most = ledger::MOST as usize;
            let budget = self.budget(at_first);
            if is_closed {
                budget.close();
            }
            OfPair {
                lanes: Lanes::new(most, self.patience(), self.clock),
                budget,
            }
        });
        shared.clone()
    }

    /// A budget that begins with so many calls.
    fn budget(&self, calls: u32) -> Arc<Budget> {
        let observer = Arc::clone(&self.observer);
        Budget::holding(calls, self.bounds.call_limit, self.clock, observer)
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.bounds.call_timeout)
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
