//! Who reaches the process from other pods: those that read its metrics, and nobody else.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use taurus_controlplane::needs;

use super::{
    chart::template,
    manifests::{one, parse},
};
use crate::{
    pages::Page,
    world::tools::{copy_into, printed},
};

/// What the policy lets in: pods, whose namespaces match this, at the port of the metrics.
fn metrics_for(namespaces: &Value) -> Value {
    json!([{"from": [{"namespaceSelector": namespaces}], "ports": [{"port": "admin"}]}])
}

/// What the policy of these objects lets in. It is for the pods of the operator, and says so of both directions.
fn let_in(objects: &[Value]) -> Value {
    let spec = &one(objects, "NetworkPolicy")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    let chosen = &spec["podSelector"]["matchLabels"];
    let pods = &one(objects, "Deployment")["spec"]["template"];
    let name = "app.kubernetes.io/name";
    assert!(chosen[name].is_string(), "{chosen}");
    assert_eq!(chosen[name], pods["metadata"]["labels"][name]);
    let mut ports = pods["spec"]["containers"][0]["ports"]
        .as_array()
        .unwrap()
        .iter();
    assert!(ports.any(|port| port["name"] == "admin"), "{pods}");
    spec["ingress"].clone()
}

fn kustomized(folder: &Path) -> Vec<Value> {
    let rendered = Command::new(needs::kubectl())
        .arg("kustomize")
        .arg(folder)
        .output();
    parse(&printed(rendered.unwrap()))
}

/// The blocks of the page that narrow it: values of the chart, and a patch for an overlay.
fn shown() -> (Value, String) {
    let page = Page::read("docs/install.md");
    let section = page.section(2, "Who may read the metrics");
    let mut blocks = section
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let values = serde_saphyr::from_str(blocks.next().unwrap()).unwrap();
    (values, blocks.next().unwrap().to_owned())
}

fn of_prometheus() -> Value {
    json!({"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}})
}

#[taurus_needs::test]
fn r12_kustomize_lets_pods_read_the_metrics_and_an_overlay_those_of_prometheus_alone() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "crds",
        "deploy/base",
        "deploy/overlays",
        "deploy/components",
    ] {
        copy_into(folder.path(), path);
    }
    let deploy = folder.path().join("deploy");
    let everyone = metrics_for(&json!({}));
    for path in [
        "base",
        "overlays/cluster-wide",
        "overlays/highly-available",
        "overlays/single-namespace",
    ] {
        assert_eq!(let_in(&kustomized(&deploy.join(path))), everyone, "{path}");
    }
    let overlay = deploy.join("overlays/mine");
    std::fs::create_dir_all(&overlay).unwrap();
    let kustomization = json!({
        "resources": ["../../base"],
        "patches": [{"path": "metrics.yaml", "target": {"kind": "NetworkPolicy"}}],
    });
    let file = overlay.join("kustomization.yaml");
    std::fs::write(file, kustomization.to_string()).unwrap();
    std::fs::write(overlay.join("metrics.yaml"), shown().1).unwrap();
    let narrowed = let_in(&kustomized(&overlay));
    assert_eq!(narrowed, metrics_for(&of_prometheus()));
}

#[taurus_needs::test]
fn r12_the_chart_lets_pods_read_the_metrics_and_its_values_those_of_prometheus_alone() {
    let by_helm = |values: &Value| {
        let rendered = template("taurus-port-operator", "taurus-system", values);
        let_in(&parse(&printed(rendered)))
    };
    assert_eq!(by_helm(&json!({})), metrics_for(&json!({})));
    assert_eq!(by_helm(&shown().0), metrics_for(&of_prometheus()));
    // Kubernetes takes an empty `from` for everybody.
    for nobody in [json!([]), Value::Null] {
        let values = json!({"networkPolicy": {"ingressFrom": nobody}});
        assert_eq!(by_helm(&values), json!([]), "{values}");
    }
}
