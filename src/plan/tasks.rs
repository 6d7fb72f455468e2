//! What the project's task list says about one instance.
//!
//! The list names no proxy, so any unfinished task of the instance holds a change back: it may be a change of ours whose
//! record was lost, or of somebody else.

use std::{collections::BTreeSet, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Task, TaskList},
    model::{InstanceId, JobId, JobState, Moment},
    pace::Pace,
};

/// Since when tasks are read that may have ended meanwhile.
pub fn read_since(now: Moment, pace: &Pace) -> Timestamp {
    let since = now.wall.checked_sub(pace.tasks_look_back);
    since.unwrap_or(now.wall)
}

/// The first task that counts as unfinished on `instance`, if there is one.
///
/// Ages are judged by the cloud's own time where its answer has one. A pending task that is older than
/// [`Pace::pending_counts_for`] does not count, nor does a job in `abandoned`; one that was completed less than
/// [`Pace::list_lag`] ago does, because the list of proxies may lag behind it. A row whose instance can't be read may be
/// of this one.
pub fn unfinished<'a>(
    list: &'a TaskList,
    instance: &InstanceId,
    abandoned: &BTreeSet<JobId>,
    now: Moment,
    pace: &Pace,
) -> Option<&'a Task> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    list.tasks.iter().find(|task| {
        let elsewhere = task
            .instance
            .as_ref()
            .is_some_and(|other| other != instance);
        let given_up = task.job.as_ref().is_some_and(|job| abandoned.contains(job));
        !elsewhere && !given_up && counts(task, cloud_now, pace)
    })
}

fn counts(task: &Task, cloud_now: Timestamp, pace: &Pace) -> bool {
    let younger_than = |time: Option<Timestamp>, limit: Duration| {
        time.is_none_or(|time| age(time, cloud_now) < limit)
    };
    match &task.state {
        JobState::Pending => younger_than(task.created, pace.pending_counts_for),
        JobState::Running(_) | JobState::Unauthorized => true,
        // A completed task without a readable end is old: else each would hold every change back for an hour.
        JobState::Completed => task.ended.is_some() && younger_than(task.ended, pace.list_lag),
        JobState::Failed(_) => false,
    }
}

/// Time since `then`; nothing for a time in the future.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(digit: char) -> InstanceId {
        InstanceId::parse(&format!("{}in07", digit.to_string().repeat(32))).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn task(word: &str, created: i64, ended: Option<i64>) -> Task {
        Task {
            job: JobId::parse("2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541"),
            instance: Some(instance('a')),
            state: JobState::from_word(Some(word)),
            created: Some(at(created)),
            ended: ended.map(at),
        }
    }

    fn holds_back(task: Task) -> bool {
        // The machine's clock is a day off: only the cloud's own time may count.
        let now = Moment::new(at(86_400), Duration::ZERO);
        let list = TaskList {
            tasks: vec![task],
            cloud_time: Some(at(0)),
        };
        unfinished(&list, &instance('a'), &BTreeSet::new(), now, &Pace::real()).is_some()
    }

    #[test]
    fn what_is_not_at_an_end_is_unfinished_whatever_its_word() {
        for word in [
            "Running",
            "running ",
            "Rollbacking",
            "",
            "Unauthorized",
            "Pending",
        ] {
            assert!(holds_back(task(word, -1800, None)), "{word}");
        }
        for word in ["Failed", "Canceled"] {
            assert!(!holds_back(task(word, -1800, Some(-1))), "{word}");
        }
    }

    #[test]
    fn a_job_that_has_just_completed_counts_until_the_list_must_have_caught_up() {
        assert!(holds_back(task("Completed", -600, Some(-119))));
        assert!(
            holds_back(task("Completed", -600, Some(30))),
            "the two ends of the cloud disagree on the time"
        );
        assert!(!holds_back(task("Completed", -600, Some(-120))));
        assert!(!holds_back(task("Completed", -600, None)));
    }

    #[test]
    fn a_job_that_pends_for_more_than_an_hour_holds_nothing_up() {
        assert!(holds_back(task("Pending", -3599, None)));
        assert!(!holds_back(task("Pending", -3600, None)));
        assert!(holds_back(Task {
            created: None,
            ..task("Pending", 0, None)
        }));
    }

    #[test]
    fn only_this_instance_counts_but_a_row_without_one_may_be_of_it() {
        assert!(!holds_back(Task {
            instance: Some(instance('b')),
            ..task("Running", 0, None)
        }));
        assert!(holds_back(Task {
            instance: None,
            ..task("Running", 0, None)
        }));
    }

    #[test]
    fn a_job_that_was_given_up_does_not_count() {
        let list = TaskList {
            tasks: vec![task("Running", 0, None)],
            cloud_time: None,
        };
        let abandoned = list
            .tasks
            .iter()
            .filter_map(|task| task.job.clone())
            .collect();
        let now = Moment::new(at(0), Duration::ZERO);
        assert!(unfinished(&list, &instance('a'), &abandoned, now, &Pace::real()).is_none());
        assert!(unfinished(&list, &instance('a'), &BTreeSet::new(), now, &Pace::real()).is_some());
    }
}
