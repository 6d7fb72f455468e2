//! What is applied for monitoring, by kustomize and by Helm: the same objects, and they lead to the operator's figures.

use std::fs;

use serde_json::{Value, json};

use crate::{
    install::{
        chart::template,
        manifests::{kustomized, one, parse, unwarned},
    },
    world::{
        plane,
        shell::{blocks, kubeconfig, run},
        tools::{copy_into, printed, root},
    },
};

/// What an overlay of the base with the component renders.
async fn by_kustomize() -> Vec<Value> {
    let plane = &plane::bare().await;
    let folder = tempfile::tempdir().unwrap();
    for path in ["crds", "deploy/base", "deploy/components"] {
        copy_into(folder.path(), path);
    }
    let overlay = folder.path().join("deploy/overlays/mine");
    fs::create_dir_all(&overlay).unwrap();
    let text = "resources: [../../base]\ncomponents: [../../components/monitoring]\n";
    fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    kustomized(plane, overlay.to_str().unwrap())
}

fn by_helm(values: &Value) -> Vec<Value> {
    parse(&printed(template(
        "taurus-port-operator",
        "taurus-system",
        values,
    )))
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_component_and_the_chart_mean_the_same() {
    let by_kustomize = by_kustomize().await;
    let by_helm = by_helm(&json!({
        "serviceMonitor": {"enabled": true}, "prometheusRule": {"enabled": true},
    }));
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        let (mut ours, mut charts) = (
            one(&by_kustomize, kind).clone(),
            one(&by_helm, kind).clone(),
        );
        for object in [&mut ours, &mut charts] {
            object["metadata"].as_object_mut().unwrap().remove("labels");
        }
        let selector = charts.pointer_mut("/spec/selector/matchLabels");
        if let Some(labels) = selector.and_then(Value::as_object_mut) {
            labels.remove("app.kubernetes.io/instance");
        }
        assert_eq!(ours, charts);
    }
    let (monitor, service) = (
        one(&by_kustomize, "ServiceMonitor"),
        one(&by_kustomize, "Service"),
    );
    let port = &monitor["spec"]["endpoints"][0]["port"];
    assert_eq!(port, &service["spec"]["ports"][0]["name"]);
    for (label, value) in monitor["spec"]["selector"]["matchLabels"]
        .as_object()
        .unwrap()
    {
        assert_eq!(&service["metadata"]["labels"][label], value);
    }
    assert_eq!(
        monitor["metadata"]["namespace"],
        service["metadata"]["namespace"]
    );
}

/// The texts of an annotation of all rules of the chart.
fn annotations(values: &Value, key: &str) -> Vec<String> {
    let objects = by_helm(values);
    let groups = one(&objects, "PrometheusRule")["spec"]["groups"].clone();
    let groups = groups.as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    rules
        .filter_map(|rule| rule["annotations"][key].as_str().map(str::to_owned))
        .collect()
}

#[taurus_needs::test]
fn n10_a_runbook_url_is_an_address_or_is_not_there() {
    let usual = json!({"prometheusRule": {"enabled": true}});
    let none: [&str; 0] = [];
    assert_eq!(annotations(&usual, "runbook_url"), none);
    let paths = annotations(&usual, "runbook");
    let begin = "docs/operations.md#alert-";
    assert!(paths.iter().all(|it| it.starts_with(begin)), "{paths:?}");
    let page = "https://wiki.example.com/taurus";
    let own = json!({"prometheusRule": {"enabled": true, "runbooks": page}});
    let urls = annotations(&own, "runbook_url");
    assert_eq!(urls.len(), paths.len());
    let begin = format!("{page}#alert-");
    assert!(urls.iter().all(|url| url.starts_with(&begin)), "{urls:?}");
    assert_eq!(annotations(&own, "runbook"), none);
}

#[taurus_needs::test]
fn the_label_of_clusters_is_that_of_rules_and_dashboard() {
    let values = json!({
        "prometheusRule": {"enabled": true, "clusterLabel": "k8s"}, "dashboard": {"enabled": true},
    });
    let objects = by_helm(&values);
    let rules = one(&objects, "PrometheusRule").to_string();
    let dashboard = one(&objects, "ConfigMap").to_string();
    assert!(rules.contains("(k8s, namespace, job") && !rules.contains("(cluster,"));
    assert!(
        dashboard.contains("{k8s=~") && dashboard.contains("label_values(taurus_build_info, k8s)")
    );
    assert!(!dashboard.contains("{cluster=~"));
}

#[taurus_needs::test]
fn the_chart_hands_the_dashboard_to_grafana() {
    let rendered = by_helm(&json!({"dashboard": {"enabled": true}}));
    let map = one(&rendered, "ConfigMap");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let text = map["data"]["taurus-port-operator.json"].as_str().unwrap();
    let handed: Value = serde_json::from_str(text).unwrap();
    let ours = fs::read_to_string(root().join("deploy/monitoring/dashboard.json")).unwrap();
    assert_eq!(handed, serde_json::from_str::<Value>(&ours).unwrap());
    let kinds = by_helm(&json!({}));
    let off = kinds
        .iter()
        .all(|it| it["kind"] != "ConfigMap" && it["kind"] != "PrometheusRule");
    assert!(off, "both are off unless asked for");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_work_and_every_file_that_the_pages_name_is_there() {
    let plane = &plane::bare().await;
    let kubeconfig = kubeconfig(plane, "default");
    let pages = ["monitoring.md", "metrics.md", "logs.md"];
    let texts = pages.map(|page| fs::read_to_string(root().join("docs").join(page)).unwrap());
    let mut count = 0;
    for block in texts.iter().flat_map(|text| blocks(text)) {
        unwarned(run(plane, block, &kubeconfig).await);
        count += 1;
    }
    assert!(count > 0);
    let links = texts.iter().flat_map(|text| text.split("](").skip(1));
    for link in links.map(|rest| rest.split([')', '#']).next().unwrap()) {
        assert!(
            link.is_empty() || root().join("docs").join(link).exists(),
            "{link}"
        );
    }
}
