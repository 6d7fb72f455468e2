//! Reads what is judged: lists of one namespace, each once.
//!
//! Promises that what can't be read is named, that nothing else is missing for it, and that only kinds of meshes are asked for whose API
//! group is there. How long it takes is bounded by whoever asks.

use std::fmt::Debug;

use futures::future;
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
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;

use super::{Clients, Found, mesh::Meshes, workloads::Workload};

/// How many objects of a kind the operator looks at: a namespace with more is told of, and takes no more memory.
pub const MOST: u32 = 500;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that a person wants to see: also `ConfigMaps` and what makes pods.
    Everything,
    /// What a change may break, with few rights: nothing that says how an application is set up, and of pods their metadata alone.
    Network,
}

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What it is, in the plural.
    pub what: &'static str,
    /// Why.
    pub why: Why,
    /// The same for people, in the API server's words; another one each time, perhaps.
    pub said: String,
    /// Whether it is of no namespace.
    pub is_everywhere: bool,
}

/// Why something was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The right to read it is missing.
    Forbidden,
    /// The API server failed.
    Failed,
    /// There is more of it than is looked at.
    TooMany,
}

/// The kinds that are looked at: group, kind, plural, and whether they are of a namespace.
const KINDS: [(&str, &str, &str, bool); 4] = [
    (
        "networking.istio.io",
        "ServiceEntry",
        "serviceentries",
        true,
    ),
    (
        "networking.istio.io",
        "DestinationRule",
        "destinationrules",
        true,
    ),
    (
        "cilium.io",
        "CiliumNetworkPolicy",
        "ciliumnetworkpolicies",
        true,
    ),
    (
        "cilium.io",
        "CiliumClusterwideNetworkPolicy",
        "ciliumclusterwidenetworkpolicies",
        false,
    ),
];

/// What is read, and what of it was not.
type Part<T> = (T, Vec<Unread>);

/// A list, and whether there is more of it.
type Listed<K> = Result<(Vec<K>, bool), kube::Error>;

/// Reads a namespace. Also what could not be read.
pub async fn read(client: &Client, namespace: &str, scope: Scope) -> (Found, Vec<Unread>) {
    let place = Place {
        client,
        namespace,
        scope,
    };
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
                Box::pin(place.meshes()),
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

    /// Those kinds of meshes whose group is there.
    async fn meshes(&self) -> Part<Meshes> {
        let groups = match self.client.list_api_groups().await {
            Ok(groups) => groups.groups,
            Err(error) => return (Meshes::default(), vec![failed("API groups", &error)]),
        };
        let reads = KINDS.map(|(group, kind, plural, is_namespaced)| {
            let found = groups.iter().find(|found| found.name == group);
            let version = found.map(|found| {
                let version = found.preferred_version.as_ref();
                let version = version.or(found.versions.first());
                version.map_or("v1", |version| version.version.as_str())
            });
            async move {
                let kind_of = GroupVersionKind::gvk(group, version?, kind);
                let resource = ApiResource::from_gvk_with_plural(&kind_of, plural);
                let api: Api<DynamicObject> = if is_namespaced {
                    Api::namespaced_with(self.client.clone(), self.namespace, &resource)
                } else {
                    Api::all_with(self.client.clone(), &resource)
                };
                let (objects, mut unread) = match all(api, &self.params()).await {
                    // The group is there without this kind.
                    Err(kube::Error::Api(status)) if status.code == 404 => return None,
                    read => taken(kind, read),
                };
                for unread in &mut unread {
                    unread.is_everywhere = !is_namespaced;
                }
                Some((kind, objects, unread))
            }
        });
        let mut meshes = Meshes::default();
        let mut all_unread = Vec::new();
        for (kind, objects, unread) in future::join_all(reads).await.into_iter().flatten() {
            meshes.0.insert(kind, objects);
            all_unread.extend(unread);
        }
        (meshes, all_unread)
    }
}

/// What was read; nothing of what was not, which is noted.
fn taken<K>(what: &'static str, read: Listed<K>) -> Part<Vec<K>> {
    match read {
        Ok((items, false)) => (items, Vec::new()),
        Ok((items, true)) => {
            let unread = Unread {
                what,
                why: Why::TooMany,
                said: format!("only the first {MOST} were looked at"),
                is_everywhere: false,
            };
            (items, vec![unread])
        }
        Err(error) => (Vec::new(), vec![failed(what, &error)]),
    }
}

fn failed(what: &'static str, error: &kube::Error) -> Unread {
    let why = match error {
        kube::Error::Api(refusal) if refusal.code == 403 => Why::Forbidden,
        _ => Why::Failed,
    };
    Unread {
        what,
        why,
        said: said(error),
        is_everywhere: false,
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

fn goes_on(token: Option<&str>) -> bool {
    token.is_some_and(|token| !token.is_empty())
}

/// Why something could not be read. The error's own text holds the whole answer.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(refusal) => refusal.message.clone(),
        error => error.to_string(),
    }
}

async fn all<K>(api: Api<K>, params: &ListParams) -> Listed<K>
where
    K: Clone + DeserializeOwned + Debug,
{
    let list = api.list(params).await?;
    let goes_on = goes_on(list.metadata.continue_.as_deref());
    Ok((list.items, goes_on))
}
