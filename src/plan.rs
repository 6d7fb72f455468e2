//! Decisions, as pure functions over values.
//!
//! Relies on nothing but its arguments: no I/O, no clock. Promises to be total: every input has an answer, and a decision
//! ends after few moves of the record.

use std::time::Duration;

use crate::{
    cloud::{Proxy, ProxyStatus},
    model::Reason,
    plan::{
        facts::{Facts, Seen},
        record::Record,
        session::Session,
        step::{Cause, Doubt, Order, Progress, Step},
    },
};

pub mod absence;
pub mod admitting;
pub mod attempts;
pub mod backoff;
pub mod drift;
pub mod endpoint;
pub mod facts;
pub mod gates;
pub mod history;
pub mod message;
pub mod probing;
pub mod protocol;
pub mod record;
mod rivals;
pub mod session;
pub mod settle;
pub mod step;
pub mod summary;
pub mod timing;
pub mod trouble;

/// More moves of the record than any decision needs: vetted, request, done, succeeded or failed.
const MOST_MOVES: usize = 8;

/// A decision: the record as it is now known to stand, what is remembered, and what to do next.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The record, moved on as far as what was seen allows.
    pub record: Record,
    /// What this process remembers.
    pub session: Session,
    /// What to do next; never [`Step::Advance`].
    pub step: Step,
}

/// Decides what to do. `facts.record` and `facts.session` are where it starts from; the session has not yet taken in
/// what was observed.
pub fn decide(facts: &Facts<'_>) -> Decision {
    let mut session = facts.session.clone();
    session.turn_to(facts.record.change.as_ref(), facts.now);
    session.observe(facts.record, facts.observed, facts.now, facts.pace);
    session.note_credentials(facts);
    decide_again(&Facts {
        session: &session,
        ..*facts
    })
}

/// Decides on facts that the session has taken in already, after the record was moved on by an outcome.
pub fn decide_again(facts: &Facts<'_>) -> Decision {
    let mut record = facts.record.clone();
    let mut session = facts.session.clone();
    session.note_times(&record, facts.now, facts.pace);
    if session.doubted.is_some() && record.change.is_none() {
        // On record, so that another process doubts it as well.
        record.vetted = false;
    }
    let wanted = facts.desired.port.get();
    let age = |time| session.age(time, facts.now);
    if record.generation != Some(facts.desired.generation) {
        settle::forget(&mut record, wanted, age, facts.pace);
    }
    attempts::forget_expired(&mut record.failures, wanted, age, facts.pace);
    for _ in 0..MOST_MOVES {
        let step = plan(&Facts {
            record: &record,
            session: &session,
            ..*facts
        });
        let Step::Advance(progress) = step else {
            if step == Step::Rest {
                session.rest();
            }
            let ended = facts.record.change.is_some() && record.change.is_none()
                || std::mem::take(&mut record.spent);
            let moved = Facts {
                record: &record,
                session: &session,
                ..*facts
            };
            let mut record = with_port(&moved);
            record.vetted &= !rivals::lets_go(&moved, &step);
            record.plan = timing::after(&moved, &step);
            let step = if ended {
                one_by_one(&moved, step)
            } else {
                step
            };
            // What has just been put on record is new now, whatever the clock shows at the next look.
            session.note_times(&record, facts.now, facts.pace);
            return Decision {
                record,
                session,
                step,
            };
        };
        session.note_progress(&progress, record.change.as_ref(), facts.now);
        record = settle::advance(record, progress, facts.now);
        if let Some(took) = session.took.as_deref().filter(|took| took.is_measured) {
            history::add_length(&mut record.history, &took.change, took.length);
        }
        session.turn_to(record.change.as_ref(), facts.now);
    }
    let step = Step::Hold(Cause::OutcomeUnknown(None), facts.pace.stuck_poll);
    Decision {
        record,
        session,
        step,
    }
}

/// The end of a change is put on record before anything is done about the next one.
fn one_by_one(facts: &Facts<'_>, step: Step) -> Step {
    let from = match &facts.observed.proxy {
        Seen::Known(Some(proxy)) => proxy.port,
        Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
    };
    match step {
        Step::Change(_) | Step::LookAtTasks => Step::Hold(
            Cause::Next(Order {
                from: from.unwrap_or_default(),
                to: facts.desired.port,
                attempt: gates::next_attempt(facts),
            }),
            facts.pace.poll_first,
        ),
        step => step,
    }
}

/// One move: what the facts ask for.
fn plan(facts: &Facts<'_>) -> Step {
    let request = facts.desired.request.as_ref();
    let is_new = facts.record.is_asked_by(request.map(String::as_str));
    if let Some(request) = request.filter(|_| is_new && answers_a_request(facts)) {
        return Step::Advance(Progress::RequestHandled(request.clone()));
    }
    match (&facts.record.change, &facts.session.watch) {
        (Some(change), Some(watch)) => protocol::follow(facts, change, watch),
        _ => idle(facts),
    }
}

/// Whether this look is one that a person asked for: it has read the proxy, or the job of a change. What is only recalled is none; one that
/// failed, or did not find the proxy, tells nobody what its port is. While a job is not polled any more, the list answers: the request came
/// before the end of the change, and lifts nothing that this end will count.
fn answers_a_request(facts: &Facts<'_>) -> bool {
    let observed = facts.observed;
    let has_port = matches!(&observed.proxy, Seen::Known(Some(proxy)) if proxy.port.is_some());
    let is_polled = matches!(observed.job, Seen::Known(_));
    (has_port || is_polled) && !observed.is_recalled
}

/// What is said before a look is over, because of `cause`.
pub fn meanwhile(facts: &Facts<'_>, cause: Cause) -> Decision {
    let wanted = facts.record.port == Some(facts.desired.port.get());
    let rival = rivals::claimed(facts).filter(|_| facts.record.change.is_none());
    let step = match rival {
        Some(step) => step,
        None if wanted && facts.is_settled() => Step::Keep(Duration::ZERO),
        None => Step::Hold(cause, Duration::ZERO),
    };
    let mut record = facts.record.clone();
    record.vetted &= !rivals::lets_go(facts, &step);
    record.plan = timing::kept_at(facts, &step);
    Decision {
        record,
        session: facts.session.clone(),
        step,
    }
}

/// No change is on record.
fn idle(facts: &Facts<'_>) -> Step {
    // It waits, whatever becomes of the cloud, the proxy or the definition meanwhile.
    if let Some(step) = rivals::claimed(facts) {
        return step;
    }
    if let Some(step) = timing::fault(facts) {
        return step;
    }
    if facts.observed.record_pruned {
        let wait = facts.pace.stuck_poll.min(facts.resync);
        return Step::Hold(Cause::CrdOutdated, wait);
    }
    let proxy = match &facts.observed.proxy {
        Seen::Known(Some(proxy)) => proxy,
        Seen::Known(None) => return absent(facts),
        Seen::Unknown(trouble) => return trouble::while_idle(facts, trouble),
        Seen::NotRead => return unread(facts),
    };
    if let ProxyStatus::Unhealthy(word) = &proxy.status {
        return Step::Hold(Cause::ProxyUnhealthy(word.clone()), facts.pace.stuck_poll);
    }
    let Some(port) = proxy.port else {
        return trouble::while_idle(facts, &trouble::unreadable_port());
    };
    // Nothing is ever sent for it, so nothing has to be known of changes from before it.
    if facts.observes() {
        return match gates::list_behind(facts, port) {
            Some(Step::Hold(_, wait)) if facts.is_settled() => Step::Keep(wait),
            Some(behind) => behind,
            None => Step::Rest,
        };
    }
    if !facts.is_vetted() {
        return vet(facts, proxy);
    }
    if port == facts.desired.port.get() {
        let doubt = gates::just_failed(facts).or_else(|| gates::list_behind(facts, port));
        return doubt.unwrap_or(Step::Rest);
    }
    gates::hold(facts, proxy).unwrap_or_else(|| {
        Step::Change(Order {
            from: port,
            to: facts.desired.port,
            attempt: gates::next_attempt(facts),
        })
    })
}

/// Whether a change would follow if nothing were at work on the instance, as far as can be told without looking closer.
pub fn is_change_due(facts: &Facts<'_>) -> bool {
    let Seen::Known(Some(proxy)) = &facts.observed.proxy else {
        return false;
    };
    let differs = proxy
        .port
        .is_some_and(|port| port != facts.desired.port.get());
    let held = gates::hold(facts, proxy);
    differs && !facts.observes() && held.is_none_or(|step| step == Step::LookAtTasks)
}

/// An object that nobody has vouched for may be the successor of one that was deleted with a change at work; so may one
/// whose record was taken away or restored under this process.
fn vet(facts: &Facts<'_>, proxy: &Proxy) -> Step {
    let doubted = facts.session.doubted.as_deref();
    let watched = doubted.map(|since| facts.now.elapsed(*since));
    let watched = watched.map_or(facts.leading_for, |watched| watched.min(facts.leading_for));
    let young = facts.pace.settle_window().saturating_sub(watched);
    if !young.is_zero() {
        // Whoever has suspended it wants to see that it is, not that a change is about to follow.
        let differs = proxy.port != Some(facts.desired.port.get());
        let cause = if facts.desired.suspended && differs {
            Cause::Suspended
        } else {
            let edited = doubted.is_some_and(|since| facts.now.elapsed(*since) < facts.leading_for);
            Cause::Newcomer(if edited { Doubt::Status } else { Doubt::Start })
        };
        return Step::Hold(cause, young);
    }
    gates::tasks(facts, proxy)
        .or_else(|| gates::instance(facts, proxy))
        .unwrap_or(Step::Advance(Progress::Vetted))
}

/// The list of proxies is not read where the task list before it could not be.
fn unread(facts: &Facts<'_>) -> Step {
    match &facts.observed.tasks {
        Seen::Unknown(trouble) => trouble::with_tasks(facts, trouble),
        Seen::NotRead | Seen::Known(_) if facts.record.change.is_some() => {
            Step::Hold(Cause::OutcomeUnknown(None), facts.pace.poll_first)
        }
        // It was not looked at, since others come first.
        Seen::NotRead | Seen::Known(_) => {
            let limit = facts.observed.limit.clone();
            let first = facts.observed.goes_first.clone();
            let cause = limit.map_or(Cause::WaitingForInstance(first), Cause::WaitingForLimit);
            Step::Hold(cause, facts.resync)
        }
    }
}

fn absent(facts: &Facts<'_>) -> Step {
    match &facts.session.missing {
        Some(seen) if seen.confirmed(facts.pace.missing_gap) => {
            Step::Hold(Cause::ProxyNotFound, facts.pace.denied_check)
        }
        _ if facts.is_settled() => Step::Keep(facts.pace.missing_gap),
        _ => {
            let (cause, wait) = trouble::confirming_absence(facts);
            // A process before this one was sure of it, and nobody has seen the proxy since.
            let was_said = facts.says(Reason::ProxyNotFound);
            Step::Hold(
                if was_said {
                    Cause::ProxyNotFound
                } else {
                    cause
                },
                wait,
            )
        }
    }
}

/// The port that was read counts only while no change is in progress. A wanted port that is seen in place is applied,
/// whoever brought it about, and its failed attempts are over.
fn with_port(facts: &Facts<'_>) -> Record {
    let mut record = facts.record.clone();
    let (None, Seen::Known(Some(proxy))) = (&record.change, &facts.observed.proxy) else {
        return record;
    };
    let wanted = facts.desired.port.get();
    let in_place = proxy.port == Some(wanted);
    let is_behind = |port| gates::list_behind(facts, port).is_some();
    if proxy.port.is_some_and(is_behind) {
        return record;
    }
    record.port = proxy.port.or(record.port);
    let believed = gates::just_failed(facts).is_none();
    if (record.vetted || facts.observes()) && in_place && believed {
        if record.applied != Some(wanted) {
            record.corrections.clear();
        }
        record.applied = Some(wanted);
        record
            .failures
            .retain(|failure| failure.port != i32::from(wanted));
    }
    record
}

#[cfg(test)]
mod tests;
