//! What tests and people see of the state, the hidden truth included.

use jiff::Timestamp;
use serde::Serialize;

use super::{Instance, Job, JobState, Proxy, Scheduled, State};
use crate::behaviour::{Behaviour, Mode};
use crate::plan::JobPlan;

/// The whole state at one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateView {
    /// The simulator's time.
    pub now: Timestamp,
    /// The switches.
    pub behaviour: Behaviour,
    /// The course of jobs for which no other is set.
    pub default_job: JobPlan,
    /// All instances, the vanished ones included, in the order in which they were made.
    pub instances: Vec<InstanceView>,
    /// All jobs, oldest first.
    pub jobs: Vec<JobView>,
    /// Maintenance of instances and proxies, those that are over included.
    pub maintenance: Vec<Scheduled>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceView {
    /// Its id.
    pub id: String,
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: String,
    /// False while it has vanished.
    pub present: bool,
    /// Its maintenance window: hours of the day in UTC.
    pub maintenance_window: String,
    /// Its proxies, the vanished ones included, in the order of the list.
    pub proxies: Vec<ProxyView>,
}

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProxyView {
    /// Its id.
    pub id: String,
    /// Its instance.
    pub instance: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// The status that the list shows.
    pub status: String,
    /// The port that the list shows.
    pub listed_port: u16,
    /// The port that is in force.
    pub actual_port: u16,
    /// The port at which clients reach it; none while it listens nowhere.
    pub listening_port: Option<u16>,
    /// The port that the last unfinished job was asked for.
    pub requested_port: Option<u16>,
    /// False while it has vanished.
    pub present: bool,
    /// The mode that it is in.
    pub mode: Mode,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its instance.
    pub instance: String,
    /// The proxy that it changes.
    pub proxy: Option<String>,
    /// The port that it was asked for.
    pub port: Option<u16>,
    /// Its state, even where callers are shown another word.
    pub state: JobState,
    /// Whether it can be queried.
    pub visible: bool,
    /// When it was accepted.
    pub accepted: Timestamp,
    /// When it will end or has ended; none if never.
    pub ends: Option<Timestamp>,
}

impl State {
    pub(crate) fn view(&self, behaviour: &Behaviour, now: Timestamp) -> StateView {
        let mut instances: Vec<&Instance> = self.instances.values().collect();
        instances.sort_by_key(|instance| instance.number);
        let view = |instance| self.view_instance(instance, behaviour, now);
        StateView {
            now,
            behaviour: behaviour.clone(),
            default_job: self.plans.default.clone(),
            instances: instances.into_iter().map(view).collect(),
            jobs: self.jobs.iter().map(|job| view_job(job, now)).collect(),
            maintenance: self.maintenance.clone(),
        }
    }

    pub(crate) fn view_instance(
        &self,
        instance: &Instance,
        behaviour: &Behaviour,
        now: Timestamp,
    ) -> InstanceView {
        let proxies = instance
            .proxies
            .iter()
            .filter_map(|id| self.proxies.get(id));
        InstanceView {
            id: instance.id.clone(),
            project: instance.project.clone(),
            name: instance.name.clone(),
            status: self.instance_status(instance, now).to_owned(),
            present: self.instance(&instance.id, now).is_some(),
            maintenance_window: instance.maintenance_window.clone(),
            proxies: proxies
                .map(|proxy| self.view_proxy(proxy, behaviour, now))
                .collect(),
        }
    }

    pub(crate) fn view_proxy(
        &self,
        proxy: &Proxy,
        behaviour: &Behaviour,
        now: Timestamp,
    ) -> ProxyView {
        let running = self.jobs_of(proxy).filter(|job| job.unfinished(now));
        ProxyView {
            id: proxy.id.clone(),
            instance: proxy.instance.clone(),
            name: proxy.name.clone(),
            address: proxy.address.clone(),
            status: self
                .listed_status(proxy, &behaviour.changing_status, now)
                .to_owned(),
            listed_port: self.listed_port(proxy, now),
            actual_port: self.actual_port(proxy, now),
            listening_port: self.listening_port(proxy, now),
            requested_port: running.last().and_then(|job| job.port),
            present: self.proxy(&proxy.id, now).is_some(),
            mode: proxy.mode.unwrap_or(behaviour.mode),
        }
    }
}

pub(crate) fn view_job(job: &Job, now: Timestamp) -> JobView {
    JobView {
        id: job.id.clone(),
        name: job.name.clone(),
        instance: job.instance.clone(),
        proxy: job.proxy.clone(),
        port: job.port,
        state: job.state(now),
        visible: job.visible(now),
        accepted: job.accepted,
        ends: job.ends(),
    }
}
