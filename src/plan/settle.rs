//! How the record moves on. Pure: what was learned, and when, is an argument.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use crate::{
    crd::{FailureCause, FailureRecord, LastChange, Outcome, Phase},
    model::{JobId, Moment},
    pace::Pace,
    plan::{
        attempts::{self, Attempts},
        drift, history,
        record::{Change, Record},
        step::Progress,
    },
};

/// The most ports whose failed attempts are remembered; the CRD's limit.
const MOST_FAILURES: usize = 8;

/// Moves the record on.
pub fn advance(mut record: Record, progress: Progress, now: Moment) -> Record {
    match progress {
        Progress::Vetted => record.vetted = true,
        Progress::RequestHandled(request) => {
            record.handled_request = Some(request);
            // What goes on by itself is no matter of the request: counted anew, it would cut connections more often.
            record
                .failures
                .retain(|failure| !Attempts::of(failure).are_for_people());
            if record.corrections.len() >= drift::MOST_A_DAY {
                record.corrections.clear();
            }
        }
        Progress::JobDone => {
            if let Some(change) = &mut record.change {
                change.phase = Phase::Verifying;
            }
        }
        Progress::Succeeded(seen) => succeed(&mut record, seen, None, now),
        Progress::SeemsDone(seen) => {
            let said = format!("its end was not seen, and the port is {seen} by now");
            succeed(&mut record, seen, Some(said), now);
        }
        Progress::Failed(cause, said) => fail(&mut record, Outcome::Failed, cause, said, now),
        Progress::Void(said) => fail(
            &mut record,
            Outcome::Void,
            FailureCause::OutcomeUnknown,
            said,
            now,
        ),
    }
    record
}

/// Records the job of the change, which never moves back, and when it was accepted.
pub fn submitted(mut change: Change, job: JobId, at: Timestamp) -> Change {
    change.phase = change.phase.max(Phase::Submitted);
    change.job = Some(job);
    change.submitted_at.get_or_insert(at);
    change
}

/// Records that the service refuses the wanted port; nothing was begun.
pub fn rejected(record: &mut Record, port: u16, said: String, now: Moment) {
    note(
        &mut record.failures,
        port,
        FailureCause::PortRejected,
        said,
        now,
    );
}

/// Forgets failed attempts that no longer count, when another generation is judged.
pub fn forget(record: &mut Record, wanted: u16, age: impl Fn(Timestamp) -> Duration, pace: &Pace) {
    attempts::forget_superseded(&mut record.failures, wanted, age, pace);
}

fn succeed(record: &mut Record, seen: u16, said: Option<String>, now: Moment) {
    let Some(change) = record.change.take() else {
        return;
    };
    let last = ended(&change, Outcome::Succeeded, said, now);
    let trigger = history::trigger(record, &change);
    history::enter(&mut record.history, &last, change.plan, trigger);
    if record.applied == Some(change.to) {
        record.corrections.push(now.wall);
        let surplus = record.corrections.len().saturating_sub(3);
        record.corrections.drain(..surplus);
    } else {
        record.corrections.clear();
    }
    record
        .failures
        .retain(|failure| failure.port != i32::from(change.to));
    record.applied = Some(change.to);
    record.port = Some(seen);
    record.last = Some(last);
}

fn fail(record: &mut Record, outcome: Outcome, cause: FailureCause, said: String, now: Moment) {
    let Some(change) = record.change.take() else {
        return;
    };
    note(&mut record.failures, change.to, cause, said.clone(), now);
    if let Some(entry) = record
        .failures
        .iter_mut()
        .find(|entry| entry.port == i32::from(change.to))
    {
        let count = match outcome {
            Outcome::Void => &mut entry.void,
            Outcome::Failed | Outcome::Succeeded => &mut entry.failed,
        };
        // A count below nothing, from a hand-edited status, is nothing.
        *count = (*count).max(0).saturating_add(1);
    }
    let last = ended(&change, outcome, Some(said), now);
    let trigger = history::trigger(record, &change);
    history::enter(&mut record.history, &last, change.plan, trigger);
    record.last = Some(last);
}

/// Finds or makes the entry of a port; the oldest makes room.
fn note(
    failures: &mut Vec<FailureRecord>,
    port: u16,
    cause: FailureCause,
    said: String,
    now: Moment,
) {
    let port = i32::from(port);
    let last_at = Time(now.wall);
    if let Some(entry) = failures.iter_mut().find(|entry| entry.port == port) {
        // A void attempt does not hide that an earlier one failed.
        if entry.failed == 0 || cause != FailureCause::OutcomeUnknown {
            entry.cause = cause;
            entry.message = Some(said);
        }
        entry.last_at = last_at;
        entry.superseded = None;
        return;
    }
    if failures.len() >= MOST_FAILURES
        && let Some((oldest, _)) = failures
            .iter()
            .enumerate()
            .min_by_key(|(_, entry)| entry.last_at.0)
    {
        failures.remove(oldest);
    }
    let message = Some(said);
    failures.push(FailureRecord {
        port,
        failed: 0,
        void: 0,
        last_at,
        cause,
        superseded: None,
        message,
    });
}

/// How a change has ended now, as it is put on record.
pub fn ended(
    change: &Change,
    outcome: Outcome,
    message: Option<String>,
    now: Moment,
) -> LastChange {
    LastChange {
        id: change.id.as_str().to_owned(),
        from_port: change.from.into(),
        to_port: change.to.into(),
        job_id: change.job.as_ref().map(|job| job.as_str().to_owned()),
        outcome,
        started_at: Time(change.intended_at),
        finished_at: Time(now.wall),
        message,
    }
}
