//! Who has set a field, as the API server keeps it.

use kube::{ResourceExt as _, api::DynamicObject};

use super::MANAGER;

/// Managers that apply whole manifests, though their operation is `Update`.
const APPLY_BY_UPDATE: [&str; 2] = ["kubectl-client-side-apply", "argocd-controller"];

/// Whether a manifest has set a field of the spec, so that it goes with the manifest's.
pub fn is_applied(object: &DynamicObject, field: &str) -> bool {
    !appliers_of(object, field).is_empty()
}

/// Those that set a field of the spec out of a manifest, and would set it again.
pub fn appliers_of(object: &DynamicObject, field: &str) -> Vec<String> {
    appliers_at(object, &["f:spec", &format!("f:{field}")])
}

/// The same of an annotation.
pub fn appliers_of_annotation(object: &DynamicObject, name: &str) -> Vec<String> {
    appliers_at(
        object,
        &["f:metadata", "f:annotations", &format!("f:{name}")],
    )
}

/// Why an annotation is not touched: it stands in a manifest that another tool applies.
pub fn refusal(object: &DynamicObject, annotation: &str, force: bool) -> Option<String> {
    let appliers = appliers_of_annotation(object, annotation);
    (!appliers.is_empty() && !force).then(|| {
        format!(
            "annotation {annotation} is set by {}, which would set it back: change it there, or give --force-conflicts",
            appliers.join(" and ")
        )
    })
}

fn appliers_at(object: &DynamicObject, place: &[&str]) -> Vec<String> {
    let applies = |manager: &str, operation: &str| {
        manager != MANAGER && (operation == "Apply" || APPLY_BY_UPDATE.contains(&manager))
    };
    let entries = object.managed_fields().iter();
    let owns = entries.filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        let found = fields.and_then(|fields| {
            let mut place = place.iter();
            place.try_fold(&fields.0, |fields, name| fields.get(name))
        });
        found.is_some()
    });
    let owners = owns.filter_map(|entry| {
        let manager = entry.manager.as_deref()?;
        let operation = entry.operation.as_deref().unwrap_or_default();
        applies(manager, operation).then(|| manager.to_owned())
    });
    owners.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_annotation_of_a_manifest_is_touched_by_force_alone() {
        let with = |manager: &str, operation: &str| -> DynamicObject {
            let fields = json!({"f:metadata": {"f:annotations": {"f:a/b": {}}}});
            let entry = json!({"manager": manager, "operation": operation, "fieldsV1": fields});
            serde_json::from_value(
                json!({"apiVersion": "v1", "kind": "x", "metadata": {"name": "orders", "managedFields": [entry]}}),
            )
            .unwrap()
        };
        let by_git = with("kustomize-controller", "Apply");
        let told = refusal(&by_git, "a/b", false).unwrap();
        assert!(
            told.contains("a/b is set by kustomize-controller"),
            "{told}"
        );
        assert_eq!(refusal(&by_git, "a/b", true), None);
        assert_eq!(refusal(&by_git, "a/c", false), None);
        let by_hand = with("kubectl-annotate", "Update");
        assert_eq!(refusal(&by_hand, "a/b", false), None);
        assert_eq!(refusal(&with(MANAGER, "Update"), "a/b", false), None);
    }

    #[test]
    fn appliers_are_told_from_people_who_patched() {
        let entry = |manager: &str, operation: &str, field: &str| json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {field: {}}}});
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "x",
            "metadata": {"name": "orders", "managedFields": [
                entry("kustomize-controller", "Apply", "f:suspend"),
                entry("other", "Apply", "f:port"),
                entry("kubectl-patch", "Update", "f:suspend"),
                entry("kubectl-client-side-apply", "Update", "f:suspend"),
                entry(MANAGER, "Apply", "f:suspend"),
            ]}
        }))
        .unwrap();
        let appliers = appliers_of(&object, "suspend");
        assert!(appliers_of_annotation(&object, "a/b").is_empty());
        assert!(is_applied(&object, "port") && !is_applied(&object, "region"));
        assert_eq!(
            appliers,
            ["kustomize-controller", "kubectl-client-side-apply"]
        );
    }
}
