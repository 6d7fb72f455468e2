//! A resource as the watch delivers it, decodable or not: one bad object must not end the list of all.
//!
//! Of one that can't be decoded the metadata are kept, the fault, and what is stored of its changes.

use std::borrow::Cow;

use kube::{Resource, core::ObjectMeta};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::{crd::TaurusProxyPort, fleet::permits::Trace};

/// A resource that may not be decodable.
#[derive(Debug, Clone)]
pub struct Guarded(pub Result<TaurusProxyPort, Box<Undecodable>>);

/// What is left of one that is not.
#[derive(Debug, Clone)]
pub struct Undecodable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Why it can't be decoded.
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
        let mut value = Value::deserialize(deserializer)?;
        // Nobody reads who manages which field, and it is most of an object.
        let metadata = value.get_mut("metadata").and_then(Value::as_object_mut);
        metadata.and_then(|metadata| metadata.remove("managedFields"));
        let error = match TaurusProxyPort::deserialize(&value) {
            Ok(object) => return Ok(Self(Ok(object))),
            Err(error) => error.to_string(),
        };
        let metadata = value.get("metadata").cloned().unwrap_or_default();
        let metadata: ObjectMeta = serde_json::from_value(metadata).map_err(de::Error::custom)?;
        let trace = Trace::of_undecodable(&metadata, &value);
        Ok(Self(Err(Box::new(Undecodable {
            metadata,
            error,
            trace,
        }))))
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
        let object = json!({
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
        });
        serde_json::from_value(object).unwrap()
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
    fn a_change_that_cannot_be_read_was_begun_now() {
        let trace = guarded(&json!("a port"), &json!({"id": 7})).trace();
        assert_eq!(trace.change, Some((String::new(), Timestamp::MAX)));
        assert_eq!(guarded(&json!("a port"), &Value::Null).trace().change, None);
    }

    #[test]
    fn without_metadata_there_is_no_resource() {
        assert!(serde_json::from_value::<Guarded>(json!({"metadata": []})).is_err());
    }
}
