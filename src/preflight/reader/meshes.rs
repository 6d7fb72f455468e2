//! Objects of meshes and of Cilium, which are of kinds that a cluster may lack.
//!
//! Promises that only kinds are asked for whose API group is there.

use futures::future;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use super::lists::{Part, all, failed, taken};
use crate::preflight::mesh::Meshes;

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

/// Those kinds of meshes whose group is there.
pub(super) async fn read(client: &Client, namespace: &str, params: &ListParams) -> Part<Meshes> {
    let groups = match client.list_api_groups().await {
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
                Api::namespaced_with(client.clone(), namespace, &resource)
            } else {
                Api::all_with(client.clone(), &resource)
            };
            let (objects, mut unread) = match all(api, params).await {
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
