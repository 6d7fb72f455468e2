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

/// The resources by UID.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources(Arc<Mutex<HashMap<String, Said>>>);

#[derive(Debug, Clone, Copy)]
enum Said {
    Status(StateLabels),
    Undecodable,
}

/// The one condition of Ready, Reconciling and Stalled that is True, and its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
    reason: &'static str,
}

impl Resources {
    pub(super) fn said(&self, uid: &str, status: &TaurusProxyPortStatus) {
        let labels = StateLabels::of(status);
        self.lock().insert(uid.to_owned(), Said::Status(labels));
    }

    pub(super) fn undecodable(&self, uid: &str) {
        self.lock().insert(uid.to_owned(), Said::Undecodable);
    }

    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> (BTreeMap<StateLabels, i64>, i64) {
        let mut by_state = BTreeMap::new();
        let mut undecodable = 0;
        for said in self.lock().values() {
            match said {
                Said::Status(labels) => *by_state.entry(*labels).or_default() += 1,
                Said::Undecodable => undecodable += 1,
            }
        }
        (by_state, undecodable)
    }
}

impl StateLabels {
    fn of(status: &TaurusProxyPortStatus) -> Self {
        const STATES: [(&str, &str); 3] = [
            ("Ready", "ready"),
            ("Reconciling", "reconciling"),
            ("Stalled", "stalled"),
        ];
        let found = status.conditions.iter().find_map(|condition| {
            let (_, state) = STATES.iter().find(|(name, _)| *name == condition.type_)?;
            (condition.status == "True").then_some((*state, condition.reason.as_str()))
        });
        let (state, reason) = found.unwrap_or(("unknown", ""));
        // The text in the status may be somebody else's; a label is one of ours.
        let reason = reason.parse::<Reason>().map_or("unknown", Reason::name);
        Self { state, reason }
    }
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
