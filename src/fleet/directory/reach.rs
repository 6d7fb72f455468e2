//! How far back the task list of a project is read, and what is not in it any more though it may still count.
//!
//! The list has a filter for when a task was created, none for when it ended, and some states can't be asked for. So a task that is
//! at work for longer than the list is read back leaves it. Promises that a task which counted in the last walk is in the next one, in the
//! list or as what is added to it, for as long as it may count, and that a walk goes back to the begin of each change on record that was named within the hour, if that
//! was less than [`FURTHEST`] ago.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Task, TaskList},
    fleet::tasks,
    model::Moment,
    pace::Pace,
};

/// No walk goes back further: in a busy project it would never end, for anybody.
const FURTHEST: Duration = Duration::from_hours(3);

/// What is known of the project's tasks from one walk to the next.
#[derive(Debug, Default)]
pub struct Reach {
    /// Tasks that were created before this need not be read again.
    settled: Option<Timestamp>,
    /// The tasks that counted in the last walk.
    counting: Vec<Task>,
    /// When changes on record were begun, each with the uptime at which it was named last.
    begun: BTreeMap<Timestamp, Duration>,
}

impl Reach {
    /// The walks to come go back to `begun`, when a change on record was.
    pub fn include(&mut self, begun: Timestamp, now: Moment) {
        self.begun.insert(begun, now.uptime);
    }

    /// Since when a walk that begins now reads tasks.
    pub fn since(&mut self, now: Moment, pace: &Pace) -> Timestamp {
        self.begun
            .retain(|_, named| now.elapsed(*named) < pace.tasks_look_back);
        let mut begun = self.begun.keys().copied();
        let oldest = begun.find(|begun| now.since(*begun) < FURTHEST);
        tasks::read_since(now, self.settled, oldest, pace)
    }

    /// The tasks that counted in the last walk and that this one lacks.
    pub fn lacking(&self, list: &TaskList) -> Vec<Task> {
        let lacks =
            |task: &&Task| task.job.is_some() && list.tasks.iter().all(|row| row.job != task.job);
        self.counting.iter().filter(lacks).cloned().collect()
    }

    /// A walk that has just ended, and `took` so long, has given this.
    pub fn walked(&mut self, list: &TaskList, took: Duration, now: Moment, pace: &Pace) {
        self.settled = tasks::settled_before(list, self.settled, took, now, pace);
        self.counting = tasks::counting(list, now, pace).cloned().collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, JobId, JobState};

    fn moment(second: i64) -> Moment {
        let wall = Timestamp::from_second(1_800_000_000 + second).unwrap();
        Moment::new(wall, Duration::from_secs(second.unsigned_abs()))
    }

    fn task(job: &str, word: &str) -> Task {
        Task {
            job: JobId::parse(job),
            instance: InstanceId::parse(&format!("{}in07", "a".repeat(32))).ok(),
            state: JobState::from_word(Some(word)),
            created: Some(moment(0).wall),
            ended: None,
        }
    }

    fn list(tasks: &[Task]) -> TaskList {
        TaskList {
            tasks: tasks.to_vec(),
            cloud_time: None,
            begun: None,
        }
    }

    #[test]
    fn what_counted_and_left_the_list_is_asked_for() {
        let (pace, mut reach) = (Pace::real(), Reach::default());
        let (waits, failed) = (task("waits", "Unauthorized"), task("failed", "Failed"));
        let seen = list(&[waits.clone(), failed]);
        reach.walked(&seen, Duration::ZERO, moment(60), &pace);
        assert_eq!(reach.lacking(&seen), []);
        assert_eq!(reach.lacking(&list(&[])), [waits]);
        // It is in the list no more, and neither is it lacking once it was seen to have ended.
        let ended = Task {
            ended: Some(moment(70).wall),
            ..task("waits", "Completed")
        };
        reach.walked(&list(&[ended]), Duration::ZERO, moment(300), &pace);
        assert_eq!(reach.lacking(&list(&[])), []);
    }

    #[test]
    fn walks_go_back_to_the_begin_of_a_change_for_as_long_as_it_is_named() {
        let (pace, mut reach) = (Pace::real(), Reach::default());
        let begun = moment(0).wall;
        let back = |reach: &mut Reach, second| {
            let now = moment(second);
            now.wall.duration_since(reach.since(now, &pace)).as_secs()
        };
        assert_eq!(back(&mut reach, 5000), 3600);
        reach.include(begun, moment(5000));
        assert_eq!(back(&mut reach, 5000), 5060);
        assert_eq!(back(&mut reach, 8599), 8659);
        assert_eq!(back(&mut reach, 8600), 3600, "it was not named for an hour");
        reach.include(begun, moment(10_799));
        assert_eq!(back(&mut reach, 10_799), 10_859);
        assert_eq!(back(&mut reach, 10_800), 3600, "too long ago");
    }
}
