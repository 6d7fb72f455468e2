//! The chart as a part of another one.

use std::process::Output;

use serde_json::{Value, json};

use super::{chart::CHART, manifests::parse};
use crate::world::tools::{copy_into, helm, printed, refusal};

/// What a chart renders that depends on this one, and switches it by its condition.
fn rendered(values: &Value) -> Output {
    let folder = tempfile::tempdir().unwrap();
    copy_into(folder.path(), CHART);
    let parent = folder.path().join("platform");
    std::fs::create_dir_all(parent.join("charts")).unwrap();
    let chart = json!({
        "apiVersion": "v2", "name": "platform", "version": "1.0.0",
        "dependencies": [{
            "name": "taurus-port-operator", "version": "0.1.0", "condition": "taurus-port-operator.enabled",
            "repository": format!("file://{}", folder.path().join(CHART).display()),
        }],
    });
    std::fs::write(parent.join("Chart.yaml"), chart.to_string()).unwrap();
    let file = folder.path().join("values.json");
    std::fs::write(&file, values.to_string()).unwrap();
    let [parent, file] = [&parent, &file].map(|path| path.to_str().unwrap());
    let built = helm(folder.path())
        .args(["dependency", "build", parent])
        .output();
    printed(built.unwrap());
    helm(folder.path())
        .args([
            "template",
            "taurus",
            parent,
            "-n",
            "taurus-system",
            "-f",
            file,
        ])
        .output()
        .unwrap()
}

fn kinds(values: &Value) -> Vec<String> {
    let objects = parse(&printed(rendered(values)));
    let kinds = objects.iter().map(|it| it["kind"].as_str().unwrap());
    kinds.map(str::to_owned).collect()
}

#[taurus_needs::test]
fn h10_a_parent_chart_switches_it_by_a_condition_and_hands_down_globals() {
    let on = kinds(&json!({
        "global": {"imageRegistry": "registry.example.com", "team": {"name": "platform"}},
        "taurus-port-operator": {"enabled": true, "replicaCount": 2},
    }));
    assert!(on.iter().any(|kind| kind == "Deployment"), "{on:?}");
    assert_eq!(kinds(&json!({})), on, "without a word it is there");
    let off = kinds(&json!({"taurus-port-operator": {"enabled": false}}));
    assert!(off.is_empty(), "{off:?}");
    // Its values are held against its schema all the same.
    let wrong = json!({"taurus-port-operator": {"enabled": true, "replicas": 2}});
    let said = refusal(&rendered(&wrong));
    assert!(said.contains("'replicas'"), "{said}");
}
