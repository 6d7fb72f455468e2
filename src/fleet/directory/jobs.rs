//! Following jobs: one by one where they are few, by the list of running tasks where they are many.
//!
//! The list may lag, and tells no more than that a job runs. So what is not in it is asked for by its id, and a job's end is
//! only ever learned that way.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::shared_read::SharedRead;
use crate::{
    clock::Clock,
    cloud::{Cloud, CloudError, Job, TaskList, Urgency, budget::FOLLOWED},
    model::{JobId, JobState},
    seats::aside,
};

/// More jobs than these are followed by the list.
const FEW: usize = 5;

/// The jobs that are followed.
#[derive(Debug, Default)]
pub struct Jobs {
    /// When each was asked for at last.
    asked: Mutex<HashMap<JobId, Duration>>,
    running: SharedRead<TaskList>,
}

impl Jobs {
    /// What there is to say of a job; by nothing that was read before now, where a person has asked.
    pub async fn job(
        &self,
        cloud: &dyn Cloud,
        clock: &Clock,
        id: &JobId,
        for_a_person: bool,
    ) -> Result<Job, CloudError> {
        let (since, followed) = self.ask(id, clock.now().uptime, for_a_person);
        if followed > FEW
            && let Some(job) = self.listed(cloud, clock, id, since).await
        {
            return Ok(job);
        }
        let turn = cloud.turn(Urgency::Job, 1).await?;
        aside(turn.job(id)).await
    }

    /// Whether they are followed by the list.
    pub fn are_many(&self, uptime: Duration) -> bool {
        self.followed(uptime).len() > FEW
    }

    /// Forgets the jobs that are followed no longer, and their list.
    pub fn tidy(&self, uptime: Duration) {
        self.running.forget(uptime.saturating_sub(FOLLOWED));
        self.followed(uptime).shrink_to_fit();
    }

    /// Notes that a job is asked for: says since when a list may have been begun that shows it, and how many are followed.
    fn ask(&self, id: &JobId, uptime: Duration, for_a_person: bool) -> (Duration, usize) {
        let mut asked = self.followed(uptime);
        let before = asked.insert(id.clone(), uptime);
        let since = before.filter(|_| !for_a_person);
        (since.unwrap_or(uptime), asked.len())
    }

    /// When those were asked for that are still followed.
    fn followed(&self, uptime: Duration) -> MutexGuard<'_, HashMap<JobId, Duration>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, at| uptime.saturating_sub(*at) < FOLLOWED);
        asked
    }

    /// The job as the list of running tasks shows it, if it does; in one that was begun later than `since`.
    async fn listed(
        &self,
        cloud: &dyn Cloud,
        clock: &Clock,
        id: &JobId,
        since: Duration,
    ) -> Option<Job> {
        let list = if let Some(list) = self.running.since(since).await {
            list
        } else {
            let turn = cloud.turn(Urgency::Job, 1).await.ok()?;
            let uptime = || clock.now().uptime;
            self.running.fresh(uptime, || turn.running()).await.ok()?
        };
        let task = list
            .tasks
            .iter()
            .find(|task| task.job.as_ref() == Some(id))?;
        matches!(task.state, JobState::Running(_)).then(|| Job {
            state: task.state.clone(),
            fail_reason: None,
            ended: None,
            cloud_time: list.cloud_time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_nobody_asks_for_is_followed_no_longer() {
        let jobs = Jobs::default();
        let [one, other] = ["job-1", "job-2"].map(|id| JobId::parse(id).unwrap());
        let second = Duration::from_secs;
        assert_eq!(jobs.ask(&one, second(1), false), (second(1), 1));
        assert_eq!(jobs.ask(&other, second(30), false), (second(30), 2));
        assert_eq!(jobs.ask(&other, second(60), false), (second(30), 2));
        assert_eq!(jobs.ask(&other, second(61), false), (second(60), 1));
        assert_eq!(jobs.ask(&other, second(61), true), (second(61), 1));
        jobs.tidy(second(120));
        assert_eq!(jobs.asked.lock().unwrap().len(), 1);
        jobs.tidy(second(121));
        assert_eq!(jobs.asked.lock().unwrap().capacity(), 0);
    }
}
