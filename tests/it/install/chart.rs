//! What the Helm chart renders: the same as kustomize where both mean the same, and nothing that an API server minds.

use std::{collections::BTreeMap, path::Path, process::Output};

use serde::Deserialize;
use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;

use super::manifests::{apply, kustomized, one, parse, pod, restricted_namespace, unwarned};
use crate::world::{
    plane,
    tools::{helm, printed, root},
};

/// The chart, from the root of the repository.
pub const CHART: &str = "deploy/helm/taurus-port-operator";

const CRD: &str = "taurusproxyports.taurusdb.huaweicloud.com";

/// What the chart makes of these values.
pub fn template(release: &str, namespace: &str, values: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    let file = file.to_str().unwrap();
    helm(folder.path())
        .args(["template", release, CHART, "-n", namespace, "-f", file])
        .output()
        .unwrap()
}

fn rendered(release: &str, namespace: &str, values: &Value) -> Vec<Value> {
    parse(&printed(template(release, namespace, values)))
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chart_renders_what_kustomize_does_where_both_mean_the_same() {
    let plane = &plane::bare().await;
    let single = json!({"singleNamespace": true, "secrets": {"names": ["taurus-credentials"]}});
    let cases = [
        ("deploy/base", "taurus-system", json!({})),
        (
            "deploy/overlays/highly-available",
            "taurus-system",
            json!({"replicaCount": 2}),
        ),
        ("deploy/overlays/single-namespace", "shop", single),
    ];
    for (overlay, namespace, values) in cases {
        let mut by_kustomize = by_name(kustomized(plane, overlay));
        // Helm makes the namespace by a flag, or not at all.
        by_kustomize.remove("Namespace  taurus-system");
        let by_helm = by_name(rendered("taurus-port-operator", namespace, &values));
        let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&by_helm), names(&by_kustomize), "{overlay}");
        for (name, object) in by_helm {
            assert_eq!(object, by_kustomize[&name], "{overlay}: {name}");
        }
    }
}

/// Objects without what the two label in ways of their own.
fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let named = objects.into_iter().map(|mut object| {
        forget_instance(&mut object);
        let metadata = object["metadata"].as_object_mut().unwrap();
        metadata.remove("labels");
        metadata.remove("annotations");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let [namespace, name] = ["namespace", "name"].map(|it| text(&object["metadata"][it]));
        (
            format!("{} {namespace} {name}", text(&object["kind"])),
            object,
        )
    });
    named.collect()
}

/// Helm's selectors name the release, too.
fn forget_instance(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("app.kubernetes.io/instance");
            fields.values_mut().for_each(forget_instance);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_instance),
        _ => {}
    }
}

/// Values, and what comes of them at one place of the object of a kind.
#[derive(Debug, Deserialize)]
struct Case {
    values: Value,
    kind: String,
    at: String,
    is: Value,
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_reach_their_objects_and_an_api_server_takes_these_without_a_warning() {
    let plane = &plane::bare().await;
    let namespace = "values-of-the-chart";
    restricted_namespace(plane, namespace);
    let cases = include_str!("../../fixtures/helm/values.yaml");
    let cases: Vec<Case> = serde_saphyr::from_str(cases).unwrap();
    assert!(cases.len() > 20, "{cases:?}");
    for (number, mut case) in cases.into_iter().enumerate() {
        // The one of this control plane is not this test's.
        case.values["crds"] = json!({"install": false});
        let release = format!("r{number}");
        let objects = rendered(&release, namespace, &case.values);
        let found = one(&objects, &case.kind).pointer(&case.at).cloned();
        let text = found.unwrap_or_default().to_string();
        let lease = format!("{release}-taurus-port-operator");
        let text = text.replace(&lease, "lease-of-the-release");
        let is: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(is, case.is, "{} {}", case.kind, case.at);
        accepted(plane, &objects);
    }
}

/// The API server takes the objects, and a Pod of theirs.
fn accepted(plane: &ControlPlane, objects: &[Value]) {
    unwarned(apply(plane, objects));
    let mut pod = pod(one(objects, "Deployment"));
    let of = &one(objects, "Deployment")["metadata"]["name"];
    pod["metadata"]["name"] = of.clone();
    unwarned(apply(plane, &[pod]));
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_switched_off_is_not_there_and_what_is_switched_on_is() {
    let kinds = |values: &Value| -> Vec<String> {
        let objects = rendered("taurus", "taurus-system", values);
        let kinds = objects
            .iter()
            .map(|it| it["kind"].as_str().unwrap().to_owned());
        kinds.collect()
    };
    let all = kinds(&json!({}));
    for (values, kind) in [
        (
            json!({"crds": {"install": false}}),
            "CustomResourceDefinition",
        ),
        (json!({"rbac": {"create": false}}), "ClusterRole"),
        (json!({"rbac": {"create": false}}), "RoleBinding"),
        (
            json!({"rbac": {"aggregateRoles": false}, "singleNamespace": true}),
            "ClusterRole",
        ),
        (
            json!({"serviceAccount": {"create": false}}),
            "ServiceAccount",
        ),
        (
            json!({"podDisruptionBudget": {"enabled": false}}),
            "PodDisruptionBudget",
        ),
        (
            json!({"networkPolicy": {"enabled": false}}),
            "NetworkPolicy",
        ),
        (json!({"singleNamespace": true}), "ClusterRoleBinding"),
    ] {
        assert!(all.iter().any(|it| it == kind), "{all:?}");
        assert!(!kinds(&values).iter().any(|it| it == kind), "{values}");
    }
    assert!(!all.iter().any(|it| it == "ServiceMonitor"), "{all:?}");
    let monitored =
        json!({"serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}}});
    let objects = rendered("taurus", "taurus-system", &monitored);
    let (monitor, service) = (one(&objects, "ServiceMonitor"), one(&objects, "Service"));
    assert_eq!(monitor["metadata"]["labels"]["release"], "prometheus");
    let endpoint = &monitor["spec"]["endpoints"][0]["port"];
    assert_eq!(endpoint, &service["spec"]["ports"][0]["name"]);
    for (label, value) in monitor["spec"]["selector"]["matchLabels"]
        .as_object()
        .unwrap()
    {
        assert_eq!(&service["metadata"]["labels"][label], value);
    }
}

#[taurus_needs::test]
fn the_chart_has_the_definition_of_this_release_and_lints() {
    let read = |path: &Path| std::fs::read_to_string(root().join(path)).unwrap();
    let [ours, in_chart] = ["crds", &format!("{CHART}/files")]
        .map(|folder| read(&Path::new(folder).join(format!("{CRD}.yaml"))));
    assert_eq!(ours, in_chart, "run `make crds`");
    let version = env!("CARGO_PKG_VERSION");
    let chart = &parse(&read(&Path::new(CHART).join("Chart.yaml")))[0];
    assert_eq!(chart["appVersion"], version, "{chart}");
    let plain = &parse(&read(Path::new("deploy/base/deployment.yaml")))[0];
    let label = &plain["metadata"]["labels"]["app.kubernetes.io/version"];
    assert_eq!(label, version, "the plugin shows it: {plain}");
    let folder = tempfile::tempdir().unwrap();
    let lint = helm(folder.path())
        .args(["lint", "--strict", CHART])
        .output();
    printed(lint.unwrap());
}

#[taurus_needs::test]
fn the_calendar_is_mounted_as_a_folder_so_that_edits_arrive() {
    let values = json!({"calendar": {"configMap": "days", "key": "all.yaml"}});
    let objects = rendered("taurus-port-operator", "taurus-system", &values);
    let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let of = |list: &Value, name: &str| {
        let mut all = list.as_array().unwrap().iter();
        all.find(|one| one["name"] == name).cloned().unwrap()
    };
    let path = of(&container["env"], "TAURUS_CALENDAR")["value"].clone();
    assert_eq!(path, "/var/run/taurus/calendar/all.yaml");
    let mount = of(&container["volumeMounts"], "calendar");
    assert_eq!(
        mount,
        json!({"name": "calendar", "mountPath": "/var/run/taurus/calendar", "readOnly": true}),
        "a mount with subPath is never updated"
    );
    let volume = of(&pod["volumes"], "calendar");
    assert_eq!(volume["configMap"]["name"], "days");
}
