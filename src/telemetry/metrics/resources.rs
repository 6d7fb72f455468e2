//! What is said of each resource now, counted anew whenever somebody asks: so no figure can drift away from what it counts.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};

use super::catalogue;
use crate::{
    crd::{ChangeRecord, Phase, TaurusProxyPortStatus},
    model::Reason,
};

/// What is said of resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources(Arc<Mutex<Ledger>>);

/// By UID.
#[derive(Debug, Default)]
struct Ledger {
    said: HashMap<String, Said>,
    /// Few of them at a time.
    changes: HashMap<String, Change>,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    phase: Phase,
    intended_at: i64,
}

/// What is counted of all of them.
#[derive(Debug, Default)]
struct Count {
    by_state: BTreeMap<StateLabels, i64>,
    undecodable: i64,
    by_phase: BTreeMap<Phase, i64>,
    oldest_change: i64,
}

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

impl Resources {
    pub(super) fn said(&self, uid: &str, status: &TaurusProxyPortStatus) {
        let labels = StateLabels::of(status);
        let mut ledger = self.lock();
        ledger.said.insert(uid.to_owned(), Said::Status(labels));
        match &status.change {
            Some(change) => {
                ledger.changes.insert(uid.to_owned(), Change::of(change));
            }
            None => {
                ledger.changes.remove(uid);
            }
        }
    }

    pub(super) fn undecodable(&self, uid: &str) {
        let mut ledger = self.lock();
        ledger.said.insert(uid.to_owned(), Said::Undecodable);
        ledger.changes.remove(uid);
    }

    pub(super) fn forget(&self, uid: &str) {
        let mut ledger = self.lock();
        ledger.said.remove(uid);
        ledger.changes.remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> Count {
        let mut count = Count::default();
        for phase in [Phase::Intended, Phase::Submitted, Phase::Verifying] {
            count.by_phase.insert(phase, 0);
        }
        let ledger = self.lock();
        for said in ledger.said.values() {
            match said {
                Said::Status(labels) => *count.by_state.entry(*labels).or_default() += 1,
                Said::Undecodable => count.undecodable += 1,
            }
        }
        for change in ledger.changes.values() {
            *count.by_phase.entry(change.phase).or_default() += 1;
        }
        let oldest = ledger.changes.values().map(|change| change.intended_at);
        count.oldest_change = oldest.min().unwrap_or_default();
        count
    }
}

impl Change {
    fn of(change: &ChangeRecord) -> Self {
        Self {
            phase: change.phase,
            intended_at: change.intended_at.0.as_second(),
        }
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

impl PhaseLabel {
    fn of(phase: Phase) -> Self {
        let phase = match phase {
            Phase::Intended => "intended",
            Phase::Submitted => "submitted",
            Phase::Verifying => "verifying",
        };
        Self { phase }
    }
}

impl Collector for Resources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let count = self.counted();
        let mut states = catalogue::RESOURCES.begin(&mut encoder)?;
        for (labels, count) in count.by_state {
            ConstGauge::new(count).encode(states.encode_family(&labels)?)?;
        }
        let others = catalogue::UNDECODABLE_RESOURCES.begin(&mut encoder)?;
        ConstGauge::new(count.undecodable).encode(others)?;
        let mut phases = catalogue::CHANGES_IN_PROGRESS.begin(&mut encoder)?;
        for (phase, count) in count.by_phase {
            let label = PhaseLabel::of(phase);
            ConstGauge::new(count).encode(phases.encode_family(&label)?)?;
        }
        let oldest = catalogue::OLDEST_CHANGE.begin(&mut encoder)?;
        ConstGauge::new(count.oldest_change).encode(oldest)
    }
}
