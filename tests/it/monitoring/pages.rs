//! The pages and manifests that are written from what the program has: `make docs` writes them.

use std::{fmt::Write as _, fs, path::Path};

use taurus_port_operator::telemetry::metrics::catalogue::{FIGURES, Label, Values};

use crate::{docs::held, world::tools::root};

const HEAD: &str = "# Metrics\n\nEvery metric of `/metrics`. `make docs` writes this page from the registry. The format is always OpenMetrics. A process \
    reports about\nitself and, where it leads, about all resources.\n\nLabels hold only words of closed sets, never a name or \
    an id of a resource, so a fleet of ten thousand makes no more series than one\nof ten. To find the resources that an alert is about, \
    use `kubectl get tpp -A`; series for each resource come from kube-state-metrics\n([its configuration](../deploy/monitoring/kube-state-metrics.yaml)). \
    Alert rules and a dashboard: [monitoring.md](monitoring.md).\n\nHistograms have the series `_bucket`, `_sum` and `_count`. Counters begin at 0 with \
    each process.\n\n| metric | type | unit | labels | meaning | what to do with it |\n|---|---|---|---|---|---|\n";

/// Sets of words that are longer than a cell should be, and where they stand.
const LONG: usize = 16;

fn label(label: &Label) -> String {
    let values = match label.values {
        Values::OneOfProcess(what) => what.to_owned(),
        Values::Words(words) if words().len() > LONG && label.name == "reason" => {
            "a reason of [reference.md](reference.md#reasons), or `unknown`".to_owned()
        }
        Values::Words(words) => {
            let words = words().into_iter().map(|word| format!("`{word}`"));
            words.collect::<Vec<_>>().join(", ")
        }
    };
    format!("`{}`: {values}", label.name)
}

#[test]
fn the_page_of_metrics_is_what_the_registry_says() {
    let mut page = HEAD.to_owned();
    for figure in FIGURES {
        let labels: Vec<String> = figure.labels.iter().map(label).collect();
        let or_none = |text: String| {
            if text.is_empty() {
                "–".to_owned()
            } else {
                text
            }
        };
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {}. | {} |",
            figure.name(),
            figure.kind,
            figure
                .unit
                .map_or_else(|| "–".to_owned(), |unit| unit.to_string()),
            or_none(labels.join("; ")),
            figure.meaning,
            figure.advice
        )
        .unwrap();
    }
    held(Path::new("docs/metrics.md"), &page);
}

/// The plain rules, as they stand below the comment at their head.
pub fn rules() -> String {
    let text = fs::read_to_string(root().join("deploy/monitoring/rules.yaml")).unwrap();
    let (_, groups) = text.split_once("groups:\n").unwrap();
    format!("groups:\n{groups}")
}

#[test]
fn the_object_and_the_chart_have_the_rules_of_the_plain_file() {
    let indented = rules().lines().fold(String::new(), |mut text, line| {
        writeln!(text, "  {line}").unwrap();
        text
    });
    let object = format!(
        "# Written by `make docs` from deploy/monitoring/rules.yaml.\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n\
         metadata:\n  name: taurus-port-operator\n  namespace: taurus-system\nspec:\n{indented}"
    );
    let of_component = "deploy/components/monitoring/prometheus-rule.yaml";
    held(Path::new(of_component), &object);
    let chart = Path::new("deploy/helm/taurus-port-operator/files");
    held(&chart.join("rules.yaml"), &rules());
    let dashboard = fs::read_to_string(root().join("deploy/monitoring/dashboard.json")).unwrap();
    held(&chart.join("dashboard.json"), &dashboard);
}
