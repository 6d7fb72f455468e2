//! The sample that fills in what the resources of a namespace don't state, on an API server that knows such policies.

use std::time::Duration;

use serde_json::{Value, json};
use taurus_controlplane::{ControlPlane, needs};
use taurus_sim::sample;

use super::manifests::{apply, minor, one, parse, replace};
use crate::world::{
    PATIENCE,
    plane::{self, Plane},
    tools::{printed, refusal},
};

/// The first minor release of Kubernetes 1 that serves the policies in the version of the sample.
const SINCE: u32 = 36;

/// A resource with the fields that have no default in the sample, and these.
fn resource(namespace: &str, name: &str, fields: &Value) -> Value {
    let mut resource = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"instanceID": sample::INSTANCE, "proxyID": sample::PROXY, "port": 3307},
    });
    let spec = resource["spec"].as_object_mut().unwrap();
    spec.extend(fields.as_object().unwrap().clone());
    resource
}

/// A control plane with the sample at work for the namespace `shop`; the namespace `bare` has no defaults.
async fn with_defaults() -> Plane {
    let plane = plane::with("deploy/base").await;
    if minor(&plane) < SINCE {
        needs::too_old("MutatingAdmissionPolicy v1: Kubernetes 1.36 and newer have it");
    }
    for namespace in ["shop", "bare"] {
        printed(plane::kubectl(&plane, &["create", "namespace", namespace]));
    }
    let files = [
        "deploy/policies/defaults.yaml",
        "deploy/examples/defaults.yaml",
    ];
    for file in files {
        let apply = ["apply", "--server-side", "-f", file];
        printed(plane::kubectl(&plane, &apply));
    }
    // The API server takes a policy up after a moment; until then the project is missing.
    let mut last = None;
    let at_work = async {
        let mut number = 0;
        loop {
            let tried = resource("shop", &format!("tried-{number}"), &json!({}));
            let applied = apply(&plane, &[tried]);
            if applied.status.success() {
                return;
            }
            last = Some(applied);
            number += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, at_work).await;
    assert!(in_time.is_ok(), "{last:?}");
    plane
}

/// What is stored of a resource.
fn stored(plane: &ControlPlane, name: &str) -> Value {
    let get = ["get", "tpp", name, "-n", "shop", "-o", "json"];
    serde_json::from_str(&printed(plane::kubectl(plane, &get))).unwrap()
}

/// A manifest without the fields that were filled in, in the place of the resource, takes none of them back.
fn an_edit_keeps_what_it_leaves_out(plane: &ControlPlane, short: &Value, values: &Value) {
    let name = short["metadata"]["name"].as_str().unwrap();
    let before = stored(plane, name);
    printed(replace(plane, short));
    assert_eq!(stored(plane, name)["spec"], before["spec"]);
    // Only what is left out is kept, and nothing is added that the resource did not have.
    let mut other = short.clone();
    other["spec"]["approval"] = "Automatic".into();
    printed(replace(plane, &other));
    let after = &stored(plane, name)["spec"];
    assert_eq!(after["approval"], "Automatic");
    assert_eq!(after["managementPolicy"], values["managementPolicy"]);
    other["spec"]["approval"] = values["approval"].clone();
    printed(replace(plane, &other));
}

/// A resource without a Secret gets none, neither when it is created nor when an edit changes its way to sign in.
fn an_identity_needs_no_secret(plane: &ControlPlane) {
    let sample = parse(include_str!(
        "../../../deploy/examples/workload-identity.yaml"
    ));
    let mut keyless = one(&sample, "TaurusProxyPort").clone();
    keyless["metadata"]["namespace"] = "shop".into();
    for name in ["keyless", "full"] {
        keyless["metadata"]["name"] = name.into();
        // What can't be changed is that of the resource, if there is one.
        if name == "full" {
            let fields = keyless["spec"].as_object_mut().unwrap();
            fields.remove("region").unwrap();
            let full = stored(plane, name);
            for field in ["endpoint", "projectID", "instanceID", "proxyID"] {
                fields.insert(field.to_owned(), full["spec"][field].clone());
            }
            printed(replace(plane, &keyless));
        } else {
            printed(apply(plane, std::slice::from_ref(&keyless)));
        }
        let spec = &stored(plane, name)["spec"];
        assert_eq!(
            spec["workloadIdentity"],
            keyless["spec"]["workloadIdentity"]
        );
        assert!(spec.get("credentialsRef").is_none(), "{spec}");
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_fills_in_what_a_new_resource_does_not_state_and_keeps_what_it_does() {
    let plane = &with_defaults().await;
    let sample: Value =
        serde_saphyr::from_str(include_str!("../../../deploy/examples/defaults.yaml")).unwrap();
    let values = &sample["data"];

    let short = resource("shop", "short", &json!({}));
    assert!(
        apply(plane, std::slice::from_ref(&short)).status.success(),
        "nothing more is needed"
    );
    let spec = &stored(plane, "short")["spec"];
    for field in ["region", "projectID", "managementPolicy", "approval"] {
        assert_eq!(spec[field], values[field], "{field}");
    }
    assert_eq!(spec["credentialsRef"]["name"], values["credentials"]);

    // What is stated stays, and where there is an endpoint no region is added.
    let stated = json!({
        "endpoint": "https://taurus.example.test", "projectID": "1".repeat(32), "managementPolicy": "Enforce",
        "approval": "Automatic", "credentialsRef": {"name": "mine"},
    });
    let full = resource("shop", "full", &stated);
    assert!(apply(plane, std::slice::from_ref(&full)).status.success());
    assert_eq!(stored(plane, "full")["spec"], full["spec"]);

    // The same manifest again takes nothing back, and an edit only changes what it names.
    let again = apply(plane, std::slice::from_ref(&short));
    assert!(again.status.success(), "{again:?}");
    assert_eq!(stored(plane, "short")["metadata"]["generation"], 1);
    let moved = resource("shop", "short", &json!({"port": 3308}));
    assert!(apply(plane, &[moved]).status.success());
    let after = stored(plane, "short");
    assert_eq!(after["spec"]["port"], 3308);
    assert_eq!(after["spec"]["region"], values["region"]);
    let moved = resource("shop", "short", &json!({"port": 3308}));
    an_edit_keeps_what_it_leaves_out(plane, &moved, values);
    an_identity_needs_no_secret(plane);

    // Other namespaces are left alone.
    let elsewhere = apply(plane, &[resource("bare", "short", &json!({}))]);
    let said = refusal(&elsewhere);
    assert!(said.contains("projectID"), "{said}");

    // A key that is taken away fills in nothing more; what was filled in stays.
    let less = r#"{"data":{"approval":null}}"#;
    let patch = ["patch", "configmap", "taurus-defaults", "-n", "shop"];
    let patch = [&patch[..], &["--type=merge", "-p", less]].concat();
    printed(plane::kubectl(plane, &patch));
    let taken_up = async {
        let mut number = 0;
        loop {
            let name = format!("later-{number}");
            let later = resource("shop", &name, &json!({}));
            assert!(apply(plane, &[later]).status.success());
            if stored(plane, &name)["spec"]["approval"].is_null() {
                return;
            }
            number += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken_up).await.unwrap();
    assert_eq!(
        stored(plane, "short")["spec"]["approval"],
        values["approval"]
    );
    // Nor does an edit take it away by now, or once there are no defaults at all.
    let before = stored(plane, "short");
    let short = resource("shop", "short", &json!({"port": 3308}));
    printed(replace(plane, &short));
    let delete = ["delete", "configmap", "taurus-defaults", "-n", "shop"];
    printed(plane::kubectl(plane, &delete));
    for _ in 0..2 {
        printed(replace(plane, &short));
        assert_eq!(stored(plane, "short")["spec"], before["spec"]);
    }
}
