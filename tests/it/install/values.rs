//! Values of the Helm chart that its schema refuses, with the name of the field; and that it knows each flag.

use clap::CommandFactory as _;
use serde_json::{Value, json};
use taurus_port_operator::cli::Cli;

use super::chart::{CHART, template};
use crate::world::tools::{refusal, root};

#[test]
fn bad_values_are_refused_with_the_name_of_the_field() {
    let cases = [
        (json!({"replicaCount": "two"}), "/replicaCount"),
        (json!({"replicaCount": -1}), "/replicaCount"),
        (json!({"replicas": 2}), "'replicas'"),
        (json!({"image": {"repository": ""}}), "/image/repository"),
        (json!({"image": {"digest": "sha256:abc"}}), "/image/digest"),
        (json!({"image": {"tag": 1.0}}), "/image/tag"),
        (
            json!({"image": {"pullPolicy": "always"}}),
            "/image/pullPolicy",
        ),
        (json!({"flags": {"resync": "5min"}}), "/flags/resync"),
        (
            json!({"flags": {"concurrency": "16"}}),
            "/flags/concurrency",
        ),
        (
            json!({"flags": {"concurrency": 70000}}),
            "/flags/concurrency",
        ),
        (
            json!({"flags": {"calls-per-minute": 9}}),
            "/flags/calls-per-minute",
        ),
        (
            json!({"flags": {"allowed-endpoint": "one.example.com"}}),
            "/flags/allowed-endpoint",
        ),
        (
            json!({"flags": {"allowed-endpoint": ["https://one.example.com"]}}),
            "/flags/allowed-endpoint/0",
        ),
        (json!({"flags": {"allow-http": "yes"}}), "/flags/allow-http"),
        (json!({"flags": {"log-format": "xml"}}), "/flags/log-format"),
        (
            json!({"flags": {"maxConcurrentChanges": 5}}),
            "'maxConcurrentChanges'",
        ),
        (json!({"flags": {"leader-elect": false}}), "'leader-elect'"),
        (json!({"secrets": {"names": ["Upper"]}}), "/secrets/names/0"),
        (
            json!({"secrets": {"names": ["one"], "watch": true}}),
            "/secrets/names",
        ),
        (json!({"singleNamespace": "shop"}), "/singleNamespace"),
        (
            json!({"defaultCredentials": {"secretName": "keys"}}),
            "/defaultCredentials/namespaces",
        ),
        (
            json!({"defaultCredentials": {"namespaces": ["shop"]}}),
            "/defaultCredentials/namespaces",
        ),
        (
            json!({"extraEnv": [{"name": "TAURUS_RESYNC", "value": "1h"}]}),
            "/extraEnv/0/name",
        ),
        (json!({"extraEnv": {"HTTPS_PROXY": "x"}}), "/extraEnv"),
        (
            json!({"prometheusRule": {"runbooks": "runbooks/operations.md"}}),
            "/prometheusRule/runbooks",
        ),
        (
            json!({"dashboard": {"labels": {"grafana_dashboard": 1}}}),
            "/dashboard/labels/grafana_dashboard",
        ),
        (json!({"tolerations": {}}), "/tolerations"),
        (json!({"nodeSelector": {"gpu": true}}), "/nodeSelector/gpu"),
        (
            json!({"podDisruptionBudget": {"maxUnavailable": "half"}}),
            "/podDisruptionBudget/maxUnavailable",
        ),
        (
            json!({"networkPolicy": {"extraEgress": [443]}}),
            "/networkPolicy/extraEgress/0",
        ),
        (
            json!({"serviceMonitor": {"enabled": "true"}}),
            "/serviceMonitor/enabled",
        ),
        (json!({"service": {"port": 0}}), "/service/port"),
        (json!({"crds": {"install": "keep"}}), "/crds/install"),
    ];
    for (values, field) in cases {
        let said = refusal(&template("taurus", "taurus-system", &values));
        assert!(said.contains(field), "{values}: {said}");
    }
}

/// Flags that have no place among `flags`: other values set them, or nobody should.
const ELSEWHERE: [&str; 9] = [
    "admin-address",
    "default-credentials-dir",
    "default-credentials-namespaces",
    "default-credentials-projects",
    "extra-ca",
    "leader-elect",
    "lease-name",
    "lease-namespace",
    "namespace",
];

#[test]
fn the_schema_knows_each_flag_of_the_operator_and_no_other() {
    let text = std::fs::read_to_string(root().join(CHART).join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let known = schema["properties"]["flags"]["properties"].as_object();
    let mut known: Vec<&str> = known.unwrap().keys().map(String::as_str).collect();
    known.extend(ELSEWHERE);
    known.sort_unstable();
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let shown = run.get_arguments().filter(|flag| !flag.is_hide_set());
    let mut flags: Vec<&str> = shown.filter_map(|flag| flag.get_long()).collect();
    flags.sort_unstable();
    assert_eq!(known, flags);
    for flag in run.get_arguments().filter(|flag| !flag.is_hide_set()) {
        let long = flag.get_long().unwrap().to_uppercase().replace('-', "_");
        let environment = flag.get_env().unwrap().to_str().unwrap();
        assert_eq!(
            environment,
            format!("TAURUS_{long}"),
            "as the chart names it"
        );
    }
}
