//! What is said of each resource now, counted anew whenever somebody asks: so no figure can drift away from what it counts.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::{crd::TaurusProxyPortStatus, model::Reason};

/// The resources by UID; there may be many, so that little is kept of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources(Arc<Mutex<HashMap<Box<str>, Said>>>);

#[derive(Debug, Clone, Copy)]
enum Said {
    Status(State, Option<Reason>),
    Undecodable,
}

/// Which condition is True.
#[derive(Debug, Clone, Copy)]
enum State {
    Ready,
    Reconciling,
    Stalled,
    Unknown,
}

/// The one condition of Ready, Reconciling and Stalled that is True, and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
    reason: &'static str,
}

impl Resources {
    pub(super) fn said(&self, uid: &str, status: &TaurusProxyPortStatus) {
        let (state, reason) = said_by(status);
        self.lock().insert(uid.into(), Said::Status(state, reason));
    }

    pub(super) fn undecodable(&self, uid: &str) {
        self.lock().insert(uid.into(), Said::Undecodable);
    }

    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> (BTreeMap<StateLabels, i64>, i64) {
        let mut by_state = BTreeMap::new();
        let mut undecodable = 0;
        for said in self.lock().values() {
            match said {
                Said::Status(state, reason) => {
                    let labels = StateLabels::of(*state, *reason);
                    *by_state.entry(labels).or_default() += 1;
                }
                Said::Undecodable => undecodable += 1,
            }
        }
        (by_state, undecodable)
    }
}

impl StateLabels {
    fn of(state: State, reason: Option<Reason>) -> Self {
        Self {
            state: match state {
                State::Ready => "ready",
                State::Reconciling => "reconciling",
                State::Stalled => "stalled",
                State::Unknown => "unknown",
            },
            reason: reason.map_or("unknown", Reason::name),
        }
    }
}

fn said_by(status: &TaurusProxyPortStatus) -> (State, Option<Reason>) {
    let found = status.conditions.iter().find_map(|condition| {
        let state = match condition.type_.as_str() {
            "Ready" => State::Ready,
            "Reconciling" => State::Reconciling,
            "Stalled" => State::Stalled,
            _ => return None,
        };
        // The text in the status may be somebody else's; a label is one of ours.
        (condition.status == "True").then(|| (state, condition.reason.parse().ok()))
    });
    found.unwrap_or((State::Unknown, None))
}

impl Collector for Resources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let (by_state, undecodable) = self.counted();
        let mut states = encoder.encode_descriptor(
            "resources",
            "Resources by the condition of Ready, Reconciling and Stalled that is True, and its reason.",
            None,
            MetricType::Gauge,
        )?;
        for (labels, count) in by_state {
            ConstGauge::new(count).encode(states.encode_family(&labels)?)?;
        }
        let others = encoder.encode_descriptor(
            "undecodable_resources",
            "Resources that can't be decoded and are passed over.",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(undecodable).encode(others)
    }
}
