//! Reads what is judged: lists of one namespace, each once, and what is of no namespace.
//!
//! Relies on `pages` for answers of bounded length, and on `kept` for what is kept of them. Promises that what can't be read is named, that
//! nothing else is missing for it, that only kinds of meshes are asked for whose API group is there, and an end of each part
//! [soon](Scope::within).

use std::{sync::Arc, time::Duration};

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
use kube::{Client, Resource, api::GetParams, core::Request};
use serde::de::DeserializeOwned;

use super::{
    Clients, Found, kept,
    pages::{self, Bounds},
    workloads::Workload,
};

mod lists;
mod meshes;

pub use lists::{ANNOTATIONS, GROUPS, MOST, PODS, POLICIES, SLICES, Unread, Why};
use lists::{Part, Place, Wanted, failed, unanswered, unread};
pub use meshes::{Everywhere, everywhere};

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that a person wants to see: also `ConfigMaps` and what makes pods.
    Everything,
    /// What a change may break, with few rights: nothing that says how an application is set up, and of pods their metadata alone.
    Network,
}

impl Scope {
    /// How much of a list is read. An operator reads what any tenant has written, and serves all of them.
    pub fn bounds(self) -> Bounds {
        match self {
            Self::Everything => Bounds {
                page: MOST,
                page_bytes: 256 << 20,
                object_bytes: usize::MAX,
                objects: u32::MAX,
                bytes: usize::MAX,
                kept: usize::MAX,
            },
            Self::Network => Bounds {
                page: 50,
                page_bytes: 1 << 20,
                object_bytes: 256 << 10,
                objects: MOST,
                bytes: 16 << 20,
                kept: 4 << 20,
            },
        }
    }

    /// How long each part may take.
    pub fn within(self) -> Duration {
        match self {
            Self::Everything => Duration::from_mins(5),
            Self::Network => Duration::from_millis(1500),
        }
    }
}

/// Reads a namespace, and what is of none. Also what could not be read.
pub async fn read(client: &Client, namespace: &str, scope: Scope) -> (Found, Vec<Unread>) {
    let everywhere = Box::pin(everywhere(client, scope)).await;
    let (found, unread, _) = Box::pin(within(client, namespace, scope, &everywhere)).await;
    (found, unread)
}

/// Reads a namespace, with what is of none. Also what could not be read, and how much memory it takes, in bytes, at most about.
pub async fn within(
    client: &Client,
    namespace: &str,
    scope: Scope,
    everywhere: &Everywhere,
) -> (Found, Vec<Unread>, usize) {
    let place = Place::new(client, namespace, scope);
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
                Box::pin(place.of_kind::<EndpointSlice, _, _>(
                    SLICES,
                    kept::of_slice,
                    kept::weight
                )),
                Box::pin(place.of_kind::<NetworkPolicy, _, _>(
                    POLICIES,
                    kept::of_policy,
                    kept::weight
                )),
            )
        },
        async {
            futures::join!(
                Box::pin(place.config_maps()),
                Box::pin(of_clients),
                Box::pin(place.meshes(&everywhere.versions)),
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
        everywhere.unread.clone(),
    ];
    let found = Found {
        namespace: own.0,
        slices: slices.0,
        policies: policies.0,
        config_maps: config_maps.0,
        clients: clients.0,
        meshes: meshes.0,
        clusterwide: Arc::clone(&everywhere.policies),
    };
    (found, unread.concat(), place.weight.into_inner())
}

impl Place<'_> {
    async fn itself(&self) -> Part<ObjectMeta> {
        match tokio::time::timeout(self.scope.within(), Box::pin(self.marked())).await {
            Ok(Ok(Some(own))) => (own, Vec::new()),
            Ok(Ok(None)) => {
                let said = "they are larger than what is looked at".to_owned();
                let unread = unread(ANNOTATIONS, Why::TooLarge, said);
                (ObjectMeta::default(), vec![unread])
            }
            Ok(Err(error)) => (ObjectMeta::default(), vec![failed(ANNOTATIONS, &error)]),
            Err(_) => (ObjectMeta::default(), vec![unanswered(ANNOTATIONS)]),
        }
    }

    /// The metadata of the namespace; nothing where it is too large.
    async fn marked(&self) -> Result<Option<ObjectMeta>, kube::Error> {
        let asking = Request::new(Namespace::url_path(&(), None));
        let request = asking.get_metadata(self.namespace, &GetParams::default());
        let request = request.map_err(kube::Error::BuildRequest)?;
        let room = self.scope.bounds().page_bytes;
        let Some(text) = pages::answer(self.client, request, room).await? else {
            return Ok(None);
        };
        let own = serde_json::from_slice(&text).map_err(kube::Error::SerdeError)?;
        Ok(Some(kept::marked(own)))
    }

    async fn config_maps(&self) -> Part<Vec<ConfigMap>> {
        match self.scope {
            Scope::Everything => {
                let (shrunk, weigh) = (kept::of_config_map, kept::weight);
                self.of_kind::<ConfigMap, _, _>("ConfigMaps", shrunk, weigh)
                    .await
            }
            Scope::Network => Part::default(),
        }
    }

    async fn workloads(&self) -> Part<Clients> {
        let (deployments, stateful_sets, daemon_sets, cron_jobs) = futures::join!(
            self.making::<Deployment>("Deployments", Workload::of_deployment),
            self.making::<StatefulSet>("StatefulSets", Workload::of_stateful_set),
            self.making::<DaemonSet>("DaemonSets", Workload::of_daemon_set),
            self.making::<CronJob>("CronJobs", Workload::of_cron_job),
        );
        let all = [deployments, stateful_sets, daemon_sets, cron_jobs];
        let (workloads, unread): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (Clients::Workloads(workloads.concat()), unread.concat())
    }

    /// What makes pods is read for a person, whose program has memory enough.
    async fn making<K>(
        &self,
        what: &'static str,
        of: fn(K) -> Option<Workload>,
    ) -> Part<Vec<Workload>>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let (workloads, unread) = self.of_kind::<K, K, _>(what, of, |_| 0).await;
        (workloads.into_iter().flatten().collect(), unread)
    }

    async fn pods(&self) -> Part<Clients> {
        let wanted = Wanted {
            what: PODS,
            path: self.path::<Pod>(),
            metadata_alone: true,
            may_be_absent: false,
        };
        let listed = self.list(wanted, kept::of_pod, kept::weight).await;
        let (pods, unread) = listed.unwrap_or_default();
        (Clients::Pods(pods), unread)
    }
}
