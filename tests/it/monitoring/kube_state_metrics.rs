//! The configuration for kube-state-metrics: every path is one that the definition has, with values of the kind that it takes.
//!
//! kube-state-metrics itself is in no registry that a fresh machine has, so what it makes of the file was not seen; that a number, a
//! date, a boolean and the status of a condition make a gauge was read in its source.

use std::{collections::BTreeSet, fs};

use serde_json::Value;
use taurus_port_operator::crd;

use crate::world::tools::root;

/// The schema at a path, or why there is none.
fn at<'a>(schema: &'a Value, path: &[&str]) -> Result<&'a Value, String> {
    path.iter().try_fold(schema, |schema, field| {
        let found = &schema["properties"][field];
        if found.is_null() {
            Err(format!("{path:?}: there is no {field}"))
        } else {
            Ok(found)
        }
    })
}

fn path(value: &Value) -> Vec<&str> {
    let fields = value.as_array().into_iter().flatten();
    fields.map(|field| field.as_str().unwrap()).collect()
}

/// Whether it can be turned into a number.
fn is_numeric(schema: &Value) -> bool {
    let kind = schema["type"].as_str().unwrap_or_default();
    ["integer", "number", "boolean"].contains(&kind) || schema["format"] == "date-time"
}

fn schema() -> Value {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    let metadata = serde_json::json!({"properties": {
        "name": {"type": "string"}, "namespace": {"type": "string"}, "generation": {"type": "integer"},
    }});
    schema["properties"]["metadata"] = metadata;
    schema
}

/// What is wrong with the configuration.
fn faults(config: &Value) -> Vec<String> {
    let schema = schema();
    let mut faults = Vec::new();
    let resource = &config["spec"]["resources"][0];
    let labels = |labels: &Value, within: &Value, faults: &mut Vec<String>| {
        for (_, label) in labels.as_object().into_iter().flatten() {
            faults.extend(at(within, &path(label)).err());
        }
    };
    labels(&resource["labelsFromPath"], &schema, &mut faults);
    for metric in resource["metrics"].as_array().unwrap() {
        let each = &metric["each"];
        let kind = each["type"].as_str().unwrap_or_default();
        let of = match kind {
            "Gauge" => &each["gauge"],
            "Info" => &each["info"],
            "StateSet" => &each["stateSet"],
            _ => {
                faults.push(format!("{metric}: no such type"));
                continue;
            }
        };
        let within = match at(&schema, &path(&of["path"])) {
            Ok(within) => within,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        // Of a list, each item makes a series.
        let within = if within["type"] == "array" {
            &within["items"]
        } else {
            within
        };
        labels(&of["labelsFromPath"], within, &mut faults);
        match (kind, path(&of["valueFrom"]).as_slice()) {
            ("Gauge", []) if !is_numeric(within) => {
                faults.push(format!("{metric}: that is no number"));
            }
            // A condition's status.
            ("Gauge", ["status"]) if at(within, &["type"]).is_ok() => {}
            ("Gauge", from @ [_, ..]) if !at(within, from).is_ok_and(is_numeric) => {
                faults.push(format!("{metric}: {from:?} is no number"));
            }
            ("StateSet", _) => {
                let words: BTreeSet<&str> = path(&within["enum"]).into_iter().collect();
                let listed: BTreeSet<&str> = path(&of["list"]).into_iter().collect();
                if words != listed {
                    faults.push(format!("{metric}: the words are {words:?}"));
                }
            }
            _ => {}
        }
    }
    faults
}

fn config() -> Value {
    let text = fs::read_to_string(root().join("deploy/monitoring/kube-state-metrics.yaml"));
    serde_saphyr::from_str(&text.unwrap()).unwrap()
}

#[test]
fn every_path_is_one_of_the_definition() {
    let config = config();
    let none: [&str; 0] = [];
    assert_eq!(faults(&config), none);
    let resource = &config["spec"]["resources"][0];
    let definition = crd::definition();
    let of = &resource["groupVersionKind"];
    assert_eq!(of["group"], definition.spec.group);
    assert_eq!(of["version"], definition.spec.versions[0].name);
    assert_eq!(of["kind"], definition.spec.names.kind);
    let metrics = resource["metrics"].as_array().unwrap();
    let names: BTreeSet<&str> = metrics
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), metrics.len());
    for wanted in ["condition", "desired_port", "port", "change_phase"] {
        assert!(names.contains(wanted), "{wanted}");
    }
    for metric in metrics {
        assert!(metric["help"].as_str().unwrap().ends_with('.'), "{metric}");
    }
}

#[test]
fn a_path_that_leads_nowhere_and_words_that_are_no_numbers_are_found() {
    let mut bad = config();
    let metrics = bad["spec"]["resources"][0]["metrics"]
        .as_array_mut()
        .unwrap();
    metrics[1]["each"]["gauge"]["valueFrom"] = serde_json::json!(["message"]);
    metrics[2]["each"]["gauge"]["path"] = serde_json::json!(["spec", "ports"]);
    metrics[3]["each"]["gauge"]["path"] = serde_json::json!(["status", "address"]);
    metrics[7]["each"]["stateSet"]["list"] = serde_json::json!(["Intended"]);
    assert_eq!(faults(&bad).len(), 4, "{:?}", faults(&bad));
}
