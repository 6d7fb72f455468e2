//! What people do to resources, and to the records of jobs.

use kube::ResourceExt as _;
use taurus_port_operator::crd::{ABANDON_JOB, TaurusProxyPort};

use super::name_of;
use crate::{
    ELSEWHERE, keys,
    resource::{credentials, resource},
    schedule::Plan,
    sky::{PROXIES, instance_of},
    world::World,
};

/// The address of the cloud: by the region, or spelt out.
const SPELT: [Option<&str>; 4] = [
    None,
    Some("https://gaussdb.ap-southeast-3.myhuaweicloud.com"),
    Some("https://GaussDB.ap-southeast-3.myhuaweicloud.com:443"),
    Some("https://gaussdb.ap-southeast-3.myhuaweicloud.com."),
];

impl World {
    /// People edit a resource, if it is there.
    pub fn edit(&mut self, resource: usize, change: impl FnOnce(&mut TaurusProxyPort)) -> bool {
        let (name, now) = (name_of(resource), self.now());
        let edited = self.cluster.edit(&name, now, change);
        if edited {
            self.stored(&name);
        }
        edited
    }

    /// People delete a resource, if it is there.
    pub(super) fn delete(&mut self, resource: usize) -> Option<TaurusProxyPort> {
        let now = self.now();
        let deleted = self.cluster.delete(&name_of(resource), now)?;
        self.reign_of_deleted(&deleted);
        self.note_deleted(&deleted);
        self.note_wishes(&deleted, false);
        Some(deleted)
    }

    /// Somebody of another namespace, without credentials, names the instance of this proxy and gives up what is at work there.
    pub(super) fn annotate_as_stranger(&mut self, proxy: usize) {
        let (now, instance) = (self.now(), PROXIES[proxy].1);
        let name = stranger_of(proxy);
        let works = self.sky.open();
        let job = works
            .filter(|work| instance_of(work.proxy) == instance_of(proxy))
            .map(|work| work.id.as_str().to_owned())
            .next()
            .unwrap_or("job-0".to_owned());
        if self.cluster.get(&name).is_none() {
            let mut stranger = resource(&name, instance, &format!("{}po01", "f".repeat(32)), 3399);
            stranger.metadata.namespace = Some(ELSEWHERE.to_owned());
            stranger.spec.credentials_ref = Some(credentials("nothing"));
            abandon(&mut stranger, job);
            self.cluster.create(stranger, now);
        } else {
            self.cluster.edit(&name, now, |object| abandon(object, job));
        }
        self.stored(&name);
    }

    /// A job has begun: a stranger who is there gives it up as well.
    pub fn stranger_hears_of(&mut self, proxy: &str, job: &str) {
        let now = self.now();
        let Some(proxy) = PROXIES.iter().position(|(id, _)| *id == proxy) else {
            return;
        };
        let name = stranger_of(proxy);
        if self
            .cluster
            .edit(&name, now, |object| abandon(object, job.to_owned()))
        {
            self.stored(&name);
        }
    }

    /// A job on the instance of this proxy that is over, though its record says that it runs.
    pub(super) fn stuck_job(&self, proxy: usize) -> Option<String> {
        let mut works = self.sky.works.iter();
        let stuck =
            works.find(|work| work.is_stuck() && instance_of(work.proxy) == instance_of(proxy));
        stuck.map(|work| work.id.as_str().to_owned())
    }

    /// Whoever has a resource on an instance with a stuck job says that it does nothing any more.
    pub(super) fn abandon_what_is_stuck(&mut self) {
        let now = self.now();
        let stuck = self.cluster.all().filter_map(|object| {
            let mut proxies = PROXIES.iter();
            let proxy = proxies.position(|(id, _)| *id == object.spec.proxy_id)?;
            Some((object.name_any(), self.stuck_job(proxy)?))
        });
        for (name, job) in stuck.collect::<Vec<_>>() {
            if self.cluster.edit(&name, now, |object| abandon(object, job)) {
                self.stored(&name);
            }
        }
    }

    /// The record of a job at work was deleted: without a status there is nothing left to see of it.
    pub(super) fn left_no_trace(&self) -> bool {
        self.sky.open().any(|work| work.erased)
    }

    /// A job's record is deleted only when its id is on record, in a status that is no copy.
    pub fn erase(&mut self) {
        let own = self.cluster.all().filter(|object| {
            let status = object.status.as_ref();
            status.is_some_and(|status| status.subject_uid == object.metadata.uid)
        });
        let changes =
            own.filter_map(|object| object.status.as_ref()?.change.as_ref()?.job_id.clone());
        let recorded: Vec<String> = changes.collect();
        if let Some(work) = self.sky.works.last_mut()
            && recorded.iter().any(|job| job == work.id.as_str())
        {
            work.erased = true;
        }
    }
}

fn stranger_of(proxy: usize) -> String {
    format!("stranger-{}", instance_of(proxy))
}

/// Somebody vouches that a job does nothing any more.
pub(super) fn abandon(object: &mut TaurusProxyPort, job: String) {
    object.annotations_mut().insert(ABANDON_JOB.to_owned(), job);
}

/// A resource as people make it.
pub(super) fn new(number: usize, plan: Plan) -> TaurusProxyPort {
    let (proxy, instance) = PROXIES[plan.proxy];
    let mut object = resource(&name_of(number), instance, proxy, plan.port);
    object.spec.credentials_ref = Some(credentials(keys::NAMES[plan.keys]));
    object.spec.endpoint = SPELT[plan.spelling].map(ToOwned::to_owned);
    object
}
