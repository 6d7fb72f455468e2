//! What is known of all resources at once: who owns a proxy, and which jobs were given up.
//!
//! Fed from the watch of all resources. Two resources that name the same proxy would flip its port for ever, so one of them owns
//! it and the others wait; who that is, `standing` decides. Promises that who can't see a proxy with its own credentials claims
//! nothing and gives up no job of another namespace: anybody may write down any id. Who waits for another resource is named
//! when that may be over, so that it can be woken.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    crd::TaurusProxyPort,
    desired,
    model::{InstanceId, JobId, ResourceName, Uid},
    place::{ProxyKey, Subject},
};

mod directory;
mod entry;
mod namesakes;
mod standing;
mod woken;

pub use standing::{Opening, Other, Rival, Standing};
pub use woken::Woken;

use directory::Directory;
use entry::{Entry, Proof};

/// The directory; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    inner: Arc<Mutex<Directory>>,
}

impl Claims {
    /// Takes in a resource as it now stands, at this uptime; gives those for whom that may change something. One whose spec can't
    /// be read claims nothing.
    pub fn note(
        &self,
        object: &TaurusProxyPort,
        uid: &Uid,
        name: &ResourceName,
        uptime: Duration,
    ) -> Woken {
        self.directory().namesakes.note(object, uid, name);
        let Ok(desired) = desired::read(object) else {
            return self.release(uid, uptime);
        };
        let mut directory = self.directory();
        let owned = directory.owned_by(uid);
        let known = directory.remove(uid);
        let key = directory.shared(ProxyKey::of(&desired.subject));
        let entry = Entry::of(object, desired, key, name, known.as_deref(), uptime);
        let stirs = entry.stirs(known.as_deref());
        let gives_up =
            known.as_ref().and_then(|known| known.abandoned.as_ref()) != entry.abandoned.as_ref();
        let mut woken = Woken::new();
        if let Some(known) = known.filter(|_| stirs) {
            directory.wake_rivals(&known, &mut woken);
        }
        directory.insert(uid, entry);
        directory.note_end(owned, uid, uptime);
        if let Some(entry) = directory.entries.get(&**uid) {
            if stirs {
                directory.wake_rivals(entry, &mut woken);
            }
            if gives_up {
                directory.wake_those_who_hear(entry, &mut woken);
            }
        }
        woken.remove(name);
        woken
    }

    /// Forgets a deleted resource, at this uptime; gives those for whom that may change something.
    pub fn forget(&self, uid: &str, uptime: Duration) -> Woken {
        self.directory().namesakes.remove(uid);
        self.release(uid, uptime)
    }

    /// Forgets what a resource has claimed.
    fn release(&self, uid: &str, uptime: Duration) -> Woken {
        let mut directory = self.directory();
        let owned = directory.owned_by(uid);
        let mut woken = Woken::new();
        if let Some(entry) = directory.remove(uid)
            && entry.contends
            && (entry.proof != Proof::Failed || owned.is_some())
        {
            directory.wake_rivals(&entry, &mut woken);
        }
        directory.note_end(owned, uid, uptime);
        woken
    }

    /// The proxy of a resource was looked for with its own credentials, and at this uptime seen, or it is known that they don't show
    /// it; gives those for whom that may change something.
    ///
    /// Credentials that show the proxy again, as when a Secret is back, may be those of its rivals too: these look again first.
    pub fn looked(&self, uid: &str, seen: bool, uptime: Duration) -> Woken {
        if seen {
            self.directory().let_rivals_try_again(uid, uptime);
        }
        self.prove(uid, |before| match before {
            _ if seen => Proof::Given,
            Proof::Open | Proof::Unclear(_) => Proof::Failed,
            Proof::Failed | Proof::Given => before,
        })
    }

    /// The proxy of a resource was looked for, and at this uptime the look failed in a way that says nothing of its credentials; gives
    /// those for whom that may change something.
    pub fn tried(&self, uid: &str, uptime: Duration) -> Woken {
        self.prove(uid, |before| match before {
            Proof::Open => Proof::Unclear(uptime),
            Proof::Unclear(_) | Proof::Failed | Proof::Given => before,
        })
    }

    fn prove(&self, uid: &str, after: impl FnOnce(Proof) -> Proof) -> Woken {
        let mut directory = self.directory();
        let mut woken = Woken::new();
        let Some(entry) = directory.entries.get_mut(uid) else {
            return woken;
        };
        let before = entry.proof;
        entry.proof = after(before);
        if let Some(entry) = directory
            .entries
            .get(uid)
            .filter(|entry| entry.proof != before)
        {
            directory.wake_rivals(entry, &mut woken);
            // Only what was seen, or is known not to be, gives its word on a job another weight.
            if entry.abandoned.is_some() && !matches!(entry.proof, Proof::Unclear(_)) {
                directory.wake_those_who_hear(entry, &mut woken);
            }
            woken.remove(&entry.name);
        }
        woken
    }

    /// The look at the proxy of a resource waits for calls: one that failed before it says no more.
    pub fn queued(&self, uid: &str) {
        if let Some(entry) = self.directory().entries.get_mut(uid)
            && matches!(entry.proof, Proof::Unclear(_))
        {
            entry.proof = Proof::Open;
        }
    }

    /// How a resource stands to its proxy, which has the port `in_place` where that is known, at this uptime of a process that
    /// waits for `patience`.
    pub fn standing(
        &self,
        uid: &str,
        in_place: Option<u16>,
        uptime: Duration,
        patience: Duration,
    ) -> Standing {
        self.directory().standing(uid, in_place, uptime, patience)
    }

    /// For whom a resource waits whose standing is open, at this uptime of a process that waits for `patience`.
    pub fn opening(&self, uid: &str, uptime: Duration, patience: Duration) -> Opening {
        self.directory().opening(uid, uptime, patience)
    }

    /// The name of a resource.
    pub fn name_of(&self, uid: &str) -> Option<ResourceName> {
        let directory = self.directory();
        directory.entries.get(uid).map(|entry| entry.name.clone())
    }

    /// Whether somebody who managed a proxy has let go of it within `patience`: a process that comes after this one
    /// knows nothing of that.
    pub fn any_is_late(&self, uptime: Duration, patience: Duration) -> bool {
        self.directory().any_is_late(uptime, patience)
    }

    /// The other resources for the proxy of this one, also those that only observe it.
    pub fn beside(&self, uid: &str) -> Woken {
        let directory = self.directory();
        let Some(own) = directory.entries.get(uid) else {
            return Woken::new();
        };
        let others = directory.on_instance(&own.instance);
        let others = others.filter(|other| other.key == own.key && other.name != own.name);
        others.map(|other| other.name.clone()).collect()
    }

    /// The resources of `namespace`, but for this one, that publish something for a proxy of this id, in whatever project, instance or
    /// region they say it is.
    pub fn publishing(&self, namespace: &str, proxy: &str, uid: &str) -> Woken {
        let directory = self.directory();
        let all = directory.namesakes.all(namespace, proxy);
        let others = all.filter(|(other, _)| ***other != *uid);
        others.map(|(_, name)| name.clone()).collect()
    }

    /// Whether several resources are on this instance. What follows from it harms nobody: anybody may name any instance.
    pub fn share(&self, instance: &InstanceId) -> bool {
        let directory = self.directory();
        directory.on_instance(instance).nth(1).is_some()
    }

    /// Jobs that were given up, as far as a resource of `namespace` with this subject may believe it, each with the resource that
    /// says so, where that is of the same namespace. Believed are resources of the same namespace, and those whose own
    /// credentials have seen their proxy; all of them of the same instance in the same place.
    pub fn abandoned(
        &self,
        subject: &Subject,
        namespace: &str,
    ) -> BTreeMap<JobId, Option<ResourceName>> {
        let mut jobs = BTreeMap::<JobId, Option<ResourceName>>::new();
        let directory = self.directory();
        for entry in directory.on_instance(&subject.instance) {
            if let Some(job) = entry.abandoned.as_deref()
                && entry.is_believed(subject.instance.place(), namespace)
            {
                let by = jobs.entry(job.clone()).or_default();
                let near = entry.name.namespace() == namespace;
                if near && by.as_ref().is_none_or(|by| *by > entry.name) {
                    *by = Some(entry.name.clone());
                }
            }
        }
        jobs
    }

    /// The job that a resource gives up and that no other namespace takes for given up: its credentials could not see its proxy.
    pub fn unheard(&self, uid: &str) -> Option<JobId> {
        let directory = self.directory();
        let entry = directory.entries.get(uid)?;
        let heard = entry.proof != Proof::Failed;
        entry.abandoned.as_deref().filter(|_| !heard).cloned()
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
