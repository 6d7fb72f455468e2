//! Values of the Helm chart that its schema refuses, with the name of the field; and that it takes for each flag what the
//! operator takes.

use boon::{Compiler, SchemaIndex, Schemas};
use clap::{CommandFactory as _, Parser as _};
use serde_json::{Value, json};
use taurus_port_operator::{
    cli::{Cli, Command},
    config::Config,
};

use super::{
    chart::{CHART, template},
    manifests::{one, parse},
};
use crate::world::tools::{printed, refusal, root};

#[taurus_needs::test]
fn bad_values_are_refused_with_the_name_of_the_field() {
    let cases = [
        (json!({"replicaCount": "two"}), "/replicaCount"),
        (json!({"replicaCount": -1}), "/replicaCount"),
        (json!({"replicas": 2}), "'replicas'"),
        (json!({"image": {"repository": ""}}), "/image/repository"),
        (
            json!({"image": {"repository": "https://ghcr.io/example/operator"}}),
            "/image/repository",
        ),
        (
            json!({"image": {"repository": "ghcr.io/example/operator:latest"}}),
            "/image/repository",
        ),
        (
            json!({"image": {"repository": "ghcr.io//operator"}}),
            "/image/repository",
        ),
        (json!({"image": {"digest": "sha256:abc"}}), "/image/digest"),
        (json!({"image": {"tag": 1.0}}), "/image/tag"),
        (
            json!({"image": {"pullPolicy": "always"}}),
            "/image/pullPolicy",
        ),
        (json!({"flags": {"resync": "5 parsecs"}}), "/flags/resync"),
        (json!({"flags": {"resync": "600"}}), "/flags/resync"),
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
        (
            json!({"flags": {"allow-http": "maybe"}}),
            "/flags/allow-http",
        ),
        (json!({"flags": {"log-format": "xml"}}), "/flags/log-format"),
        (
            json!({"flags": {"maxConcurrentChanges": 5}}),
            "'maxConcurrentChanges'",
        ),
        (json!({"flags": {"leader-elect": false}}), "'leader-elect'"),
        (json!({"secrets": {"names": ["Upper"]}}), "/secrets/names/0"),
        (
            json!({"extraCA": {"configMap": "one", "clusterTrustBundle": "other"}}),
            "extraCA.configMap and extraCA.clusterTrustBundle are both set",
        ),
        (
            json!({"flags": {"resync": "9999ms"}}),
            "is too short: give at least 10s",
        ),
        (
            json!({"flags": {"resync": "PT9S"}}),
            "is too short: give at least 10s",
        ),
        (
            json!({"flags": {"resync": "00:00:09"}}),
            "is too short: give at least 10s",
        ),
        (
            json!({"flags": {"halt-for": "59s"}}),
            "is not from 1m to 24h",
        ),
        (
            json!({"flags": {"halt-for": "24h1s"}}),
            "is not from 1m to 24h",
        ),
        (
            json!({"secrets": {"names": ["one"], "watch": true}}),
            "secrets.names would limit nothing",
        ),
        (
            json!({"secrets": {"names": ["one"], "read": false}}),
            "secrets.read=false takes the right",
        ),
        (json!({"singleNamespace": "shop"}), "/singleNamespace"),
        (
            json!({"defaultCredentials": {"secretName": "keys"}}),
            "defaultCredentials.namespaces is empty",
        ),
        (
            json!({"defaultCredentials": {"namespaces": ["shop"]}}),
            "set defaultCredentials.secretName or defaultCredentials.identity",
        ),
        (
            json!({"defaultCredentials": {"identity": "node-agency"}}),
            "defaultCredentials.namespaces is empty",
        ),
        (
            json!({"defaultCredentials": {"identity": "node-agency", "namespaces": ["shop"]}}),
            "defaultCredentials.projects is empty",
        ),
        (
            json!({"defaultCredentials": {"identity": "node-agency", "secretName": "keys"}}),
            "defaultCredentials.secretName and defaultCredentials.identity are both set",
        ),
        (
            json!({
                "singleNamespace": true,
                "defaultCredentials": {"secretName": "keys", "namespaces": ["shop"], "projects": ["0".repeat(32)]},
            }),
            "the operator looks at taurus-system alone",
        ),
        (
            json!({"defaultCredentials": {"identity": "node", "namespaces": ["shop"], "projects": ["0".repeat(32)]}}),
            "/defaultCredentials/identity",
        ),
        (
            json!({"workloadIdentity": {"serviceAccountNames": ["Upper"]}}),
            "/workloadIdentity/serviceAccountNames/0",
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
        // The chart sets these itself; twice in one object they would be no YAML.
        (
            json!({"podLabels": {"app.kubernetes.io/name": "mine"}}),
            "/podLabels",
        ),
        (
            json!({"commonLabels": {"app.kubernetes.io/version": "2"}}),
            "/commonLabels",
        ),
        (
            json!({"metricsTLS": {"secretName": "tls"}, "flags": {"admin-address": "0.0.0.0:8443"}}),
            "flags.metrics-tls-address both have port 8443",
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
            json!({"networkPolicy": {"probeTo": ["the proxies"]}}),
            "/networkPolicy/probeTo/0",
        ),
        (
            json!({"serviceMonitor": {"enabled": "true"}}),
            "/serviceMonitor/enabled",
        ),
        (json!({"service": {"port": 0}}), "/service/port"),
        (json!({"crds": {"install": "keep"}}), "/crds/install"),
        (
            json!({"networkPolicy": {"apiServerPorts": []}}),
            "/networkPolicy/apiServerPorts",
        ),
        (
            json!({"networkPolicy": {"dnsPorts": [70000]}}),
            "/networkPolicy/dnsPorts/0",
        ),
        // A rule without ports would let everything out.
        (json!({"networkPolicy": {"dnsPorts": null}}), "'dnsPorts'"),
        (
            json!({"networkPolicy": {"apiServerPorts": null}}),
            "'apiServerPorts'",
        ),
        (
            json!({"networkPolicy": {"cloudPorts": null}}),
            "'cloudPorts'",
        ),
        (
            json!({"prometheusRule": {"clusterLabel": "k8s-cluster"}}),
            "/prometheusRule/clusterLabel",
        ),
        (
            json!({"rbac": {"aggregateRoles": "no"}}),
            "/rbac/aggregateRoles",
        ),
        (json!({"hostUsers": "no"}), "/hostUsers"),
        (
            json!({"metricsTLS": {"secretName": "A_b"}}),
            "/metricsTLS/secretName",
        ),
        (
            json!({"flags": {"metrics-tls-cert": "/tls.crt"}}),
            "'metrics-tls-cert'",
        ),
        (json!({"enabled": "yes"}), "/enabled"),
        (json!({"global": []}), "/global"),
    ];
    for (values, field) in cases {
        let said = refusal(&template("taurus", "taurus-system", &values));
        assert!(said.contains(field), "{values}: {said}");
    }
}

#[taurus_needs::test]
fn the_right_to_read_secrets_can_be_left_out() {
    let has_right = |values: Value| {
        let objects = parse(&printed(template("taurus", "taurus-system", &values)));
        let mut rules = objects.iter().map(|object| object["rules"].to_string());
        rules.any(|rules| rules.contains(r#"["secrets"]"#))
    };
    assert!(has_right(json!({})));
    // As with an earlier chart's values.
    assert!(has_right(json!({"secrets": {"read": null}})));
    assert!(!has_right(json!({"secrets": {"read": false}})));
}

#[taurus_needs::test]
fn a_tag_beside_a_digest_is_refused_unless_it_is_that_of_the_chart() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let image = |tag: &str, digest: &str| {
        let values = json!({"image": {"tag": tag, "digest": digest}});
        template("taurus", "taurus-system", &values)
    };
    let said = refusal(&image("0.0.9", &digest));
    assert!(
        said.contains("image.tag=0.0.9 is set, and image.digest=sha256:"),
        "{said}"
    );
    let rendered = |output| {
        let objects = parse(&printed(output));
        let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
        pod["containers"][0]["image"].clone()
    };
    let name = "not-yet-published.invalid/taurus-port-operator";
    let own = env!("CARGO_PKG_VERSION");
    let by_digest = format!("{name}@{digest}");
    assert_eq!(rendered(image(own, &digest)), by_digest);
    assert_eq!(rendered(image("", &digest)), by_digest);
    assert_eq!(rendered(image("0.0.9", "")), format!("{name}:0.0.9"));
}

#[taurus_needs::test]
fn values_that_an_earlier_chart_did_not_have_are_named_with_the_way_to_upgrade() {
    let lacking = |name: &str, values: &Value| {
        let output = template("taurus", "taurus-system", values);
        if output.status.success() {
            return false;
        }
        let said = refusal(&output);
        let wanted = format!("the values lack {name}");
        assert!(said.contains(&wanted), "{values}: {said}");
        assert!(said.contains("--reset-then-reuse-values"), "{said}");
        true
    };
    let text = std::fs::read_to_string(root().join(CHART).join("values.yaml")).unwrap();
    let defaults = &parse(&text)[0];
    let groups = defaults.as_object().unwrap().iter();
    let groups = groups.filter(|(_, value)| value.is_object());
    let refused = groups.filter(|(group, _)| lacking(group, &json!({ group.as_str(): null })));
    assert!(refused.count() > 15);
}

/// Flags that have no place among `flags`: other values set them, or nobody should.
const ELSEWHERE: [&str; 12] = [
    "calendar",
    "default-credentials-dir",
    "default-credentials-identity",
    "default-credentials-namespaces",
    "default-credentials-projects",
    "extra-ca",
    "leader-elect",
    "lease-name",
    "lease-namespace",
    "metrics-tls-cert",
    "metrics-tls-key",
    "namespace",
];

fn schema() -> Value {
    let text = std::fs::read_to_string(root().join(CHART).join("values.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The schema of the chart, as a judge of values.
struct Judge {
    schemas: Schemas,
    schema: SchemaIndex,
}

impl Judge {
    fn new() -> Self {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let at = "https://schemas.invalid/values.json";
        compiler.add_resource(at, schema()).unwrap();
        let schema = compiler.compile(at, &mut schemas).unwrap();
        Self { schemas, schema }
    }

    fn takes(&self, flag: &str, value: &Value) -> bool {
        let values = json!({"flags": {flag: value}});
        self.schemas.validate(&values, self.schema).is_ok()
    }
}

/// Whether the operator starts with the value of a flag, written as the chart writes it.
fn operator_takes(flag: &str, value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<&str> = items.iter().map(|it| it.as_str().unwrap()).collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    // Plain http is for hosts that are named.
    let named = "--allowed-endpoint=simulator.example.com";
    let line = ["operator", "run", named, &format!("--{flag}={text}")];
    let Ok(Command::Run(arguments)) = Cli::try_parse_from(line).map(|cli| cli.command) else {
        return false;
    };
    Config::new(&arguments).is_ok()
}

/// Values of each flag, at the ends of what it takes and in every way to write it.
#[expect(clippy::too_many_lines, reason = "a row for each flag")]
fn samples() -> Vec<(&'static str, Vec<Value>)> {
    let numbers = |numbers: &[u64]| numbers.iter().map(|it| json!(it)).collect::<Vec<_>>();
    let texts = |texts: &[&str]| texts.iter().map(|it| json!(it)).collect::<Vec<_>>();
    let durations = [
        "10m",
        "1h30m",
        "90s",
        "1h 30m",
        "90 s",
        "5min",
        "15 minutes",
        "1 hour, 30 minutes",
        "1.5h",
        "PT1H",
        "pt30m",
        "PT1H30M",
        "00:30:00",
        "60000ms",
        "ten",
        "600",
        "",
        "1 day",
        "1d",
        "m10",
        "10m!",
        "5 parsecs",
    ];
    let addresses = [
        "[::]:8080",
        "0.0.0.0:8080",
        "127.0.0.1:9090",
        "[fd00::1]:8443",
        "[::ffff:10.0.0.1]:1",
        "8080",
        ":8080",
        "0.0.0.0",
        "::",
        "localhost:8080",
    ];
    vec![
        ("resync", texts(&durations)),
        ("halt-for", texts(&durations)),
        ("concurrency", numbers(&[0, 1, 16, 65_535, 65_536])),
        (
            "calls-per-minute",
            numbers(&[0, 9, 10, 60, 4_294_967_295, 4_294_967_296]),
        ),
        (
            "max-concurrent-changes",
            numbers(&[0, 1, 1000, 1001, 10_000, 10_001]),
        ),
        ("max-changes-per-hour", numbers(&[0, 1, 10_000, 10_001])),
        ("halt-after-failures", numbers(&[0, 1, 1000, 1001])),
        (
            "allowed-endpoint",
            [
                "one.example.com",
                "One.Example.com.",
                "one.example.com:8443",
                "10.0.0.1",
                "10.0.0.1:8443",
                "[fd00::1]",
                "[fd00::1]:8443",
                "[::ffff:10.0.0.1]:8443",
                "b\u{fc}cher.example.com",
                "localhost",
                "https://one.example.com",
                "a.test/v3",
                "*",
                "*.example.com",
                "user@one.example.com",
                "fd00::1",
                "a b",
                "a.test:",
                "a.test:x",
                "a_b.test",
            ]
            .iter()
            .map(|host| json!([host]))
            .chain([json!([]), json!(["one.example.com", "[fd00::1]:8443"])])
            .collect(),
        ),
        (
            "proxy-networks",
            [
                "10.0.0.0/8",
                "192.168.7.0/24",
                "10.20.0.7/32",
                "0.0.0.0/0",
                "fd00:7::/32",
                "::/0",
                "fd00::1/128",
                "10.0.0.0",
                "10.0.0.0/33",
                "fd00::/129",
                "10.0.0/8",
                "subnets",
                "",
            ]
            .iter()
            .map(|network| json!([network]))
            .chain([json!([]), json!(["10.20.0.0/16", "fd00:7::/32"])])
            .collect(),
        ),
        (
            "allow-http",
            [json!(true), json!(false)]
                .into_iter()
                .chain(texts(&[
                    "true", "False", "yes", "NO", "on", "off", "1", "0", "maybe", "2",
                ]))
                .collect(),
        ),
        (
            "check-security-groups",
            [json!(true), json!(false)]
                .into_iter()
                .chain(texts(&["true", "No", "on", "0", "maybe", "2"]))
                .collect(),
        ),
        (
            "vpc-endpoint",
            texts(&[
                "https://simulator.example.com",
                "https://simulator.example.com:8443",
                "https://vpc.cn-north-4.myhuaweicloud.com",
                "simulator.example.com",
                "https://user@simulator.example.com",
                "https://simulator.example.com/v3",
                "ftp://simulator.example.com",
            ]),
        ),
        ("admin-address", texts(&addresses)),
        ("metrics-tls-address", texts(&addresses)),
        (
            "otlp-endpoint",
            texts(&[
                "http://collector.monitoring:4318",
                "https://collector.example.com",
                "http://[fd00::1]:4318",
                "HTTP://collector:4318/otlp",
                "collector:4318",
                "ftp://collector",
                "http://user@collector",
                "http://collector?x=1",
            ]),
        ),
        ("log-format", texts(&["text", "json", "xml", "TEXT", ""])),
        (
            "log-level",
            texts(&["info", "info,kube=debug", "taurus_port_operator=trace", ""]),
        ),
    ]
}

#[test]
fn h05_the_schema_takes_for_each_flag_what_the_operator_takes() {
    let judge = Judge::new();
    let samples = samples();
    for (flag, values) in &samples {
        let taken = values.iter().filter(|value| operator_takes(flag, value));
        assert!(taken.count() > 0, "{flag}");
        for value in values {
            let (chart, operator) = (judge.takes(flag, value), operator_takes(flag, value));
            assert_eq!(chart, operator, "{flag}: {value}");
        }
    }
    let listed: Vec<&str> = samples.iter().map(|(flag, _)| *flag).collect();
    let schema = schema();
    for flag in schema["properties"]["flags"]["properties"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(listed.contains(&flag.as_str()), "{flag} has samples");
    }
}

#[test]
fn the_schema_knows_each_flag_of_the_operator_and_no_other() {
    let schema = schema();
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
