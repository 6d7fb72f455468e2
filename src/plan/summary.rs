//! From a decision to the status: the one place where conditions are made.
//!
//! Pure. Promises the status rules: exactly one of Ready, Reconciling and Stalled is True; times move only where a status
//! does; the other side's texts alone change nothing.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;

use crate::{
    cloud::Proxy,
    crd::{Corrections, ManagementPolicy, Outcome, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    desired::Desired,
    model::{Class, Moment, Reason},
    plan::{
        Decision,
        facts::{Observed, Seen},
        message::{self, Message},
        record::{Change, Record},
        session::{Session, Shown},
        step::{Cause, Step},
    },
};

mod others;
mod publication;
mod reachable;
pub mod undecodable;

pub use publication::{Publication, published, with_names, words};
pub use reachable::{REACHABLE, Reach, reachable};

/// The types of the conditions that are made here; all others are somebody else's.
const OWN: [&str; 5] = [
    "Ready",
    "Reconciling",
    "Stalled",
    "PortInSync",
    "JobSucceeded",
];

/// One condition before it has a time.
struct Statement {
    kind: &'static str,
    status: &'static str,
    reason: Reason,
    message: Message,
}

/// The status that says what was decided.
pub fn status(
    object: &TaurusProxyPort,
    desired: &Desired,
    observed: &Observed,
    decision: &Decision,
    now: Moment,
) -> TaurusProxyPortStatus {
    let old = object.status.as_ref();
    let record = &decision.record;
    let mut statements = main_statements(desired, decision, now);
    statements.push(port_in_sync(desired, decision));
    statements.extend(job_succeeded(record, &decision.step));
    let proxy = match &observed.proxy {
        // What is only recalled is on record already.
        Seen::Known(Some(proxy)) if !observed.is_recalled => Some(proxy),
        Seen::Known(_) | Seen::NotRead | Seen::Unknown(_) => None,
    };
    let mut status = recorded(object, record, proxy);
    status.observed_generation = Some(desired.generation);
    status.conditions = conditions(old, statements, desired.generation, now);
    status
}

/// The status of an object whose spec can't be acted on: what is on record stays, but others may manage its proxy by now.
pub fn invalid(object: &TaurusProxyPort, fault: String, now: Moment) -> TaurusProxyPortStatus {
    let old = object.status.as_ref();
    let generation = object.metadata.generation.unwrap_or_default();
    let mut record = Record::of(object);
    record.vetted &= record.change.is_some();
    let statements = holding(Reason::SpecInvalid, Message::plain(fault));
    let mut status = recorded(object, &record, None);
    status.observed_generation = Some(generation);
    status.conditions = conditions(old, statements, generation, now);
    let status = publication::unpublished(status, generation, now);
    reachable::as_it_was(status, generation)
}

/// What stands in the record, as status fields.
fn recorded(
    object: &TaurusProxyPort,
    record: &Record,
    proxy: Option<&Proxy>,
) -> TaurusProxyPortStatus {
    let old = object.status.as_ref();
    let times: Vec<Time> = record.corrections.iter().copied().map(Time).collect();
    TaurusProxyPortStatus {
        observed_generation: None,
        subject_uid: record.vetted.then(|| object.uid()).flatten(),
        port: record.port.map(i32::from),
        applied_port: record.applied.map(i32::from),
        // A row may lack it for a while.
        address: proxy
            .and_then(|proxy| proxy.address.clone())
            .or_else(|| old?.address.clone()),
        proxy_name: proxy.map_or_else(|| old?.proxy_name.clone(), |proxy| Some(proxy.name.clone())),
        proxy_status: proxy.map_or_else(
            || old?.proxy_status.clone(),
            |proxy| Some(proxy.status.word().to_owned()),
        ),
        // The record of a change takes the place of its plan.
        plan: record.plan.clone().filter(|_| record.change.is_none()),
        change: record.change.as_ref().map(Change::stored),
        last_change: record.last.clone(),
        history: record.history.clone(),
        failures: record.failures.clone(),
        corrections: (!times.is_empty()).then_some(Corrections { times }),
        last_handled_request: record.handled_request.clone(),
        service: old.and_then(|old| old.service.clone()),
        config_map: old.and_then(|old| old.config_map.clone()),
        conditions: Vec::new(),
    }
}

fn main_statements(desired: &Desired, decision: &Decision, now: Moment) -> Vec<Statement> {
    let Decision {
        record,
        session,
        step,
    } = decision;
    match step {
        Step::Rest => {
            let observe = desired.policy == ManagementPolicy::Observe;
            let reason = if observe {
                Reason::Observed
            } else {
                Reason::Settled
            };
            let message = message::in_order(desired, record.port);
            vec![Statement {
                kind: "Ready",
                status: "True",
                reason,
                message,
            }]
        }
        Step::Keep(_) => vec![kept(desired, record)],
        Step::Hold(cause, delay) => {
            let end = cause.end(now, *delay);
            let mut message = message::of(cause, desired).ending(end);
            if let Some(change) = &record.change {
                let is_anew = end.is_some() && is_watched_anew(change, session, now);
                message = message.during((change.from, change.to), is_anew);
            }
            holding(cause.reason(), message)
        }
        Step::Change(order) => {
            let cause = Cause::Starting(*order);
            let message = message::of(&cause, desired);
            let corrects = record.applied == Some(order.to.get());
            holding(
                cause.reason(),
                if corrects {
                    message.correcting(*order)
                } else {
                    message
                },
            )
        }
        // Neither is ever the last word of a decision; said so that it would be seen.
        Step::LookAtTasks | Step::Advance(_) => {
            let cause = Cause::OutcomeUnknown(None);
            holding(cause.reason(), message::of(&cause, desired))
        }
    }
}

/// Whether a change was begun before this process has watched it: all that is watched for a time is watched from the beginning again.
fn is_watched_anew(change: &Change, session: &Session, now: Moment) -> bool {
    /// An intent is acknowledged within half of it.
    const LONGEST_UNWATCHED: Duration = Duration::from_secs(10);
    session.watch.as_ref().is_some_and(|watch| {
        let unwatched = session
            .age(change.intended_at, now)
            .saturating_sub(now.elapsed(watch.since));
        unwatched > LONGEST_UNWATCHED
    })
}

/// A settled resource whose last look failed: what was seen of it stands.
fn kept(desired: &Desired, record: &Record) -> Statement {
    let reason = record
        .reason
        .filter(|reason| reason.class() == Class::Ready);
    Statement {
        kind: "Ready",
        status: "True",
        reason: reason.unwrap_or(Reason::Settled),
        message: message::in_order(desired, record.port),
    }
}

fn holding(reason: Reason, message: Message) -> Vec<Statement> {
    let unreachable = matches!(
        reason,
        Reason::CloudUnreachable
            | Reason::Throttled
            | Reason::MalformedAnswer
            | Reason::RequestRefused
    );
    let ready = if unreachable { "Unknown" } else { "False" };
    let other = if reason.class() == Class::Stalled {
        "Stalled"
    } else {
        "Reconciling"
    };
    vec![
        Statement {
            kind: "Ready",
            status: ready,
            reason,
            message: message.clone(),
        },
        Statement {
            kind: other,
            status: "True",
            reason,
            message,
        },
    ]
}

/// While a change is on record, what a list showed last; the port that is on record stands still until the change is verified.
fn port_in_sync(desired: &Desired, decision: &Decision) -> Statement {
    let record = &decision.record;
    let wanted = desired.port.get();
    let (port, message) = if let Some(change) = &record.change {
        let shown = decision.session.watch.as_ref();
        during_change(change, shown.and_then(|watch| watch.shown), wanted)
    } else {
        // The record has what was read, and is not led astray by a list that falls behind.
        let seen = record.port;
        let text = match seen {
            Some(port) if port == wanted => format!("port {port} was read last, as is wanted"),
            Some(port) => format!("port {port} was read last, wanted is {wanted}"),
            None => "the port was not read yet".to_owned(),
        };
        (seen, Message::plain(text))
    };
    let change = record.change.as_ref();
    let on_the_way = change.is_some_and(|change| change.to != wanted);
    let (status, reason) = match port {
        Some(port) if port != wanted || on_the_way => ("False", Reason::PortDiffers),
        // What was read last says nothing of a proxy that is no longer there.
        Some(_) if !is_missing(&decision.step) => ("True", Reason::PortMatches),
        Some(_) | None => ("Unknown", Reason::PortUnknown),
    };
    Statement {
        kind: "PortInSync",
        status,
        reason,
        message,
    }
}

/// Whether the cloud shows no such proxy.
fn is_missing(step: &Step) -> bool {
    let Step::Hold(cause, _) = step else {
        return false;
    };
    matches!(
        cause.reason(),
        Reason::ProxyNotFound | Reason::InstanceNotFound
    )
}

/// The port that is known during a change, and since when.
fn during_change(change: &Change, shown: Option<Shown>, wanted: u16) -> (Option<u16>, Message) {
    let asked = if change.to == wanted {
        String::new()
    } else {
        format!(" and was asked for {}", change.to)
    };
    let wanted_text = if shown.is_some_and(|shown| shown.port == wanted) && change.to == wanted {
        " while the change goes on".to_owned()
    } else {
        format!("{asked}, wanted is {wanted}")
    };
    if let Some(Shown { port, since }) = shown {
        let own = format!("the cloud shows port {port}{wanted_text}");
        let message = Message::quoting(own, format!("first seen at {since}"));
        return (Some(port), message);
    }
    let from = change.from;
    let own = format!(
        "the cloud showed port {from} before the change began at {}{wanted_text}",
        change.intended_at
    );
    (Some(from), Message::plain(own))
}

fn job_succeeded(record: &Record, step: &Step) -> Option<Statement> {
    let (status, reason, text) =
        if let Step::Hold(Cause::JobLost(job, _) | Cause::JobAbandoned(job, _), _) = step {
            let text = format!("job {job}: its end was not seen");
            ("Unknown", Reason::OutcomeUnknown, text)
        } else if let Some(change) = &record.change {
            let (reason, text) = job_of_change(change, record, step);
            ("Unknown", reason, text)
        } else {
            let last = record.last.as_ref()?;
            let job = last.job_id.as_ref().map(|job| format!("job {job}"));
            match last.outcome {
                Outcome::Succeeded if let Some(said) = &last.message => (
                    "Unknown",
                    Reason::OutcomeUnknown,
                    format!("{}: {said}", job?),
                ),
                Outcome::Succeeded => ("True", Reason::JobCompleted, job?),
                Outcome::Failed => (
                    "False",
                    Reason::JobFailed,
                    job.unwrap_or_else(|| "no job is known".to_owned()),
                ),
                Outcome::Void => (
                    "Unknown",
                    Reason::OutcomeUnknown,
                    job.unwrap_or_else(|| "no job was seen".to_owned()),
                ),
            }
        };
    Some(Statement {
        kind: "JobSucceeded",
        status,
        reason,
        message: Message::plain(text),
    })
}

/// What is known of the job of a change on record.
fn job_of_change(change: &Change, record: &Record, step: &Step) -> (Reason, String) {
    let verifies = change.phase == Phase::Verifying;
    let Some(job) = &change.job else {
        let to = change.to;
        if verifies {
            let text = format!("the cloud began no job for port {to}: it had nothing to do");
            return (Reason::Verifying, text);
        }
        // What became of the one before is known, though a new change has begun.
        let before = record.last.as_ref().and_then(|last| {
            let how = match last.outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Void => "came to nothing",
            };
            let job = last.job_id.as_ref()?;
            Some(format!(
                "; the change before, to port {} by job {job}, {how}",
                last.to_port
            ))
        });
        let before = before.unwrap_or_default();
        let is_unknown =
            matches!(step, Step::Hold(cause, _) if cause.reason() == Reason::OutcomeUnknown);
        return if is_unknown {
            let text = format!("it is not known whether a job sets port {to}{before}");
            (Reason::OutcomeUnknown, text)
        } else {
            let text = format!("no job is known yet that sets port {to}{before}");
            (Reason::JobRunning, text)
        };
    };
    if verifies {
        let text = format!("job {job} was completed; the port is not verified yet");
        (Reason::Verifying, text)
    } else {
        (Reason::JobRunning, format!("job {job}"))
    }
}

/// Gives each statement its time.
fn conditions(
    old: Option<&TaurusProxyPortStatus>,
    statements: Vec<Statement>,
    generation: i64,
    now: Moment,
) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = statements
        .into_iter()
        .map(|new| {
            let mut old = old.iter().flat_map(|old| &old.conditions);
            let old = old.find(|condition| condition.type_ == new.kind);
            condition(old, &new, generation, now)
        })
        .collect();
    conditions.sort_by(|one, other| one.type_.cmp(&other.type_));
    others::kept(old, conditions)
}

/// Gives a statement its time, and keeps what was said where nothing but the other side's text differs.
fn condition(old: Option<&Condition>, new: &Statement, generation: i64, now: Moment) -> Condition {
    let same_status = old.filter(|old| old.status == new.status);
    let same_words = same_status
        .filter(|old| old.reason == new.reason.name() && new.message.is_said_by(&old.message));
    Condition {
        type_: new.kind.to_owned(),
        status: new.status.to_owned(),
        reason: new.reason.name().to_owned(),
        message: same_words.map_or_else(|| new.message.to_string(), |old| old.message.clone()),
        last_transition_time: same_status
            .map_or_else(|| Time(now.wall), |old| old.last_transition_time.clone()),
        observed_generation: Some(generation),
    }
}
