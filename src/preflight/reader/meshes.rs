//! Objects of meshes and of Cilium, which are of kinds that a cluster may lack, and those of them that are of no namespace.
//!
//! Promises that only kinds are asked for whose API group is there.

use std::{collections::BTreeMap, sync::Arc};

use futures::future;
use kube::{
    Client, Resource as _,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};

use super::{
    Scope,
    lists::{GROUPS, Part, Place, Unread, Wanted, failed, unanswered},
};
use crate::preflight::{cilium, kept, mesh::Meshes};

/// The kinds of a namespace that are looked at where their group is there: group, kind and plural.
const KINDS: [(&str, &str, &str); 3] = [
    ("networking.istio.io", "ServiceEntry", "serviceentries"),
    ("networking.istio.io", "DestinationRule", "destinationrules"),
    ("cilium.io", cilium::NAMESPACED, "ciliumnetworkpolicies"),
];

/// What is of no namespace.
#[derive(Debug, Default)]
pub struct Everywhere {
    /// The versions of the groups of meshes that are there.
    pub(super) versions: BTreeMap<&'static str, String>,
    /// Cilium's policies.
    pub(super) policies: Arc<Vec<DynamicObject>>,
    pub(super) unread: Vec<Unread>,
}

impl Everywhere {
    fn without_groups(unread: Unread) -> Self {
        Self {
            unread: vec![unread],
            ..Self::default()
        }
    }
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

impl Place<'_> {
    /// Those kinds of meshes whose group is there.
    pub(super) async fn meshes(&self, versions: &BTreeMap<&'static str, String>) -> Part<Meshes> {
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
