//! What the cloud shows: lists that may lag, and reads that may fail.

use jiff::Timestamp;
use taurus_port_operator::{
    cloud::{Job, Meaning, Proxy, ProxyStatus, Task, TaskList},
    model::{InstanceId, JobId, JobState, ProxyId},
};

use super::{Mode, PROXIES, Sky, instance_of};
use crate::world::wall;

impl Sky {
    /// What the list shows: the truth of some time ago, but what it shows early it shows at once.
    fn shown(&self, proxy: usize, age: u64) -> u16 {
        let work = self.open().filter(|work| work.proxy == proxy).last();
        if let (Mode::Hasty, Some(work)) = (self.mode, work) {
            return work.to;
        }
        let then = self.now.saturating_sub(age);
        let history = &self.history[proxy];
        let old = history.iter().rev().find(|(at, _)| *at <= then);
        old.unwrap_or(&history[0]).1
    }

    /// In a list that is as old as `chance` decides, where lists waver.
    pub fn proxies(&self, instance: &InstanceId, chance: u64) -> Result<Vec<Proxy>, Meaning> {
        self.fails(self.reads_fail)?;
        let on_it = |number: &usize| PROXIES[*number].1 == instance.as_str();
        let there = (0..PROXIES.len())
            .filter(on_it)
            .filter(|number| self.gone_until[*number] <= self.now);
        let age = match self.wavers {
            0 => self.lag,
            wavers => chance % (wavers + 1),
        };
        Ok(there.map(|number| self.proxy(number, age)).collect())
    }

    fn proxy(&self, number: usize, age: u64) -> Proxy {
        let at_work = self.open().any(|work| work.proxy == number);
        let status = match &self.status {
            Some(status) => status.clone(),
            None if self.mode == Mode::Changing && at_work => {
                ProxyStatus::Changing("PORT_MODIFYING".to_owned())
            }
            None => ProxyStatus::Active,
        };
        Proxy {
            id: ProxyId::parse(PROXIES[number].0).unwrap(),
            name: format!("proxy-{number}"),
            status,
            address: Some("192.0.2.7".to_owned()),
            port: Some(self.shown(number, age)),
        }
    }

    pub fn job(&self, id: &JobId) -> Result<Job, Meaning> {
        self.fails(self.reads_fail)?;
        let mut visible = self.works.iter().filter(|work| work.visible(self.now));
        let work = visible
            .find(|work| work.id == *id)
            .ok_or(Meaning::NotFound)?;
        let state = work.state();
        let failed = matches!(state, JobState::Failed(_));
        Ok(Job {
            fail_reason: failed.then(|| "disk is on fire".to_owned()),
            ended: work.ends_on_record().map(wall),
            state,
            cloud_time: Some(wall(self.now)),
        })
    }

    /// What was created since then.
    pub fn tasks_since(&self, since: Timestamp, chance: u64) -> Result<TaskList, Meaning> {
        let mut list = self.tasks(chance)?;
        list.tasks
            .retain(|task| task.created.is_some_and(|created| created >= since));
        Ok(list)
    }

    /// What runs.
    pub fn running(&self, chance: u64) -> Result<TaskList, Meaning> {
        let mut list = self.tasks(chance)?;
        list.tasks
            .retain(|task| matches!(&task.state, JobState::Running(word) if word == "Running"));
        Ok(list)
    }

    /// In a list that is as old as `chance` decides, where lists waver.
    pub fn tasks(&self, chance: u64) -> Result<TaskList, Meaning> {
        self.fails(self.reads_fail)?;
        self.fails(self.tasks_fail)?;
        let then = self.now.saturating_sub(chance % (self.wavers + 1));
        let ours = self
            .works
            .iter()
            .filter(|work| work.is_listed(self.now, then))
            .map(|work| Task {
                job: Some(work.id.clone()),
                instance: InstanceId::parse(PROXIES[work.proxy].1).ok(),
                state: work.state_on_list(then),
                created: Some(wall(work.accepted)),
                ended: work.ends_on_list(then).map(wall),
            });
        let busy = [0, 2]
            .into_iter()
            .filter(|proxy| self.foreign_until[instance_of(*proxy)] > self.now);
        let foreign = busy.map(|proxy| Task {
            job: JobId::parse("backup"),
            instance: InstanceId::parse(PROXIES[proxy].1).ok(),
            state: JobState::Running("Running".to_owned()),
            created: Some(wall(self.now)),
            ended: None,
        });
        Ok(TaskList {
            tasks: ours.chain(foreign).collect(),
            cloud_time: Some(wall(self.now)),
            begun: None,
        })
    }

    fn fails(&self, failing: Option<(u64, Meaning)>) -> Result<(), Meaning> {
        match failing {
            Some((until, meaning)) if until > self.now => Err(meaning),
            _ => Ok(()),
        }
    }
}
