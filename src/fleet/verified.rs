//! The jobs of changes that this process sent and saw in place.
//!
//! Such a job concerned one proxy, and all is known of it: its task holds back no *other* proxy of the instance. Of its own proxy
//! it says nothing here, for the list of proxies may still lag behind it. What another process found out counts for nothing. With which
//! credential a change was sent makes no difference.
//! Promises to keep a job for no longer than its task can count.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    model::{JobId, ProxyId},
    place::InstanceKey,
};

/// A completed task counts for two minutes by the cloud's clock; twice that leaves room for two clocks that differ.
const KEPT: Duration = Duration::from_mins(4);

/// A job whose change was verified at this uptime.
#[derive(Debug)]
struct Entry {
    job: JobId,
    proxy: ProxyId,
    at: Duration,
}

/// The jobs, by instance.
#[derive(Debug, Default)]
pub struct Verified {
    of: Mutex<HashMap<InstanceKey, Vec<Entry>>>,
}

impl Verified {
    /// Notes a job of a proxy on an instance, whose change was verified at this uptime.
    pub fn note(&self, instance: &InstanceKey, proxy: &ProxyId, job: &JobId, uptime: Duration) {
        let mut all = self.lock();
        let jobs = all.entry(instance.clone()).or_default();
        if jobs.iter().all(|known| known.job != *job) {
            jobs.push(Entry {
                job: job.clone(),
                proxy: proxy.clone(),
                at: uptime,
            });
        }
    }

    /// The jobs on an instance that were of other proxies than this one.
    pub fn of_others(&self, instance: &InstanceKey, proxy: &ProxyId) -> Vec<JobId> {
        let all = self.lock();
        let jobs = all.get(instance).into_iter().flatten();
        let others = jobs.filter(|entry| entry.proxy != *proxy);
        others.map(|entry| entry.job.clone()).collect()
    }

    /// Forgets the jobs whose tasks count no longer at this uptime.
    pub fn tidy(&self, uptime: Duration) {
        let mut all = self.lock();
        all.retain(|_, jobs| {
            jobs.retain(|entry| uptime.saturating_sub(entry.at) < KEPT);
            !jobs.is_empty()
        });
        all.shrink_to_fit();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InstanceKey, Vec<Entry>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_to_the_other_proxies_of_its_instance_and_only_while_its_task_counts() {
        let [one, other] = ['a', 'b']
            .map(|digit| InstanceKey::somewhere(&format!("{}in07", digit.to_string().repeat(32))));
        let [own, neighbour] = ['c', 'd']
            .map(|digit| ProxyId::parse(&format!("{}po01", digit.to_string().repeat(32))).unwrap());
        let job = JobId::parse("job-1").unwrap();
        let verified = Verified::default();
        let second = Duration::from_secs;
        verified.note(&one, &own, &job, second(10));
        verified.note(&one, &own, &job, second(100));
        assert_eq!(verified.of_others(&one, &neighbour), [job]);
        assert!(verified.of_others(&one, &own).is_empty());
        assert!(verified.of_others(&other, &neighbour).is_empty());
        verified.tidy(second(249));
        assert_eq!(verified.of_others(&one, &neighbour).len(), 1);
        verified.tidy(second(250));
        assert!(verified.of_others(&one, &neighbour).is_empty());
    }
}
