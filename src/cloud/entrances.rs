//! Entrances to the cloud: what the calls of one credential, project and endpoint share with others.
//!
//! A pair shares its budget, a credential its guard, an endpoint its lanes, and a project its pause. No call is made here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    auth::{
        entrance::{Entrance, Place},
        fingerprint::Fingerprint,
        guard::{Guard, Guards, LockOut},
        ledger,
        secret::Credential,
    },
    budget::{Allowance, Budget, CallLimit, Urgency},
    endpoints,
    lanes::Lanes,
    observer::CallObserver,
    throttle::Throttle,
};
use crate::clock::Clock;

/// Nobody waits longer than this for the calls of others; what is slower than this is not well.
const PATIENCE: Duration = Duration::from_secs(3);

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
        self.of_pairs
            .retain(|_, shared| Arc::strong_count(&shared.budget) > 1);
        self.throttles
            .retain(|_, throttle| Arc::strong_count(throttle) > 1);
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
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (guard.pair(), endpoint.to_owned());
        let shared = places.of_pairs.entry(key).or_insert_with(|| {
            // As many as may be refused at once without a lock.
            let most = ledger::MOST as usize;
            let observer = Arc::clone(&self.observer);
            OfPair {
                lanes: Lanes::new(most, self.patience(), self.clock),
                budget: Budget::new(self.bounds.call_limit, self.clock, observer),
            }
        });
        shared.clone()
    }

    fn patience(&self) -> Duration {
        PATIENCE.min(self.bounds.call_timeout)
    }
}
