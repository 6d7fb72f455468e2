//! Who may call now: what all calls of one credential have to pass.
//!
//! Relies on callers to pay for their calls before they come: whoever has taken a lane waits for nothing but other lanes, and not
//! for long. Promises that a credential that was not believed yet makes one call at a time, that no more
//! calls are under way than a refused credential may have without being locked, and that refusals and requests to slow down
//! are heard by all. But whoever was never let into a project slows nobody down but itself: anybody may name any project.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::guard::{Call, Guard};
use crate::{
    clock::Clock,
    cloud::{
        CloudError, Meaning,
        budget::Budget,
        error::failure,
        lanes::{Lane, Lanes},
        throttle::{Throttle, Try},
    },
};

/// How often a caller waits anew because other calls were refused while it waited.
const MOST_WAITS: u32 = 4;

/// What the calls of one project at one endpoint share, whatever their credentials.
#[derive(Debug, Clone)]
pub struct Place {
    /// The lanes to the endpoint.
    pub lanes: Arc<Lanes>,
    /// The pause of the project.
    pub throttle: Arc<Throttle>,
}

/// The entrance for one credential in one place.
#[derive(Debug)]
pub struct Entrance {
    guard: Guard,
    budget: Arc<Budget>,
    lanes: Arc<Lanes>,
    place: Place,
    /// Whether the credential was let in.
    is_known: AtomicBool,
    /// Its own pause until then.
    own: Arc<Throttle>,
    clock: Clock,
}

/// Leave to make one call; it ends with the call.
#[derive(Debug)]
pub struct Turn {
    _call: Call,
    _probe: Option<Lane>,
    _try: Option<Try>,
    _lanes: [Lane; 2],
}

impl Entrance {
    /// `lanes` are those of the pair to its endpoint, [`MOST`](super::ledger::MOST) of them.
    pub fn new(
        guard: Guard,
        budget: Arc<Budget>,
        lanes: Arc<Lanes>,
        place: Place,
        clock: Clock,
    ) -> Self {
        Self {
            guard,
            budget,
            lanes,
            is_known: AtomicBool::new(false),
            own: Arc::new(place.throttle.alike()),
            place,
            clock,
        }
    }

    /// The calls that may be made.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Waits for the turn of a call to the endpoint that is paid for, or says why there is none.
    pub async fn enter(&self) -> Result<Turn, CloudError> {
        self.enter_by(&self.place.lanes).await
    }

    /// The same for a call to another endpoint, to which there are these lanes.
    pub async fn enter_by(&self, lanes: &Arc<Lanes>) -> Result<Turn, CloudError> {
        let arrival = self.guard.arrive();
        for _ in 0..MOST_WAITS {
            let mut probe = None;
            if !self.guard.is_proven() {
                // Whoever waited for the one call that proves it goes on with all others.
                probe = Some(self.guard.probe().await?).filter(|_| !self.guard.is_proven());
            }
            let width = self.guard.lanes();
            let what =
                "no call with this credential has ended for a while, so this one was not made";
            let own = self.lanes.enter_wide(width, what).await?;
            let what = "no call to this endpoint has ended for a while, so this one was not made";
            let shared = lanes.enter_beside(&self.lanes, what).await?;
            // Whoever is held back, or has to come again, gives it back.
            let trying = self.check_pause()?;
            if let Some(call) = self.guard.admit(arrival, width, probe.is_some())? {
                return Ok(Turn {
                    _call: call,
                    _probe: probe,
                    _try: trying,
                    _lanes: [own, shared],
                });
            }
        }
        let what = "calls with this credential were refused while this one waited";
        Err(failure::unasked(what))
    }

    /// The other side has believed the credential.
    pub fn accepted(&self) {
        self.guard.accepted();
        self.is_known.store(true, Ordering::Relaxed);
        self.throttle().heard(None, self.clock.now().uptime);
    }

    /// A call has failed.
    pub fn failed(&self, error: &CloudError) {
        self.heard(error);
        match error.meaning {
            Meaning::Unauthenticated | Meaning::ClockSkew | Meaning::Locked => {
                self.guard.refused(error);
            }
            // Whoever answers in the service's own words has believed the credential.
            Meaning::Busy | Meaning::NotFound | Meaning::Rejected | Meaning::Blocked
                if error.code.is_some() =>
            {
                self.guard.accepted();
            }
            Meaning::UnknownRefusal if error.is_of_the_service() => self.guard.accepted(),
            _ => {}
        }
    }

    /// An answer was heard that says nothing about the credential, but perhaps that the other side wants fewer calls.
    pub fn heard(&self, error: &CloudError) {
        let uptime = self.clock.now().uptime;
        self.throttle().heard(Some(error), uptime);
        if error.meaning == Meaning::Throttled {
            self.budget.refused();
        }
    }

    /// Whoever is not known stays out of a pause of the project, and does not try for the others whether it is over.
    fn check_pause(&self) -> Result<Option<Try>, CloudError> {
        let uptime = self.clock.now().uptime;
        if !self.is_known.load(Ordering::Relaxed) {
            self.place.throttle.left(uptime)?;
        }
        self.throttle().check(uptime)
    }

    /// Who hears what this one hears.
    fn throttle(&self) -> &Arc<Throttle> {
        if self.is_known.load(Ordering::Relaxed) {
            &self.place.throttle
        } else {
            &self.own
        }
    }

    /// A token was refused that can be had anew.
    pub fn failed_token(&self, error: &CloudError) {
        self.guard.token_refused(error);
    }
}
