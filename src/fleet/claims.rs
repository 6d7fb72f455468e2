//! What is known of all resources at once: who owns a proxy, and which jobs were given up.
//!
//! Fed from the watch of all resources. Two resources that name the same proxy would flip its port for ever; so the oldest
//! whose own credentials can see the proxy owns it, and the others wait. Who can't see it claims nothing: else anybody could
//! keep others from their proxies.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    controller::read::{self, Subject},
    crd::{ManagementPolicy, TaurusProxyPort},
    model::{InstanceId, JobId, ProjectId, ProxyId, ResourceName, Uid},
};

/// A proxy in one place of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyKey {
    place: Arc<Place>,
    proxy: ProxyId,
}

/// A project in one place of the cloud.
#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    address: String,
    project: ProjectId,
}

impl ProxyKey {
    /// The key of a subject; the endpoint counts where it is given, else the region.
    pub fn of(subject: &Subject) -> Self {
        let address = subject.endpoint.as_ref().or(subject.region.as_ref());
        let place = Place {
            address: address
                .map(|address| address.trim_end_matches('/').to_ascii_lowercase())
                .unwrap_or_default(),
            project: subject.project.clone(),
        };
        Self {
            place: Arc::new(place),
            proxy: subject.proxy.clone(),
        }
    }
}

/// One resource, as far as the others are concerned.
#[derive(Debug)]
struct Entry {
    key: Arc<ProxyKey>,
    instance: InstanceId,
    created: Timestamp,
    name: ResourceName,
    contends: bool,
    /// Uptime since which it has been known to contend.
    since: Duration,
    proof: Proof,
    abandoned: Option<Box<JobId>>,
}

/// What is known of a resource's right to its proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Proof {
    /// It was not looked for yet.
    #[default]
    Open,
    /// Its credentials could not see the proxy.
    Failed,
    /// Its credentials have seen the proxy, now or before this process. Credentials that are revoked later change nothing.
    Given,
}

/// How a resource stands to its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may act.
    Owner,
    /// An older one owns the proxy.
    Claimed,
    /// An older one may still prove that it does, or did until a short while ago: to be waited for this long.
    Open(Duration),
}

/// How long the end of an owner is remembered; nobody waits for longer than minutes.
const LATE_KEPT: Duration = Duration::from_hours(1);

/// The end of an owner.
#[derive(Debug, Clone)]
struct Late {
    at: Duration,
    name: ResourceName,
}

/// The directory; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    inner: Arc<Mutex<Directory>>,
}

/// Nearly every proxy and many an instance have one resource: what they have is found in one order of all.
#[derive(Debug, Default)]
struct Directory {
    entries: HashMap<Uid, Box<Entry>>,
    /// Who contends for which proxy, the oldest first.
    contenders: BTreeSet<(Arc<ProxyKey>, Timestamp, Uid)>,
    late: HashMap<Arc<ProxyKey>, Late>,
    /// By what stands for an instance: few others have the same.
    instances: BTreeSet<(u64, Uid)>,
    /// Places are few.
    places: HashSet<Arc<Place>>,
}

impl Claims {
    /// Takes in a resource as it now stands, at this uptime. One whose spec can't be read claims nothing.
    pub fn note(&self, object: &TaurusProxyPort, uid: &Uid, name: &ResourceName, uptime: Duration) {
        let desired = read::read(object).ok();
        let mut directory = self.directory();
        let before = directory.owner_of_entry(uid);
        let known = directory.remove(uid);
        if let Some(desired) = desired {
            let known = known.as_ref();
            let contended = known
                .filter(|known| known.contends)
                .map(|known| known.since);
            let proof = known.map(|known| known.proof).unwrap_or_default();
            let seen = has_seen_its_proxy(object);
            let key = directory.shared(ProxyKey::of(&desired.subject));
            let entry = Entry {
                key,
                created: created(object),
                name: name.clone(),
                contends: desired.policy != ManagementPolicy::Observe && !desired.deleting,
                since: contended.unwrap_or(uptime),
                proof: if seen { Proof::Given } else { proof },
                instance: desired.subject.instance,
                abandoned: desired.abandoned_job.map(Box::new),
            };
            directory.insert(uid, entry);
        }
        directory.note_end(before, uid, uptime);
    }

    /// Forgets a deleted resource, at this uptime.
    pub fn forget(&self, uid: &str, uptime: Duration) {
        let mut directory = self.directory();
        let before = directory.owner_of_entry(uid);
        directory.remove(uid);
        directory.note_end(before, uid, uptime);
    }

    /// The proxy of a resource was looked for with its own credentials.
    pub fn looked(&self, uid: &str, seen: bool) {
        let mut directory = self.directory();
        let Some(entry) = directory.entries.get_mut(uid) else {
            return;
        };
        if seen {
            entry.proof = Proof::Given;
        } else if entry.proof == Proof::Open {
            entry.proof = Proof::Failed;
        }
    }

    /// How `object` stands to the proxy of its subject at this uptime of a process that waits for `patience`.
    pub fn standing(
        &self,
        subject: &Subject,
        object: &TaurusProxyPort,
        uptime: Duration,
        patience: Duration,
    ) -> Standing {
        let directory = self.directory();
        let key = Arc::new(ProxyKey::of(subject));
        let uid = object.uid().unwrap_or_default();
        let own = directory.entries.get(uid.as_str());
        let is_older = |created: Timestamp, other: &str| {
            own.is_none_or(|own| (created, other) < (own.created, uid.as_str()))
        };
        let contenders = directory.contenders_for(&key);
        let older = contenders.take_while(|(_, created, other)| is_older(*created, other));
        let mut open = Duration::ZERO;
        for (_, _, other) in older {
            let Some(other) = directory.entries.get(other) else {
                continue;
            };
            match other.proof {
                Proof::Given => return Standing::Claimed,
                Proof::Open => {
                    let waited = uptime.saturating_sub(other.since);
                    open = open.max(patience.saturating_sub(waited));
                }
                Proof::Failed => {}
            }
        }
        if let Some(late) = directory.late.get(&key) {
            let namespace = object.namespace().unwrap_or_default();
            let same = late.name == ResourceName::new(&namespace, &object.name_any());
            let left = patience.saturating_sub(uptime.saturating_sub(late.at));
            open = open.max(if same { Duration::ZERO } else { left });
        }
        if open.is_zero() {
            Standing::Owner
        } else {
            Standing::Open(open)
        }
    }

    /// Whether several resources are on this instance.
    pub fn share(&self, instance: &InstanceId) -> bool {
        let directory = self.directory();
        directory.on_instance(instance).nth(1).is_some()
    }

    /// Jobs that were given up on any resource of this instance.
    pub fn abandoned(&self, instance: &InstanceId) -> BTreeSet<JobId> {
        let directory = self.directory();
        let entries = directory.on_instance(instance);
        entries
            .filter_map(|entry| entry.abandoned.as_deref().cloned())
            .collect()
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn created(object: &TaurusProxyPort) -> Timestamp {
    let created = object.metadata.creation_timestamp.as_ref();
    created.map_or(Timestamp::MAX, |time| time.0)
}

/// Stands for an instance.
fn mark(instance: &InstanceId) -> u64 {
    let mut hasher = DefaultHasher::new();
    instance.hash(&mut hasher);
    hasher.finish()
}

/// A port on record, in a status of this very object, was read with its credentials.
fn has_seen_its_proxy(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| status.port.is_some() && status.subject_uid == object.uid())
}

impl Directory {
    /// Who contends for a proxy, the oldest first.
    fn contenders_for<'a>(
        &'a self,
        key: &'a Arc<ProxyKey>,
    ) -> impl Iterator<Item = &'a (Arc<ProxyKey>, Timestamp, Uid)> {
        let first = (Arc::clone(key), Timestamp::MIN, Uid::from(""));
        let contenders = self.contenders.range(first..);
        contenders.take_while(move |(other, _, _)| other == key)
    }

    /// The resources on an instance.
    fn on_instance<'a>(&'a self, instance: &'a InstanceId) -> impl Iterator<Item = &'a Entry> {
        let mark = mark(instance);
        let from_there = self.instances.range((mark, Uid::from(""))..);
        let on_it = from_there.take_while(move |(other, _)| *other == mark);
        let entries = on_it.filter_map(|(_, uid)| self.entries.get(uid));
        let entries = entries.map(|entry| &**entry);
        entries.filter(move |entry| entry.instance == *instance)
    }

    /// The proxy that a resource owns, with its name.
    fn owner_of_entry(&self, uid: &str) -> Option<(Arc<ProxyKey>, ResourceName)> {
        let entry = self.entries.get(uid)?;
        let given = |uid: &Uid| {
            let other = self.entries.get(uid);
            other.is_some_and(|other| other.proof == Proof::Given)
        };
        let mut contenders = self.contenders_for(&entry.key);
        let (_, _, owner) = contenders.find(|(_, _, other)| given(other))?;
        (**owner == *uid).then(|| (Arc::clone(&entry.key), entry.name.clone()))
    }

    /// Notes that who owned a proxy no longer contends for it.
    fn note_end(
        &mut self,
        before: Option<(Arc<ProxyKey>, ResourceName)>,
        uid: &str,
        uptime: Duration,
    ) {
        let still = self.entries.get(uid).is_some_and(|entry| entry.contends);
        self.late
            .retain(|_, late| uptime.saturating_sub(late.at) < LATE_KEPT);
        if let Some((key, name)) = before.filter(|_| !still) {
            self.late.insert(key, Late { at: uptime, name });
        }
    }

    /// A key that shares its place with all others there.
    fn shared(&mut self, mut key: ProxyKey) -> Arc<ProxyKey> {
        if let Some(place) = self.places.get(&key.place) {
            key.place = Arc::clone(place);
        } else {
            self.places.retain(|place| Arc::strong_count(place) > 1);
            self.places.insert(Arc::clone(&key.place));
        }
        Arc::new(key)
    }

    fn insert(&mut self, uid: &Uid, entry: Entry) {
        if entry.contends {
            self.contenders
                .insert((Arc::clone(&entry.key), entry.created, uid.clone()));
        }
        self.instances.insert((mark(&entry.instance), uid.clone()));
        self.entries.insert(uid.clone(), Box::new(entry));
    }

    fn remove(&mut self, uid: &str) -> Option<Box<Entry>> {
        let (uid, entry) = self.entries.remove_entry(uid)?;
        let contender = (Arc::clone(&entry.key), entry.created, uid.clone());
        self.contenders.remove(&contender);
        self.instances.remove(&(mark(&entry.instance), uid));
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
