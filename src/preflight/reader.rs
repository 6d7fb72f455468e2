//! Reads what is judged: lists of one namespace, each once.
//!
//! Promises that what can't be read is named, that nothing else is missing for it, and that only kinds of meshes are asked for whose API
//! group is there. How long it takes is bounded by whoever asks.

use std::fmt::Debug;

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        batch::v1::CronJob,
        core::v1::{ConfigMap, Namespace, Pod},
        discovery::v1::EndpointSlice,
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use super::{Clients, Found, workloads::Workload};

mod lists;
mod meshes;

pub use lists::{MOST, Unread, Why};
use lists::{Part, all, goes_on, taken};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that a person wants to see: also `ConfigMaps` and what makes pods.
    Everything,
    /// What a change may break, with few rights: nothing that says how an application is set up, and of pods their metadata alone.
    Network,
}

/// Reads a namespace. Also what could not be read.
pub async fn read(client: &Client, namespace: &str, scope: Scope) -> (Found, Vec<Unread>) {
    let place = Place {
        client,
        namespace,
        scope,
    };
    let params = place.params();
    let of_clients = async {
        match scope {
            Scope::Everything => place.workloads().await,
            Scope::Network => place.pods().await,
        }
    };
    // Calls of kube's client are large, and have a place of their own.
    let ((own, slices, policies), (config_maps, clients, meshes)) = futures::join!(
        async {
            futures::join!(
                Box::pin(place.itself()),
                Box::pin(place.list::<EndpointSlice>("EndpointSlices")),
                Box::pin(place.list::<NetworkPolicy>("NetworkPolicies")),
            )
        },
        async {
            futures::join!(
                Box::pin(place.config_maps()),
                Box::pin(of_clients),
                Box::pin(meshes::read(client, namespace, &params)),
            )
        }
    );
    let unread = [
        own.1,
        slices.1,
        policies.1,
        config_maps.1,
        clients.1,
        meshes.1,
    ];
    let found = Found {
        namespace: own.0,
        slices: slices.0,
        policies: policies.0,
        config_maps: config_maps.0,
        clients: clients.0,
        meshes: meshes.0,
    };
    (found, unread.concat())
}

/// Where it is read.
struct Place<'a> {
    client: &'a Client,
    namespace: &'a str,
    scope: Scope,
}

impl Place<'_> {
    fn params(&self) -> ListParams {
        match self.scope {
            Scope::Everything => ListParams::default(),
            Scope::Network => ListParams::default().limit(MOST),
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    async fn list<K>(&self, what: &'static str) -> Part<Vec<K>>
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + DeserializeOwned + Debug,
    {
        taken(what, all(self.api(), &self.params()).await)
    }

    async fn itself(&self) -> Part<ObjectMeta> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let own = namespaces.get_metadata(self.namespace).await;
        let own = own.map(|own| (vec![own.metadata], false));
        let (mut own, unread) = taken("annotations", own);
        (own.pop().unwrap_or_default(), unread)
    }

    async fn config_maps(&self) -> Part<Vec<ConfigMap>> {
        match self.scope {
            Scope::Everything => self.list("ConfigMaps").await,
            Scope::Network => Part::default(),
        }
    }

    async fn workloads(&self) -> Part<Clients> {
        let (deployments, stateful_sets, daemon_sets, cron_jobs) = futures::join!(
            self.list::<Deployment>("Deployments"),
            self.list::<StatefulSet>("StatefulSets"),
            self.list::<DaemonSet>("DaemonSets"),
            self.list::<CronJob>("CronJobs"),
        );
        let deployments = with(deployments, Workload::of_deployment);
        let stateful_sets = with(stateful_sets, Workload::of_stateful_set);
        let daemon_sets = with(daemon_sets, Workload::of_daemon_set);
        let cron_jobs = with(cron_jobs, Workload::of_cron_job);
        let all = [deployments, stateful_sets, daemon_sets, cron_jobs];
        let (workloads, unread): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (Clients::Workloads(workloads.concat()), unread.concat())
    }

    async fn pods(&self) -> Part<Clients> {
        let pods: Api<Pod> = self.api();
        let list = pods.list_metadata(&self.params()).await;
        let list = list.map(|list| {
            let goes_on = goes_on(list.metadata.continue_.as_deref());
            let pods = list.items.into_iter().map(|pod| pod.metadata);
            (pods.map(marked).collect(), goes_on)
        });
        let (pods, unread) = taken("Pods", list);
        (Clients::Pods(pods), unread)
    }
}

fn with<K>(
    (items, unread): Part<Vec<K>>,
    of: impl Fn(K) -> Option<Workload>,
) -> Part<Vec<Workload>> {
    (items.into_iter().filter_map(of).collect(), unread)
}

/// What is kept of the metadata of a pod: there may be many.
fn marked(pod: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        labels: pod.labels,
        annotations: pod.annotations,
        ..ObjectMeta::default()
    }
}
