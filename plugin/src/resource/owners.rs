//! Who has set a field, as the API server keeps it.

use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::Value;

/// The plugin's own. It does not begin with `kubectl`: Flux takes away what such managers have set.
pub const MANAGER: &str = "taurus-port-plugin";

/// Managers that apply whole manifests, though their operation is `Update`.
const APPLY_BY_UPDATE: [&str; 3] = ["kubectl-client-side-apply", "argocd-controller", "helm"];

/// What `kubectl apply` without `--server-side` notes for itself on each object.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Said of who has applied what is noted there, under whatever name of a manager.
const BY_LAST_APPLIED: &str = "kubectl apply";

/// Whether a field of the spec may go with the manifest that does not have it: unless all who have set it are known for the hands of people.
pub fn may_be_applied(object: &DynamicObject, field: &str) -> bool {
    may_be_applied_at(object, &["spec", field])
}

/// The same of an annotation.
pub fn annotation_may_be_applied(object: &DynamicObject, name: &str) -> bool {
    may_be_applied_at(object, &["metadata", "annotations", name])
}

fn may_be_applied_at(object: &DynamicObject, place: &[&str]) -> bool {
    let by_hand = |manager: &str, operation: &str| {
        let of_kubectl = manager.starts_with("kubectl-") && operation == "Update";
        manager == MANAGER || of_kubectl && !APPLY_BY_UPDATE.contains(&manager)
    };
    last_applied(object, place).is_some()
        || owners_at(object, place).any(|(manager, operation)| !by_hand(manager, operation))
}

/// Those that set a field of the spec out of a manifest, and would set it again.
pub fn appliers_of(object: &DynamicObject, field: &str) -> Vec<String> {
    appliers_at(object, &["spec", field])
}

/// The same of an annotation.
pub fn appliers_of_annotation(object: &DynamicObject, name: &str) -> Vec<String> {
    appliers_at(object, &["metadata", "annotations", name])
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
    let is_applier = |manager: &str, operation: &str| {
        manager != MANAGER && (operation == "Apply" || APPLY_BY_UPDATE.contains(&manager))
    };
    let owners = owners_at(object, place);
    let owners = owners.filter(|(manager, operation)| is_applier(manager, operation));
    let mut appliers: Vec<String> = owners.map(|(manager, _)| manager.to_owned()).collect();
    // Where another value stands there now, an apply would not set this one back.
    let noted = last_applied(object, place);
    if appliers.is_empty() && noted.is_some() && noted == live(object, place) {
        appliers.push(BY_LAST_APPLIED.to_owned());
    }
    appliers
}

/// Who has set what lies at this place, and by which operation.
fn owners_at<'a>(
    object: &'a DynamicObject,
    place: &'a [&'a str],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = object.managed_fields().iter();
    entries.filter_map(move |entry| {
        let fields = entry.fields_v1.as_ref()?;
        let mut place = place.iter();
        place.try_fold(&fields.0, |fields, name| fields.get(format!("f:{name}")))?;
        let operation = entry.operation.as_deref().unwrap_or_default();
        Some((entry.manager.as_deref()?, operation))
    })
}

/// What is noted to have been set by a manifest at this place.
fn last_applied(object: &DynamicObject, place: &[&str]) -> Option<Value> {
    let noted = object.annotations().get(LAST_APPLIED)?;
    let noted: Value = serde_json::from_str(noted).ok()?;
    at(&noted, place)
}

/// What stands at this place.
fn live(object: &DynamicObject, place: &[&str]) -> Option<Value> {
    match place {
        ["metadata", "annotations", name] => {
            let text = object.annotations().get(*name)?;
            Some(Value::String(text.clone()))
        }
        _ => at(&object.data, place),
    }
}

fn at(value: &Value, place: &[&str]) -> Option<Value> {
    let mut place = place.iter();
    place
        .try_fold(value, |value, name| value.get(name))
        .cloned()
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
        assert!(may_be_applied(&object, "port") && !may_be_applied(&object, "region"));
        assert_eq!(
            appliers,
            ["kustomize-controller", "kubectl-client-side-apply"]
        );
    }
    /// Who has set the field and how, what is noted of the last apply, whether the field may go, and who is named.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, bool, &'a [&'a str]);

    #[test]
    fn a_field_goes_with_a_manifest_unless_all_who_have_set_it_are_people() {
        let with = |managers: &[(&str, &str)], applied: &str| -> DynamicObject {
            let entries = managers.iter().map(|(manager, operation)| {
                json!({"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {"f:suspend": {}}}})
            });
            let entries: Vec<Value> = entries.collect();
            serde_json::from_value(json!({
                "apiVersion": "v1", "kind": "x",
                "metadata": {"name": "orders", "managedFields": entries, "annotations": {LAST_APPLIED: applied}},
                "spec": {"suspend": true},
            }))
            .unwrap()
        };
        let noted = r#"{"spec": {"suspend": true}}"#;
        let other = r#"{"spec": {"suspend": false}}"#;
        let cases: [Case<'_>; 7] = [
            (&[("kubectl-patch", "Update")], other, true, &[]),
            (&[("kubectl-patch", "Update")], "{}", false, &[]),
            (
                &[("kubectl-edit", "Update"), (MANAGER, "Apply")],
                "{}",
                false,
                &[],
            ),
            (&[("helm", "Update")], "{}", true, &["helm"]),
            // Its own name for kubectl apply.
            (&[("ci", "Update")], noted, true, &["kubectl apply"]),
            (&[("Terraform", "Update")], "{}", true, &[]),
            (
                &[("kubectl-patch", "Update"), ("flux", "Apply")],
                "no JSON",
                true,
                &["flux"],
            ),
        ];
        for (managers, applied, may, appliers) in cases {
            let object = with(managers, applied);
            assert_eq!(may_be_applied(&object, "suspend"), may, "{managers:?}");
            assert_eq!(appliers_of(&object, "suspend"), appliers, "{managers:?}");
        }
    }
}
