//! The reasons to hold a change back, in the order in which people are told of them.
//!
//! Each gate lets pass or holds; the first that holds speaks. The last ones cost calls, so they come last.

use std::time::Duration;

use crate::{
    cloud::{Proxy, ProxyStatus, Task},
    crd::{FailureCause, ManagementPolicy, Outcome},
    fleet::claims::Standing,
    model::JobId,
    pace,
    permits::limits::Limit,
    plan::{
        admitting,
        attempts::{Allowance, Attempts},
        drift::{self, Correction},
        facts::{Facts, Seen},
        step::{By, Cause, Retry, Step},
        timing, trouble,
    },
};

/// What a gate says: nothing, or the step that holds the change back.
type Gate = fn(&Facts<'_>, &Proxy) -> Option<Step>;

/// All of them.
const GATES: [Gate; 14] = [
    deleting,
    owner,
    suspended,
    lagging,
    policy,
    attempts,
    drift_damping,
    refusal,
    timing::gate,
    proxy_status,
    admitting::gate,
    instance,
    limit,
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

/// A list may still show the port of a job that has just failed: not in place, and nothing to put right.
pub fn just_failed(facts: &Facts<'_>) -> Option<Step> {
    let wanted = i32::from(facts.desired.port.get());
    let mut failures = facts.record.failures.iter();
    let last =
        failures.find(|record| record.port == wanted && record.cause == FailureCause::JobFailed)?;
    let age = facts.age(last.last_at.0);
    let wait = facts.pace.list_lag.saturating_sub(age);
    let cause = Cause::JustFailed {
        said: last.message.clone(),
        believed_at: facts.now.after(wait),
    };
    (!wait.is_zero()).then_some(Step::Hold(cause, wait))
}

/// A list may lag behind the last change, or fall back to before it: for a while no other port is believed than the one on record, which
/// is what the change left. It may have been made by another process a short while before this one began: it counts as no older than this
/// one has led, whatever the wall clock shows.
pub fn list_behind(facts: &Facts<'_>, shown: u16) -> Option<Step> {
    let last = facts.record.last.as_ref()?;
    let changed = facts.record.port.filter(|port| *port != shown)?;
    let known = facts.age(last.finished_at.0).min(facts.leading_for);
    let left = facts.pace.list_lag.saturating_sub(known);
    behind(facts, (shown, changed), left)
}

/// The list is read again for as long as it may be behind.
fn behind(facts: &Facts<'_>, (shown, changed): (u16, u16), left: Duration) -> Option<Step> {
    let cause = Cause::ListBehind {
        shown,
        changed,
        until: facts.now.after(left),
    };
    let wait = left.min(facts.pace.poll_longest);
    (!wait.is_zero()).then_some(Step::Hold(cause, wait))
}

fn deleting(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    facts
        .desired
        .deleting
        .then_some(Step::Hold(Cause::Deleting, facts.resync))
}

fn suspended(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    let wait = match lagging(facts, proxy) {
        Some(Step::Hold(_, wait)) => wait,
        _ => facts.resync,
    };
    facts
        .desired
        .suspended
        .then_some(Step::Hold(Cause::Suspended, wait))
}

/// Before what a port gives rise to that differs: the one that is shown may be from before the last change.
fn lagging(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    list_behind(facts, proxy.port?)
}

/// Another resource manages the proxy, or nobody may: also said where the wanted port is in place, which would not last.
pub fn claimed(facts: &Facts<'_>) -> Option<Step> {
    let cause = match &facts.observed.standing {
        Standing::Claimed(rival) => Cause::ProxyClaimed(rival.clone()),
        Standing::Contested(rival) => Cause::ProxyContested(rival.clone()),
        Standing::Owner | Standing::Open(_) => return None,
    };
    // It is woken when that one goes or wants something else.
    Some(Step::Hold(cause, facts.resync))
}

fn owner(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    let Standing::Open(left) = facts.observed.standing else {
        return claimed(facts);
    };
    let whom = facts.observed.opening.clone();
    Some(Step::Hold(Cause::TakingOver(whom), left))
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
    let given_up = |why, at| Cause::GivenUp {
        cause: why,
        said: message(),
        at,
        made: cause.failed.saturating_add(cause.void),
    };
    match cause.next(facts.age(cause.last_at), facts.pace) {
        Allowance::Now | Allowance::LaterStalled(_, Duration::ZERO) => None,
        Allowance::Later(wait) => {
            let retry = Retry {
                cause: cause.cause,
                said: message(),
                attempt: next_attempt(facts),
                most: cause.most(),
                at: facts.now.after(wait),
            };
            Some(Step::Hold(Cause::BackingOff(retry), wait))
        }
        Allowance::LaterStalled(why, wait) => {
            let at = Some(facts.now.after(wait));
            Some(Step::Hold(given_up(why, at), wait))
        }
        Allowance::Never(why) => Some(Step::Hold(given_up(why, None), facts.resync)),
    }
}

fn drift_damping(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    if !is_correction(facts) {
        return None;
    }
    let port = proxy.port.unwrap_or_default();
    let made = facts.record.corrections.iter();
    let ages = made.map(|time| facts.age(*time)).collect();
    match drift::next_correction(ages, facts.pace) {
        Correction::Now => None,
        Correction::Later(wait) => {
            let at = facts.now.after(wait);
            Some(Step::Hold(Cause::Damped { port, at }, wait))
        }
        Correction::Contested(wait) => {
            let until = facts.now.after(wait);
            let cause = Cause::DriftContested { port, until };
            Some(Step::Hold(cause, wait))
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
    let repeated = refusal.count >= 2;
    let (cause, _) = trouble::of_error(facts, &refusal.error, refusal.count, repeated);
    let at = facts.now.after(wait);
    let cause = match cause {
        Cause::Passing(error, _) => Cause::Passing(error, Some(at)),
        Cause::Blocked(trouble, _) => Cause::Blocked(trouble, Some(at)),
        Cause::ConfirmingAbsence(_) => Cause::ConfirmingAbsence(at),
        other => other,
    };
    Some(Step::Hold(cause, wait))
}

fn proxy_status(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    match &proxy.status {
        ProxyStatus::Active => None,
        ProxyStatus::Changing(word) => {
            Some(Step::Hold(Cause::ProxyBusy(word.clone()), busy_wait(facts)))
        }
        ProxyStatus::Unhealthy(word) => Some(Step::Hold(
            Cause::ProxyUnhealthy(word.clone()),
            facts.pace.stuck_poll,
        )),
    }
}

/// Also asked before a resource is vetted: the change may be one of its predecessor.
pub fn instance(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    // It is woken when its turn has come.
    let first = facts.observed.goes_first.clone();
    let wait = Step::Hold(Cause::WaitingForInstance(first), facts.resync);
    facts.observed.instance_taken.then_some(wait)
}

fn limit(facts: &Facts<'_>, _: &Proxy) -> Option<Step> {
    let limit = facts.observed.limit.clone()?;
    // It is woken when its turn has come. Once a halt is over, what is said of it no longer holds.
    let wait = match &limit {
        Limit::Halted { until, .. } => {
            let left = until.duration_since(facts.now.wall);
            let left = Duration::try_from(left).unwrap_or_default();
            left.max(facts.pace.poll_first).min(facts.resync)
        }
        Limit::Concurrent { .. } | Limit::Hourly { .. } => facts.resync,
    };
    Some(Step::Hold(Cause::WaitingForLimit(limit), wait))
}

/// Also asked before a resource is vetted: an unfinished task may be a change from before it.
pub fn tasks(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    match &facts.observed.tasks {
        Seen::NotRead => Some(Step::LookAtTasks),
        Seen::Unknown(trouble) => Some(trouble::with_tasks(facts, trouble)),
        Seen::Known(None) => own_job(facts, proxy)
            .or_else(|| given_up_job(facts))
            .or_else(|| failed_lately(facts, proxy)),
        Seen::Known(Some(task)) => Some(unfinished(facts, task)),
    }
}

/// What has failed may have been shown before it was taken back. Where a change of ours has failed and the list shows the port from
/// before it, nothing is in doubt.
fn failed_lately(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    let left = facts.observed.failed_lately?;
    let failed = facts.record.last.as_ref();
    let failed = failed.filter(|last| last.outcome == Outcome::Failed);
    let is_untouched = failed.is_some_and(|last| proxy.port.map(i32::from) == Some(last.from_port));
    (!is_untouched).then_some(Step::Hold(Cause::FailedLately, left))
}

/// A task of the instance is at work, or has completed so lately that lists may lag behind it.
fn unfinished(facts: &Facts<'_>, task: &Task) -> Step {
    if let Some(wait) = facts.observed.tasks_clear_in {
        let last = facts.record.last.as_ref();
        let last = last.and_then(|last| last.job_id.as_deref());
        let own = last.is_some() && last == task.job.as_ref().map(JobId::as_str);
        let by = if own { By::Ourselves } else { By::Others };
        return Step::Hold(Cause::ListsLag(task.job.clone(), by), wait);
    }
    let job = task
        .job
        .as_ref()
        .map_or("without an id".to_owned(), ToString::to_string);
    Step::Hold(Cause::ProxyBusy(format!("job {job}")), busy_wait(facts))
}

/// The change before this one was ours and was verified a short while ago. Where the list shows the port that it brought,
/// nothing is in doubt, for the list was read after the tasks; any other port may be from before it.
fn own_job(facts: &Facts<'_>, proxy: &Proxy) -> Option<Step> {
    let verified = facts.session.verified.as_deref()?;
    let wait = facts
        .pace
        .list_lag
        .saturating_sub(facts.now.elapsed(verified.at));
    let in_doubt = proxy.port != Some(verified.to) && !wait.is_zero();
    let cause = Cause::ListsLag(Some(verified.job.clone()), By::Ourselves);
    in_doubt.then_some(Step::Hold(cause, wait))
}

/// A job that holds nothing back, since it was given up, may have ended just before that: lists may lag behind it.
fn given_up_job(facts: &Facts<'_>) -> Option<Step> {
    let jobs = facts.observed.passed_over.iter();
    let lagging = jobs.filter_map(|job| {
        let session = facts.session;
        let left = session.may_have_just_ended(job, facts.now, facts.pace)?;
        Some((left, job))
    });
    let (left, job) = lagging.max()?;
    Some(Step::Hold(Cause::GivenUpLately(job.clone()), left))
}

fn busy_wait(facts: &Facts<'_>) -> Duration {
    let count = facts.session.busy.as_deref().map_or(1, |seen| seen.count);
    pace::doubling(facts.pace.busy, count)
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
