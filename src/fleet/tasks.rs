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

/// To what the cloud may round the time since when tasks are read; that is documented nowhere.
const ROUNDED: Duration = Duration::from_mins(1);

/// Since when tasks are read that may have ended meanwhile: no further back than is needed where all before `settled` have, and at
/// least as far as to `oldest`, when a change was begun whose outcome is not known.
pub fn read_since(
    now: Moment,
    settled: Option<Timestamp>,
    oldest: Option<Timestamp>,
    pace: &Pace,
) -> Timestamp {
    let rounded = |time: Timestamp| time.checked_sub(ROUNDED).ok();
    let longest = now.wall.checked_sub(pace.tasks_look_back);
    let longest = longest.unwrap_or(now.wall);
    let usual = settled
        .and_then(rounded)
        .map_or(longest, |at| at.max(longest));
    oldest.and_then(rounded).map_or(usual, |at| at.min(usual))
}

/// The tasks that count, whatever their instance.
pub fn counting<'a>(
    list: &'a TaskList,
    now: Moment,
    pace: &'a Pace,
) -> impl Iterator<Item = &'a Task> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    list.tasks
        .iter()
        .filter(move |task| counts(task, cloud_now, pace))
}

/// The task that holds an instance back the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfinished<'a> {
    /// The task.
    pub task: &'a Task,
    /// It is completed, and counts for so much longer; nothing where it is still at work, for nobody knows how long.
    pub clear_in: Option<Duration>,
}

/// The task that counts as unfinished on `instance`, if there is one: one that is still at work before one that has
/// completed, and of those the one that completed last.
///
/// Ages are judged by the cloud's own time where its answer has one. A pending task that is older than
/// [`Pace::pending_counts_for`] does not count, nor does a job in `passed_over`; one that was completed less than
/// [`Pace::list_lag`] ago does, because the list of proxies may lag behind it. A row whose instance can't be read may be
/// of this one.
pub fn unfinished<'a>(
    list: &'a TaskList,
    instance: &InstanceId,
    passed_over: &BTreeSet<JobId>,
    now: Moment,
    pace: &Pace,
) -> Option<Unfinished<'a>> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    let counting = list.tasks.iter().filter(|task| {
        let job = task.job.as_ref();
        let passed_over = job.is_some_and(|job| passed_over.contains(job));
        !passed_over && counts_on(instance, task, cloud_now, pace)
    });
    let judged = counting.map(|task| Unfinished {
        task,
        clear_in: clear_in(task, cloud_now, pace),
    });
    judged.max_by_key(|unfinished| unfinished.clear_in.unwrap_or(Duration::MAX))
}

/// Those of `jobs` whose tasks would count as unfinished on `instance`.
pub fn counting_among(
    list: &TaskList,
    instance: &InstanceId,
    jobs: &BTreeSet<JobId>,
    now: Moment,
    pace: &Pace,
) -> Vec<JobId> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    let tasks = list.tasks.iter();
    let counting = tasks.filter(|task| counts_on(instance, task, cloud_now, pace));
    let counting = counting.filter_map(|task| task.job.clone());
    counting.filter(|job| jobs.contains(job)).collect()
}

/// Whether a task counts as unfinished on `instance`, whoever says what of it.
fn counts_on(instance: &InstanceId, task: &Task, cloud_now: Timestamp, pace: &Pace) -> bool {
    let of = task.instance.as_ref();
    let elsewhere = of.is_some_and(|other| other != instance);
    !elsewhere && counts(task, cloud_now, pace)
}

/// For how much longer a completed task counts.
fn clear_in(task: &Task, cloud_now: Timestamp, pace: &Pace) -> Option<Duration> {
    let ended = task.ended.filter(|_| task.state == JobState::Completed)?;
    Some(pace.list_lag.saturating_sub(age(ended, cloud_now)))
}

/// For how much longer lists may lag behind a task of `instance` that came to nothing, so that one may show a port that was taken
/// back; nothing where there is none.
pub fn failed_lately(
    list: &TaskList,
    instance: &InstanceId,
    now: Moment,
    pace: &Pace,
) -> Option<Duration> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    let failed = list.tasks.iter().filter(|task| {
        let elsewhere = task.instance.as_ref().is_some_and(|of| of != instance);
        !elsewhere && matches!(task.state, JobState::Failed(_))
    });
    let left = failed.filter_map(|task| {
        let ended = task.ended?;
        Some(pace.list_lag.saturating_sub(age(ended, cloud_now)))
    });
    left.max().filter(|left| !left.is_zero())
}

/// Whether a task of `instance` has ended that was created at `since` or later.
pub fn has_ended_since(list: &TaskList, instance: &InstanceId, since: Timestamp) -> bool {
    list.tasks.iter().any(|task| {
        task.instance.as_ref() == Some(instance)
            && task.state.is_finished()
            && task.created.is_some_and(|created| created >= since)
    })
}

/// No task that was created before this counts, or ever will: all of them were seen, and have long ended. The next walk has to
/// go no further back.
///
/// `list` is what a walk gave that `took` so long, `known` what was known before it. Compared are only times of creation, which is
/// what a walk goes by. A task may be visible later than it was created, and later than one that was created after it.
pub fn settled_before(
    list: &TaskList,
    known: Option<Timestamp>,
    took: Duration,
    now: Moment,
    pace: &Pace,
) -> Option<Timestamp> {
    let cloud_now = list.cloud_time.unwrap_or(now.wall);
    let tasks = list.tasks.iter();
    let mut counting = tasks
        .clone()
        .filter(|task| counts(task, cloud_now, pace))
        .map(|task| task.created);
    let oldest_counting = counting.try_fold(None, |oldest: Option<Timestamp>, created| {
        let created = created?;
        Some(Some(oldest.map_or(created, |oldest| oldest.min(created))))
    })?;
    let unseen = took + pace.job_visible_within + pace.list_lag;
    let newest = tasks.filter_map(|task| task.created).max();
    let seen = newest.and_then(|newest| newest.min(cloud_now).checked_sub(unseen).ok());
    match (seen.max(known), oldest_counting) {
        (Some(seen), Some(oldest)) => Some(seen.min(oldest)),
        (seen, _) => seen,
    }
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
pub(crate) fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

#[cfg(test)]
mod walks;

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(digit: char) -> InstanceId {
        InstanceId::parse(&format!("{}in07", digit.to_string().repeat(32))).unwrap()
    }

    pub(super) fn at(second: i64) -> Timestamp {
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
            begun: None,
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
    fn lists_may_lag_behind_a_task_that_has_just_failed() {
        let left = |task: Task| {
            let now = Moment::new(at(86_400), Duration::ZERO);
            let list = TaskList {
                tasks: vec![task],
                cloud_time: Some(at(0)),
                begun: None,
            };
            let left = failed_lately(&list, &instance('a'), now, &Pace::real());
            left.map(|left| left.as_secs())
        };
        assert_eq!(left(task("Failed", -600, Some(-20))), Some(100));
        assert_eq!(left(task("Canceled", -600, Some(5))), Some(120));
        assert_eq!(left(task("Failed", -600, Some(-120))), None);
        assert_eq!(left(task("Failed", -600, None)), None);
        assert_eq!(left(task("Completed", -600, Some(-20))), None);
        let elsewhere = Task {
            instance: Some(instance('b')),
            ..task("Failed", -600, Some(-20))
        };
        assert_eq!(left(elsewhere), None);
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
    fn tasks_are_read_for_an_hour_and_no_further_back_than_to_what_has_not_settled() {
        let since = |settled: Option<i64>| {
            let now = Moment::new(at(0), Duration::ZERO);
            let since = read_since(now, settled.map(at), None, &Pace::real());
            since.as_second() - at(0).as_second()
        };
        assert_eq!(since(None), -3600);
        assert_eq!(since(Some(-5000)), -3600);
        assert_eq!(since(Some(-1800)), -1860);
    }

    fn settled(tasks: &[Task], known: Option<i64>) -> Option<i64> {
        let list = TaskList {
            tasks: tasks.to_vec(),
            cloud_time: Some(at(0)),
            begun: None,
        };
        let (now, took) = (Moment::new(at(0), Duration::ZERO), Duration::from_secs(7));
        settled_before(&list, known.map(at), took, now, &Pace::real())
            .map(|time| time.as_second() - at(0).as_second())
    }

    #[test]
    fn tasks_that_have_long_ended_need_not_be_read_again_once_none_older_can_appear() {
        let ended = |created| task("Completed", created, Some(created + 5));
        assert_eq!(settled(&[ended(-3000), ended(-600)], None), Some(-847));
        assert_eq!(settled(&[ended(-3000)], Some(-1000)), Some(-1000));
        assert_eq!(settled(&[ended(-300)], Some(-1000)), Some(-547));
        assert_eq!(settled(&[], Some(-1000)), Some(-1000));
        assert_eq!(settled(&[], None), None);
        assert_eq!(
            settled(&[ended(28_800)], None),
            Some(-247),
            "the two ends of the cloud disagree on the time"
        );
    }

    #[test]
    fn a_task_that_counts_is_read_until_it_counts_no_longer() {
        let newest = task("Completed", -1, Some(-1));
        for counting in [
            task("Running", -1800, None),
            task("Rollbacking", -1800, None),
            task("Pending", -1800, None),
            task("Completed", -1800, Some(-100)),
        ] {
            let tasks = [counting, newest.clone()];
            assert_eq!(settled(&tasks, None), Some(-1800), "{tasks:?}");
            assert_eq!(settled(&tasks, Some(-900)), Some(-1800), "{tasks:?}");
            let [counting, newest] = tasks;
            let unknown = Task {
                created: None,
                ..counting
            };
            assert_eq!(settled(&[unknown, newest], Some(-900)), None);
        }
        let failed = task("Failed", -1800, Some(-1));
        assert_eq!(settled(&[failed, newest], None), Some(-248));
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
            begun: None,
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
