//! A resource as it is kept: its JSON, compressed.
//!
//! A fleet rests nearly always, so that what is kept of its resources is most of what a process has in memory. They have most of
//! their text in common: a dictionary of it is left out of each, and so are the names that are kept beside it.

use crate::{
    crd::TaurusProxyPort,
    model::{ResourceName, Uid},
};

/// What the resources have in common, in the order in which they have it. Another text would do, at the price of memory:
/// nothing that was packed outlives the process.
const COMMON: &[u8] = include_bytes!("packed/common.json");

/// A packed resource.
#[derive(Debug)]
pub(super) struct Packed(Box<[u8]>);

/// Why there is no resource in what was packed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackedError {
    /// It can't be decompressed.
    #[error("not decompressed: {0}")]
    Compression(#[from] lz4_flex::block::DecompressError),
    /// What was decompressed is no resource.
    #[error("not decoded: {0}")]
    Json(#[from] serde_json::Error),
}

impl Packed {
    /// Packs a resource that is called so.
    pub(super) fn of(
        object: &TaurusProxyPort,
        name: &ResourceName,
        uid: &Uid,
    ) -> Result<Self, PackedError> {
        let json = serde_json::to_vec(object)?;
        let packed =
            lz4_flex::block::compress_prepend_size_with_dict(&json, &dictionary(name, uid));
        Ok(Self(packed.into_boxed_slice()))
    }

    /// The resource that was packed; only with its own name and UID.
    pub(super) fn unpack(
        &self,
        name: &ResourceName,
        uid: &Uid,
    ) -> Result<TaurusProxyPort, PackedError> {
        let dictionary = dictionary(name, uid);
        let json = lz4_flex::block::decompress_size_prepended_with_dict(&self.0, &dictionary)?;
        Ok(serde_json::from_slice(&json)?)
    }
}

/// What need not be in a packed resource, as it would stand there.
fn dictionary(name: &ResourceName, uid: &Uid) -> Vec<u8> {
    let (namespace, name) = (name.namespace(), name.name());
    let own = format!(r#""name":"{name}","namespace":"{namespace}","uid":"{uid}""#);
    [COMMON, own.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settled() -> Value {
        let hex = "9f3c1de2a7b84650c1d29e7f60ab35d4";
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message, "observedGeneration": 7,
                "lastTransitionTime": "2026-03-02T16:40:05Z"
            })
        };
        json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {
                "name": "orders-proxy", "namespace": "shop", "uid": "5e1f6f0c-93a5-4c0e-8d5b-1d6f1f3f9a77",
                "resourceVersion": "8461947", "generation": 7, "creationTimestamp": "2026-01-20T08:11:59Z",
                "annotations": {"taurusdb.huaweicloud.com/requestedAt": "now"}
            },
            "spec": {
                "region": "ap-southeast-3", "projectID": "0be93fcde4f64ab8921f64cc12ab9e01",
                "instanceID": format!("{hex}in07"), "proxyID": format!("{}po01", "2b7e151628aed2a6abf7158809cf4f3c"),
                "port": 3307, "credentialsRef": {"name": "taurus-credentials"}
            },
            "status": {
                "observedGeneration": 7, "subjectUID": "5e1f6f0c-93a5-4c0e-8d5b-1d6f1f3f9a77", "port": 3307,
                "appliedPort": 3307, "address": "192.168.17.203", "proxyName": "orders-proxy", "proxyStatus": "ACTIVE",
                "lastChange": {
                    "id": "c0ffee11c0ffee22c0ffee33c0ffee44", "fromPort": 3306, "toPort": 3307,
                    "jobID": "a3c1f0de-5b7a-4f1e-9d26-0e2f77aa1b40", "outcome": "Succeeded",
                    "startedAt": "2026-03-02T16:39:41Z", "finishedAt": "2026-03-02T16:40:05Z"
                },
                "conditions": [
                    condition("Ready", "Settled", "port 3307 is in place"),
                    condition("PortInSync", "Settled", "port 3307 is in place"),
                    condition("JobSucceeded", "Settled", "job a3c1f0de-5b7a-4f1e-9d26-0e2f77aa1b40 was completed")
                ]
            }
        })
    }

    fn names() -> (ResourceName, Uid) {
        let uid = "5e1f6f0c-93a5-4c0e-8d5b-1d6f1f3f9a77";
        (ResourceName::new("shop", "orders-proxy"), Uid::from(uid))
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let (name, uid) = names();
        let object: TaurusProxyPort = serde_json::from_value(settled()).unwrap();
        let packed = Packed::of(&object, &name, &uid).unwrap();
        let unpacked = packed.unpack(&name, &uid).unwrap();
        let texts = [object, unpacked].map(|object| serde_json::to_value(object).unwrap());
        assert_eq!(texts[0], texts[1]);
    }

    #[test]
    fn a_settled_resource_takes_less_than_a_third_of_its_text() {
        let (name, uid) = names();
        let object: TaurusProxyPort = serde_json::from_value(settled()).unwrap();
        let text = serde_json::to_string(&object).unwrap();
        let packed = Packed::of(&object, &name, &uid).unwrap();
        assert!(
            packed.0.len() * 3 < text.len(),
            "{} of {}",
            packed.0.len(),
            text.len()
        );
    }

    #[test]
    fn what_was_damaged_is_no_resource() {
        let (name, uid) = names();
        assert!(Packed([0; 9].into()).unpack(&name, &uid).is_err());
        let json =
            lz4_flex::block::compress_prepend_size_with_dict(b"{}", &dictionary(&name, &uid));
        assert!(matches!(
            Packed(json.into()).unpack(&name, &uid),
            Err(PackedError::Json(_))
        ));
    }
}
