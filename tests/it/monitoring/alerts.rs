//! The alert rules: promtool plays each where it has to fire and where it has not, and they say where help is.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{pages::rules, promtool::promtool, queries};
use crate::{
    install::{
        chart::template,
        manifests::{one, parse},
    },
    world::tools::{printed, root},
};

/// What a scrape puts on each series of the replica that works.
const SCRAPE: &str = r#"namespace="taurus-system",job="taurus-port-operator",instance="a""#;

/// The series of an operator that is well: one replica works, another waits. Values come each minute, for more than half a
/// day.
const WELL: &[(&str, &str)] = &[
    (r#"taurus_build_info{version="0.1.0"}"#, "1x1000"),
    ("taurus_leading{}", "1x1000"),
    (r#"taurus_leading{instance="b"}"#, "0x1000"),
    ("taurus_ready{}", "1x1000"),
    (r#"taurus_ready{instance="b"}"#, "1x1000"),
    ("taurus_watch_silence_seconds{}", "20x1000"),
    ("process_start_time_seconds{}", "1000x1000"),
    ("taurus_longest_reconcile_seconds{}", "3x1000"),
    ("taurus_unsaved_jobs{}", "0x1000"),
    (r#"taurus_reconciles_total{ending="done"}"#, "0+60x1000"),
    (r#"taurus_reconciles_total{ending="failed"}"#, "0+1x1000"),
    (r#"taurus_reconciles_total{ending="panicked"}"#, "0x1000"),
    (
        r#"taurus_reconcile_wait_seconds_bucket{call="usual",le="1.0"}"#,
        "0+60x1000",
    ),
    (
        r#"taurus_reconcile_wait_seconds_bucket{call="usual",le="30.0"}"#,
        "0+60x1000",
    ),
    (
        r#"taurus_reconcile_wait_seconds_bucket{call="usual",le="+Inf"}"#,
        "0+60x1000",
    ),
    (
        r#"taurus_edit_to_request_seconds_bucket{held="no",le="5.0"}"#,
        "0+2x1000",
    ),
    (
        r#"taurus_edit_to_request_seconds_bucket{held="no",le="30.0"}"#,
        "0+2x1000",
    ),
    (
        r#"taurus_edit_to_request_seconds_bucket{held="no",le="+Inf"}"#,
        "0+2x1000",
    ),
    (
        r#"taurus_api_requests_total{request="write_status",result="ok"}"#,
        "0+9x1000",
    ),
    (
        r#"taurus_api_requests_total{request="write_status",result="conflict"}"#,
        "0+1x1000",
    ),
    (
        r#"taurus_api_requests_total{request="write_status",result="failed"}"#,
        "0x1000",
    ),
    (
        r#"taurus_api_requests_total{request="watch_secrets",result="denied"}"#,
        "0+1x1000",
    ),
    (
        "taurus_oldest_change_intended_timestamp_seconds{}",
        "0x1000",
    ),
    ("taurus_rollout_halted_until_timestamp_seconds{}", "0x1000"),
    ("taurus_oldest_out_of_sync_timestamp_seconds{}", "0x1000"),
    (r#"taurus_plans_waiting{waits_for="Approval"}"#, "0x1000"),
    (
        r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Approval"}"#,
        "0x1000",
    ),
    (
        r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Window"}"#,
        "0x1000",
    ),
    (r#"taurus_plans_waiting{waits_for="Window"}"#, "9x1000"),
    ("taurus_calendar_broken{}", "0x1000"),
    ("taurus_calendar_missing{}", "0x1000"),
    (
        r#"taurus_resources{state="ready",reason="Settled"}"#,
        "100x1000",
    ),
    ("taurus_undecodable_resources{}", "0x1000"),
    (
        r#"taurus_cloud_calls_total{operation="list_proxies",meaning="success"}"#,
        "0+40x1000",
    ),
    (
        r#"taurus_cloud_calls_total{operation="change_port",meaning="busy"}"#,
        "0+1x1000",
    ),
    (
        r#"taurus_cloud_calls_put_off_total{urgency="sweep"}"#,
        "0+5x1000",
    ),
    (
        r#"taurus_cloud_calls_put_off_total{urgency="change"}"#,
        "0x1000",
    ),
    (
        r#"taurus_cloud_call_wait_seconds_bucket{urgency="change",le="0.1"}"#,
        "0+2x1000",
    ),
    (
        r#"taurus_cloud_call_wait_seconds_bucket{urgency="change",le="30.0"}"#,
        "0+2x1000",
    ),
    (
        r#"taurus_cloud_call_wait_seconds_bucket{urgency="change",le="+Inf"}"#,
        "0+2x1000",
    ),
];

/// What differs from an operator that is well, and which alerts fire at this minute because of it.
struct Case {
    minute: u32,
    differs: &'static [(&'static str, &'static str)],
    fires: &'static [&'static str],
}

const fn case(
    minute: u32,
    differs: &'static [(&'static str, &'static str)],
    fires: &'static [&'static str],
) -> Case {
    Case {
        minute,
        differs,
        fires,
    }
}

/// Where a figure becomes bad in minute 60: first it is too early, or harmless, then the alert fires.
const CASES: &[Case] = &[
    case(200, &[], &[]),
    // No operator at all; one that is away for a moment.
    case(
        59,
        &[(r#"taurus_build_info{version="0.1.0"}"#, "1x60 _x180")],
        &[],
    ),
    case(
        75,
        &[(r#"taurus_build_info{version="0.1.0"}"#, "1x60 _x180")],
        &["TaurusOperatorAbsent"],
    ),
    case(
        65,
        &[(r#"taurus_build_info{version="0.1.0"}"#, "1x60 _ _ 1x178")],
        &[],
    ),
    // A plan that nobody approves; one after the other that are approved in time; one that waits for its window.
    case(
        240,
        &[(
            r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Approval"}"#,
            "60x1000",
        )],
        &[],
    ),
    case(
        243,
        &[(
            r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Approval"}"#,
            "60x1000",
        )],
        &["TaurusApprovalWaiting"],
    ),
    case(
        300,
        &[(
            r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Approval"}"#,
            "60x200 12000x600",
        )],
        &[],
    ),
    case(
        300,
        &[(
            r#"taurus_oldest_plan_made_timestamp_seconds{waits_for="Window"}"#,
            "60x1000",
        )],
        &[],
    ),
    // A port that has not been in place for half a day; one that was put right before. The clock of promtool begins at 0.
    case(
        910,
        &[("taurus_oldest_out_of_sync_timestamp_seconds{}", "60x1000")],
        &["TaurusOutOfSync"],
    ),
    // It waited for its window until a short while ago.
    case(
        910,
        &[(
            "taurus_oldest_out_of_sync_timestamp_seconds{}",
            "0x800 60x200",
        )],
        &[],
    ),
    case(
        910,
        &[(
            "taurus_oldest_out_of_sync_timestamp_seconds{}",
            "60x700 36000x300",
        )],
        &[],
    ),
    // A Service that somebody else has; one that was not published for a short while.
    case(
        95,
        &[(
            r#"taurus_publications_missing{reason="NameTaken"}"#,
            "0x59 1x180",
        )],
        &["TaurusNotPublished"],
    ),
    case(
        95,
        &[(
            r#"taurus_publications_missing{reason="Publishing"}"#,
            "0x59 1x20 0x160",
        )],
        &[],
    ),
    // A calendar that stays broken; one that is put right at once.
    case(
        71,
        &[("taurus_calendar_broken{}", "0x59 1x180")],
        &["TaurusCalendarBroken"],
    ),
    case(71, &[("taurus_calendar_broken{}", "0x59 1x5 0x175")], &[]),
    case(
        66,
        &[("taurus_calendar_missing{}", "0x59 1x180")],
        &["TaurusCalendarMissing"],
    ),
    case(66, &[("taurus_calendar_missing{}", "0x59 1x3 0x180")], &[]),
    // Nobody leads; a take-over.
    case(
        64,
        &[("taurus_leading{}", "1x60 0x180")],
        &["TaurusOperatorNotLeading"],
    ),
    case(
        64,
        &[
            ("taurus_leading{}", "1x60 0x180"),
            (r#"taurus_leading{instance="b"}"#, "0x61 1x179"),
        ],
        &[],
    ),
    // Two lead; two that were scraped at different moments of a take-over.
    case(
        64,
        &[(r#"taurus_leading{instance="b"}"#, "0x60 1x180")],
        &["TaurusOperatorTwoLeading"],
    ),
    case(
        62,
        &[(r#"taurus_leading{instance="b"}"#, "0x60 1 0x179")],
        &[],
    ),
    // Another operator, of another namespace, is none of these.
    case(64, &[(r#"taurus_leading{namespace="shop"}"#, "1x240")], &[]),
    case(
        80,
        &[("taurus_ready{}", "1x60 0x180")],
        &["TaurusOperatorNotReady"],
    ),
    case(66, &[("taurus_ready{}", "1x60 0x5 1x175")], &[]),
    case(
        75,
        &[("taurus_watch_silence_seconds{}", "20x60 400x180")],
        &["TaurusOperatorWatchSilent"],
    ),
    case(
        75,
        &[("taurus_watch_silence_seconds{}", "20x60 200x180")],
        &[],
    ),
    case(
        70,
        &[(
            "process_start_time_seconds{}",
            "1000x60 1001 1002 1003 1004 1005x176",
        )],
        &["TaurusOperatorRestarting"],
    ),
    case(
        70,
        &[("process_start_time_seconds{}", "1000x60 1001x180")],
        &[],
    ),
    // Some other program restarts.
    case(
        70,
        &[(
            r#"process_start_time_seconds{job="other"}"#,
            "1000x60 1001 1002 1003 1004 1005x176",
        )],
        &[],
    ),
    case(
        65,
        &[(
            r#"taurus_reconciles_total{ending="panicked"}"#,
            "0x60 1x180",
        )],
        &["TaurusOperatorReconcilePanicked"],
    ),
    case(
        90,
        &[(
            r#"taurus_reconciles_total{ending="panicked"}"#,
            "0x60 1x180",
        )],
        &[],
    ),
    case(
        100,
        &[(
            r#"taurus_reconciles_total{ending="failed"}"#,
            "0x60 0+60x180",
        )],
        &["TaurusOperatorReconcilesFailing"],
    ),
    case(
        100,
        &[(r#"taurus_reconciles_total{ending="failed"}"#, "0+5x240")],
        &[],
    ),
    case(
        70,
        &[("taurus_longest_reconcile_seconds{}", "3x60 700x180")],
        &["TaurusOperatorReconcileHanging"],
    ),
    case(
        70,
        &[("taurus_longest_reconcile_seconds{}", "3x60 290x180")],
        &[],
    ),
    case(
        90,
        &[(
            r#"taurus_api_requests_total{request="write_status",result="failed"}"#,
            "0x60 0+3x180",
        )],
        &["TaurusOperatorStatusWritesFailing"],
    ),
    // A short outage.
    case(
        90,
        &[(
            r#"taurus_api_requests_total{request="write_status",result="failed"}"#,
            "0x60 3x180",
        )],
        &[],
    ),
    case(
        90,
        &[(
            r#"taurus_change_requests_total{answer="withdrawn"}"#,
            "0x60 0+0.2x180",
        )],
        &["TaurusChangesNotSent"],
    ),
    // People who change their minds.
    case(
        90,
        &[(
            r#"taurus_change_requests_total{answer="withdrawn"}"#,
            "0x60 2x180",
        )],
        &[],
    ),
    case(
        90,
        &[(
            r#"taurus_api_requests_total{request="write_event",result="denied"}"#,
            "0+1x240",
        )],
        &["TaurusOperatorRightsMissing"],
    ),
    // Secrets that may not be read are the resources' trouble, and those that may not be watched are as they should be.
    case(
        90,
        &[(
            r#"taurus_api_requests_total{request="read_secret",result="denied"}"#,
            "0+1x240",
        )],
        &[],
    ),
    case(
        65,
        &[("taurus_unsaved_jobs{}", "0x60 1x180")],
        &["TaurusJobIdNotRecorded"],
    ),
    case(65, &[("taurus_unsaved_jobs{}", "0x60 1 0x179")], &[]),
    // promtool's time begins at 0: the change of second 60 is two hours old in minute 121.
    case(
        130,
        &[(
            "taurus_oldest_change_intended_timestamp_seconds{}",
            "60x240",
        )],
        &["TaurusChangeStuck"],
    ),
    case(
        110,
        &[(
            "taurus_oldest_change_intended_timestamp_seconds{}",
            "60x240",
        )],
        &[],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="stalled",reason="JobOverdue"}"#,
            "1x240",
        )],
        &["TaurusJobOverdue"],
    ),
    case(
        200,
        &[(
            r#"taurus_resources{state="reconciling",reason="JobRunning"}"#,
            "5x240",
        )],
        &[],
    ),
    case(
        70,
        &[(
            "taurus_rollout_halted_until_timestamp_seconds{}",
            "0x60 5400x180",
        )],
        &["TaurusRolloutHalted"],
    ),
    case(
        100,
        &[(
            "taurus_rollout_halted_until_timestamp_seconds{}",
            "0x60 5400x180",
        )],
        &[],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="stalled",reason="DriftContested"}"#,
            "1x240",
        )],
        &["TaurusDriftContested"],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="reconciling",reason="BackingOff"}"#,
            "1x240",
        )],
        &[],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="stalled",reason="CredentialsLocked"}"#,
            "1x240",
        )],
        &["TaurusCredentialsFailing"],
    ),
    // A Secret that comes a little after its resource.
    case(
        63,
        &[(
            r#"taurus_resources{state="stalled",reason="CredentialsMissing"}"#,
            "_x60 1x180",
        )],
        &[],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="stalled",reason="PermissionDenied"}"#,
            "3x240",
        )],
        &["TaurusPermissionDenied"],
    ),
    case(
        63,
        &[(
            r#"taurus_resources{state="stalled",reason="PermissionDenied"}"#,
            "_x60 3x180",
        )],
        &[],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="stalled",reason="PortRejected"}"#,
            "1x240",
        )],
        &["TaurusResourcesStalled"],
    ),
    case(
        85,
        &[(
            r#"taurus_resources{state="stalled",reason="PortRejected"}"#,
            "_x60 1x180",
        )],
        &[],
    ),
    case(
        200,
        &[(
            r#"taurus_resources{state="reconciling",reason="Suspended"}"#,
            "9x240",
        )],
        &[],
    ),
    case(
        70,
        &[("taurus_undecodable_resources{}", "0x60 1x180")],
        &["TaurusResourcesUndecodable"],
    ),
    case(
        64,
        &[("taurus_undecodable_resources{}", "0x60 1x2 0x178")],
        &[],
    ),
    case(
        80,
        &[(
            r#"taurus_resources{state="reconciling",reason="CloudUnreachable"}"#,
            "_x60 9x180",
        )],
        &["TaurusCloudUnreachable"],
    ),
    case(
        70,
        &[(
            r#"taurus_resources{state="reconciling",reason="CloudUnreachable"}"#,
            "_x60 9x180",
        )],
        &[],
    ),
    case(
        90,
        &[(
            r#"taurus_cloud_calls_total{operation="job",meaning="throttled"}"#,
            "0x60 0+2x180",
        )],
        &["TaurusCloudThrottled"],
    ),
    // Once, and the budget shrinks.
    case(
        90,
        &[(
            r#"taurus_cloud_calls_total{operation="job",meaning="throttled"}"#,
            "0x60 2x180",
        )],
        &[],
    ),
    case(
        75,
        &[(
            r#"taurus_cloud_calls_put_off_total{urgency="change"}"#,
            "0x60 0+1x180",
        )],
        &["TaurusCallBudgetExhausted"],
    ),
    case(
        100,
        &[(
            r#"taurus_cloud_call_wait_seconds_bucket{urgency="change",le="0.1"}"#,
            "0x240",
        )],
        &["TaurusCallBudgetExhausted"],
    ),
    // One in twelve reconciles begins later than a second after it was due; a moment of that is none.
    case(
        110,
        &[(
            r#"taurus_reconcile_wait_seconds_bucket{call="usual",le="1.0"}"#,
            "0+60x60 0+55x180",
        )],
        &["TaurusReconcilesLate"],
    ),
    case(
        75,
        &[(
            r#"taurus_reconcile_wait_seconds_bucket{call="usual",le="1.0"}"#,
            "0+60x60 3600+0x2 3720+60x178",
        )],
        &[],
    ),
    // Requests leave late, of edits that nothing holds up, and of others.
    case(
        130,
        &[(
            r#"taurus_edit_to_request_seconds_bucket{held="no",le="5.0"}"#,
            "0+1x240",
        )],
        &["TaurusEditsLate"],
    ),
    case(
        130,
        &[
            (
                r#"taurus_edit_to_request_seconds_bucket{held="yes",le="5.0"}"#,
                "0x240",
            ),
            (
                r#"taurus_edit_to_request_seconds_bucket{held="yes",le="+Inf"}"#,
                "0+9x240",
            ),
        ],
        &[],
    ),
    // A large fleet is looked at less often than --resync says.
    case(
        75,
        &[(
            r#"taurus_cloud_calls_put_off_total{urgency="sweep"}"#,
            "0+60x240",
        )],
        &[],
    ),
];

/// A series with what the scrape puts on it, unless it brings its own.
fn scraped(series: &str) -> String {
    let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap();
    let mut labels: Vec<&str> = labels.split(',').filter(|it| !it.is_empty()).collect();
    for label in SCRAPE.split(',') {
        let (key, _) = label.split_once('=').unwrap();
        if !labels.iter().any(|own| own.starts_with(&format!("{key}="))) {
            labels.push(label);
        }
    }
    format!("{name}{{{}}}", labels.join(","))
}

fn played(case: &Case) -> Value {
    let usual = WELL
        .iter()
        .filter(|(series, _)| !case.differs.iter().any(|(other, _)| other == series));
    let series: Vec<Value> = usual
        .chain(case.differs)
        .map(|(series, values)| json!({"series": scraped(series), "values": values}))
        .collect();
    let firing: Vec<Value> = case
        .fires
        .iter()
        .map(|alert| json!({"labels": format!("{{alertname=\"{alert}\"}}"), "value": 1}))
        .collect();
    json!({
        "name": format!("{:?} in minute {}", case.differs, case.minute),
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [{
            "expr": "group by (alertname) (ALERTS{alertstate=\"firing\"})",
            "eval_time": format!("{}m", case.minute),
            "exp_samples": firing,
        }],
    })
}

/// The alerts of the plain file.
fn alerts() -> Vec<Value> {
    let mut all = all_rules();
    all.retain(|rule| rule["record"].is_null());
    all
}

/// The alerts, and what is recorded.
fn all_rules() -> Vec<Value> {
    let rules: Value = serde_saphyr::from_str(&rules()).unwrap();
    let groups = rules["groups"].as_array().unwrap().iter();
    groups
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect()
}

#[taurus_needs::test]
fn every_alert_fires_where_it_must_and_not_for_its_harmless_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let tests: Vec<Value> = CASES.iter().map(played).collect();
    let file = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests});
    fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
    printed(promtool(folder.path(), &["test", "rules", "tests.yaml"]));
    let played: BTreeSet<&str> = CASES.iter().flat_map(|case| case.fires).copied().collect();
    let listed = alerts();
    let listed: BTreeSet<&str> = listed
        .iter()
        .map(|it| it["alert"].as_str().unwrap())
        .collect();
    assert_eq!(played, listed, "each has a case");
    let quiet = CASES.iter().filter(|case| case.fires.is_empty()).count();
    assert!(
        quiet >= listed.len(),
        "{quiet} cases in which nothing fires"
    );
}

/// Series of two operators beside each other, and which alerts fire for which of them: `cluster/namespace`.
struct Beside {
    name: &'static str,
    series: &'static [(&'static str, &'static str)],
    fires: &'static [(&'static str, &'static str)],
}

const HERE: &str =
    r#"cluster="one",namespace="taurus-system",job="taurus-port-operator",instance="a""#;
const THERE: &str =
    r#"cluster="two",namespace="taurus-system",job="taurus-port-operator",instance="a""#;
const SHOP: &str = r#"cluster="one",namespace="shop",job="taurus-port-operator",instance="c""#;

const BESIDE: &[Beside] = &[
    Beside {
        name: "two healthy clusters",
        series: &[
            (HERE, "taurus_leading 1x240"),
            (THERE, "taurus_leading 1x240"),
            (HERE, "taurus_build_info 1x240"),
            (THERE, "taurus_build_info 1x240"),
        ],
        fires: &[],
    },
    Beside {
        name: "one of two operators is dead, in another cluster",
        series: &[
            (HERE, "taurus_leading 1x240"),
            (THERE, "taurus_leading 1x60 _x180"),
            (HERE, "taurus_build_info 1x240"),
            (THERE, "taurus_build_info 1x60 _x180"),
        ],
        fires: &[("TaurusOperatorAbsent", "two/taurus-system")],
    },
    Beside {
        name: "one of two operators is dead, in another namespace",
        series: &[
            (HERE, "taurus_leading 1x240"),
            (SHOP, "taurus_leading 1x60 _x180"),
            (HERE, "taurus_build_info 1x240"),
            (SHOP, "taurus_build_info 1x60 _x180"),
        ],
        fires: &[("TaurusOperatorAbsent", "one/shop")],
    },
    Beside {
        name: "both are dead",
        series: &[
            (HERE, "taurus_build_info 1x60 _x180"),
            (THERE, "taurus_build_info 1x60 _x180"),
        ],
        fires: &[
            ("TaurusOperatorAbsent", "one/taurus-system"),
            ("TaurusOperatorAbsent", "two/taurus-system"),
        ],
    },
    Beside {
        name: "there never was one",
        series: &[],
        fires: &[("TaurusOperatorAbsent", "")],
    },
    Beside {
        name: "a leaderless one beside a leader",
        series: &[
            (HERE, "taurus_leading 1x240"),
            (THERE, "taurus_leading 0x240"),
            (HERE, "taurus_build_info 1x240"),
            (THERE, "taurus_build_info 1x240"),
        ],
        fires: &[("TaurusOperatorNotLeading", "two/taurus-system")],
    },
    Beside {
        name: "two lead in one cluster",
        series: &[
            (HERE, "taurus_leading 1x240"),
            (
                r#"cluster="one",namespace="taurus-system",job="taurus-port-operator",instance="b""#,
                "taurus_leading 1x240",
            ),
            (THERE, "taurus_leading 1x240"),
            (HERE, "taurus_build_info 1x240"),
            (THERE, "taurus_build_info 1x240"),
        ],
        fires: &[("TaurusOperatorTwoLeading", "one/taurus-system")],
    },
    // The same address of a pod in two clusters: its starts are counted in the one that has them.
    Beside {
        name: "one of two restarts",
        series: &[
            (HERE, "taurus_build_info 1x240"),
            (THERE, "taurus_build_info 1x240"),
            (
                HERE,
                "process_start_time_seconds 1000x90 1001 1002 1003 1004 1005x146",
            ),
            (THERE, "process_start_time_seconds 1000x240"),
        ],
        fires: &[("TaurusOperatorRestarting", "one/taurus-system")],
    },
];

impl Beside {
    fn played(&self, label: &str) -> Value {
        let renamed = |labels: &str| labels.replace("cluster=", &format!("{label}="));
        let series: Vec<Value> = self
            .series
            .iter()
            .map(|(labels, series)| {
                let (name, values) = series.split_once(' ').unwrap();
                json!({"series": format!("{name}{{{}}}", renamed(labels)), "values": values})
            })
            .collect();
        let firing: Vec<Value> = self
            .fires
            .iter()
            .map(|(alert, of)| {
                let of = of
                    .split_once('/')
                    .map_or_else(String::new, |(cluster, namespace)| {
                        format!(",{label}=\"{cluster}\",namespace=\"{namespace}\"")
                    });
                json!({"labels": format!("{{alertname=\"{alert}\"{of}}}"), "value": 1})
            })
            .collect();
        json!({
            "name": self.name,
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [{
                "expr": format!("group by (alertname, {label}, namespace) (ALERTS{{alertstate=\"firing\"}})"),
                "eval_time": "100m",
                "exp_samples": firing,
            }],
        })
    }
}

#[taurus_needs::test]
fn h08_each_operator_is_judged_by_itself_in_its_cluster_and_namespace() {
    let file = json!({"prometheusRule": {"enabled": true, "clusterLabel": "k8s_cluster"}});
    let chart = parse(&printed(template("taurus", "taurus-system", &file)));
    let of_chart = one(&chart, "PrometheusRule")["spec"].to_string();
    for (label, rules) in [("cluster", rules()), ("k8s_cluster", of_chart)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("rules.yaml"), rules).unwrap();
        let tests: Vec<Value> = BESIDE.iter().map(|it| it.played(label)).collect();
        let file =
            json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests});
        fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
        printed(promtool(folder.path(), &["test", "rules", "tests.yaml"]));
    }
}

/// Whatever is summed up is summed up for each operator.
#[test]
fn h08_every_rule_that_groups_tells_clusters_namespaces_and_jobs_apart() {
    for rule in all_rules() {
        let query = rule["expr"].as_str().unwrap();
        for grouping in [" by (", " on ("] {
            for rest in query.split(grouping).skip(1) {
                assert!(rest.starts_with("cluster, namespace, job"), "{query}");
            }
        }
    }
}

/// The player judges: an alert that is expected and doesn't fire is a failure.
#[taurus_needs::test]
fn an_alert_that_does_not_fire_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let wrong = case(200, &[], &["TaurusJobOverdue"]);
    let file = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [played(&wrong)]});
    fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
    let output = promtool(folder.path(), &["test", "rules", "tests.yaml"]);
    assert!(!output.status.success(), "{output:?}");
}

#[taurus_needs::test]
fn the_rules_are_sound_and_name_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let said = printed(promtool(
        folder.path(),
        &["check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"],
    ));
    assert!(
        said.contains(&format!("SUCCESS: {} rules found", all_rules().len())),
        "{said}"
    );
    for rule in all_rules() {
        let none: [&str; 0] = [];
        assert_eq!(
            queries::faults(rule["expr"].as_str().unwrap()),
            none,
            "{rule}"
        );
    }
    for alert in alerts() {
        assert!(
            ["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()),
            "{alert}"
        );
    }
}

#[test]
fn every_alert_says_what_is_wrong_and_where_help_is() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap_or_default();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        let text = |key: &str| alert["annotations"][key].as_str().unwrap_or_default();
        assert!(
            text("summary").len() > 20 && !text("summary").ends_with('.'),
            "{alert}"
        );
        assert!(
            text("description").len() > 60 && text("description").ends_with('.'),
            "{alert}"
        );
        let anchor = format!("alert-{}", name.to_lowercase());
        assert_eq!(text("runbook"), format!("docs/operations.md#{anchor}"));
        assert_eq!(
            text("runbook_url"),
            "",
            "an address is only known to whoever has one"
        );
        let headings = page.lines().filter(|line| line.starts_with('#'));
        let anchors = headings.map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.replace(' ', "-").replace(['`', ':'], "")
        });
        let mut anchors = anchors.filter(|it| *it == anchor);
        assert!(
            page.is_empty() || anchors.next().is_some(),
            "the page lacks {anchor}"
        );
    }
}

/// What people read: times, durations and names are filled in.
#[taurus_needs::test]
fn the_texts_are_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let halted = case(
        70,
        &[(
            "taurus_rollout_halted_until_timestamp_seconds{}",
            "0x60 5400x180",
        )],
        &[],
    );
    let mut test = played(&halted);
    let fields = test.as_object_mut().unwrap();
    fields.remove("promql_expr_test");
    fields.insert(
        "alert_rule_test".to_owned(),
        json!([{
            "alertname": "TaurusRolloutHalted", "eval_time": "70m",
            "exp_alerts": [{
                "exp_labels": {"namespace": "taurus-system", "job": "taurus-port-operator", "severity": "warning"},
                "exp_annotations": {
                    "summary": "No new change begins until 1970-01-01 01:30:00 +0000 UTC",
                    "description": "Several changes in a row have failed on different proxies, so the operator \
                        taurus-port-operator in taurus-system begins no new one until 1970-01-01 01:30:00 +0000 UTC. Find out \
                        what they have in common before it goes on.",
                    "runbook": "docs/operations.md#alert-taurusrollouthalted",
                },
            }],
        }]),
    );
    let file = json!({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]});
    fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
    printed(promtool(folder.path(), &["test", "rules", "tests.yaml"]));
}

/// The service levels that are recorded, of an operator that meets one of them and misses the other.
#[taurus_needs::test]
fn the_service_levels_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yaml"), rules()).unwrap();
    let late = case(
        130,
        &[(
            r#"taurus_edit_to_request_seconds_bucket{held="no",le="5.0"}"#,
            "0+1x240",
        )],
        &[],
    );
    let mut test = played(&late);
    let recorded = |name: &str, value: f64| {
        let labels = json!({
            "labels": format!("cluster_namespace_job:{name}{{namespace=\"taurus-system\",job=\"taurus-port-operator\"}}"),
            "value": value,
        });
        json!({"expr": format!("cluster_namespace_job:{name}"), "eval_time": "130m", "exp_samples": [labels]})
    };
    let count = |series: &str, each: &str| json!({"series": scraped(series), "values": each});
    let series = test["input_series"].as_array_mut().unwrap();
    series.push(count(
        "taurus_reconcile_wait_seconds_count{call=\"usual\"}",
        "0+60x1000",
    ));
    series.push(count(
        "taurus_edit_to_request_seconds_count{held=\"no\"}",
        "0+2x1000",
    ));
    test["promql_expr_test"] = json!([
        recorded("taurus_reconcile_wait_seconds:within_1s_30d", 1.0),
        recorded("taurus_edit_to_request_seconds:within_5s_30d", 0.5),
        recorded("taurus_reconcile_wait_seconds:p99_5m", 0.99),
        recorded("taurus_edit_to_request_seconds:p99_1h", 5.0 + 0.98 * 25.0),
    ]);
    let file = json!({
        "rule_files": ["rules.yaml"], "evaluation_interval": "1m", "fuzzy_compare": true, "tests": [test],
    });
    fs::write(folder.path().join("tests.yaml"), file.to_string()).unwrap();
    printed(promtool(folder.path(), &["test", "rules", "tests.yaml"]));
}
