//! What is known of all resources at once: who owns a proxy, and which jobs were given up.
//!
//! Fed from the watch of all resources. Two resources that name the same proxy would flip its port for ever; so the oldest
//! whose own credentials can see the proxy owns it, and the others wait. Who can't see it claims nothing: else anybody could
//! keep others from their proxies.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    controller::read::{self, Desired, Subject},
    crd::{ManagementPolicy, TaurusProxyPort},
    model::{InstanceId, JobId, ProjectId, ProxyId},
};

/// A proxy in one place of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyKey {
    place: String,
    project: ProjectId,
    proxy: ProxyId,
}

impl ProxyKey {
    /// The key of a subject; the endpoint counts where it is given, else the region.
    pub fn of(subject: &Subject) -> Self {
        let place = subject.endpoint.as_ref().or(subject.region.as_ref());
        Self {
            place: place
                .map(|place| place.trim_end_matches('/').to_ascii_lowercase())
                .unwrap_or_default(),
            project: subject.project.clone(),
            proxy: subject.proxy.clone(),
        }
    }
}

/// One resource, as far as the others are concerned.
#[derive(Debug, Clone)]
struct Entry {
    key: ProxyKey,
    instance: InstanceId,
    seniority: (Timestamp, String),
    name: (String, String),
    contends: bool,
    /// Uptime since which it has been known to contend.
    since: Duration,
    abandoned: Option<JobId>,
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
    name: (String, String),
}

/// The directory; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    inner: Arc<Mutex<Directory>>,
}

#[derive(Debug, Default)]
struct Directory {
    entries: HashMap<String, Entry>,
    proofs: HashMap<String, Proof>,
    contenders: HashMap<ProxyKey, BTreeSet<(Timestamp, String)>>,
    late: HashMap<ProxyKey, Late>,
    instances: HashMap<InstanceId, BTreeSet<String>>,
}

impl Claims {
    /// Takes in a resource as it now stands, at this uptime. One whose spec can't be read claims nothing.
    pub fn note(&self, object: &TaurusProxyPort, uptime: Duration) {
        let Some(uid) = object.uid() else { return };
        let entry = read::read(object)
            .ok()
            .map(|desired| Entry::of(object, &desired, &uid, uptime));
        let mut directory = self.directory();
        let before = directory.owner_of_entry(&uid);
        let contended = directory.entries.get(&uid).filter(|entry| entry.contends);
        let contended = contended.map(|entry| entry.since);
        directory.remove(&uid);
        if has_seen_its_proxy(object) {
            directory.proofs.insert(uid.clone(), Proof::Given);
        }
        if let Some(mut entry) = entry {
            entry.since = contended.unwrap_or(uptime);
            directory.insert(uid.clone(), entry);
        }
        directory.note_end(before, &uid, uptime);
    }

    /// Forgets a deleted resource, at this uptime.
    pub fn forget(&self, uid: &str, uptime: Duration) {
        let mut directory = self.directory();
        let before = directory.owner_of_entry(uid);
        directory.remove(uid);
        directory.proofs.remove(uid);
        directory.note_end(before, uid, uptime);
    }

    /// The proxy of a resource was looked for with its own credentials.
    pub fn looked(&self, uid: &str, seen: bool) {
        let mut directory = self.directory();
        let proof = directory.proofs.entry(uid.to_owned()).or_default();
        if seen {
            *proof = Proof::Given;
        } else if *proof == Proof::Open {
            *proof = Proof::Failed;
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
        let key = ProxyKey::of(subject);
        let uid = object.uid().unwrap_or_default();
        let own = directory.entries.get(&uid).map(|entry| &entry.seniority);
        let contenders = directory.contenders.get(&key).into_iter().flatten();
        let older = contenders.take_while(|other| own.is_none_or(|own| *other < own));
        let mut open = Duration::ZERO;
        for (_, other) in older {
            match directory.proofs.get(other).copied().unwrap_or_default() {
                Proof::Given => return Standing::Claimed,
                Proof::Open => {
                    let since = directory
                        .entries
                        .get(other)
                        .map_or(uptime, |other| other.since);
                    open = open.max(patience.saturating_sub(uptime.saturating_sub(since)));
                }
                Proof::Failed => {}
            }
        }
        if let Some(late) = directory.late.get(&key) {
            let same = late.name == name_of(object);
            let left = patience.saturating_sub(uptime.saturating_sub(late.at));
            open = open.max(if same { Duration::ZERO } else { left });
        }
        if open.is_zero() {
            Standing::Owner
        } else {
            Standing::Open(open)
        }
    }

    /// Jobs that were given up on any resource of this instance.
    pub fn abandoned(&self, instance: &InstanceId) -> BTreeSet<JobId> {
        let directory = self.directory();
        let uids = directory.instances.get(instance).into_iter().flatten();
        let entries = uids.filter_map(|uid| directory.entries.get(uid));
        entries
            .filter_map(|entry| entry.abandoned.clone())
            .collect()
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn of(object: &TaurusProxyPort, desired: &Desired, uid: &str, uptime: Duration) -> Self {
        let created = object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        Self {
            key: ProxyKey::of(&desired.subject),
            instance: desired.subject.instance.clone(),
            seniority: (created.unwrap_or(Timestamp::MAX), uid.to_owned()),
            name: name_of(object),
            contends: desired.policy != ManagementPolicy::Observe && !desired.deleting,
            since: uptime,
            abandoned: desired.abandoned_job.clone(),
        }
    }
}

fn name_of(object: &TaurusProxyPort) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// A port on record, in a status of this very object, was read with its credentials.
fn has_seen_its_proxy(object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    status.is_some_and(|status| status.port.is_some() && status.subject_uid == object.uid())
}

impl Directory {
    /// The proxy that a resource owns, with its name.
    fn owner_of_entry(&self, uid: &str) -> Option<(ProxyKey, (String, String))> {
        let entry = self.entries.get(uid)?;
        let given = |uid: &String| self.proofs.get(uid) == Some(&Proof::Given);
        let mut contenders = self.contenders.get(&entry.key)?.iter();
        let owner = contenders.find(|(_, other)| given(other))?;
        (owner.1 == uid).then(|| (entry.key.clone(), entry.name.clone()))
    }

    /// Notes that who owned a proxy no longer contends for it.
    fn note_end(
        &mut self,
        before: Option<(ProxyKey, (String, String))>,
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

    fn insert(&mut self, uid: String, entry: Entry) {
        if entry.contends {
            self.contenders
                .entry(entry.key.clone())
                .or_default()
                .insert(entry.seniority.clone());
        }
        self.instances
            .entry(entry.instance.clone())
            .or_default()
            .insert(uid.clone());
        self.entries.insert(uid, entry);
    }

    fn remove(&mut self, uid: &str) {
        let Some(entry) = self.entries.remove(uid) else {
            return;
        };
        if let Some(contenders) = self.contenders.get_mut(&entry.key) {
            contenders.remove(&entry.seniority);
            if contenders.is_empty() {
                self.contenders.remove(&entry.key);
            }
        }
        if let Some(uids) = self.instances.get_mut(&entry.instance) {
            uids.remove(uid);
            if uids.is_empty() {
                self.instances.remove(&entry.instance);
            }
        }
    }
}

#[cfg(test)]
mod tests;
