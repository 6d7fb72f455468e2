//! What the simulated service knows: projects, instances, proxies and jobs.
//!
//! Promises that what was asked for and what is in force are kept apart: a job holds the port that was asked for, and
//! what a proxy shows is computed from the jobs, from changes made outside, and from the time.

mod group;
mod instance;
mod job;
mod maintenance;
mod proxy;
mod view;

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::behaviour::{BusyScope, Mode};
use crate::fleet::Fleet;
use crate::plan::JobPlan;

pub use group::GroupRule;
pub(crate) use instance::Instance;
pub use job::JobState;
use job::Listens;
pub(crate) use job::{Job, PORT_CHANGE};
pub use maintenance::{Maintenance, Scheduled};
pub(crate) use proxy::Proxy;
pub(crate) use view::view_job;
pub use view::{InstanceView, JobView, ProxyView, StateView};

/// The status of whatever is well.
pub(crate) const ACTIVE: &str = "ACTIVE";

/// Everything that the service knows about what it runs.
#[derive(Debug)]
pub(crate) struct State {
    /// Names of projects by id.
    pub(crate) projects: BTreeMap<String, String>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) proxies: BTreeMap<String, Proxy>,
    /// Oldest first.
    pub(crate) jobs: Vec<Job>,
    pub(crate) plans: Plans,
    /// Rules of security groups, in the order in which they were made.
    pub(crate) group_rules: Vec<GroupRule>,
    /// In the order in which they were set.
    pub(crate) maintenance: Vec<Scheduled>,
    /// Ids of what isn't there for the request that is at work.
    pub(crate) hidden: Vec<String>,
}

/// The courses of coming jobs.
#[derive(Debug)]
pub(crate) struct Plans {
    pub(crate) default: JobPlan,
    /// For the next changes; a proxy's id where it is for that proxy only.
    pub(crate) next: VecDeque<(Option<String>, JobPlan)>,
}

impl State {
    pub(crate) fn new(fleet: &Fleet, default: JobPlan, now: Timestamp) -> Self {
        let projects = fleet
            .projects
            .iter()
            .map(|project| (project.id.clone(), project.name.clone()))
            .collect();
        let mut state = Self {
            projects,
            instances: BTreeMap::new(),
            proxies: BTreeMap::new(),
            jobs: Vec::new(),
            plans: Plans {
                default,
                next: VecDeque::new(),
            },
            group_rules: group::of_the_sample(),
            maintenance: Vec::new(),
            hidden: Vec::new(),
        };
        for (number, spec) in fleet.instances.iter().enumerate() {
            state
                .instances
                .insert(spec.id.clone(), Instance::new(spec, number + 1, now));
        }
        for (number, spec) in fleet.proxies.iter().enumerate() {
            state
                .proxies
                .insert(spec.id.clone(), Proxy::new(spec, number + 1, now));
            if let Some(instance) = state.instances.get_mut(&spec.instance) {
                instance.proxies.push(spec.id.clone());
            }
        }
        state
    }

    /// The instance, if it is there.
    pub(crate) fn instance(&self, id: &str, now: Timestamp) -> Option<&Instance> {
        self.instances
            .get(id)
            .filter(|instance| instance.present && self.is_shown(id, now))
    }

    /// The project's instances that are there, in the order in which they were made.
    pub(crate) fn instances_of(&self, project: &str, now: Timestamp) -> Vec<&Instance> {
        let mut instances: Vec<&Instance> = self
            .instances
            .keys()
            .filter_map(|id| self.instance(id, now))
            .filter(|instance| instance.project == project)
            .collect();
        instances.sort_by_key(|instance| instance.number);
        instances
    }

    /// The proxy, if it is there.
    pub(crate) fn proxy(&self, id: &str, now: Timestamp) -> Option<&Proxy> {
        self.proxies
            .get(id)
            .filter(|proxy| proxy.present && self.is_shown(id, now))
    }

    /// The instance's proxies that are there, in the order in which they were made.
    pub(crate) fn proxies_of(
        &self,
        instance: &Instance,
        now: Timestamp,
    ) -> impl Iterator<Item = &Proxy> {
        instance
            .proxies
            .iter()
            .filter_map(move |id| self.proxy(id, now))
    }

    /// The status of an instance.
    pub(crate) fn instance_status<'a>(&'a self, instance: &'a Instance, now: Timestamp) -> &'a str {
        self.maintained_status(&instance.id, now)
            .unwrap_or(&instance.status)
    }

    /// The status of a proxy while no change shows.
    pub(crate) fn proxy_status<'a>(&'a self, proxy: &'a Proxy, now: Timestamp) -> &'a str {
        self.maintained_status(&proxy.id, now)
            .unwrap_or(&proxy.status)
    }

    /// The name of an instance, also of one that has vanished.
    pub(crate) fn instance_name(&self, id: &str) -> &str {
        self.instances.get(id).map_or("", |instance| &instance.name)
    }

    /// The port at which clients reach the proxy; none while it listens nowhere.
    pub(crate) fn listening_port(&self, proxy: &Proxy, now: Timestamp) -> Option<u16> {
        let overriding = self
            .jobs_of(proxy)
            .filter_map(|job| job.listens(now))
            .last();
        match overriding {
            Some(Listens::Nowhere) => None,
            Some(Listens::At(port)) => Some(port),
            None => Some(self.actual_port(proxy, now)),
        }
    }

    /// The port that is in force: what ended jobs and outsiders have made of it.
    pub(crate) fn actual_port(&self, proxy: &Proxy, now: Timestamp) -> u16 {
        proxy.actual_port(self.jobs_of(proxy), now)
    }

    /// The port that the list shows.
    pub(crate) fn listed_port(&self, proxy: &Proxy, now: Timestamp) -> u16 {
        proxy.listed_port(self.jobs_of(proxy), now)
    }

    /// The status word that the list shows.
    pub(crate) fn listed_status<'a>(
        &'a self,
        proxy: &'a Proxy,
        changing: &'a str,
        now: Timestamp,
    ) -> &'a str {
        let changes = self
            .jobs_of(proxy)
            .any(|job| job.mode == Mode::M1 && job.unfinished(now));
        if changes {
            changing
        } else {
            self.proxy_status(proxy, now)
        }
    }

    /// Whether an unfinished job stands in the way of another change of this proxy.
    pub(crate) fn is_busy(&self, proxy: &Proxy, scope: BusyScope, now: Timestamp) -> bool {
        self.jobs
            .iter()
            .filter(|job| job.instance == proxy.instance)
            .filter(|job| scope == BusyScope::Instance || job.proxy.as_ref() == Some(&proxy.id))
            .any(|job| job.unfinished(now))
    }

    /// The job, if it can be queried.
    pub(crate) fn visible_job(&self, project: &str, id: &str, now: Timestamp) -> Option<&Job> {
        self.jobs
            .iter()
            .find(|job| job.id == id && job.project == project && job.visible(now))
    }

    /// The course of the next job of this proxy.
    pub(crate) fn take_plan(&mut self, proxy: &str) -> JobPlan {
        let plans = &mut self.plans;
        let place = plans
            .next
            .iter()
            .position(|(of, _)| of.as_deref().is_none_or(|id| id == proxy));
        place
            .and_then(|place| plans.next.remove(place))
            .map_or_else(|| plans.default.clone(), |(_, plan)| plan)
    }

    /// Whether a job of the proxy ends at this very instant.
    pub(crate) fn job_ends_at(&self, proxy: &str, now: Timestamp) -> bool {
        let of_it = |job: &&Job| job.proxy.as_deref() == Some(proxy);
        self.jobs
            .iter()
            .filter(of_it)
            .any(|job| job.ended(now) == Some(now))
    }

    fn maintained_status(&self, id: &str, now: Timestamp) -> Option<&str> {
        let covering = self.maintenance.iter().filter(|one| one.covers(id, now));
        covering
            .filter_map(|one| one.maintenance.status.as_deref())
            .next_back()
    }

    fn is_shown(&self, id: &str, now: Timestamp) -> bool {
        let mut covering = self.maintenance.iter().filter(|one| one.covers(id, now));
        covering.all(|one| one.maintenance.present)
            && !self.hidden.iter().any(|hidden| hidden == id)
    }

    fn jobs_of<'a>(&'a self, proxy: &'a Proxy) -> impl Iterator<Item = &'a Job> {
        self.jobs
            .iter()
            .filter(|job| job.proxy.as_ref() == Some(&proxy.id))
    }
}
