//! Resources as they would be: those of the cluster, or what manifests would make of them.

use std::path::PathBuf;

use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;
use taurus_port_operator::preflight::Move;

use crate::{
    cluster::Cluster,
    failure::Failure,
    lint::{self, Source, judge::Judge},
    resource::text_at,
    surroundings::Surroundings,
    verbs::appliers_of_annotation,
};

/// What `kubectl apply` notes for itself on each object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

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
pub async fn of_files(
    cluster: &Cluster,
    files: &[PathBuf],
    around: &mut Surroundings<'_>,
) -> Result<Vec<Proposal>, Failure> {
    let judge = Judge::new()?;
    let sources: Vec<Source> = lint::read(files, around.input)?;
    let mut proposals = Vec::new();
    for source in &sources {
        let (manifests, unreadable) = lint::manifests(source);
        if let Some(fault) = unreadable.first() {
            return Err(Failure::Usage(format!(
                "{}:{}: {}",
                fault.file, fault.line, fault.message
            )));
        }
        for manifest in manifests
            .iter()
            .filter(|manifest| lint::judge::is_ours(&manifest.value))
        {
            let text = |pointer: &str| text_at(&manifest.value, pointer);
            let namespace =
                text("/metadata/namespace").unwrap_or_else(|| cluster.namespace().to_owned());
            let name = text("/metadata/name").unwrap_or_default();
            let api = cluster.resources_of(&namespace);
            let standing = match name.as_str() {
                "" => None,
                name => api.get_opt(name).await.map_err(|error| {
                    Failure::kubernetes(format!("can't read {namespace}/{name}"), &error)
                })?,
            };
            let refused = judge.faults(
                &manifest.value,
                standing.as_ref().map(|standing| &standing.data),
            );
            let refused = refused
                .iter()
                .map(|fault| format!("{}: {}", fault.field, fault.message));
            proposals.push(Proposal {
                refused: refused.collect(),
                object: merged(&manifest.value, standing.as_ref(), &namespace),
                stands: false,
                namespace,
                name,
            });
        }
    }
    Ok(proposals)
}

/// What an apply would leave: the manifest's fields, and those of the object that no applier owns.
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
            if !spec.contains_key(name) && !crate::verbs::is_applied(standing, name) {
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

/// Annotations that people set on the object, such as an approval, outlive an apply.
fn keep_annotations(object: &mut Value, standing: &DynamicObject) {
    let kept = standing.annotations().iter().filter(|(name, _)| {
        let is_applied = !appliers_of_annotation(standing, name).is_empty();
        !is_applied && *name != LAST_APPLIED
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
