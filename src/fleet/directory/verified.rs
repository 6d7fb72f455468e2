//! The jobs of changes that this process sent and saw in place.
//!
//! Such a job concerned one proxy, and all is known of it: its task holds back no other proxy of the instance. What another
//! process found out counts for nothing here. Promises to keep a job for no longer than its task can count.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::model::{InstanceId, JobId};

/// A completed task counts for two minutes by the cloud's clock; twice that leaves room for two clocks that differ.
const KEPT: Duration = Duration::from_mins(4);

/// The jobs, by instance, each with the uptime at which its change was verified.
#[derive(Debug, Default)]
pub struct Verified {
    of: Mutex<HashMap<InstanceId, Vec<(JobId, Duration)>>>,
}

impl Verified {
    /// Notes a job whose change was verified at this uptime.
    pub fn note(&self, instance: &InstanceId, job: &JobId, uptime: Duration) {
        let mut all = self.lock();
        let jobs = all.entry(instance.clone()).or_default();
        if jobs.iter().all(|(known, _)| known != job) {
            jobs.push((job.clone(), uptime));
        }
    }

    /// The jobs on an instance.
    pub fn on(&self, instance: &InstanceId) -> Vec<JobId> {
        let all = self.lock();
        let jobs = all.get(instance).into_iter().flatten();
        jobs.map(|(job, _)| job.clone()).collect()
    }

    /// Forgets the jobs whose tasks count no longer at this uptime.
    pub fn tidy(&self, uptime: Duration) {
        let mut all = self.lock();
        all.retain(|_, jobs| {
            jobs.retain(|(_, at)| uptime.saturating_sub(*at) < KEPT);
            !jobs.is_empty()
        });
        all.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceId, Vec<(JobId, Duration)>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_on_its_instance_alone_and_only_while_its_task_counts() {
        let [one, other] = ['a', 'b'].map(|digit| {
            InstanceId::parse(&format!("{}in07", digit.to_string().repeat(32))).unwrap()
        });
        let job = JobId::parse("job-1").unwrap();
        let verified = Verified::default();
        let second = Duration::from_secs;
        verified.note(&one, &job, second(10));
        verified.note(&one, &job, second(100));
        assert_eq!(verified.on(&one), [job]);
        assert!(verified.on(&other).is_empty());
        verified.tidy(second(249));
        assert_eq!(verified.on(&one).len(), 1);
        verified.tidy(second(250));
        assert!(verified.on(&one).is_empty());
    }
}
