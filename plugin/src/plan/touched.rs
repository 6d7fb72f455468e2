//! What in the cluster has to do with a port that moves: what leads to the old one, what shuts the new one out, and who uses it.
//!
//! Relies on lists of a namespace, each read once. Promises that a right that is missing is told, and nothing else is missing for it;
//! and that no Secret is read.

mod mesh;
mod network;
mod values;
mod workloads;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, StatefulSet},
    batch::v1::CronJob,
    core::v1::{ConfigMap, Namespace},
    discovery::v1::EndpointSlice,
    networking::v1::NetworkPolicy,
};
use kube::{Api, api::ListParams};
use serde::{Serialize, de::DeserializeOwned};

use crate::cluster::Cluster;
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
}

impl Touched {
    fn of(kind: &str, name: impl Into<String>, how: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.into(),
            how: how.into(),
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        format!("{} {}, {}", self.kind, self.name, self.how)
    }
}

/// A port that moves.
#[derive(Debug, Clone, Default)]
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

/// What was read, by namespace.
#[derive(Default)]
pub struct Surrounding {
    namespaces: BTreeMap<String, Read>,
    unseen: BTreeSet<String>,
}

/// What was read of a namespace.
#[derive(Debug, Default)]
struct Read {
    namespace: Namespace,
    slices: Vec<EndpointSlice>,
    policies: Vec<NetworkPolicy>,
    config_maps: Vec<ConfigMap>,
    workloads: Vec<Workload>,
    meshes: Meshes,
}

impl Surrounding {
    /// Reads a namespace, once.
    pub async fn look(&mut self, cluster: &Cluster, namespace: &str) {
        if self.namespaces.contains_key(namespace) {
            return;
        }
        let client = || cluster.client();
        let namespaces: Api<Namespace> = Api::all(client());
        let slices = all::<EndpointSlice>(Api::namespaced(client(), namespace));
        let policies = all::<NetworkPolicy>(Api::namespaced(client(), namespace));
        let config_maps = all::<ConfigMap>(Api::namespaced(client(), namespace));
        let deployments = all::<Deployment>(Api::namespaced(client(), namespace));
        let stateful_sets = all::<StatefulSet>(Api::namespaced(client(), namespace));
        let daemon_sets = all::<DaemonSet>(Api::namespaced(client(), namespace));
        let cron_jobs = all::<CronJob>(Api::namespaced(client(), namespace));
        let (own, slices, policies, config_maps) =
            futures::join!(namespaces.get(namespace), slices, policies, config_maps);
        let (deployments, stateful_sets, daemon_sets, cron_jobs) =
            futures::join!(deployments, stateful_sets, daemon_sets, cron_jobs);
        let (meshes, unseen_of_meshes) = Meshes::look(cluster, namespace).await;
        let mut unseen = Unseen {
            namespace,
            told: &mut self.unseen,
        };
        let mut workloads = Vec::new();
        let deployments = unseen.or_none("Deployments", deployments);
        workloads.extend(deployments.into_iter().filter_map(Workload::of_deployment));
        let sets = unseen.or_none("StatefulSets", stateful_sets);
        workloads.extend(sets.into_iter().filter_map(Workload::of_stateful_set));
        let sets = unseen.or_none("DaemonSets", daemon_sets);
        workloads.extend(sets.into_iter().filter_map(Workload::of_daemon_set));
        let jobs = unseen.or_none("CronJobs", cron_jobs);
        workloads.extend(jobs.into_iter().filter_map(Workload::of_cron_job));
        let own = unseen.or_none("annotations", own.map(|own| vec![own]));
        let read = Read {
            namespace: own.into_iter().next().unwrap_or_default(),
            slices: unseen.or_none("EndpointSlices", slices),
            policies: unseen.or_none("NetworkPolicies", policies),
            config_maps: unseen.or_none("ConfigMaps", config_maps),
            workloads,
            meshes,
        };
        self.unseen.extend(unseen_of_meshes);
        self.namespaces.insert(namespace.to_owned(), read);
    }

    /// What could not be read.
    pub fn unseen(&self) -> Vec<String> {
        self.unseen.iter().cloned().collect()
    }

    /// What a move touches.
    pub fn touched(&self, moved: &Move) -> Vec<Touched> {
        let read = self.namespaces.get(&moved.namespace);
        read.map_or_else(Vec::new, |read| touched(read, moved))
    }
}

fn touched(read: &Read, moved: &Move) -> Vec<Touched> {
    let slices = network::slices(&read.slices, moved);
    let stale_maps = values::config_maps(&read.config_maps, moved);
    let policies = network::policies(&read.policies, moved);
    let mut services: BTreeSet<String> = slices
        .iter()
        .filter_map(|slice| slice.service.clone())
        .collect();
    services.extend(moved.service.clone());
    let mut maps: BTreeSet<String> = stale_maps.iter().map(|map| map.name.clone()).collect();
    maps.extend(values::naming(&read.config_maps, moved, &services));
    maps.extend(moved.config_map.clone());
    let sought = workloads::Sought {
        services: &services,
        config_maps: &maps,
        moved,
    };
    let users = workloads::users(&read.workloads, &sought);
    let in_meshes = mesh::workloads(&read.namespace, &read.workloads, &sought, &read.meshes);
    let meshes = read.meshes.touched(moved, &services);
    let slices = slices.into_iter().map(|slice| slice.touched);
    slices
        .chain(stale_maps)
        .chain(policies)
        .chain(meshes)
        .chain(users)
        .chain(in_meshes)
        .collect()
}

/// Notes what could not be read.
struct Unseen<'a> {
    namespace: &'a str,
    told: &'a mut BTreeSet<String>,
}

impl Unseen<'_> {
    fn or_none<T>(&mut self, what: &str, read: Result<Vec<T>, kube::Error>) -> Vec<T> {
        read.unwrap_or_else(|error| {
            let why = why(&error);
            self.told
                .insert(format!("{what} of {}: {why}", self.namespace));
            Vec::new()
        })
    }
}

/// Why something could not be read. The error's own text holds the whole answer.
fn why(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(refusal) => refusal.message.clone(),
        error => error.to_string(),
    }
}

async fn all<K>(api: Api<K>) -> Result<Vec<K>, kube::Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    Ok(api.list(&ListParams::default()).await?.items)
}

#[cfg(test)]
mod tests;
