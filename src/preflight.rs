//! What in the cluster has to do with a port that moves: what leads to the old one, what shuts the new one out, and who uses it.
//!
//! Pure, but for `reader`, which lists what is judged here. The operator and the plugin for kubectl read and judge by this code: the one
//! tells in `status.plan.warnings` what a change would break, the other shows all that it touches. Relies on what was read of one namespace.
//! Promises the same findings in the same order for the same facts, and that no Secret is read. What the cloud knows is
//! judged in [`admission`]: the rules of the instance's security group.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::{
    api::{core::v1::ConfigMap, discovery::v1::EndpointSlice, networking::v1::NetworkPolicy},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::api::DynamicObject;
use serde::Serialize;

pub mod admission;
pub mod cilium;
pub mod injection;
mod kept;
pub mod mesh;
pub mod network;
pub mod pages;
pub mod reader;
pub mod values;
pub mod warnings;
pub mod workloads;

use mesh::Meshes;
use workloads::Workload;

/// Something in the cluster that a change of a port touches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Touched {
    /// Its kind.
    pub kind: String,
    /// Its name; it is in the namespace of the resource, unless its kind has none.
    pub name: String,
    /// What it has to do with the port.
    pub how: String,
    /// What becomes of it when the port moves.
    #[serde(skip)]
    pub fate: Fate,
}

/// What becomes of something when the port moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It shuts the new port out.
    Shuts,
    /// It goes on leading to the old port.
    Stale,
    /// A mesh does not take the new port for TCP.
    Unknown,
    /// It is led to the new port, or has to be told of it by whoever knows it.
    Follows,
}

impl Touched {
    /// One of them.
    pub fn of(kind: &str, name: impl Into<String>, how: impl Into<String>, fate: Fate) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.into(),
            how: how.into(),
            fate,
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        format!("{} {}, {}", self.kind, self.name, self.how)
    }
}

/// A port that moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Move {
    /// The namespace of the resource.
    pub namespace: String,
    /// The address of the proxy, where it is known.
    pub address: Option<String>,
    /// The port that goes.
    pub from: u16,
    /// The port that comes.
    pub to: u16,
    /// The Service that follows the port by itself.
    pub service: Option<String>,
    /// The `ConfigMap` that follows the port by itself.
    pub config_map: Option<String>,
}

/// What was read of a namespace.
#[derive(Debug, Default)]
pub struct Found {
    /// The namespace itself.
    pub namespace: ObjectMeta,
    /// Its slices of endpoints.
    pub slices: Vec<EndpointSlice>,
    /// Its network policies.
    pub policies: Vec<NetworkPolicy>,
    /// Its `ConfigMaps`.
    pub config_maps: Vec<ConfigMap>,
    /// Who may use the proxy.
    pub clients: Clients,
    /// What meshes and Cilium have there.
    pub meshes: Meshes,
    /// Cilium's policies for all namespaces, which all reads share.
    pub clusterwide: Arc<Vec<DynamicObject>>,
}

/// Who may use the proxy, as far as was read.
#[derive(Debug)]
pub enum Clients {
    /// What makes pods, with all that says how they reach the proxy.
    Workloads(Vec<Workload>),
    /// The metadata of pods, which does not say whether they use the proxy.
    Pods(Vec<ObjectMeta>),
}

impl Default for Clients {
    fn default() -> Self {
        Self::Workloads(Vec::new())
    }
}

/// What a move touches.
pub fn touched(found: &Found, moved: &Move) -> Vec<Touched> {
    let slices = network::slices(&found.slices, moved);
    let stale_maps = values::config_maps(&found.config_maps, moved);
    let policies = network::policies(&found.policies, moved);
    let mut services: BTreeSet<String> = slices
        .iter()
        .filter_map(|slice| slice.service.clone())
        .collect();
    services.extend(moved.service.clone());
    let mut maps: BTreeSet<String> = stale_maps.iter().map(|map| map.name.clone()).collect();
    maps.extend(values::naming(&found.config_maps, moved, &services));
    maps.extend(moved.config_map.clone());
    let meshes = found.meshes.touched(moved, &services);
    let mut all: Vec<Touched> = slices.into_iter().map(|slice| slice.touched).collect();
    all.extend(stale_maps);
    all.extend(policies);
    all.extend(meshes);
    all.extend(cilium::touched(found, moved));
    match &found.clients {
        Clients::Workloads(clients) => {
            let sought = workloads::Sought {
                services: &services,
                config_maps: &maps,
                moved,
            };
            all.extend(workloads::users(clients, &sought));
            all.extend(mesh::workloads(
                &found.namespace,
                clients,
                &sought,
                &found.meshes,
            ));
        }
        Clients::Pods(pods) => {
            all.extend(mesh::pods(&found.namespace, pods, moved, &found.meshes));
        }
    }
    all
}

#[cfg(test)]
mod tests;
