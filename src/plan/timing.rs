//! Whether a change that is due may start now, and the plan that stands for it while it may not.
//!
//! Relies on the wall clock, since hours of the day have no other, and on the record for the plan. Promises that the gate is one of those
//! that each start passes; that a plan is another one, with another id, as soon as the resource, its wishes or one of both ports is; that
//! nobody knows an id before its plan is on record; and that none is used twice: the record of a change takes the place of its plan, and no
//! later plan is as old.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    calendar::{Calendar, Hours, Window},
    cloud::Proxy,
    crd::{PlanRecord, TaurusProxyPort, TaurusProxyPortSpec, WaitsFor},
    desired::{DEFAULT_CHANGE_TIMEOUT, Desired, Timing},
    model::Reason,
    plan::{
        admitting,
        facts::{Facts, Seen},
        step::{Cause, Order, Step},
    },
};

pub use crate::calendar::WITHOUT_EXPERIENCE;

mod warnings;

/// How much longer than a change a window should be: the operator comes within seconds of its opening, but reads the cloud first, and
/// others may be ahead.
pub const ROOM: Duration = Duration::from_mins(2);

/// What holds for the time of a resource's changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When they may start.
    pub hours: Hours,
    /// The window that the cloud has for the instance can't be read, and the resource has windows of its own besides.
    pub unread: bool,
    /// How long one takes, as far as is known.
    pub takes: Duration,
    /// Stands for the resource and what its spec says, without the approval of a plan.
    pub wishes: Wishes,
    /// A random number for a plan that is made now: without it the id of a plan could be approved before the plan exists.
    pub nonce: u32,
}

/// A hash of a resource's UID and its spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wishes([u8; 32]);

impl Wishes {
    /// Of a resource. An approval in its spec changes nothing of what was approved.
    pub fn of(object: &TaurusProxyPort) -> Self {
        let spec = TaurusProxyPortSpec {
            approved_plan: None,
            ..object.spec.clone()
        };
        let mut hash = Sha256::new();
        hash.update(object.metadata.uid.as_deref().unwrap_or_default());
        hash.update([0]);
        // A spec that was read can be written.
        hash.update(serde_json::to_vec(&spec).unwrap_or_default());
        Self(hash.finalize().into())
    }
}

/// The window that the cloud has for an instance, or why that is not known.
pub type OfInstance = Result<Window, Arc<str>>;

/// What holds for a resource; nothing where its changes may start at any time. `instance` is the window of its instance, if it was asked
/// for; `takes` says how long a change of its instance takes; `nonce` is a random number.
pub fn terms(
    object: &TaurusProxyPort,
    desired: &Desired,
    calendar: &Calendar,
    instance: Option<&OfInstance>,
    takes: impl FnOnce() -> Option<Duration>,
    nonce: u32,
) -> Option<Box<Terms>> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let timing = desired.timing.as_deref();
    let mut own = timing.map_or_else(Vec::new, |timing| timing.windows.clone());
    let needs_approval = timing.is_some_and(|timing| timing.needs_approval);
    let follows = desired.follows_instance();
    let mut unknown = None;
    if follows {
        match instance {
            Some(Ok(window)) => own.push(window.clone()),
            Some(Err(why)) => unknown = Some(Arc::clone(why)),
            None => unknown = Some("it was not read yet".into()),
        }
    }
    if own.is_empty() && !follows && !needs_approval && calendar.is_silent_about(namespace) {
        return None;
    }
    // One that was seen to take longer than the resource allows says more of that day than of the next.
    let takes = takes().map_or(WITHOUT_EXPERIENCE, |takes| {
        takes.min(desired.change_timeout.max(DEFAULT_CHANGE_TIMEOUT))
    });
    let mut hours = calendar.hours(namespace, &own);
    let mut unread = false;
    if own.is_empty() && unknown.is_some() {
        // Those of the calendar are for resources that state none.
        hours.windows.clear();
        hours.unknown = unknown;
    } else {
        unread = instance.is_some_and(Result::is_err);
    }
    Some(Box::new(Terms {
        hours,
        unread,
        takes,
        wishes: Wishes::of(object),
        nonce,
    }))
}

/// Windows that can't be let nothing start.
pub fn fault(facts: &Facts<'_>) -> Option<Step> {
    let fault = facts.desired.timing.as_deref()?.fault.clone()?;
    Some(Step::Hold(Cause::SpecFault(fault), facts.resync))
}

/// Holds a change back until its moment.
pub fn gate(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    if let Some(step) = fault(facts) {
        return Some(step);
    }
    let terms = facts.observed.terms.as_deref()?;
    let plan = current(facts, terms, proxy.port?);
    let (is_approved, hours) = permission(facts, terms, &plan.id);
    let now = facts.now.wall;
    let next = hours.next(now, terms.takes);
    let ahead = next.filter(|next| *next > now);
    let frozen = hours.freeze_in_the_way(now, terms.takes);
    // What is said of a freeze is true until it ends, though the change may start later.
    let thaws = frozen.map(|freeze| freeze.until);
    let turns = ahead.into_iter().chain(thaws).min();
    let until = |turn: Timestamp| Duration::try_from(turn.duration_since(now)).unwrap_or_default();
    // It may be that the calendar is edited, or that a clock is set: it is asked again and again.
    let wait = turns.map_or(facts.resync, until);
    let cause = if !is_approved {
        let order = Order {
            from: proxy.port?,
            to: facts.desired.port,
            attempt: super::gates::next_attempt(facts),
        };
        // An approval wakes it.
        let cause = Cause::WaitingForApproval {
            plan: plan.id,
            order,
            next: ahead,
        };
        return Some(Step::Hold(cause, wait.min(facts.resync)));
    } else if next == Some(now) {
        return None;
    } else if let Some(why) = &hours.missing {
        Cause::WithoutCalendar(why.to_string())
    } else if let Some(freeze) = frozen {
        Cause::Frozen {
            reason: freeze.reason.clone(),
            from: freeze.from,
            until: freeze.until,
            next: ahead,
        }
    } else if let Some(why) = &hours.unknown {
        Cause::WindowUnknown(why.to_string())
    } else {
        let last = match next {
            Some(_) => None,
            None => hours.frozen_for_good(now, terms.takes),
        };
        Cause::WaitingForWindow {
            takes: terms.takes,
            unread: terms.unread,
            next: ahead,
            frozen: last.map(|freeze| (freeze.reason.clone(), freeze.until)),
        }
    };
    Some(Step::Hold(cause, wait))
}

/// Whether a plan is approved, and the hours that count for it.
fn permission(facts: &Facts<'_>, terms: &Terms, plan: &str) -> (bool, Hours) {
    let timing: Option<&Timing> = facts.desired.timing.as_deref();
    let is_approved = timing.is_none_or(|timing| timing.approves(plan));
    let at_once = timing.is_some_and(|timing| timing.apply_now.as_deref() == Some(plan));
    let hours = if at_once {
        terms.hours.at_once()
    } else {
        terms.hours.clone()
    };
    (is_approved, hours)
}

/// The plan that is on record if it still stands, else the next one.
fn current(facts: &Facts<'_>, terms: &Terms, from: u16) -> PlanRecord {
    if let Some(plan) = standing(facts, terms, from) {
        return plan.clone();
    }
    let before = facts.record.plan.as_ref().map(|plan| plan.made_at.0);
    let last = facts.record.last.as_ref().map(|last| last.started_at.0);
    let used = facts.session.plan_used.as_deref().copied();
    let before = before.max(last).max(used);
    let after = before.and_then(|before| before.checked_add(Duration::from_secs(1)).ok());
    let made_at = after.map_or(facts.now.wall, |after| after.max(facts.now.wall));
    let ports = (from, facts.desired.port.get());
    let nonce = Some(terms.nonce.into());
    PlanRecord {
        id: id(terms, ports, made_at, nonce),
        from_port: ports.0.into(),
        to_port: ports.1.into(),
        made_at: Time(made_at),
        nonce,
        not_before: None,
        waits_for: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The plan on record, if it is still the one that is due and was not used.
fn standing<'a>(facts: &Facts<'a>, terms: &Terms, from: u16) -> Option<&'a PlanRecord> {
    let plan = facts.record.plan.as_ref()?;
    let used = facts.session.plan_used.as_deref();
    let is_new = used.is_none_or(|used| plan.made_at.0 > *used);
    let ports = (from, facts.desired.port.get());
    let same = id(terms, ports, plan.made_at.0, plan.nonce);
    (is_new && plan.id == same).then_some(plan)
}

/// The id of the plan of a change, by all that it stands for: sixteen hexadecimal digits.
pub fn id(terms: &Terms, (from, to): (u16, u16), made_at: Timestamp, nonce: Option<i64>) -> String {
    let mut hash = Sha256::new();
    hash.update(terms.wishes.0);
    hash.update(from.to_be_bytes());
    hash.update(to.to_be_bytes());
    hash.update(made_at.as_second().to_be_bytes());
    hash.update(nonce.unwrap_or_default().to_be_bytes());
    let bytes = hash.finalize().into_iter().take(8);
    let number = bytes.fold(0_u64, |number, byte| number << 8 | u64::from(byte));
    format!("{number:016x}")
}

/// The plan that is put on record with a step.
pub fn after(facts: &Facts<'_>, step: &Step) -> Option<PlanRecord> {
    let record = facts.record;
    let terms = facts.observed.terms.as_deref()?;
    if record.change.is_some() || facts.observes() || !facts.is_vetted() || facts.desired.deleting {
        return None;
    }
    let from = match &facts.observed.proxy {
        Seen::Known(Some(proxy)) => proxy.port.filter(|_| !doubts_the_port(step)),
        Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
    };
    if matches!(step, Step::Rest | Step::Hold(Cause::ProxyNotFound, _)) {
        return None;
    }
    let Some(from) = from else {
        // The proxy may have the port for which the plan was made: the plan stands, if nothing else has moved.
        return kept_at(facts, step);
    };
    let is_made = matches!(step, Step::Hold(cause, _) if is_due(cause));
    let plan = if is_made {
        current(facts, terms, from)
    } else {
        standing(facts, terms, from)?.clone()
    };
    Some(timed(facts, terms, &plan, step))
}

/// The plan on record with what it waits for now, where nothing of it has moved as far as is known without the proxy's port.
pub fn kept_at(facts: &Facts<'_>, step: &Step) -> Option<PlanRecord> {
    let terms = facts.observed.terms.as_deref()?;
    let plan = facts.record.plan.as_ref()?;
    if facts.desired.deleting {
        return None;
    }
    let from = u16::try_from(plan.from_port).ok()?;
    let plan = standing(facts, terms, from)?;
    Some(timed(facts, terms, plan, step))
}

/// Whether the port that was read may be one from before the last change.
fn doubts_the_port(step: &Step) -> bool {
    let is_doubt = |cause: &Cause| {
        matches!(
            cause,
            Cause::ListBehind { .. }
                | Cause::ListsLag(..)
                | Cause::JustFailed { .. }
                | Cause::FailedLately
        )
    };
    matches!(step, Step::Hold(cause, _) if is_doubt(cause))
}

/// A plan with what it waits for now, in the words of the gate.
fn timed(facts: &Facts<'_>, terms: &Terms, plan: &PlanRecord, step: &Step) -> PlanRecord {
    let (is_approved, hours) = permission(facts, terms, &plan.id);
    let now = facts.now.wall;
    let next = hours.next(now, terms.takes);
    let mut waits_for = Vec::new();
    if next != Some(now) {
        let frozen = hours.freeze_in_the_way(now, terms.takes);
        let is_frozen = hours.missing.is_some() || frozen.is_some();
        // Behind all freezes there may be no window yet.
        let thaws = hours.at_once().next(now, terms.takes);
        let has_windows = !hours.windows.is_empty() || hours.unknown.is_some();
        let is_shut = has_windows && next.is_none_or(|next| thaws.is_none_or(|thaws| next > thaws));
        if is_frozen {
            waits_for.push(WaitsFor::Freeze);
        }
        if !is_frozen || is_shut && hours.missing.is_none() {
            waits_for.push(WaitsFor::Window);
        }
    }
    if !is_approved {
        waits_for.push(WaitsFor::Approval);
    }
    waits_for.extend(admitting::waits_for(facts, (plan.from_port, plan.to_port)));
    if let Step::Hold(cause, _) = step {
        waits_for.extend(other_wait(cause));
    }
    let warnings = warnings::of(facts, terms, plan, next);
    PlanRecord {
        warnings,
        not_before: next.filter(|next| *next > now).map(Time),
        waits_for,
        ..plan.clone()
    }
}

/// The ports of a change that is due and waits, where no plan stands for it: it waits for something else than its hours or an approval.
pub fn awaited(facts: &Facts<'_>, step: &Step) -> Option<(i32, i32)> {
    let Step::Hold(cause, _) = step else {
        return None;
    };
    let waits = is_due(cause)
        || matches!(
            cause,
            Cause::BackingOff(_)
                | Cause::Damped { .. }
                | Cause::Passing(..)
                | Cause::GivenUp { at: Some(_), .. }
        );
    let is_begun = facts.record.change.is_some();
    if !waits || is_begun || facts.observes() || !facts.is_vetted() || facts.desired.deleting {
        return None;
    }
    let Seen::Known(Some(proxy)) = &facts.observed.proxy else {
        return None;
    };
    let to = facts.desired.port.get();
    let from = proxy.port.filter(|from| *from != to)?;
    Some((from.into(), to.into()))
}

/// Whether a change is due that waits, and from which port is certain.
fn is_due(cause: &Cause) -> bool {
    cause.reason().waits_for_its_moment()
        || matches!(
            cause,
            Cause::WaitingForLimit(_)
                | Cause::WaitingForInstance(..)
                | Cause::ProxyBusy(..)
                | Cause::NotAdmitted { .. }
        )
}

fn other_wait(cause: &Cause) -> Option<WaitsFor> {
    if matches!(cause, Cause::ListBehind { .. } | Cause::FailedLately) {
        // Nothing is at work: it is only not certain which port the proxy has.
        return None;
    }
    match cause.reason() {
        Reason::WaitingForBudget | Reason::RolloutHalted => Some(WaitsFor::Budget),
        Reason::WaitingForInstance | Reason::ProxyBusy | Reason::CloudListsLag => {
            Some(WaitsFor::Instance)
        }
        _ => None,
    }
}

/// Until when a change that was decided on may start, looking so far ahead. Asked right before its request, with the terms of that moment.
///
/// # Errors
///
/// Why it may not start now.
pub fn may_start_until(
    terms: &Terms,
    timing: Option<&Timing>,
    plan: Option<&str>,
    now: Timestamp,
    ahead: Duration,
) -> Result<Timestamp, &'static str> {
    let at_once =
        |timing: &Timing| timing.apply_now.is_some() && timing.apply_now.as_deref() == plan;
    let hours = if timing.is_some_and(at_once) {
        terms.hours.at_once()
    } else {
        terms.hours.clone()
    };
    let until = hours.last_start(now, terms.takes, ahead);
    until.ok_or_else(|| {
        if hours.missing.is_some() {
            "the operator has read no calendar since its start"
        } else if hours.freeze_in_the_way(now, terms.takes).is_some() {
            "a freeze is in force, or begins before the change could end"
        } else if hours.unknown.is_some() {
            "the instance's maintenance window is not known any more"
        } else {
            "too little of its maintenance window was left"
        }
    })
}
