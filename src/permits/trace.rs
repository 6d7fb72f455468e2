//! What the stored status of a resource tells of its changes, for a process that was not there.
//!
//! Also of one that can't be decoded as a whole: its change is as much under way as any other.

use k8s_openapi::jiff::Timestamp;
use kube::{ResourceExt as _, core::ObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failures::Failed;
use crate::{
    crd::{LastChange, TaurusProxyPort},
    model::{InstanceId, ProjectId, ProxyId},
    place::{InstanceKey, ProxyKey, Subject},
};

/// What is stored of a resource's changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Its UID.
    pub uid: String,
    /// The instance and who would have failed there, where the spec names them.
    pub target: Option<(InstanceKey, Failed)>,
    /// Id and beginning of the change in progress. A beginning that can't be read lies in the future, which counts as now.
    pub change: Option<(String, Timestamp)>,
    /// How the last one ended.
    pub last: Option<LastChange>,
}

impl Trace {
    /// Of a resource that can be decoded.
    pub fn of(object: &TaurusProxyPort) -> Self {
        let uid = object.uid().unwrap_or_default();
        let spec = &object.spec;
        let texts = Texts {
            region: spec.region.as_deref(),
            endpoint: spec.endpoint.as_deref(),
            project: &spec.project_id,
            instance: &spec.instance_id,
            proxy: &spec.proxy_id,
        };
        let status = object.status.as_ref();
        // A change in the status of another object, as of a restored copy, is none of this one.
        let own = status.filter(|status| status.subject_uid.as_deref() == Some(&uid));
        let change = own.and_then(|status| status.change.as_ref());
        Self {
            target: texts.target(&object.metadata),
            change: change.map(|change| (change.id.clone(), change.intended_at.0)),
            last: status.and_then(|status| status.last_change.clone()),
            uid,
        }
    }

    /// Of one that can't, as far as its parts can.
    pub fn of_undecodable(metadata: &ObjectMeta, object: &Value) -> Self {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let texts = Texts {
            region: text("/spec/region"),
            endpoint: text("/spec/endpoint"),
            project: text("/spec/projectID").unwrap_or_default(),
            instance: text("/spec/instanceID").unwrap_or_default(),
            proxy: text("/spec/proxyID").unwrap_or_default(),
        };
        // As above: a change in the status of another object is none of this one.
        let own = metadata.uid.is_some() && text("/status/subjectUID") == metadata.uid.as_deref();
        let change = object.pointer("/status/change");
        let change = change.filter(|change| own && !change.is_null());
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            target: texts.target(metadata),
            change: change.map(|change| {
                let id = change.get("id").and_then(Value::as_str);
                let begun = part(change.get("intendedAt"));
                (
                    id.unwrap_or_default().to_owned(),
                    begun.unwrap_or(Timestamp::MAX),
                )
            }),
            last: part(object.pointer("/status/lastChange")),
        }
    }
}

/// What names a target, as it stands in a spec.
struct Texts<'a> {
    region: Option<&'a str>,
    endpoint: Option<&'a str>,
    project: &'a str,
    instance: &'a str,
    proxy: &'a str,
}

impl Texts<'_> {
    fn target(&self, metadata: &ObjectMeta) -> Option<(InstanceKey, Failed)> {
        let project = ProjectId::parse(self.project).ok()?;
        let instance = InstanceId::parse(self.instance).ok()?;
        let subject = Subject {
            region: self.region.map(str::to_owned),
            endpoint: self.endpoint.map(str::to_owned),
            iam_endpoint: None,
            instance: InstanceKey::new((self.region, self.endpoint), &project, instance),
            project,
            proxy: ProxyId::parse(self.proxy).ok()?,
        };
        let failed = Failed {
            proxy: ProxyKey::of(&subject),
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        };
        Some((subject.instance, failed))
    }
}

fn part<T: DeserializeOwned>(value: Option<&Value>) -> Option<T> {
    serde_json::from_value(value?.clone()).ok()
}
