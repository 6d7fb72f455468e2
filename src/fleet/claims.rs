//! What is known of all resources at once: who owns a proxy, on which instances a change is on record, which jobs were
//! given up.
//!
//! Fed from the watch of all resources and from own writes. Two resources that name the same proxy would flip its port
//! for ever; so the oldest owns it, and the others wait.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
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
    contends: bool,
    changing: bool,
    abandoned: Option<JobId>,
}

/// The directory; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    inner: Arc<Mutex<Directory>>,
}

#[derive(Debug, Default)]
struct Directory {
    entries: HashMap<String, Entry>,
    owners: HashMap<ProxyKey, BTreeSet<(Timestamp, String)>>,
    instances: HashMap<InstanceId, BTreeSet<String>>,
}

impl Claims {
    /// Takes in a resource as it now stands. One whose spec can't be read claims nothing.
    pub fn note(&self, object: &TaurusProxyPort) {
        let Some(uid) = object.uid() else { return };
        let entry = read::read(object)
            .ok()
            .map(|desired| Entry::of(object, &desired, &uid));
        let mut directory = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        directory.remove(&uid);
        if let Some(entry) = entry {
            directory.insert(uid, entry);
        }
    }

    /// Forgets a deleted resource.
    pub fn forget(&self, uid: &str) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(uid);
    }

    /// Whether an older resource than `uid` claims the same proxy.
    pub fn has_older(&self, subject: &Subject, uid: &str) -> bool {
        let directory = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = directory
            .owners
            .get(&ProxyKey::of(subject))
            .and_then(BTreeSet::first);
        let own = directory.entries.get(uid).map(|entry| &entry.seniority);
        match (oldest, own) {
            (Some(oldest), Some(own)) => oldest < own,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Whether another resource than `uid` has a change on record on this instance.
    pub fn is_changing(&self, instance: &InstanceId, uid: &str) -> bool {
        self.others(instance)
            .iter()
            .any(|(other, entry)| entry.changing && other != uid)
    }

    /// Jobs that were given up on any resource of this instance.
    pub fn abandoned(&self, instance: &InstanceId) -> BTreeSet<JobId> {
        self.others(instance)
            .into_iter()
            .filter_map(|(_, entry)| entry.abandoned)
            .collect()
    }

    fn others(&self, instance: &InstanceId) -> Vec<(String, Entry)> {
        let directory = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let uids = directory.instances.get(instance).into_iter().flatten();
        uids.filter_map(|uid| Some((uid.clone(), directory.entries.get(uid)?.clone())))
            .collect()
    }
}

impl Entry {
    fn of(object: &TaurusProxyPort, desired: &Desired, uid: &str) -> Self {
        let created = object
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0);
        let status = object.status.as_ref();
        Self {
            key: ProxyKey::of(&desired.subject),
            instance: desired.subject.instance.clone(),
            seniority: (created.unwrap_or(Timestamp::MAX), uid.to_owned()),
            contends: desired.policy != ManagementPolicy::Observe && !desired.deleting,
            changing: status.is_some_and(|status| {
                status.change.is_some() && status.subject_uid.as_deref() == Some(uid)
            }),
            abandoned: desired.abandoned_job.clone(),
        }
    }
}

impl Directory {
    fn insert(&mut self, uid: String, entry: Entry) {
        if entry.contends {
            self.owners
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
        if let Some(owners) = self.owners.get_mut(&entry.key) {
            owners.remove(&entry.seniority);
            if owners.is_empty() {
                self.owners.remove(&entry.key);
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
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    fn object(uid: &str, second: i64, change: impl FnOnce(&mut Value)) -> TaurusProxyPort {
        let mut value = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
            "kind": "TaurusProxyPort",
            "metadata": {
                "name": uid, "namespace": "shop", "uid": uid, "generation": 1,
                "creationTimestamp": Timestamp::from_second(second).unwrap().to_string()
            },
            "spec": {
                "region": "ap-southeast-3", "projectID": HEX, "instanceID": format!("{HEX}in07"),
                "proxyID": format!("{HEX}po01"), "port": 3307
            }
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn subject(object: &TaurusProxyPort) -> Subject {
        read::read(object).unwrap().subject
    }

    #[test]
    fn the_oldest_owns_a_proxy_and_its_heir_follows() {
        let claims = Claims::default();
        let old = object("b", 100, |_| ());
        let young = object("a", 200, |value| {
            value["spec"]["proxyID"] = json!(format!("{}po01", HEX.to_uppercase()));
        });
        claims.note(&young);
        assert!(!claims.has_older(&subject(&young), "a"));
        claims.note(&old);
        assert!(
            claims.has_older(&subject(&young), "a"),
            "letter case does not matter"
        );
        assert!(!claims.has_older(&subject(&old), "b"));
        claims.forget("b");
        assert!(!claims.has_older(&subject(&young), "a"));
    }

    #[test]
    fn who_only_observes_claims_nothing() {
        let claims = Claims::default();
        claims.note(&object("b", 100, |value| {
            value["spec"]["managementPolicy"] = json!("Observe");
        }));
        let young = object("a", 200, |_| ());
        claims.note(&young);
        assert!(!claims.has_older(&subject(&young), "a"));
    }

    #[test]
    fn changes_on_record_and_abandoned_jobs_are_known_by_instance() {
        let claims = Claims::default();
        let one = object("a", 100, |value| {
            value["metadata"]["annotations"] = json!({crate::crd::ABANDON_JOB: "job-9"});
            value["status"] = json!({"subjectUID": "a", "change": {
                "id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": "Intended", "attempt": 1,
                "intendedAt": "2026-03-02T16:40:05Z"
            }});
        });
        let instance = subject(&one).instance;
        claims.note(&one);
        assert!(claims.is_changing(&instance, "b") && !claims.is_changing(&instance, "a"));
        assert_eq!(claims.abandoned(&instance).len(), 1);
        claims.note(&object("a", 100, |_| ()));
        assert!(!claims.is_changing(&instance, "b"));
        assert!(claims.abandoned(&instance).is_empty());
    }
}
