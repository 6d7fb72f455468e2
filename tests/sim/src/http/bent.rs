//! What faults make of the service's own work, without taking its place.

use std::time::Duration;

use crate::behaviour::{Behaviour, BehaviourChange};
use crate::faults::{Effect, Oddity, Picked};

/// How the service's work departs from its usual way.
#[derive(Debug, Default)]
pub(super) struct Bent {
    /// Pages hold no more than this.
    pub(super) page_cap: Option<usize>,
    /// Reads tell what was true this long ago.
    pub(super) lag: Option<Duration>,
    /// What isn't there.
    pub(super) hidden: Vec<String>,
    pub(super) odd: Vec<Oddity>,
    /// Changes of the switches, one over the other.
    behaviour: Vec<BehaviourChange>,
}

impl Bent {
    /// By these faults; of several caps and lags the first counts.
    pub(super) fn by(picked: &[Picked]) -> Self {
        let mut bent = Self::default();
        for Picked { effect, .. } in picked {
            match effect {
                Effect::PageCap(cap) => bent.page_cap = bent.page_cap.or(Some(*cap)),
                Effect::Lag(lag) => bent.lag = bent.lag.or(Some(*lag)),
                Effect::Hide(id) => bent.hidden.push(id.clone()),
                Effect::Odd(oddities) => bent.odd.extend(oddities),
                Effect::Behave(change) => bent.behaviour.push(change.clone()),
                _ => {}
            }
        }
        bent
    }

    /// The switches with all changes; none if there are none.
    pub(super) fn behaviour(&self, own: &Behaviour) -> Option<Behaviour> {
        let over = |behaviour: Behaviour, change: &BehaviourChange| change.over(&behaviour);
        (!self.behaviour.is_empty()).then(|| self.behaviour.iter().fold(own.clone(), over))
    }
}
