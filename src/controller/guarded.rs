//! A resource as the watch delivers it, decodable or not: one bad object must not end the list of all.
//!
//! Of the metadata only what is read is kept: names and versions, and our own annotations. The rest is most of an object's
//! size, and the API server keeps it whatever a write of the status says. Of a resource that can't be decoded there are the
//! metadata, the fault, and what is stored of its changes.

use std::{borrow::Cow, collections::BTreeMap};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, value::RawValue};

use crate::{
    crd::{GROUP, TaurusProxyPort, TaurusProxyPortSpec, TaurusProxyPortStatus},
    permits::Trace,
};

/// What is said of a fault is cut to so many characters: it may quote the field, which may hold anything.
const LONGEST_FAULT: usize = 200;

/// A resource that may not be decodable.
#[derive(Debug, Clone)]
pub struct Guarded(pub Result<TaurusProxyPort, Box<Undecodable>>);

/// What is left of one that is not.
#[derive(Debug, Clone)]
pub struct Undecodable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// The field that can't be decoded, and why.
    pub error: String,
    /// What is stored of its changes.
    pub trace: Trace,
}

impl Guarded {
    /// What is stored of its changes.
    pub fn trace(&self) -> Trace {
        match &self.0 {
            Ok(object) => Trace::of(object),
            Err(undecodable) => undecodable.trace.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        if let Ok(lean) = serde_json::from_str::<Lean>(text.get()) {
            return Ok(Self(Ok(lean.into())));
        }
        let error = fault(text.get());
        let value: Value = serde_json::from_str(text.get()).map_err(de::Error::custom)?;
        let metadata = value.get("metadata").cloned().unwrap_or_default();
        let metadata: Metadata = serde_json::from_value(metadata).map_err(de::Error::custom)?;
        let metadata = metadata.into();
        let trace = Trace::of_undecodable(&metadata, &value);
        Ok(Self(Err(Box::new(Undecodable {
            metadata,
            error,
            trace,
        }))))
    }
}

/// Which field of a resource that can't be decoded is at fault, and why.
fn fault(text: &str) -> String {
    let reading = &mut serde_json::Deserializer::from_str(text);
    let Err(error) = serde_path_to_error::deserialize::<_, Lean>(reading) else {
        return "it can't be read".to_owned();
    };
    let field = match error.path().to_string() {
        whole if whole == "." => "the resource".to_owned(),
        field => field,
    };
    let why = error.into_inner().to_string();
    // The place in the API server's answer is of no use to anybody.
    let why = why.split(" at line ").next().unwrap_or_default();
    let why: String = why.chars().take(LONGEST_FAULT).collect();
    format!("{field} can't be read: {why}")
}

/// A resource with those of its metadata that are read.
#[derive(Deserialize)]
struct Lean {
    metadata: Metadata,
    spec: TaurusProxyPortSpec,
    status: Option<TaurusProxyPortStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    annotations: Option<BTreeMap<String, String>>,
}

impl From<Lean> for TaurusProxyPort {
    fn from(lean: Lean) -> Self {
        Self {
            metadata: lean.metadata.into(),
            spec: lean.spec,
            status: lean.status,
        }
    }
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        let own = |name: &String| name.split('/').next() == Some(GROUP);
        let mut annotations = read.annotations.unwrap_or_default();
        annotations.retain(|name, _| own(name));
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
            ..Self::default()
        }
    }
}

impl Resource for Guarded {
    type DynamicType = <TaurusProxyPort as Resource>::DynamicType;
    type Scope = <TaurusProxyPort as Resource>::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        TaurusProxyPort::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        TaurusProxyPort::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        TaurusProxyPort::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        TaurusProxyPort::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(object) => object.meta(),
            Err(undecodable) => &undecodable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(object) => object.meta_mut(),
            Err(undecodable) => &mut undecodable.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::crd::Outcome;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    fn guarded(port: &Value, change: &Value) -> Guarded {
        serde_json::from_value(raw(port, change)).unwrap()
    }

    fn raw(port: &Value, change: &Value) -> Value {
        json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "uid": "uid-1"},
            "spec": {
                "region": "ap-southeast-3", "projectID": HEX, "instanceID": format!("{HEX}in07"),
                "proxyID": format!("{HEX}po01"), "port": port
            },
            "status": {
                "subjectUID": "uid-1", "change": change,
                "lastChange": {
                    "id": "c1", "fromPort": 3306, "toPort": 3307, "outcome": "Failed",
                    "startedAt": "2026-03-02T16:40:05Z", "finishedAt": "2026-03-02T16:41:05Z"
                }
            }
        })
    }

    fn change() -> Value {
        json!({
            "id": "c2", "fromPort": 3306, "toPort": 3307, "generation": 3, "phase": "Intended", "attempt": 1,
            "intendedAt": "2026-03-02T16:42:05Z"
        })
    }

    #[test]
    fn the_changes_of_a_resource_that_cannot_be_decoded_are_those_of_one_that_can() {
        let decodable = guarded(&json!(3307), &change());
        let undecodable = guarded(&json!("a port"), &change());
        assert!(decodable.0.is_ok() && undecodable.0.is_err());
        assert_eq!(decodable.trace(), undecodable.trace());
        let trace = undecodable.trace();
        assert_eq!(trace.uid, "uid-1");
        assert_eq!(trace.change.unwrap().0, "c2");
        assert_eq!(trace.last.unwrap().outcome, Outcome::Failed);
        assert_eq!(trace.target.unwrap().1.name, "orders");
    }

    #[test]
    fn of_the_metadata_what_is_read_is_kept_whether_the_rest_is_decodable_or_not() {
        for port in [json!(3307), json!("a port")] {
            let object = json!({
                "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
                "metadata": {
                    "name": "orders-proxy", "namespace": "shop", "uid": "5e1f6f0c-93a5-4c0e-8d5b-1d6f1f3f9a77",
                    "resourceVersion": "8461947", "generation": 7, "creationTimestamp": "2026-01-20T08:11:59Z",
                    "deletionTimestamp": "2026-01-21T08:11:59Z", "deletionGracePeriodSeconds": 0,
                    "annotations": {
                        "kubectl.kubernetes.io/last-applied-configuration": "{}",
                        "taurusdb.huaweicloud.com/requestedAt": "now",
                        "taurusdb.huaweicloud.com.example/requestedAt": "never"
                    },
                    "labels": {"team": "shop"}, "finalizers": ["example.com/guard"],
                    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
                },
                "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": port}
            });
            let guarded: Guarded = serde_json::from_value(object).unwrap();
            let expected = json!({
                "name": "orders-proxy", "namespace": "shop", "uid": "5e1f6f0c-93a5-4c0e-8d5b-1d6f1f3f9a77",
                "resourceVersion": "8461947", "generation": 7, "creationTimestamp": "2026-01-20T08:11:59Z",
                "deletionTimestamp": "2026-01-21T08:11:59Z",
                "annotations": {"taurusdb.huaweicloud.com/requestedAt": "now"}
            });
            assert_eq!(serde_json::to_value(guarded.meta()).unwrap(), expected);
        }
    }

    #[test]
    fn a06_the_field_that_cannot_be_read_is_named() {
        for (port, fault) in [
            (
                json!(99_999_999_999_u64),
                "spec.port can't be read: invalid value: integer `99999999999`, expected i32",
            ),
            (
                json!("a port"),
                "spec.port can't be read: invalid type: string \"a port\", expected i32",
            ),
        ] {
            let undecodable = guarded(&port, &change()).0.unwrap_err();
            assert_eq!(undecodable.error, fault);
        }
        let long = json!("x".repeat(5000));
        assert!(guarded(&long, &change()).0.unwrap_err().error.len() < 300);
        // A part of the record that can't be read is none of ours, and leaves the rest readable.
        assert!(guarded(&json!(3307), &json!({"id": 7})).0.is_ok());
        let without_spec = json!({"metadata": {"name": "orders"}});
        let guarded: Guarded = serde_json::from_value(without_spec).unwrap();
        let error = guarded.0.unwrap_err().error;
        assert_eq!(error, "the resource can't be read: missing field `spec`");
    }

    #[test]
    fn a_change_that_cannot_be_read_was_begun_now() {
        let trace = guarded(&json!("a port"), &json!({"id": 7})).trace();
        assert_eq!(trace.change, Some((String::new(), Timestamp::MAX)));
        assert_eq!(guarded(&json!("a port"), &Value::Null).trace().change, None);
    }

    #[test]
    fn h13_a_change_in_the_status_of_another_object_is_none_of_one_that_cannot_be_decoded() {
        for port in [json!(3307), json!("a port")] {
            let mut copy = raw(&port, &change());
            copy["metadata"]["uid"] = json!("uid-2");
            let copy: Guarded = serde_json::from_value(copy).unwrap();
            assert_eq!(copy.trace().change, None, "{port}");
        }
    }

    #[test]
    fn without_metadata_there_is_no_resource() {
        assert!(serde_json::from_value::<Guarded>(json!({"metadata": []})).is_err());
    }
}
