//! Certificate authorities of a private cloud, as they are mounted: from a ConfigMap and from a `ClusterTrustBundle`.

use serde_json::{Value, json};
use taurus_controlplane::needs;

use super::{
    manifests::{apply, minor, one, restricted_namespace, unwarned},
    platforms::{by_helm, by_kustomize},
};
use crate::world::plane;

/// The first minor release of Kubernetes 1 that has bundles by default.
const BUNDLES_SINCE: u32 = 37;

/// What a Deployment has of the authorities: the file, its mount and its volume.
fn of_authorities(objects: &[Value]) -> [Value; 3] {
    let pod = &one(objects, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let named = |list: &Value, name: &str| {
        let mut entries = list.as_array().into_iter().flatten();
        let found = entries.find(|entry| entry["name"] == name);
        found.cloned().unwrap_or_default()
    };
    [
        named(&container["env"], "TAURUS_EXTRA_CA"),
        named(&container["volumeMounts"], "extra-ca"),
        named(&pod["volumes"], "extra-ca"),
    ]
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_components_mount_authorities_as_the_chart_does() {
    let plane = &plane::bare().await;
    let cases = [
        ("extra-ca", json!({"configMap": "taurus-extra-ca"}), 0),
        (
            "cluster-trust-bundle",
            json!({"clusterTrustBundle": "taurus-cloud"}),
            BUNDLES_SINCE,
        ),
    ];
    let namespace = "with-authorities";
    restricted_namespace(plane, namespace);
    for (component, values, since) in cases {
        let path = format!("../../components/{component}");
        let kustomization = json!({"resources": ["../../base"], "components": [path]});
        let objects = by_kustomize(plane, &kustomization, &[]);
        let by_kustomize = of_authorities(&objects);
        let by_helm = of_authorities(&by_helm(&json!({"extraCA": values})));
        assert_eq!(by_kustomize, by_helm, "{component}");
        let [file, mount, volume] = &by_kustomize;
        let folder = mount["mountPath"].as_str().unwrap();
        assert_eq!(file["value"], format!("{folder}/ca.crt"), "{component}");

        if minor(plane) < since {
            needs::too_old("ClusterTrustBundle v1: Kubernetes 1.37 and newer have it");
        }
        // What an API server doesn't know it drops.
        let mut deployment = one(&objects, "Deployment").clone();
        deployment["metadata"]["namespace"] = namespace.into();
        unwarned(apply(plane, &[deployment]));
        let get = ["get", "deployment", "taurus-port-operator", "-n", namespace];
        let stored = plane::kubectl(plane, &[&get[..], &["-o", "json"]].concat());
        let stored: Value = serde_json::from_str(&unwarned(stored)).unwrap();
        let [_, _, kept] = of_authorities(&[stored]);
        for kind in ["configMap", "projected"] {
            for (field, value) in volume[kind].as_object().into_iter().flatten() {
                assert_eq!(kept[kind][field], *value, "{component}: {field}");
            }
        }
    }
}
