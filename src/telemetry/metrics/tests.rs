//! The figures: bounded labels, nothing counted twice, and documented.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::*;
use crate::{cloud::CloudError, model::JobId};

const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

fn object(uid: &str) -> TaurusProxyPort {
    let object = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": "orders", "namespace": "shop", "uid": uid},
        "spec": {
            "projectID": "0483b6b16e954cb88930a360d2c4e663",
            "instanceID": "3d39c18788b54a919bab633874c159dfin07",
            "proxyID": "0b5bb9cb4bdd4e0e8fb8b0bcd2b5b5d4po01", "port": 3307
        }
    });
    serde_json::from_value(object).unwrap()
}

fn status(type_: &str, reason: &str) -> TaurusProxyPortStatus {
    let condition = |type_: &str, status: &str, reason: &str| {
        json!({
            "type": type_, "status": status, "reason": reason, "message": "job 9f2c1e runs",
            "lastTransitionTime": "2026-01-01T00:00:00Z"
        })
    };
    let mut conditions = vec![condition(type_, "True", reason)];
    if type_ != "Ready" {
        conditions.insert(0, condition("Ready", "False", reason));
    }
    serde_json::from_value(json!({"conditions": conditions})).unwrap()
}

fn last(outcome: &str, started: &str, finished: &str) -> LastChange {
    let last: Value = json!({
        "id": "c0ffee", "fromPort": 3306, "toPort": 3307, "jobID": "9f2c1e", "outcome": outcome,
        "startedAt": started, "finishedAt": finished
    });
    serde_json::from_value(last).unwrap()
}

fn error(meaning: Meaning) -> CloudError {
    CloudError {
        meaning,
        code: Some("DBS.200019".to_owned()),
        status: Some(409),
        text: "request 77aa88bb".to_owned(),
        retry_after: None,
    }
}

/// The samples of a text, each line checked on the way.
fn samples(metrics: &Metrics) -> BTreeMap<String, String> {
    let text = metrics.text().unwrap();
    let (lines, end) = text.split_at(text.len() - "# EOF\n".len());
    assert_eq!(end, "# EOF\n");
    let samples = lines.lines().filter(|line| !line.starts_with("# "));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with("taurus_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

fn resources(metrics: &Metrics) -> Vec<String> {
    samples(metrics)
        .into_iter()
        .filter(|(series, _)| series.contains("resources"))
        .map(|(series, value)| format!("{series} {value}"))
        .collect()
}

/// Everything that can be counted, once.
fn everything() -> Metrics {
    let metrics = Metrics::default();
    for ending in [Ending::Done, Ending::Failed, Ending::Panicked] {
        metrics.reconciled(ending, Duration::from_millis(30));
    }
    for operation in Operation::iter() {
        metrics.call_ended(operation, None, Duration::from_millis(200));
        for meaning in Meaning::iter() {
            metrics.call_ended(operation, Some(meaning), Duration::from_secs(2));
        }
    }
    for urgency in Urgency::iter() {
        metrics.call_waited(urgency, Duration::from_secs(1));
    }
    for answer in [
        Answer::Accepted(JobId::parse("9f2c1e").unwrap()),
        Answer::NothingToDo,
        Answer::Refused(error(Meaning::Busy)),
        Answer::NotSent(error(Meaning::Transient)),
        Answer::Unknown(error(Meaning::Transient)),
        Answer::Withdrawn("the resource is gone"),
    ] {
        metrics.change_answered(&answer);
    }
    for outcome in ["Succeeded", "Failed", "Void"] {
        let last = last(outcome, "2026-01-01T00:00:00Z", "2026-01-01T00:00:40Z");
        metrics.change_ended(Some(&last));
    }
    metrics.resource(&object("uid-a"), &status("Ready", "Settled"));
    metrics.resource(&object("uid-b"), &status("Stalled", "9f2c1e"));
    metrics.undecodable("uid-c");
    metrics
}

#[test]
fn every_figure_has_its_name_and_type() {
    let text = everything().text().unwrap();
    for (name, type_) in [
        ("taurus_build", "info"),
        ("taurus_reconciles", "counter"),
        ("taurus_reconcile_seconds", "histogram"),
        ("taurus_cloud_calls", "counter"),
        ("taurus_cloud_call_seconds", "histogram"),
        ("taurus_cloud_call_wait_seconds", "histogram"),
        ("taurus_changes", "counter"),
        ("taurus_change_seconds", "histogram"),
        ("taurus_change_requests", "counter"),
        ("taurus_changes_under_way", "gauge"),
        ("taurus_rollout_halted_until_timestamp_seconds", "gauge"),
        ("taurus_resources", "gauge"),
        ("taurus_undecodable_resources", "gauge"),
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        assert!(text.contains(&format!("# TYPE {name} {type_}\n")), "{name}");
    }
}

#[test]
fn the_documented_figures_are_those_that_there_are() {
    let text = everything().text().unwrap();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let real = types.map(|line| match line.split_once(' ').unwrap() {
        (name, "counter") => format!("`{name}_total`"),
        (name, "info") => format!("`{name}_info`"),
        (name, _) => format!("`{name}`"),
    });
    let rows = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `taurus_"));
    let documented = rows.map(|line| line.split('|').nth(1).unwrap().trim().to_owned());
    let sorted = |names: Vec<String>| names.into_iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(sorted(documented.collect()), sorted(real.collect()));
}

#[test]
fn what_happens_is_counted_where_it_belongs() {
    let samples = samples(&everything());
    for (series, value) in [
        ("taurus_reconciles_total{ending=\"panicked\"}", "1"),
        ("taurus_reconcile_seconds_count", "3"),
        (
            "taurus_cloud_calls_total{operation=\"list_proxies\",meaning=\"success\"}",
            "1",
        ),
        (
            "taurus_cloud_calls_total{operation=\"change_port\",meaning=\"busy\"}",
            "1",
        ),
        (
            "taurus_cloud_call_seconds_bucket{le=\"0.25\",operation=\"token\"}",
            "1",
        ),
        ("taurus_changes_total{outcome=\"succeeded\"}", "1"),
        ("taurus_changes_total{outcome=\"void\"}", "1"),
        ("taurus_change_seconds_sum", "120.0"),
        ("taurus_change_seconds_bucket{le=\"30.0\"}", "0"),
        ("taurus_change_seconds_bucket{le=\"60.0\"}", "3"),
        (
            "taurus_change_requests_total{answer=\"nothing_to_do\"}",
            "1",
        ),
        ("taurus_change_requests_total{answer=\"withdrawn\"}", "1"),
        ("taurus_resources{state=\"ready\",reason=\"Settled\"}", "1"),
        ("taurus_undecodable_resources", "1"),
    ] {
        let sample = samples.get(series).map(String::as_str);
        assert_eq!(sample, Some(value), "{series}: {samples:#?}");
    }
}

#[test]
fn it_is_told_which_program_this_is() {
    let labels = format!(
        "version=\"{}\",commit=\"{}\",target=\"{}\"",
        version::RELEASE,
        version::COMMIT,
        version::TARGET
    );
    let series = format!("taurus_build_info{{{labels}}}");
    assert_eq!(samples(&Metrics::default())[&series], "1");
}

#[test]
fn no_label_holds_what_a_resource_or_an_answer_says() {
    let text = everything().text().unwrap();
    for word in [
        "uid-", "orders", "shop", "0483b6b1", "in07", "po01", "c0ffee", "9f2c1e", "77aa88bb", "DBS",
    ] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    assert!(
        text.contains("taurus_resources{state=\"stalled\",reason=\"unknown\"} 1"),
        "{text}"
    );
}

#[test]
fn a_resource_counts_once_and_moves_between_states() {
    let metrics = Metrics::default();
    let one = |state: &str, reason: &str| {
        [
            format!("taurus_resources{{state=\"{state}\",reason=\"{reason}\"}} 1"),
            "taurus_undecodable_resources 0".to_owned(),
        ]
    };
    let object = object("uid-a");
    metrics.resource(&object, &status("Reconciling", "JobRunning"));
    metrics.resource(&object, &status("Reconciling", "JobRunning"));
    assert_eq!(resources(&metrics), one("reconciling", "JobRunning"));
    metrics.resource(&object, &status("Ready", "Settled"));
    assert_eq!(resources(&metrics), one("ready", "Settled"));
    metrics.undecodable("uid-a");
    metrics.undecodable("uid-a");
    assert_eq!(resources(&metrics), ["taurus_undecodable_resources 1"]);
    metrics.resource(&object, &TaurusProxyPortStatus::default());
    assert_eq!(resources(&metrics), one("unknown", "unknown"));
}

#[test]
fn a_resource_that_is_gone_counts_no_longer() {
    let metrics = everything();
    for uid in ["uid-a", "uid-b", "uid-c", "uid-d"] {
        metrics.forget(uid);
    }
    assert_eq!(resources(&metrics), ["taurus_undecodable_resources 0"]);
}

#[test]
fn a_change_that_was_refused_is_not_one_that_ended() {
    let metrics = Metrics::default();
    metrics.change_ended(None);
    assert_eq!(samples(&metrics)["taurus_change_seconds_count"], "0");
}

#[test]
fn a_clock_that_was_set_back_makes_no_negative_durations() {
    let metrics = Metrics::default();
    let last = last("Succeeded", "2026-01-01T00:00:40Z", "2026-01-01T00:00:00Z");
    metrics.change_ended(Some(&last));
    assert_eq!(samples(&metrics)["taurus_change_seconds_sum"], "0.0");
}
