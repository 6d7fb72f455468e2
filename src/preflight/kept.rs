//! What is kept of objects that were read: the little that is judged, since what tenants write may be large.
//!
//! Promises that nothing else of an object is decoded into memory than the fields here, and an estimate of what is kept that is never
//! too low by much.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::ConfigMap,
        discovery::v1::{Endpoint, EndpointPort, EndpointSlice},
        networking::v1::{NetworkPolicy, NetworkPolicySpec},
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{injection, network};
use crate::publish::standing::is_resource;

type Texts = Option<BTreeMap<String, String>>;

/// Of the metadata of any object.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    name: Option<String>,
    labels: Texts,
    annotations: Texts,
    #[serde(rename = "ownerReferences")]
    owners: Option<Vec<OwnerReference>>,
}

/// An object of which the metadata alone is looked at.
#[derive(Deserialize)]
pub(super) struct OfAny {
    #[serde(default)]
    metadata: Metadata,
}

/// A network policy.
#[derive(Deserialize)]
pub(super) struct OfPolicy {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<NetworkPolicySpec>,
}

/// A slice of endpoints.
#[derive(Deserialize)]
pub(super) struct OfSlice {
    #[serde(default)]
    metadata: Metadata,
    endpoints: Option<Vec<OfEndpoint>>,
    ports: Option<Vec<EndpointPort>>,
}

#[derive(Deserialize)]
struct OfEndpoint {
    #[serde(default)]
    addresses: Vec<String>,
}

/// A `ConfigMap`.
#[derive(Deserialize)]
pub(super) struct OfConfigMap {
    #[serde(default)]
    metadata: Metadata,
    data: Texts,
}

/// An object of a mesh, or a policy of Cilium.
#[derive(Deserialize)]
pub(super) struct OfMesh {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Value>,
    specs: Option<Value>,
}

/// The name alone.
fn named(metadata: Metadata) -> ObjectMeta {
    ObjectMeta {
        name: metadata.name,
        ..ObjectMeta::default()
    }
}

/// The name, the labels, and what annotations say of meshes.
pub(super) fn marked(it: OfAny) -> ObjectMeta {
    let Metadata {
        name,
        labels,
        mut annotations,
        owners: _,
    } = it.metadata;
    if let Some(annotations) = &mut annotations {
        annotations.retain(|name, _| injection::is_looked_at(name));
    }
    ObjectMeta {
        name,
        labels,
        annotations,
        ..ObjectMeta::default()
    }
}

/// As [`marked`], without the name: there may be many pods.
pub(super) fn of_pod(it: OfAny) -> ObjectMeta {
    ObjectMeta {
        name: None,
        ..marked(it)
    }
}

/// What it says of egress.
pub(super) fn of_policy(it: OfPolicy) -> NetworkPolicy {
    let spec = it.spec.map(|spec| NetworkPolicySpec {
        ingress: None,
        ..spec
    });
    NetworkPolicy {
        metadata: named(it.metadata),
        spec,
    }
}

/// Its addresses and ports, whose it is, and who keeps it.
pub(super) fn of_slice(it: OfSlice) -> EndpointSlice {
    let mut metadata = it.metadata;
    let labels = metadata.labels.take().map(|mut labels| {
        labels.retain(|name, _| network::is_looked_at(name));
        labels
    });
    let owners = metadata.owners.take().unwrap_or_default();
    let owner = owners.into_iter().find(is_resource);
    let endpoints = it.endpoints.unwrap_or_default().into_iter();
    let all = Endpoint {
        addresses: endpoints.flat_map(|endpoint| endpoint.addresses).collect(),
        ..Endpoint::default()
    };
    EndpointSlice {
        metadata: ObjectMeta {
            labels,
            owner_references: owner.map(|owner| vec![owner]),
            ..named(metadata)
        },
        endpoints: vec![all],
        ports: it.ports,
        ..EndpointSlice::default()
    }
}

/// Its texts.
pub(super) fn of_config_map(it: OfConfigMap) -> ConfigMap {
    ConfigMap {
        metadata: named(it.metadata),
        data: it.data,
        ..ConfigMap::default()
    }
}

/// Its spec, or its specs.
pub(super) fn of_mesh(it: OfMesh) -> DynamicObject {
    let mut data = Map::new();
    for (field, value) in [("spec", it.spec), ("specs", it.specs)] {
        if let Some(value) = value {
            data.insert(field.to_owned(), value);
        }
    }
    DynamicObject {
        types: None,
        metadata: named(it.metadata),
        data: Value::Object(data),
    }
}

/// How much memory something takes, in bytes, at most about: its text, and what maps and lists need besides.
pub(super) fn weight<T: Serialize>(kept: &T) -> usize {
    // A map of one entry takes as much as one of eleven, and an item of a list as much as the largest kind of item.
    let text = serde_json::to_vec(kept).unwrap_or_default();
    let besides = text.iter().map(|letter| match letter {
        b'{' => 640,
        b',' | b'[' => 48,
        _ => 0,
    });
    besides.sum::<usize>().saturating_add(text.len())
}
