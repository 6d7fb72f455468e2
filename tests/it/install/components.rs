//! Components together: all of them build with each overlay, in any order but one that is refused, and grant no right beyond a
//! single namespace.

use std::path::Path;

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;

use super::manifests::{apply, kustomized, one, parse};
use crate::world::{
    plane,
    tools::{copy_into, printed, refusal, root},
};

const BASE: &str = "../../base";

/// These keep to this order.
const IN_ORDER: [&str; 3] = ["monitoring", "metrics-tls", "openshift"];

/// One or the other: of authorities both are the same volume, and there is one identity.
const EITHER: [[&str; 2]; 2] = [
    ["extra-ca", "node-agency"],
    ["cluster-trust-bundle", "pod-identity"],
];

/// These bring `ClusterRole`s.
const WITH_RIGHTS: [&str; 4] = [
    "preflight",
    "services",
    "watch-secrets",
    "workload-identity",
];

/// The names of all components.
fn all() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("deploy/components")).unwrap();
    let names = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// All components but these, those of no order first or last.
fn all_but(left_out: [&str; 2]) -> [Vec<String>; 2] {
    let is_free = |name: &str| !left_out.contains(&name) && !IN_ORDER.contains(&name);
    let mut free = all();
    free.retain(|name| is_free(name));
    assert!(free.len() > 9, "{free:?}");
    let bound = IN_ORDER.map(str::to_owned).to_vec();
    let backwards: Vec<String> = free.iter().rev().cloned().collect();
    [[free, bound.clone()].concat(), [bound, backwards].concat()]
}

/// A copy of what is shipped.
fn shipped() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in ["crds", "deploy"] {
        copy_into(folder.path(), path);
    }
    folder
}

/// Writes an overlay of this one with these components, and gives its path.
fn on(shipped: &Path, below: &str, components: &[String]) -> String {
    let overlay = shipped.join("deploy/overlays/mine");
    std::fs::create_dir_all(&overlay).unwrap();
    let kustomization = json!({"resources": [below], "components": paths(components)});
    let text = kustomization.to_string();
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    overlay.to_str().unwrap().to_owned()
}

/// Adds these components to the overlay for a single namespace, as its comment says, and gives its path.
fn in_single_namespace(shipped: &Path, components: &[String]) -> String {
    let overlay = shipped.join("deploy/overlays/single-namespace");
    let original = root().join("deploy/overlays/single-namespace/kustomization.yaml");
    let text = std::fs::read_to_string(original).unwrap();
    let components = json!(paths(components));
    let text = format!("{text}components: {components}\n");
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    overlay.to_str().unwrap().to_owned()
}

fn paths(components: &[String]) -> Vec<String> {
    let path = |name: &String| format!("../../components/{name}");
    components.iter().map(path).collect()
}

/// The same value with all lists sorted: their order is that of the components.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            items.into()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            Value::Object(fields.map(|(key, it)| (key.clone(), sorted(it))).collect())
        }
        other => other.clone(),
    }
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = objects.iter().filter(|object| object["kind"] == kind);
    found.collect()
}

/// An API server takes the Deployment, in a namespace that is there.
fn is_taken(plane: &ControlPlane, objects: &[Value]) {
    let mut deployment = one(objects, "Deployment").clone();
    deployment["metadata"]["namespace"] = "default".into();
    printed(apply(plane, &[deployment]));
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_components_go_together_whatever_the_order() {
    let plane = &plane::bare().await;
    let shipped = shipped();
    for left_out in EITHER {
        let [one_way, other_way] = all_but(left_out).map(|components| {
            let overlay = on(shipped.path(), BASE, &components);
            kustomized(plane, &overlay)
        });
        is_taken(plane, &one_way);
        assert_eq!(sorted(&json!(one_way)), sorted(&json!(other_way)));
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_whose_order_counts_are_not_built_in_another_one() {
    let plane = &plane::bare().await;
    let shipped = shipped();
    for (wrong, what) in [
        (["metrics-tls", "monitoring"], "targetPort"),
        (["openshift", "metrics-tls"], "runAsGroup"),
    ] {
        let overlay = on(shipped.path(), BASE, &wrong.map(str::to_owned));
        let said = refusal(&plane::kubectl(plane, &["kustomize", &overlay]));
        assert!(said.contains(what), "{wrong:?}: {said}");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_component_grants_a_right_beyond_a_single_namespace() {
    let plane = &plane::bare().await;
    let shipped = shipped();
    for components in EITHER.into_iter().flat_map(all_but) {
        let overlay = in_single_namespace(shipped.path(), &components);
        let objects = kustomized(plane, &overlay);
        is_taken(plane, &objects);
        for kind in ["ClusterRole", "ClusterRoleBinding"] {
            assert_eq!(of_kind(&objects, kind), Vec::<&Value>::new());
        }
        let (roles, bindings) = (of_kind(&objects, "Role"), of_kind(&objects, "RoleBinding"));
        // Those of the operator itself are two.
        let expected = WITH_RIGHTS.len() + 2;
        assert_eq!(roles.len(), expected, "{roles:?}");
        assert_eq!(bindings.len(), expected, "{bindings:?}");
        for (role, binding) in roles.iter().zip(&bindings) {
            let name = &role["metadata"]["name"];
            assert_eq!(role["metadata"]["namespace"], "shop", "{name}");
            assert_eq!(binding["metadata"]["namespace"], "shop", "{name}");
            let granted =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
            assert_eq!(binding["roleRef"], granted);
            let operator = json!([
                {"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "shop"},
            ]);
            assert_eq!(binding["subjects"], operator, "{name}");
        }
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_with_rights_is_not_built_on_top_of_a_single_namespace() {
    let plane = &plane::bare().await;
    let shipped = shipped();
    for component in all() {
        let has_rights = WITH_RIGHTS.contains(&component.as_str());
        let overlay = on(shipped.path(), "../single-namespace", &[component]);
        let built = plane::kubectl(plane, &["kustomize", &overlay]);
        if has_rights {
            let said = refusal(&built);
            assert!(said.contains("/metadata/namespace"), "{said}");
        } else {
            let objects = parse(&printed(built));
            assert_eq!(of_kind(&objects, "ClusterRole"), Vec::<&Value>::new());
        }
    }
}
