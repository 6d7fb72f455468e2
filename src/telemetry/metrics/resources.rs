//! What is said of each resource now, counted anew whenever somebody asks: so no figure can drift away from what it counts.
//!
//! Promises that a change counts for as long as it goes on as far as is known: also that of a resource that can't be decoded, for as long
//! as it is on record, and that of a deleted one, for as long as somebody follows it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _},
    metrics::gauge::ConstGauge,
};
use strum::IntoEnumIterator as _;

use super::catalogue;
use crate::{
    crd::{ChangeRecord, Phase, PlanRecord, TaurusProxyPortStatus, WaitsFor},
    model::{Moment, Reason, Uid},
};

mod recorded;

use recorded::Recorded;

/// What is said of resources.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources(Arc<Mutex<Ledger>>);

/// By UID; there may be many, so that little is kept of each.
#[derive(Debug, Default)]
struct Ledger {
    said: HashMap<Uid, Said>,
    /// Few of them at a time.
    changes: HashMap<Uid, Change>,
    /// Those of deleted resources.
    followed: HashMap<Uid, Followed>,
    /// Those that wait for their moment.
    plans: HashMap<Uid, Plan>,
    /// Those whose proxies have another port than the one that is wanted.
    out_of_sync: HashMap<Uid, OutOfSync>,
    /// Why something that applications are led by is not there, of those that lack it.
    missing: HashMap<Uid, Vec<Reason>>,
    /// When this was asked for or told at last.
    now: Option<Moment>,
}

/// What is known of a port that differs.
#[derive(Debug, Clone, Copy)]
enum OutOfSync {
    /// It has differed since then.
    Since(Recorded),
    /// The time of its change is set, or a person has to approve it.
    InHand,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    phase: Phase,
    intended_at: Recorded,
}

/// The change of a deleted resource.
#[derive(Debug)]
struct Followed {
    /// As it was known at last, if it was.
    change: Option<Change>,
    /// How many follow it.
    followers: usize,
}

#[derive(Debug, Clone)]
struct Plan {
    waits_for: Vec<WaitsFor>,
    made_at: Recorded,
}

/// What is counted of all of them.
#[derive(Debug, Default)]
struct Count {
    by_state: BTreeMap<StateLabels, i64>,
    undecodable: i64,
    by_phase: BTreeMap<Phase, i64>,
    oldest_change: i64,
    by_wait: BTreeMap<&'static str, i64>,
    oldest_plan: BTreeMap<&'static str, i64>,
    out_of_sync: usize,
    oldest_out_of_sync: i64,
    missing: BTreeMap<&'static str, i64>,
}

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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitLabel {
    waits_for: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

impl Resources {
    /// A resource as its status says now.
    pub(super) fn said(&self, uid: &Uid, status: &TaurusProxyPortStatus, now: Moment) {
        let (state, reason) = said_by(status);
        let mut ledger = self.lock();
        ledger.now = Some(now);
        ledger.said.insert(uid.clone(), Said::Status(state, reason));
        let before = ledger.changes.get(uid);
        let change = status.change.as_ref();
        let change = change.map(|change| Change::of(change, before, now));
        put(&mut ledger.changes, uid, change);
        let before = ledger.plans.get(uid);
        let plan = status.plan.as_ref();
        let plan = plan.map(|plan| Plan::of(plan, before, now));
        put(&mut ledger.plans, uid, plan);
        let before = ledger.out_of_sync.get(uid).copied();
        let known = out_of_sync(status, reason, before, now);
        put(&mut ledger.out_of_sync, uid, known);
        put(&mut ledger.missing, uid, missing(status));
    }

    /// A resource can't be decoded. A change that was begun then is on record of it, if one is: nobody can say how far it has come, so
    /// that what was known of it before stands.
    pub(super) fn undecodable(&self, uid: &Uid, begun: Option<Timestamp>, now: Moment) {
        let mut ledger = self.lock();
        ledger.now = Some(now);
        ledger.said.insert(uid.clone(), Said::Undecodable);
        let before = ledger.changes.get(uid).copied();
        let change = begun.map(|begun| {
            before.unwrap_or_else(|| Change {
                phase: Phase::Intended,
                intended_at: Recorded::note(None, begun, now),
            })
        });
        put(&mut ledger.changes, uid, change);
        ledger.plans.remove(uid);
        ledger.out_of_sync.remove(uid);
        ledger.missing.remove(uid);
    }

    /// The change of a deleted resource is followed: this one, else the one that was counted of it.
    pub(super) fn followed(&self, uid: &Uid, change: Option<&ChangeRecord>, now: Moment) {
        let mut ledger = self.lock();
        ledger.now = Some(now);
        let before = ledger.changes.get(uid).copied();
        let change = change.map(|change| Change::of(change, before.as_ref(), now));
        let change = change.or(before);
        let followed = ledger.followed.entry(uid.clone());
        let followed = followed.or_insert(Followed {
            change: None,
            followers: 0,
        });
        followed.change = change.or(followed.change);
        followed.followers = followed.followers.saturating_add(1);
    }

    /// One of those who followed it does so no longer.
    pub(super) fn followed_no_longer(&self, uid: &Uid) {
        let mut ledger = self.lock();
        if let Some(followed) = ledger.followed.get_mut(uid) {
            followed.followers = followed.followers.saturating_sub(1);
            if followed.followers == 0 {
                ledger.followed.remove(uid);
            }
        }
    }

    pub(super) fn forget(&self, uid: &str) {
        let mut ledger = self.lock();
        ledger.said.remove(uid);
        ledger.changes.remove(uid);
        ledger.plans.remove(uid);
        ledger.out_of_sync.remove(uid);
        ledger.missing.remove(uid);
    }

    /// The figures are asked for at this moment.
    pub(super) fn refresh(&self, now: Moment) {
        self.lock().now = Some(now);
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
                Said::Status(state, reason) => {
                    let labels = StateLabels::of(*state, *reason);
                    *count.by_state.entry(labels).or_default() += 1;
                }
                Said::Undecodable => count.undecodable += 1,
            }
        }
        for change in ledger.in_progress() {
            *count.by_phase.entry(change.phase).or_default() += 1;
        }
        let shown = |time: Recorded| time.shown(ledger.now);
        let oldest = ledger.in_progress();
        let oldest = oldest.map(|change| shown(change.intended_at));
        count.oldest_change = oldest.min().unwrap_or_default();
        for wait in WaitsFor::iter() {
            let waiting = || {
                let plans = ledger.plans.values();
                plans.filter(move |plan| plan.waits_for.contains(&wait))
            };
            let many = i64::try_from(waiting().count()).unwrap_or(i64::MAX);
            count.by_wait.insert(wait.into(), many);
            let oldest = waiting().map(|plan| shown(plan.made_at)).min();
            count
                .oldest_plan
                .insert(wait.into(), oldest.unwrap_or_default());
        }
        count.out_of_sync = ledger.out_of_sync.len();
        let oldest = ledger.out_of_sync.values().filter_map(|known| match known {
            OutOfSync::Since(since) => Some(shown(*since)),
            OutOfSync::InHand => None,
        });
        count.oldest_out_of_sync = oldest.min().unwrap_or_default();
        for reason in ledger.missing.values().flatten() {
            *count.missing.entry(reason.name()).or_default() += 1;
        }
        count
    }
}

impl Ledger {
    /// The changes in progress; none of them twice, though a resource may be counted once more while it is deleted.
    fn in_progress(&self) -> impl Iterator<Item = &Change> {
        let changes = &self.changes;
        let followed = self.followed.iter();
        let followed = followed.filter(move |(uid, _)| !changes.contains_key(*uid));
        let followed = followed.filter_map(|(_, followed)| followed.change.as_ref());
        changes.values().chain(followed)
    }
}

/// What is known of a resource, or that nothing is.
fn put<T>(of: &mut HashMap<Uid, T>, uid: &Uid, known: Option<T>) {
    match known {
        Some(known) => {
            of.insert(uid.clone(), known);
        }
        None => {
            of.remove(uid);
        }
    }
}

impl Change {
    fn of(change: &ChangeRecord, before: Option<&Self>, now: Moment) -> Self {
        let before = before.map(|before| before.intended_at);
        Self {
            phase: change.phase,
            intended_at: Recorded::note(before, change.intended_at.0, now),
        }
    }
}

impl Plan {
    fn of(plan: &PlanRecord, before: Option<&Self>, now: Moment) -> Self {
        let before = before.map(|before| before.made_at);
        Self {
            waits_for: plan.waits_for.clone(),
            made_at: Recorded::note(before, plan.made_at.0, now),
        }
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

fn said_by(status: &TaurusProxyPortStatus) -> (State, Option<Reason>) {
    let Some(main) = status.main_condition() else {
        return (State::Unknown, None);
    };
    let state = match main.type_.as_str() {
        "Ready" => State::Ready,
        "Reconciling" => State::Reconciling,
        _ => State::Stalled,
    };
    // The text in the status may be somebody else's; a label is one of ours.
    (state, main.reason.parse().ok())
}

/// Whether the proxy has another port than the one that is wanted, where the operator is to set it.
fn out_of_sync(
    status: &TaurusProxyPortStatus,
    reason: Option<Reason>,
    before: Option<OutOfSync>,
    now: Moment,
) -> Option<OutOfSync> {
    if matches!(reason, Some(Reason::Observed | Reason::Suspended)) {
        return None;
    }
    let mut conditions = status.conditions.iter();
    let other = conditions.find(|one| one.type_ == "PortInSync" && one.status == "False")?;
    let is_in_hand = status.plan.as_ref().is_some_and(|plan| {
        plan.not_before.is_some() || plan.waits_for.contains(&WaitsFor::Approval)
    });
    Some(if is_in_hand {
        OutOfSync::InHand
    } else {
        let before = before.and_then(|before| match before {
            OutOfSync::Since(since) => Some(since),
            OutOfSync::InHand => None,
        });
        OutOfSync::Since(Recorded::note(before, other.last_transition_time.0, now))
    })
}

/// Why each object that applications are led by, and that the resource wishes for, is not known to lead to the port that was read last;
/// nothing where all are. `Published` is among the reasons: where the condition is not True, it was not read where the object leads.
fn missing(status: &TaurusProxyPortStatus) -> Option<Vec<Reason>> {
    let conditions = status.conditions.iter();
    let missing = conditions.filter(|one| {
        let is_of_publication = matches!(&*one.type_, "ServicePublished" | "ConfigMapPublished");
        is_of_publication && one.status != "True"
    });
    let reasons = missing.filter_map(|one| one.reason.parse::<Reason>().ok());
    let reasons: Vec<Reason> = reasons
        .filter(|reason| reason.is_of_publication())
        .collect();
    (!reasons.is_empty()).then_some(reasons)
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
        ConstGauge::new(count.oldest_change).encode(oldest)?;
        let mut waits = catalogue::PLANS_WAITING.begin(&mut encoder)?;
        for (waits_for, count) in count.by_wait {
            let label = WaitLabel { waits_for };
            ConstGauge::new(count).encode(waits.encode_family(&label)?)?;
        }
        let mut oldest = catalogue::OLDEST_PLAN.begin(&mut encoder)?;
        for (waits_for, made_at) in count.oldest_plan {
            let label = WaitLabel { waits_for };
            ConstGauge::new(made_at).encode(oldest.encode_family(&label)?)?;
        }
        let others = catalogue::OUT_OF_SYNC.begin(&mut encoder)?;
        ConstGauge::new(i64::try_from(count.out_of_sync).unwrap_or(i64::MAX)).encode(others)?;
        let oldest = catalogue::OLDEST_OUT_OF_SYNC.begin(&mut encoder)?;
        ConstGauge::new(count.oldest_out_of_sync).encode(oldest)?;
        let mut missing = catalogue::MISSING.begin(&mut encoder)?;
        for (reason, count) in count.missing {
            let label = ReasonLabel { reason };
            ConstGauge::new(count).encode(missing.encode_family(&label)?)?;
        }
        Ok(())
    }
}
