//! The changes that ended, newest first. Pure.
//!
//! Promises that there are at most ten, none twice, and that one is entered only when a change on record ends: at rest nothing moves.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{
    crd::{HistoryEntry, LastChange, Outcome, TaurusProxyPortStatus, Trigger},
    model::ChangeId,
    plan::record::{Change, Record},
};

/// The most changes that are kept; the CRD's limit.
pub const MOST: usize = 10;

/// The history of a status, as far as it is one: what somebody has written by hand must not make ours be refused.
pub fn read(status: &TaurusProxyPortStatus) -> Vec<HistoryEntry> {
    status.history.iter().take(MOST).cloned().collect()
}

/// What a change on record is made for, as long as it has not ended.
pub fn trigger(record: &Record, change: &Change) -> Trigger {
    let to = i32::from(change.to);
    let before = record.history.first();
    let was_in_place = record.applied == Some(change.to);
    let again = before.is_some_and(|last| last.to_port == to && last.outcome != Outcome::Succeeded);
    if change.attempt > 1 || again && !was_in_place {
        Trigger::Retry
    } else if was_in_place {
        Trigger::Drift
    } else {
        Trigger::Edit
    }
}

/// Enters a change that has just ended, and that has carried out this plan.
pub fn enter(
    history: &mut Vec<HistoryEntry>,
    ended: &LastChange,
    plan: Option<String>,
    trigger: Trigger,
) {
    history.retain(|entry| entry.id != ended.id);
    let entry = HistoryEntry {
        id: ended.id.clone(),
        plan,
        from_port: ended.from_port,
        to_port: ended.to_port,
        job_id: ended.job_id.clone(),
        trigger,
        outcome: ended.outcome,
        started_at: Time(ended.started_at.0),
        finished_at: Time(ended.finished_at.0),
        took_seconds: None,
    };
    history.insert(0, entry);
    let succeeded = |entry: &HistoryEntry| entry.outcome == Outcome::Succeeded;
    // The last one that succeeded tells how long a change takes: it makes room for none that failed.
    if history.len() > MOST
        && let Some(at) = history.iter().position(succeeded)
        && at >= MOST
    {
        history.swap(at, MOST - 1);
    }
    history.truncate(MOST);
}

/// How long a change took that has just been entered.
pub fn add_length(history: &mut [HistoryEntry], change: &ChangeId, took: Duration) {
    let newest = history.first_mut();
    if let Some(entry) = newest.filter(|entry| entry.id == change.as_str()) {
        entry.took_seconds = i64::try_from(took.as_millis().div_ceil(1000)).ok();
    }
}

/// Whether a plan was carried out by a change that is on record as ended.
pub fn has_used(history: &[HistoryEntry], plan: &str) -> bool {
    let mut plans = history.iter().filter_map(|entry| entry.plan.as_deref());
    plans.any(|used| used == plan)
}

/// The job of a change that has ended, told late. Whether it lacked the job.
pub fn add_job(history: &mut [HistoryEntry], id: &str, job: &str) {
    let entry = history.iter_mut().find(|entry| entry.id == id);
    if let Some(entry) = entry.filter(|entry| entry.job_id.is_none()) {
        entry.job_id = Some(job.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::{
        crd::Phase,
        model::{ChangeId, JobId},
    };

    fn ended(number: u8, outcome: Outcome) -> LastChange {
        LastChange {
            id: ChangeId::from_bits(number.into()).as_str().to_owned(),
            from_port: 65_535,
            to_port: 65_534,
            job_id: None,
            outcome,
            started_at: Time(Timestamp::UNIX_EPOCH),
            finished_at: Time(Timestamp::UNIX_EPOCH),
            message: Some("the other side may say much".repeat(100)),
        }
    }

    #[test]
    fn there_are_at_most_ten_the_newest_first_and_none_twice() {
        let mut history = Vec::new();
        for number in 0..30 {
            enter(
                &mut history,
                &ended(number, Outcome::Succeeded),
                None,
                Trigger::Edit,
            );
        }
        enter(
            &mut history,
            &ended(29, Outcome::Failed),
            None,
            Trigger::Edit,
        );
        let ids: Vec<String> = history.iter().map(|entry| entry.id.clone()).collect();
        let wanted: Vec<String> = (20..30)
            .rev()
            .map(|number| ended(number, Outcome::Void).id)
            .collect();
        assert_eq!(ids, wanted);
        assert_eq!(history[0].outcome, Outcome::Failed);
    }

    #[test]
    fn a_correction_is_one_though_an_old_attempt_at_the_port_failed() {
        let change = Change {
            id: ChangeId::from_bits(2),
            plan: None,
            from: 3310,
            to: 3307,
            generation: 1,
            phase: Phase::Intended,
            attempt: 1,
            job: None,
            intended_at: Timestamp::UNIX_EPOCH,
            submitted_at: None,
        };
        let mut history = Vec::new();
        let failed = LastChange {
            to_port: 3307,
            ..ended(1, Outcome::Failed)
        };
        enter(&mut history, &failed, None, Trigger::Edit);
        let record = |applied| Record {
            applied,
            history: history.clone(),
            ..Record::default()
        };
        // Somebody has set it by hand after that, and it was seen in place.
        assert_eq!(trigger(&record(Some(3307)), &change), Trigger::Drift);
        assert_eq!(trigger(&record(Some(3306)), &change), Trigger::Retry);
        let second = Change {
            attempt: 2,
            ..change
        };
        assert_eq!(trigger(&record(Some(3307)), &second), Trigger::Retry);
    }

    #[test]
    fn ten_entries_take_a_bounded_room() {
        let room = |job: &str| {
            let mut history = Vec::new();
            for number in 0..20 {
                let mut ended = ended(number, Outcome::Succeeded);
                ended.job_id = Some(job.to_owned());
                let plan = Some("5f0c1d9a44e27b83".to_owned());
                enter(&mut history, &ended, plan, Trigger::Retry);
                add_length(
                    &mut history,
                    &ChangeId::from_bits(number.into()),
                    Duration::from_mins(30),
                );
            }
            assert!(
                history
                    .iter()
                    .all(|entry| entry.took_seconds == Some(1_800))
            );
            serde_json::to_vec(&history).unwrap().len()
        };
        let usual = room("a3c1f0de-5b7a-4f1e-9d26-0e2f77aa1b40");
        assert!(usual <= 3_200, "{usual}");
        let longest = room(&"x".repeat(JobId::MAX_LENGTH));
        assert!(longest <= 4_100, "{longest}");
    }

    #[test]
    fn the_last_change_that_succeeded_stays_however_many_fail_since() {
        let mut history = Vec::new();
        enter(
            &mut history,
            &ended(1, Outcome::Succeeded),
            None,
            Trigger::Edit,
        );
        for number in 2..40 {
            enter(
                &mut history,
                &ended(number, Outcome::Failed),
                None,
                Trigger::Retry,
            );
        }
        assert_eq!(history.len(), MOST);
        let numbers: Vec<_> = history.iter().map(|entry| entry.id.clone()).collect();
        assert_eq!(history[0].id, ended(39, Outcome::Failed).id, "{numbers:?}");
        assert_eq!(history[MOST - 1].outcome, Outcome::Succeeded, "{numbers:?}");
        enter(
            &mut history,
            &ended(40, Outcome::Succeeded),
            None,
            Trigger::Edit,
        );
        enter(
            &mut history,
            &ended(41, Outcome::Failed),
            None,
            Trigger::Edit,
        );
        let succeeded = history
            .iter()
            .filter(|entry| entry.outcome == Outcome::Succeeded);
        assert_eq!(succeeded.count(), 1, "the older one makes room");
    }

    #[test]
    fn a_job_that_is_told_late_is_entered_once() {
        let mut history = Vec::new();
        let void = ended(1, Outcome::Void);
        enter(&mut history, &void, None, Trigger::Edit);
        add_job(&mut history, "another", "job-0");
        assert_eq!(history[0].job_id, None);
        add_job(&mut history, &void.id, "job-1");
        add_job(&mut history, &void.id, "job-2");
        assert_eq!(history[0].job_id.as_deref(), Some("job-1"));
    }
}
