//! Who may call now: what all calls of one credential have to pass.
//!
//! Promises that a credential that was not believed yet makes one call at a time, that no more calls are under way than a
//! refused credential may have without being locked, and that refusals and requests to slow down are heard by all.

use std::{sync::Arc, time::Duration};

use super::refusals::Refusals;
use crate::{
    clock::Clock,
    cloud::{
        CloudError, Meaning,
        lanes::{Lane, Lanes},
        throttle::Throttle,
    },
};

/// So many calls of one credential are under way at once: if all of them are refused, the key is not yet locked.
const CALLS_OF_ONE: usize = 4;

/// What the calls of one project at one endpoint share, whatever their credentials.
#[derive(Debug, Clone)]
pub struct Place {
    /// The lanes to the endpoint.
    pub lanes: Arc<Lanes>,
    /// The pause of the project.
    pub throttle: Arc<Throttle>,
}

/// The entrance for one credential.
#[derive(Debug)]
pub struct Entrance {
    refusals: Refusals,
    probe: Arc<Lanes>,
    lanes: Arc<Lanes>,
    place: Place,
    clock: Clock,
}

/// Leave to make one call; it ends with the call.
#[derive(Debug)]
pub struct Turn {
    _probe: Option<Lane>,
    _lanes: [Lane; 2],
}

impl Entrance {
    /// Refused credentials are held back for `pause`; nobody waits for others longer than `patience`.
    pub fn new(pause: Duration, patience: Duration, place: Place, clock: Clock) -> Self {
        Self {
            refusals: Refusals::new(pause),
            probe: Lanes::new(1, patience, clock),
            lanes: Lanes::new(CALLS_OF_ONE, patience, clock),
            place,
            clock,
        }
    }

    /// Waits for the turn of one more call, or says why there is none.
    pub async fn enter(&self) -> Result<Turn, CloudError> {
        let arrival = self.refusals.arrive();
        let mut probe = None;
        if !self.refusals.is_proven() {
            let what = "the first call with this credential was not answered yet";
            // Whoever waited for the one call that proves it goes on with all others.
            probe = Some(self.probe.enter(what).await?).filter(|_| !self.refusals.is_proven());
        }
        let what = "the calls that are under way with this credential are not answered";
        let own = self.lanes.enter(what).await?;
        let what = "the calls that are under way to this endpoint are not answered";
        let shared = self.place.lanes.enter(what).await?;
        let uptime = self.clock.now().uptime;
        self.refusals.check(arrival, uptime)?;
        self.place.throttle.check(uptime)?;
        Ok(Turn {
            _probe: probe,
            _lanes: [own, shared],
        })
    }

    /// The other side has believed the credential.
    pub fn accepted(&self) {
        self.refusals.accepted();
        self.place.throttle.heard(None, self.clock.now().uptime);
    }

    /// A call has failed.
    pub fn failed(&self, error: &CloudError) {
        let uptime = self.clock.now().uptime;
        self.place.throttle.heard(Some(error), uptime);
        match error.meaning {
            Meaning::Unauthenticated | Meaning::ClockSkew | Meaning::Locked => {
                self.refusals.refused(error, uptime);
            }
            // Whoever answers in the service's own words has believed the credential.
            Meaning::Busy | Meaning::NotFound | Meaning::Rejected | Meaning::Blocked
                if error.code.is_some() =>
            {
                self.refusals.accepted();
            }
            _ => {}
        }
    }

    /// A token was refused that can be had anew.
    pub fn failed_token(&self, error: &CloudError) {
        self.refusals.refused_token(error, self.clock.now().uptime);
    }
}
