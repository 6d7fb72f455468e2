//! Resources as they would be: those of the cluster, or what manifests would make of them.

use std::path::PathBuf;

use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;
use taurus_port_operator::{crd::ASKED_WITH, preflight::Move};

use super::definition::There;
use crate::{
    cluster::Cluster,
    failure::Failure,
    lint::{self, Finding, Manifest, duplicates, fault::Fault, judge::Judge},
    resource::{
        owners::{
            LAST_APPLIED, annotation_may_be_applied, appliers_of, appliers_of_annotation,
            may_be_applied,
        },
        text_at,
    },
    surroundings::Surroundings,
};

/// A resource that might be.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The object, with the status of the one that stands, if there is one.
    pub object: Value,
    /// Whether it stands as it is here.
    pub stands: bool,
    /// What the API server would refuse.
    pub refused: Vec<String>,
    /// Fields of the spec that the cluster's definition has, with this value, and this release does not know.
    pub strange: Vec<String>,
}

impl Proposal {
    /// One of the cluster.
    pub fn as_it_stands(object: &DynamicObject) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            object: serde_json::to_value(object).unwrap_or_default(),
            stands: true,
            refused: Vec::new(),
            strange: Vec::new(),
        }
    }

    /// The port that moves.
    pub fn moved(&self, from: u16, to: u16) -> Move {
        let text = |pointer: &str| text_at(&self.object, pointer);
        Move {
            namespace: self.namespace.clone(),
            address: text("/status/address"),
            from,
            to,
            service: text("/spec/service/name"),
            config_map: text("/spec/configMap/name"),
        }
    }
}

/// What manifests would make of the cluster.
#[derive(Debug, Default)]
pub struct Read {
    /// Each resource that they hold.
    pub proposals: Vec<Proposal>,
    /// What of them can't be read.
    pub faults: Vec<Finding>,
    /// What of the cluster could not be read.
    pub unseen: Option<String>,
}

/// Reads manifests, and what stands of them. `namespace` is the one that the command line names: kubectl lets no manifest have another.
pub async fn of_files(
    cluster: &Cluster,
    files: &[PathBuf],
    namespace: Option<&str>,
    around: &mut Surroundings<'_>,
) -> Result<Read, Failure> {
    let judge = Judge::new()?;
    let (sources, mut faults) = lint::read(files, around.input)?;
    let mut manifests: Vec<Manifest> = Vec::new();
    for source in &sources {
        let (found, unreadable) = lint::manifests(source);
        manifests.extend(found);
        faults.extend(unreadable);
    }
    if manifests.is_empty() && faults.is_empty() {
        return Err(lint::nothing());
    }
    manifests.retain(|manifest| lint::judge::is_ours(&manifest.value));
    let twice = duplicates::faults(&manifests);
    let mut read = Read {
        faults,
        ..Read::default()
    };
    // Those that would be about a proxy that they are not about now.
    let mut claims: Vec<Claim> = Vec::new();
    let there = There::default();
    for (place, manifest) in manifests.iter().enumerate() {
        let text = |pointer: &str| text_at(&manifest.value, pointer);
        let stated = text("/metadata/namespace").filter(|namespace| !namespace.is_empty());
        let of_other = stated.as_deref().zip(namespace);
        let of_other = of_other.filter(|(stated, wanted)| stated != wanted);
        let misplaced = of_other.map(|(stated, wanted)| {
            format!("metadata.namespace: it is {stated}, which kubectl refuses with -n {wanted}")
        });
        let namespace = stated.unwrap_or_else(|| cluster.namespace().to_owned());
        let name = text("/metadata/name").unwrap_or_default();
        let standing = match name.as_str() {
            "" => None,
            name => cluster.get_opt(&namespace, name).await?,
        };
        let before = standing.as_ref().map(|standing| &standing.data);
        let mut refused: Vec<Fault> = judge.faults(&manifest.value, before);
        let strange = there.knows(cluster, &manifest.value, &mut refused).await;
        let twice = twice.iter().filter(|(second, _)| *second == place);
        refused.extend(twice.map(|(_, fault)| fault.clone()));
        let refused = refused.into_iter();
        let refused = refused.map(|fault| format!("{}: {}", fault.field, fault.message));
        let proxy = managed(&manifest.value);
        if let Some(proxy) = proxy.filter(|proxy| before.and_then(managed).as_ref() != Some(proxy))
        {
            claims.push(Claim {
                place: read.proposals.len(),
                proxy,
            });
        }
        read.proposals.push(Proposal {
            refused: refused.chain(misplaced).collect(),
            strange,
            object: merged(&manifest.value, standing.as_ref(), &namespace),
            stands: false,
            namespace,
            name,
        });
    }
    if !claims.is_empty() {
        let standing = standing(cluster).await;
        read.unseen = standing.as_ref().err().cloned();
        contest(&mut read.proposals, &claims, &standing.unwrap_or_default());
    }
    Ok(read)
}

/// A proxy that a proposal would be the first to manage under its name.
struct Claim {
    place: usize,
    proxy: String,
}

/// A resource of the cluster that manages a proxy.
struct Standing {
    namespace: String,
    name: String,
    proxy: String,
}

/// The proxy that an object manages; nothing where it only observes one.
fn managed(object: &Value) -> Option<String> {
    let observes = text_at(object, "/spec/managementPolicy").as_deref() == Some("Observe");
    duplicates::proxy_of(object).filter(|_| !observes)
}

/// The resources of all namespaces that manage a proxy, or why they are not known.
async fn standing(cluster: &Cluster) -> Result<Vec<Standing>, String> {
    let mut found = Vec::new();
    let take = |object: DynamicObject| {
        if let Some(proxy) = managed(&object.data) {
            found.push(Standing {
                namespace: object.namespace().unwrap_or_default(),
                name: object.name_any(),
                proxy,
            });
        }
    };
    let everywhere = cluster.clone().on_all_namespaces();
    let listed = everywhere.each(None, take).await;
    listed.map_err(|failure| format!("other resources for the same proxies: {failure}"))?;
    Ok(found)
}

/// Refuses claims to what another resource manages already, unless that one is among the proposals, where it may let go of it.
fn contest(proposals: &mut [Proposal], claims: &[Claim], standing: &[Standing]) {
    for claim in claims {
        let rival = standing.iter().find(|other| {
            let is_proposed =
                |one: &Proposal| (&one.namespace, &one.name) == (&other.namespace, &other.name);
            other.proxy == claim.proxy && !proposals.iter().any(is_proposed)
        });
        if let Some((rival, proposal)) = rival.zip(proposals.get_mut(claim.place)) {
            proposal.refused.push(format!(
                "spec.proxyID: {}/{} manages the same proxy, and the operator lets only one do so: delete that one first, or set \
                 managementPolicy of one to Observe",
                rival.namespace, rival.name
            ));
        }
    }
}

/// What an apply would leave: the manifest's fields, and those of the object that people alone have set. Where it can't be told whether an
/// apply would take a field away, what holds changes back is taken to go, and what lets them start to stay.
fn merged(manifest: &Value, standing: Option<&DynamicObject>, namespace: &str) -> Value {
    let mut object = manifest.clone();
    set(&mut object, "/metadata", "namespace", namespace.into());
    let Some(standing) = standing else {
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        return object;
    };
    let mut generation = standing.metadata.generation.unwrap_or_default();
    let before = standing.data.get("spec").and_then(Value::as_object);
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        for (name, value) in before.into_iter().flatten() {
            if !spec.contains_key(name) && !goes(standing, name) {
                spec.insert(name.clone(), value.clone());
            }
        }
        if Some(&*spec) != before {
            generation += 1;
        }
    }
    keep_annotations(&mut object, standing);
    let uid = standing.metadata.uid.clone();
    set(&mut object, "/metadata", "uid", uid.into());
    set(&mut object, "/metadata", "generation", generation.into());
    let status = standing.data.get("status").cloned();
    set(&mut object, "", "status", status.unwrap_or_default());
    object
}

/// Whether a field of the spec goes with an apply of a manifest that lacks it, or may do so. What lets a change start is taken to stay.
fn goes(standing: &DynamicObject, field: &str) -> bool {
    if field == "approvedPlan" {
        !appliers_of(standing, field).is_empty()
    } else {
        may_be_applied(standing, field)
    }
}

/// Annotations that people set on the object, such as an approval, outlive an apply.
fn keep_annotations(object: &mut Value, standing: &DynamicObject) {
    let kept = standing.annotations().iter().filter(|(name, _)| {
        let goes = if ASKED_WITH.contains(&name.as_str()) {
            !appliers_of_annotation(standing, name).is_empty()
        } else {
            annotation_may_be_applied(standing, name)
        };
        !goes && *name != LAST_APPLIED
    });
    let kept: Vec<_> = kept.collect();
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if kept.is_empty() {
        return;
    }
    let annotations = metadata.entry("annotations").or_insert(Value::Null);
    if annotations.is_null() {
        *annotations = Value::Object(serde_json::Map::new());
    }
    for (name, value) in kept {
        if let Some(annotations) = annotations.as_object_mut() {
            annotations
                .entry(name.clone())
                .or_insert_with(|| value.clone().into());
        }
    }
}

/// Sets a field of a part, where there is that part.
fn set(object: &mut Value, part: &str, field: &str, value: Value) {
    if let Some(fields) = object.pointer_mut(part).and_then(Value::as_object_mut) {
        fields.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proxy_that_another_resource_manages_is_not_taken_over_by_a_manifest() {
        let proposal = |name: &str| Proposal {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            object: json!({}),
            stands: false,
            refused: Vec::new(),
            strange: Vec::new(),
        };
        let claim = |place: usize, proxy: &str| Claim {
            place,
            proxy: proxy.to_owned(),
        };
        let other = |name: &str, proxy: &str| Standing {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            proxy: proxy.to_owned(),
        };
        let mut proposals = [proposal("orders"), proposal("users"), proposal("carts")];
        let claims = [claim(0, "a"), claim(1, "b"), claim(2, "c")];
        // That of `carts` has let go of what `users` takes.
        let standing = [other("stock", "a"), other("carts", "b")];
        contest(&mut proposals, &claims, &standing);
        let refused = proposals.each_ref().map(|one| one.refused.len());
        assert_eq!(refused, [1, 0, 0]);
        assert!(proposals[0].refused[0].contains("shop/stock manages the same proxy"));
    }

    #[test]
    fn what_only_observes_a_proxy_manages_none() {
        let mut object = json!({"spec": {"region": "ap-southeast-1", "projectID": "p", "instanceID": "i", "proxyID": "x"}});
        assert!(managed(&object).is_some());
        object["spec"]["managementPolicy"] = json!("Observe");
        assert_eq!(managed(&object), None);
    }

    #[test]
    fn an_apply_keeps_what_people_set_and_drops_what_a_manifest_set_before() {
        let standing: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "uid": "u", "generation": 4, "managedFields": [
                {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:changeTimeout": {}}}},
                {"manager": "kubectl-patch", "operation": "Update", "fieldsV1": {"f:spec": {"f:suspend": {}}}},
                {"manager": "helm", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:annotations": {"f:team": {}}}}},
            ], "annotations": {
                "team": "a", "taurusdb.huaweicloud.com/applyNow": "5f0c1d9a44e27b83", "note": "live",
                LAST_APPLIED: "{}",
            }},
            "spec": {"port": 3307, "suspend": true, "changeTimeout": "1h"},
            "status": {"port": 3307},
        }))
        .unwrap();
        let manifest = json!({
            "metadata": {"name": "orders", "annotations": {"note": "of the manifest"}}, "spec": {"port": 3308},
        });
        let object = merged(&manifest, Some(&standing), "shop");
        assert_eq!(object["spec"], json!({"port": 3308, "suspend": true}));
        assert_eq!(
            object["metadata"],
            json!({
                "name": "orders", "namespace": "shop", "uid": "u", "generation": 5,
                "annotations": {"note": "of the manifest", "taurusdb.huaweicloud.com/applyNow": "5f0c1d9a44e27b83"},
            })
        );
        assert_eq!(object["status"], json!({"port": 3307}));
    }
}
