//! Reads what is judged: lists of one namespace, each once, and what is of no namespace.
//!
//! Relies on `pages` for answers of bounded length, and on `kept` for what is kept of them. Promises that what can't be read is named, that
//! nothing else is missing for it, that only kinds of meshes are asked for whose API group is there, and an end of each part
//! [soon](Scope::within).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

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
    Client, Resource,
    api::{ApiResource, DynamicObject, GetParams, GroupVersionKind},
    core::Request,
};
use serde::de::DeserializeOwned;

use super::{
    Clients, Found, cilium, kept,
    mesh::Meshes,
    pages::{self, Bounds, End, Listing},
    workloads::Workload,
};

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
    /// Some of it is larger than is looked at, or can't be decoded.
    TooLarge,
}

/// The names of lists in what was not read.
pub const SLICES: &str = "EndpointSlices";
/// As [`SLICES`].
pub const POLICIES: &str = "NetworkPolicies";
/// As [`SLICES`].
pub const PODS: &str = "Pods";
/// As [`SLICES`]; those of the namespace.
pub const ANNOTATIONS: &str = "annotations";
/// As [`SLICES`].
pub const GROUPS: &str = "API groups";

/// The kinds of a namespace that are looked at where their group is there: group, kind and plural.
const KINDS: [(&str, &str, &str); 3] = [
    ("networking.istio.io", "ServiceEntry", "serviceentries"),
    ("networking.istio.io", "DestinationRule", "destinationrules"),
    ("cilium.io", cilium::NAMESPACED, "ciliumnetworkpolicies"),
];

/// What is read, and what of it was not.
type Part<T> = (T, Vec<Unread>);

/// What is of no namespace.
#[derive(Debug, Default)]
pub struct Everywhere {
    /// The versions of the groups of meshes that are there.
    versions: BTreeMap<&'static str, String>,
    policies: Arc<Vec<DynamicObject>>,
    unread: Vec<Unread>,
}

impl Everywhere {
    fn without_groups(unread: Unread) -> Self {
        Self {
            unread: vec![unread],
            ..Self::default()
        }
    }
}

/// Reads a namespace, and what is of none. Also what could not be read.
pub async fn read(client: &Client, namespace: &str, scope: Scope) -> (Found, Vec<Unread>) {
    let everywhere = Box::pin(everywhere(client, scope)).await;
    let (found, unread, _) = Box::pin(within(client, namespace, scope, &everywhere)).await;
    (found, unread)
}

/// Reads what is of no namespace, which serves all of them.
pub async fn everywhere(client: &Client, scope: Scope) -> Everywhere {
    let place = Place::new(client, "", scope);
    let asked = tokio::time::timeout(scope.within(), Box::pin(client.list_api_groups())).await;
    let groups = match asked {
        Ok(Ok(groups)) => groups.groups,
        Ok(Err(error)) => return Everywhere::without_groups(failed(GROUPS, &error)),
        Err(_) => return Everywhere::without_groups(unanswered(GROUPS)),
    };
    let mut versions = BTreeMap::new();
    for (group, ..) in KINDS {
        if let Some(found) = groups.iter().find(|found| found.name == group) {
            let version = found.preferred_version.as_ref();
            let version = version.or(found.versions.first());
            let version = version.map_or("v1", |version| version.version.as_str());
            versions.insert(group, version.to_owned());
        }
    }
    let plural = "ciliumclusterwidenetworkpolicies";
    let reading = place.mesh(&versions, ("cilium.io", cilium::CLUSTERWIDE, plural), None);
    let (policies, mut unread) = reading.await.unwrap_or_default();
    for unread in &mut unread {
        unread.is_everywhere = true;
    }
    Everywhere {
        versions,
        policies: Arc::new(policies),
        unread,
    }
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

/// Where it is read.
struct Place<'a> {
    client: &'a Client,
    namespace: &'a str,
    scope: Scope,
    /// Of what was kept so far.
    weight: AtomicUsize,
}

/// A list to read.
struct Wanted {
    what: &'static str,
    path: String,
    metadata_alone: bool,
    /// Whether the API server may not know the kind.
    may_be_absent: bool,
}

impl<'a> Place<'a> {
    fn new(client: &'a Client, namespace: &'a str, scope: Scope) -> Self {
        Self {
            client,
            namespace,
            scope,
            weight: AtomicUsize::new(0),
        }
    }

    fn path<K: Resource<DynamicType = ()>>(&self) -> String {
        K::url_path(&(), Some(self.namespace))
    }

    /// Reads a list; `shrunk` makes of an object what is kept of it, and `weigh` says how much memory that takes, in bytes.
    async fn list<T: DeserializeOwned, K: Send>(
        &self,
        wanted: Wanted,
        shrunk: fn(T) -> K,
        weigh: fn(&K) -> usize,
    ) -> Option<Part<Vec<K>>> {
        let bounds = self.scope.bounds();
        let listing = Listing {
            client: self.client,
            path: wanted.path,
            metadata_alone: wanted.metadata_alone,
            bounds,
        };
        let (mut items, mut weight) = (Vec::new(), 0_usize);
        let taking = listing.each(|object: T| {
            let object = shrunk(object);
            let with_it = weight.saturating_add(weigh(&object));
            let has_room = with_it <= bounds.kept;
            if has_room {
                weight = with_it;
                items.push(object);
            }
            has_room
        });
        let ended = tokio::time::timeout(self.scope.within(), Box::pin(taking)).await;
        self.weight.fetch_add(weight, Ordering::Relaxed);
        let what = wanted.what;
        let unread = match ended {
            Ok(Ok(End::Whole)) => None,
            Ok(Ok(End::TooMany)) => {
                let said = format!("only the first {} were looked at", bounds.objects);
                Some(unread(what, Why::TooMany, said))
            }
            Ok(Ok(End::TooLarge)) => {
                let said = "some are larger than what is looked at, or can't be decoded";
                Some(unread(what, Why::TooLarge, said.to_owned()))
            }
            Ok(Err(kube::Error::Api(status))) if wanted.may_be_absent && status.code == 404 => {
                return None;
            }
            Ok(Err(error)) => Some(failed(what, &error)),
            Err(_) => Some(unanswered(what)),
        };
        Some((items, unread.into_iter().collect()))
    }

    async fn of_kind<K, T, S>(
        &self,
        what: &'static str,
        shrunk: fn(T) -> S,
        weigh: fn(&S) -> usize,
    ) -> Part<Vec<S>>
    where
        K: Resource<DynamicType = ()>,
        T: DeserializeOwned,
        S: Send,
    {
        let wanted = Wanted {
            what,
            path: self.path::<K>(),
            metadata_alone: false,
            may_be_absent: false,
        };
        let listed = self.list(wanted, shrunk, weigh).await;
        listed.unwrap_or_default()
    }

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

    /// Those kinds of meshes whose group is there.
    async fn meshes(&self, versions: &BTreeMap<&'static str, String>) -> Part<Meshes> {
        let reads = KINDS.map(|of| async move {
            let read = self.mesh(versions, of, Some(self.namespace)).await;
            read.map(|(objects, unread)| (of.1, objects, unread))
        });
        let mut meshes = Meshes::default();
        let mut all_unread = Vec::new();
        for (kind, objects, unread) in future::join_all(reads).await.into_iter().flatten() {
            meshes.0.insert(kind, objects);
            all_unread.extend(unread);
        }
        (meshes, all_unread)
    }

    /// The objects of a kind; nothing where it is not there.
    async fn mesh(
        &self,
        versions: &BTreeMap<&'static str, String>,
        (group, kind, plural): (&'static str, &'static str, &'static str),
        namespace: Option<&str>,
    ) -> Option<Part<Vec<DynamicObject>>> {
        let version = versions.get(group)?;
        let of = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&of, plural);
        let wanted = Wanted {
            what: kind,
            path: DynamicObject::url_path(&resource, namespace),
            metadata_alone: false,
            // The group may be there without this kind.
            may_be_absent: true,
        };
        self.list(wanted, kept::of_mesh, kept::weight).await
    }
}

fn unread(what: &'static str, why: Why, said: String) -> Unread {
    Unread {
        what,
        why,
        said,
        is_everywhere: false,
    }
}

fn unanswered(what: &'static str) -> Unread {
    let said = "the API server did not answer in time".to_owned();
    unread(what, Why::Failed, said)
}

fn failed(what: &'static str, error: &kube::Error) -> Unread {
    let why = match error {
        kube::Error::Api(refusal) if refusal.code == 403 => Why::Forbidden,
        _ => Why::Failed,
    };
    unread(what, why, said(error))
}

/// Why something could not be read. The error's own text holds the whole answer.
fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(refusal) => refusal.message.clone(),
        error => error.to_string(),
    }
}
