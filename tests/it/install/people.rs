//! What people may do with resources, by the roles that Kubernetes has for everybody.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;

use super::{
    chart::template,
    manifests::{kustomized, parse},
};
use crate::world::{
    PATIENCE,
    controllers::Controllers,
    plane,
    tools::{copy_into, printed},
};

/// Whether somebody may do something in the namespace `shop`.
fn may(plane: &ControlPlane, who: &str, verb: &str, what: &[&str]) -> bool {
    let question = [&["auth", "can-i", "-n", "shop", "--as", who, verb], what].concat();
    let output = plane::kubectl(plane, &question);
    match output.stdout.as_slice() {
        [b'y', b'e', b's', ..] => true,
        [b'n', b'o', ..] => false,
        _ => panic!("{output:?}"),
    }
}

const RESOURCE: &str = "taurusproxyports.taurusdb.huaweicloud.com";

/// A namespace in which each of Kubernetes' roles has somebody who has it: `viewer`, `editor`, `owner`.
fn with_people(plane: &ControlPlane) {
    printed(plane::kubectl(plane, &["create", "namespace", "shop"]));
    for (who, role) in [("viewer", "view"), ("editor", "edit"), ("owner", "admin")] {
        let (role, user) = (format!("--clusterrole={role}"), format!("--user={who}"));
        let bind = ["-n", "shop", "create", "rolebinding", who, &role, &user];
        printed(plane::kubectl(plane, &bind));
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h09_view_edit_and_admin_have_the_rights_that_their_names_say() {
    let plane = &plane::with("deploy/base").await;
    let _controllers = Controllers::start(plane);
    with_people(plane);
    let aggregated = async {
        while !may(plane, "owner", "deletecollection", &[RESOURCE]) {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, aggregated).await.unwrap();

    let reads = ["get", "list", "watch"];
    let edits = ["create", "update", "patch", "delete"];
    let all = ["viewer", "editor", "owner"];
    for (verbs, who) in [
        (&reads[..], &all[..]),
        (&edits, &["editor", "owner"]),
        (&["deletecollection"], &["owner"]),
    ] {
        for (person, verb) in all
            .iter()
            .flat_map(|it| verbs.iter().map(move |verb| (it, verb)))
        {
            let expected = who.contains(person);
            assert_eq!(
                may(plane, person, verb, &[RESOURCE]),
                expected,
                "{person}: {verb}"
            );
        }
    }
    for person in all {
        let status = [RESOURCE, "--subresource=status"];
        assert!(may(plane, person, "get", &status), "{person}");
        for verb in ["update", "patch"] {
            assert!(
                !may(plane, person, verb, &status),
                "{person} must not {verb} the status"
            );
        }
    }
    assert!(!may(plane, "stranger", "get", &[RESOURCE]));
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h09_without_the_three_roles_kubernetes_own_stay_as_they_are() {
    let plane = &plane::bare().await;
    let folder = tempfile::tempdir().unwrap();
    for path in ["crds", "deploy/base", "deploy/components"] {
        copy_into(folder.path(), path);
    }
    let overlay = folder.path().join("deploy/overlays/mine");
    std::fs::create_dir_all(&overlay).unwrap();
    let text = "resources: [../../base]\ncomponents: [../../components/without-aggregated-roles]\n";
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    let objects = kustomized(plane, overlay.to_str().unwrap());
    let text = serde_json::to_string(&objects).unwrap();
    assert!(!text.contains("aggregate-to"), "{text}");
    assert!(
        text.contains("ClusterRoleBinding"),
        "the operator's own are there"
    );
}

/// The roles for people among objects, each with the roles that it is added to.
fn for_people(objects: &[Value]) -> BTreeMap<String, Vec<String>> {
    let roles = objects.iter().filter(|it| it["kind"] == "ClusterRole");
    let added = roles.map(|role| {
        let labels = role["metadata"]["labels"].as_object().unwrap();
        let into = labels
            .keys()
            .filter(|label| label.contains("/aggregate-to-"));
        let name = role["metadata"]["name"].as_str().unwrap().to_owned();
        (name, into.cloned().collect::<Vec<_>>())
    });
    added.filter(|(_, into)| !into.is_empty()).collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h09_the_chart_adds_the_same_to_the_same_roles_and_has_a_switch_for_it() {
    let plane = &plane::bare().await;
    let base = for_people(&kustomized(plane, "deploy/base"));
    assert_eq!(base.len(), 3, "{base:?}");
    let by_helm = |values: &Value| {
        let text = printed(template("taurus-port-operator", "taurus-system", values));
        for_people(&parse(&text))
    };
    assert_eq!(by_helm(&json!({})), base);
    for values in [
        json!({"rbac": {"aggregateRoles": false}}),
        json!({"rbac": {"create": false}}),
        json!({"singleNamespace": true}),
    ] {
        assert!(by_helm(&values).is_empty(), "{values}");
    }
}
