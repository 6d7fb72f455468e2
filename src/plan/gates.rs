//! The reasons to hold a change back, in the order in which people are told of them.
//!
//! Each gate lets pass or holds; the first that holds speaks. The last ones cost calls, so they come last.

use std::time::Duration;

use crate::{
    cloud::{Proxy, ProxyStatus},
    crd::{FailureCause, ManagementPolicy},
    plan::{
        attempts::{Allowance, Attempts},
        drift::{self, Correction},
        facts::{Facts, Seen},
        step::{Cause, Step},
        trouble,
    },
};

/// What a gate says: nothing, or the step that holds the change back.
type Gate = fn(&Facts<'_>, &Proxy) -> Option<Step>;

/// All of them. `claim` stands before those that would call the cloud for somebody else's proxy.
const GATES: [Gate; 9] = [
    suspended,
    policy,
    claim,
    attempts,
    drift_damping,
    refusal,
    proxy_status,
    instance,
    tasks,
];

/// The first reason to hold the change of `proxy` back.
pub fn hold(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    GATES.iter().find_map(|gate| gate(facts, proxy))
}

/// Whether the port that is wanted was in place before: then another port is drift, not a wish.
pub fn is_correction(facts: &Facts<'_>) -> bool {
    facts.record.applied == Some(facts.desired.port.get())
}

fn suspended(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    facts
        .desired
        .suspended
        .then_some(Step::Hold(Cause::Suspended, facts.resync))
}

fn policy(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    let left_alone =
        facts.desired.policy == ManagementPolicy::ApplyOnChange && is_correction(facts);
    left_alone.then(|| {
        Step::Hold(
            Cause::DriftDetected(proxy.port.unwrap_or_default()),
            facts.resync,
        )
    })
}

fn claim(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    facts
        .observed
        .claimed_by_older
        .then_some(Step::Hold(Cause::ProxyClaimed, facts.resync))
}

fn attempts(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    let failures = &facts.record.failures;
    let wanted = facts.desired.port.get();
    let message = || {
        failures
            .iter()
            .find(|record| record.port == i32::from(wanted))?
            .message
            .clone()
    };
    let cause = Attempts::at(wanted, failures)?;
    match cause.next(facts.now, facts.pace) {
        Allowance::Now | Allowance::LaterStalled(_, Duration::ZERO) => None,
        Allowance::Later(wait) => Some(Step::Hold(Cause::BackingOff(cause.cause, message()), wait)),
        Allowance::LaterStalled(why, wait) => {
            Some(Step::Hold(Cause::GivenUp(why, message()), wait))
        }
        Allowance::Never(why) => Some(Step::Hold(Cause::GivenUp(why, message()), facts.resync)),
    }
}

fn drift_damping(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    if !is_correction(facts) {
        return None;
    }
    match drift::next_correction(&facts.record.corrections, facts.now, facts.pace) {
        Correction::Now => None,
        Correction::Later(wait) => Some(Step::Hold(Cause::Damped, wait)),
        Correction::Contested(wait) => {
            let cause = Cause::DriftContested(proxy.port.unwrap_or_default());
            Some(Step::Hold(cause, wait.min(facts.resync)))
        }
    }
}

/// A change that was refused or not sent a while ago is not tried before its wait is over, unless another port is wanted.
fn refusal(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    let refusal = facts.session.refusal.as_ref()?;
    let wait = refusal.until.saturating_sub(facts.now.uptime);
    if wait.is_zero() || refusal.port != facts.desired.port.get() {
        return None;
    }
    let (cause, _) = trouble::of_error(facts, &refusal.error, refusal.count);
    Some(Step::Hold(cause, wait))
}

fn proxy_status(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    match &proxy.status {
        ProxyStatus::Active => None,
        ProxyStatus::Changing(word) => Some(Step::Hold(
            Cause::ProxyBusy(word.clone()),
            facts.pace.busy.0,
        )),
        ProxyStatus::Unhealthy(word) => Some(Step::Hold(
            Cause::ProxyUnhealthy(word.clone()),
            facts.pace.stuck_poll,
        )),
    }
}

fn instance(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    facts.observed.instance_taken.then_some(Step::Hold(
        Cause::WaitingForInstance,
        facts.pace.transient.0,
    ))
}

/// Also asked before a resource is vetted: an unfinished task may be a change from before it.
pub fn tasks(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    match &facts.observed.tasks {
        Seen::NotRead => Some(Step::LookAtTasks),
        Seen::Unknown(trouble) => {
            let (cause, delay) = trouble::judge(facts, trouble);
            Some(Step::Hold(cause, delay))
        }
        Seen::Known(None) => None,
        Seen::Known(Some(task)) => {
            let job = task
                .job
                .as_ref()
                .map_or("without an id".to_owned(), ToString::to_string);
            Some(Step::Hold(
                Cause::ProxyBusy(format!("job {job}")),
                facts.pace.busy.0,
            ))
        }
    }
}

/// Which attempt at the wanted port comes next, from 1.
pub fn next_attempt(facts: &Facts<'_>) -> u32 {
    Attempts::at(facts.desired.port.get(), &facts.record.failures)
        .filter(|attempts| attempts.cause != FailureCause::PortRejected)
        .map_or(1, |attempts| {
            attempts
                .failed
                .saturating_add(attempts.void)
                .saturating_add(1)
        })
}
