//! The overlays for kustomize, each applied twice.

use serde_json::Value;
use taurus_controlplane::ControlPlane;

use super::manifests::{apply, kustomized, one, pod, restricted_namespace, unwarned};
use crate::world::{
    plane,
    tools::{printed, refusal},
};

const APPLY: [&str; 3] = ["apply", "--server-side", "-k"];

/// Those that are installed into the same namespace take turns.
const OVERLAYS: [&str; 4] = [
    "deploy/base",
    "deploy/overlays/cluster-wide",
    "deploy/overlays/highly-available",
    "deploy/overlays/single-namespace",
];

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_overlay_is_applied_twice_and_the_second_time_nothing_differs() {
    let plane = &plane::bare().await;
    restricted_namespace(plane, "shop");
    for overlay in OVERLAYS {
        unwarned(plane::kubectl(plane, &[&APPLY[..], &[overlay]].concat()));
        let before = versions(plane, overlay);
        let diff = plane::kubectl(plane, &["diff", "--server-side", "-k", overlay]);
        assert_eq!(printed(diff), "", "{overlay}");
        unwarned(plane::kubectl(plane, &[&APPLY[..], &[overlay]].concat()));
        assert_eq!(versions(plane, overlay), before, "{overlay}");
    }
}

/// The versions of all objects of an overlay, as they are stored.
fn versions(plane: &ControlPlane, overlay: &str) -> Vec<(Value, Value)> {
    let stored = printed(plane::kubectl(plane, &["get", "-o", "json", "-k", overlay]));
    let stored: Value = serde_json::from_str(&stored).unwrap();
    let items = stored["items"].as_array().unwrap();
    assert!(items.len() > 9, "{overlay}: {items:?}");
    let metadata = items.iter().map(|item| item["metadata"].clone());
    metadata
        .map(|it| (it["uid"].clone(), it["resourceVersion"].clone()))
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_the_deployment_is_admitted_where_the_restricted_standard_is_enforced() {
    let plane = &plane::shared().await;
    let deployment = one(&kustomized(plane, "deploy/base"), "Deployment").clone();
    let good = pod(&deployment);
    unwarned(apply(plane, std::slice::from_ref(&good)));

    // It is enforced: one promise less, and the Pod is refused.
    let promises = [
        "/spec/securityContext/runAsNonRoot",
        "/spec/securityContext/seccompProfile",
        "/spec/containers/0/securityContext/capabilities",
        "/spec/containers/0/securityContext/allowPrivilegeEscalation",
    ];
    for promise in promises {
        let (parent, field) = promise.rsplit_once('/').unwrap();
        let mut bad = good.clone();
        bad["metadata"]["name"] = "one-promise-less".into();
        let parent = bad.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.remove(field).expect(promise);
        let said = refusal(&apply(plane, &[bad]));
        assert!(said.contains("violates PodSecurity"), "{promise}: {said}");
    }
    // The standard doesn't ask for this one.
    let container = &good["spec"]["containers"][0]["securityContext"];
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(good["spec"]["terminationGracePeriodSeconds"], 60);
}
