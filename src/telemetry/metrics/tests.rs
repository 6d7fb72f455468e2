//! The figures: bounded labels, nothing counted twice, and in the catalogue.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

use super::{
    catalogue::{FIGURES, Figure, Kind, Values},
    *,
};
use crate::{
    calendar::{
        file,
        store::{FileFault, Store},
    },
    cloud::CloudError,
    controller::meter::Followed,
    crd::TaurusProxyPortStatus,
    model::{JobId, Uid},
    version,
};

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

fn now() -> Moment {
    let wall = "2026-03-02T16:40:05Z".parse().unwrap();
    Moment::new(wall, Duration::from_hours(1))
}

/// It is said of a resource.
fn say(metrics: &Metrics, uid: &str, status: TaurusProxyPortStatus) {
    let mut object = object(uid);
    object.status = Some(status);
    metrics.resource(&uid.into(), &object, now());
}

fn change(phase: &str, intended_at: &str) -> ChangeRecord {
    let change = json!({
        "id": "c0ffee", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": phase, "attempt": 1,
        "intendedAt": intended_at
    });
    serde_json::from_value(change).unwrap()
}

fn with_change(phase: &str, intended_at: &str) -> TaurusProxyPortStatus {
    let mut status = status("Reconciling", "JobRunning");
    status.change = Some(change(phase, intended_at));
    status
}

/// The changes in progress of each phase, and when the oldest of them was put on record.
fn in_progress(metrics: &Metrics) -> (Vec<(&'static str, i64)>, i64) {
    let samples = samples(metrics);
    let of = |series: &str| samples[series].parse::<i64>().unwrap();
    let phases = ["intended", "submitted", "verifying"].map(|phase| {
        let series = format!("taurus_changes_in_progress{{phase=\"{phase}\"}}");
        (phase, of(&series))
    });
    let some = phases.into_iter().filter(|(_, count)| *count != 0);
    let oldest = of("taurus_oldest_change_intended_timestamp_seconds");
    (some.collect(), oldest)
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
            let ours = series.starts_with("taurus_") || series.starts_with("process_");
            assert!(ours, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

fn resources(metrics: &Metrics) -> Vec<String> {
    samples(metrics)
        .into_iter()
        .filter(|(series, _)| {
            series.contains("resources")
                && !series.contains("watch_resources")
                && !series.contains("out_of_sync")
        })
        .map(|(series, value)| format!("{series} {value}"))
        .collect()
}

/// Everything that can be counted, once.
fn everything() -> Metrics {
    let metrics = Metrics::default();
    for ending in [Ending::Done, Ending::Failed, Ending::Panicked] {
        metrics.reconciled(ending, Duration::from_millis(30));
    }
    for call in ["stop", "edit", "usual"] {
        metrics.waited(call, Duration::from_millis(2));
    }
    for was_held in [false, true] {
        metrics.edit_sent(was_held, Duration::from_millis(30));
    }
    for operation in Operation::iter() {
        metrics.call_ended(operation, None, Duration::from_millis(200));
        for meaning in Meaning::iter() {
            metrics.call_ended(operation, Some(meaning), Duration::from_secs(2));
        }
    }
    for urgency in Urgency::iter() {
        metrics.call_made(urgency);
        metrics.call_waited(urgency, Duration::from_secs(1));
        metrics.call_put_off(urgency);
    }
    for request in Request::iter() {
        for answer in requests::Answer::iter() {
            metrics.asked_api_server(request, answer, Duration::from_millis(3));
        }
    }
    for reason in Reason::iter().filter(|reason| reason.is_of_publication()) {
        metrics.published(reason);
    }
    metrics.restored();
    for outcome in catalogue::probes() {
        metrics.probed(outcome);
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
        metrics.change_ended(&last);
    }
    say(&metrics, "uid-a", status("Ready", "Settled"));
    say(&metrics, "uid-b", status("Stalled", "9f2c1e"));
    metrics.undecodable(&Uid::from("uid-c"), None, now());
    metrics
}

/// The families of a text: name, type and unit.
fn families(text: &str) -> BTreeSet<(String, String, String)> {
    let units: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# UNIT ")?.split_once(' '))
        .collect();
    let declared = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    declared
        .map(|line| {
            let (name, type_) = line.split_once(' ').unwrap();
            let unit = units.get(name).copied().unwrap_or_default();
            (name.to_owned(), type_.to_owned(), unit.to_owned())
        })
        .collect()
}

/// Its name as the lines of type and unit have it.
fn family(figure: &Figure) -> String {
    let name = figure.name();
    let suffix = match figure.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram => "",
    };
    name.strip_suffix(suffix).unwrap().to_owned()
}

#[test]
fn the_figures_are_those_of_the_catalogue() {
    let text = everything().text().unwrap();
    let listed = FIGURES.iter().map(|figure| {
        let unit = figure.unit.map_or("", Into::into);
        (family(figure), figure.kind.to_string(), unit.to_owned())
    });
    assert_eq!(families(&text), listed.collect());
    for figure in FIGURES {
        let help = format!("# HELP {} {}.\n", family(figure), figure.meaning);
        assert_eq!(text.matches(&help).count(), 1, "{help}{text}");
        assert!(figure.meaning.len() > 15, "{figure:?}");
        assert!(
            figure.advice.len() > 15 && figure.advice.ends_with('.'),
            "{figure:?}"
        );
    }
}

#[test]
fn labels_and_their_values_are_those_of_the_catalogue() {
    for series in samples(&everything()).keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let figure = FIGURES.iter().find(|figure| {
            let suffixes: &[&str] = match figure.kind {
                Kind::Histogram => &["_bucket", "_sum", "_count"],
                Kind::Counter | Kind::Gauge | Kind::Info => &[""],
            };
            suffixes
                .iter()
                .any(|suffix| format!("{}{suffix}", figure.name()) == name)
        });
        let figure = figure.unwrap_or_else(|| panic!("{series} is not in the catalogue"));
        let mut seen = BTreeSet::new();
        for label in labels
            .trim_end_matches('}')
            .split(',')
            .filter(|it| !it.is_empty())
        {
            let (label, value) = label.split_once('=').unwrap();
            if label == "le" && figure.kind == Kind::Histogram {
                continue;
            }
            let listed = figure.labels.iter().find(|listed| listed.name == label);
            let listed = listed.unwrap_or_else(|| panic!("{series}: {label} is not listed"));
            if let Values::Words(words) = listed.values {
                assert!(words().contains(&value.trim_matches('"')), "{series}");
            }
            seen.insert(label);
        }
        let listed: BTreeSet<&str> = figure.labels.iter().map(|label| label.name).collect();
        assert_eq!(seen, listed, "{series}");
    }
}

/// However large the fleet is.
#[test]
fn there_are_never_more_series_than_the_catalogue_allows() {
    let of = |figure: &Figure| {
        let values = figure.labels.iter().map(|label| match label.values {
            Values::Words(words) => words().len(),
            Values::OneOfProcess(_) => 1,
        });
        let series: usize = values.product();
        // A histogram has a series for each bound, and three more.
        series
            * if figure.kind == Kind::Histogram {
                15
            } else {
                1
            }
    };
    let most: usize = FIGURES.iter().map(of).sum();
    assert!(most < 1_000, "{most}");
}

#[test]
fn what_happens_is_counted_where_it_belongs() {
    let samples = samples(&everything());
    for (series, value) in [
        ("taurus_reconciles_total{ending=\"panicked\"}", "1"),
        ("taurus_reconcile_seconds_count", "3"),
        ("taurus_reconcile_wait_seconds_count{call=\"edit\"}", "1"),
        ("taurus_edit_to_request_seconds_count{held=\"no\"}", "1"),
        (
            "taurus_cloud_calls_total{operation=\"list_proxies\",meaning=\"success\"}",
            "1",
        ),
        (
            "taurus_cloud_calls_total{operation=\"change_port\",meaning=\"busy\"}",
            "1",
        ),
        ("taurus_cloud_calls_put_off_total{urgency=\"sweep\"}", "1"),
        (
            "taurus_api_requests_total{request=\"write_status\",result=\"conflict\"}",
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
        ("taurus_publications_total{reason=\"NameTaken\"}", "1"),
        ("taurus_publications_restored_total", "1"),
    ] {
        let sample = samples.get(series).map(String::as_str);
        assert_eq!(sample, Some(value), "{series}: {samples:#?}");
    }
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
    let uid = Uid::from("uid-a");
    say(&metrics, "uid-a", status("Reconciling", "JobRunning"));
    say(&metrics, "uid-a", status("Reconciling", "JobRunning"));
    assert_eq!(resources(&metrics), one("reconciling", "JobRunning"));
    say(&metrics, "uid-a", status("Ready", "Settled"));
    assert_eq!(resources(&metrics), one("ready", "Settled"));
    metrics.undecodable(&uid, None, now());
    metrics.undecodable(&uid, None, now());
    assert_eq!(resources(&metrics), ["taurus_undecodable_resources 1"]);
    say(&metrics, "uid-a", TaurusProxyPortStatus::default());
    assert_eq!(resources(&metrics), one("unknown", "unknown"));
}

#[test]
fn changes_in_progress_are_counted_and_the_oldest_tells_its_age() {
    let metrics = Metrics::default();
    let count = |phase: &str| {
        let series = format!("taurus_changes_in_progress{{phase=\"{phase}\"}}");
        samples(&metrics)[&series].clone()
    };
    let oldest = || samples(&metrics)["taurus_oldest_change_intended_timestamp_seconds"].clone();
    assert_eq!(
        (count("submitted"), oldest()),
        ("0".to_owned(), "0".to_owned())
    );
    say(
        &metrics,
        "uid-a",
        with_change("Submitted", "2026-01-01T00:00:10Z"),
    );
    say(
        &metrics,
        "uid-b",
        with_change("Intended", "2026-01-01T00:00:00Z"),
    );
    assert_eq!(
        (count("submitted"), count("intended")),
        ("1".to_owned(), "1".to_owned())
    );
    assert_eq!(oldest(), "1767225600");
    say(&metrics, "uid-b", status("Ready", "Settled"));
    assert_eq!(
        (count("intended"), oldest()),
        ("0".to_owned(), "1767225610".to_owned())
    );
    metrics.forget("uid-a");
    assert_eq!(
        (count("submitted"), oldest()),
        ("0".to_owned(), "0".to_owned())
    );
}

#[test]
fn b02_the_change_of_a_resource_that_can_not_be_decoded_counts_for_as_long_as_it_is_on_record() {
    let (uid, begun) = (Uid::from("uid-a"), "2026-01-01T00:00:10Z");
    let metrics = Metrics::default();
    let undecodable = |change: Option<&str>| {
        let begun = change.map(|begun| begun.parse().unwrap());
        metrics.undecodable(&uid, begun, now());
    };
    say(&metrics, "uid-a", with_change("Submitted", begun));
    undecodable(Some(begun));
    undecodable(Some(begun));
    let known = (vec![("submitted", 1)], 1_767_225_610);
    assert_eq!(in_progress(&metrics), known);
    assert_eq!(resources(&metrics), ["taurus_undecodable_resources 1"]);
    // Somebody has taken it from the record.
    undecodable(None);
    assert_eq!(in_progress(&metrics), (vec![], 0));
    // A process that has started since knows no more than that it was begun.
    undecodable(Some(begun));
    let read = (vec![("intended", 1)], 1_767_225_610);
    assert_eq!(in_progress(&metrics), read);
    metrics.forget("uid-a");
    let unreadable = Some(Timestamp::MAX);
    metrics.undecodable(&uid, unreadable, now());
    let now = now().wall.as_second();
    assert_eq!(in_progress(&metrics), (vec![("intended", 1)], now));
    say(&metrics, "uid-a", with_change("Verifying", begun));
    let decoded = (vec![("verifying", 1)], 1_767_225_610);
    assert_eq!(in_progress(&metrics), decoded);
}

#[test]
fn b02_the_change_of_a_deleted_resource_counts_for_as_long_as_it_is_followed() {
    let (uid, begun) = (Uid::from("uid-a"), "2026-01-01T00:00:10Z");
    let metrics = Arc::new(Metrics::default());
    let follow = |change: Option<&ChangeRecord>| {
        Followed::begin(Arc::clone(&metrics) as _, uid.clone(), change, now())
    };
    let known = (vec![("submitted", 1)], 1_767_225_610);
    let none = (vec![], 0);
    let on_record = change("Submitted", begun);
    // Whoever follows it may come before it is forgotten, or after that.
    for forgets_first in [false, true] {
        say(&metrics, "uid-a", with_change("Submitted", begun));
        if forgets_first {
            metrics.forget("uid-a");
        }
        let [one, other] = [Some(&on_record), None].map(follow);
        assert_eq!(in_progress(&metrics), known, "it counts once");
        metrics.forget("uid-a");
        drop(one);
        assert_eq!(in_progress(&metrics), known);
        // A reconcile that was at work meanwhile counts it once more.
        say(&metrics, "uid-a", with_change("Submitted", begun));
        assert_eq!(in_progress(&metrics), known);
        metrics.forget("uid-a");
        drop(other);
        assert_eq!(in_progress(&metrics), none);
    }
    // Of one that can't be decoded, what was counted of it.
    say(&metrics, "uid-a", with_change("Submitted", begun));
    metrics.undecodable(&uid, Some(on_record.intended_at.0), now());
    let held = follow(None);
    metrics.forget("uid-a");
    assert_eq!(in_progress(&metrics), known);
    drop(held);
    assert_eq!(in_progress(&metrics), none);
    let nothing_known = follow(None);
    assert_eq!(in_progress(&metrics), none);
    drop(nothing_known);
}

#[test]
fn h16_times_of_the_future_are_shown_as_when_they_were_first_seen_and_stay() {
    let metrics = Metrics::default();
    let ahead = "2026-03-02T22:40:05Z";
    let mut status = with_change("Submitted", ahead);
    let plan = json!({
        "id": "0123456789abcdef", "fromPort": 3306, "toPort": 3307, "madeAt": ahead, "waitsFor": ["Approval"]
    });
    status.plan = Some(serde_json::from_value(plan).unwrap());
    let mut differs = status.clone();
    differs.plan = None;
    let mut other = differs.conditions[0].clone();
    other.type_ = "PortInSync".to_owned();
    other.status = "False".to_owned();
    other.last_transition_time = Time(ahead.parse().unwrap());
    differs.conditions.push(other);
    let shown = || {
        let samples = samples(&metrics);
        [
            "taurus_oldest_change_intended_timestamp_seconds",
            "taurus_oldest_plan_made_timestamp_seconds{waits_for=\"Approval\"}",
            "taurus_oldest_out_of_sync_timestamp_seconds",
        ]
        .map(|series| samples[series].parse::<i64>().unwrap())
    };
    let first = now();
    for minutes in [0, 1, 90, 8 * 60] {
        let passed = Duration::from_mins(minutes);
        let now = Moment::new(first.wall + passed, first.uptime + passed);
        for (uid, status) in [("uid-a", &status), ("uid-b", &differs)] {
            let mut object = object(uid);
            object.status = Some(status.clone());
            metrics.resource(&uid.into(), &object, now);
        }
        assert_eq!(shown(), [first.wall.as_second(); 3], "{minutes}");
    }
}

#[test]
fn the_process_tells_of_itself() {
    let metrics = Metrics::default();
    metrics.watch(Watched {
        leadership: Arc::new(crate::leader::Leadership::alone()),
        readiness: Arc::default(),
        heartbeat: Arc::default(),
        work: Arc::default(),
        calendar: Arc::default(),
        clock: crate::clock::Clock::start(),
        calls_per_minute: 42,
    });
    let samples = samples(&metrics);
    let value = |series: &str| samples[series].parse::<f64>().unwrap();
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_cpu_seconds_total") >= 0.0);
    assert!(value("process_start_time_seconds") > 1.7e9);
    assert!(value("process_open_fds") >= 1.0);
    assert_eq!(samples["taurus_leading"], "1");
    assert_eq!(samples["taurus_ready"], "0");
    assert_eq!(samples["taurus_calls_per_minute_limit"], "42");
    let [release, commit, target] = [version::RELEASE, version::COMMIT, version::TARGET];
    let labels = format!("version=\"{release}\",commit=\"{commit}\",target=\"{target}\"");
    assert_eq!(samples[&format!("taurus_build_info{{{labels}}}")], "1");
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
fn the_calendar_tells_of_freezes_windows_and_faults() {
    let metrics = Metrics::default();
    let calendar = Arc::new(Store::new(Some("/calendar")));
    let clock = crate::clock::Clock::start();
    metrics.watch(Watched {
        leadership: Arc::new(crate::leader::Leadership::alone()),
        readiness: Arc::default(),
        heartbeat: Arc::default(),
        work: Arc::default(),
        calendar: Arc::clone(&calendar),
        clock,
        calls_per_minute: 60,
    });
    let figures = || {
        let samples = samples(&metrics);
        let of = |name: &str| samples[name].clone();
        [
            "taurus_freeze_active",
            "taurus_window_open",
            "taurus_calendar_broken",
            "taurus_calendar_missing",
        ]
        .map(of)
    };
    let unreadable = || {
        let why = "permission denied".to_owned();
        let path = "/calendar".to_owned();
        Err(FileFault::Unreadable { path, why })
    };
    calendar.take_in(unreadable());
    assert_eq!(figures(), ["0", "0", "1", "1"], "none was read yet");
    let read = |text: &str| file::parse(text).unwrap();
    calendar.take_in(Ok(read("freezes: []")));
    assert_eq!(figures(), ["0", "1", "0", "0"]);
    let frozen =
        "freezes: [{from: 2020-01-01T00:00:00Z, until: 2100-01-01T00:00:00Z, reason: stop}]";
    calendar.take_in(Ok(read(frozen)));
    assert_eq!(figures(), ["1", "1", "0", "0"]);
    // It begins in twelve hours.
    let start = (clock.now().wall + Duration::from_hours(12)).strftime("%H:%M");
    let closed = format!("windows: [{{start: \"{start}\", duration: 30m}}]");
    calendar.take_in(Ok(read(&closed)));
    assert_eq!(figures(), ["0", "0", "0", "0"]);
    calendar.take_in(unreadable());
    assert_eq!(figures()[2..], ["1", "0"], "the last good one counts");
}

#[test]
fn plans_count_by_what_they_wait_for_with_the_age_of_the_oldest() {
    let metrics = Metrics::default();
    let plan = |waits_for: &[&str], made_at: &str| {
        let mut status = status("Reconciling", "WaitingForWindow");
        let plan = json!({
            "id": "0123456789abcdef", "fromPort": 3306, "toPort": 3307, "madeAt": made_at, "waitsFor": waits_for
        });
        status.plan = Some(serde_json::from_value(plan).unwrap());
        status
    };
    let figure = |series: &str| samples(&metrics)[series].clone();
    let of = |wait: &str| {
        [
            figure(&format!(r#"taurus_plans_waiting{{waits_for="{wait}"}}"#)),
            figure(&format!(
                r#"taurus_oldest_plan_made_timestamp_seconds{{waits_for="{wait}"}}"#
            )),
        ]
    };
    say(&metrics, "uid-a", plan(&["Window"], "2026-01-01T00:00:00Z"));
    say(
        &metrics,
        "uid-b",
        plan(&["Window", "Approval"], "2026-01-01T00:01:00Z"),
    );
    assert_eq!(of("Window"), ["2", "1767225600"]);
    assert_eq!(of("Approval"), ["1", "1767225660"]);
    assert_eq!(of("Freeze"), ["0", "0"]);
    say(&metrics, "uid-b", status("Ready", "Settled"));
    assert_eq!(of("Approval"), ["0", "0"]);
}

#[test]
fn a_port_that_differs_counts_since_when_unless_nobody_wants_it_set() {
    let metrics = Metrics::default();
    let out_of_sync = |reason: &str, since: &str| {
        let mut status = status("Reconciling", reason);
        let mut other = status.conditions[0].clone();
        other.type_ = "PortInSync".to_owned();
        other.status = "False".to_owned();
        other.last_transition_time = Time(since.parse().unwrap());
        status.conditions.push(other);
        status
    };
    let figures = || {
        let samples = samples(&metrics);
        let of = |name: &str| samples[name].clone();
        [
            of("taurus_resources_out_of_sync"),
            of("taurus_oldest_out_of_sync_timestamp_seconds"),
        ]
    };
    assert_eq!(figures(), ["0", "0"]);
    say(
        &metrics,
        "uid-a",
        out_of_sync("WaitingForWindow", "2026-01-01T00:01:00Z"),
    );
    say(
        &metrics,
        "uid-b",
        out_of_sync("JobRunning", "2026-01-01T00:00:00Z"),
    );
    say(
        &metrics,
        "uid-c",
        out_of_sync("Suspended", "2025-01-01T00:00:00Z"),
    );
    say(
        &metrics,
        "uid-d",
        out_of_sync("Observed", "2025-01-01T00:00:00Z"),
    );
    assert_eq!(figures(), ["2", "1767225600"]);
    // What waits for a set time, or for a person, differs, and nobody has to see to it.
    for reason in ["WaitingForWindow", "ChangeFreeze", "CloudUnreachable"] {
        let mut waits = out_of_sync(reason, "2025-01-01T00:00:00Z");
        let plan = json!({
            "id": "0123456789abcdef", "fromPort": 3306, "toPort": 3307, "madeAt": "2026-01-01T00:00:00Z",
            "notBefore": "2026-01-03T00:00:00Z", "waitsFor": ["Window"]
        });
        waits.plan = Some(serde_json::from_value(plan).unwrap());
        say(&metrics, "uid-e", waits);
        assert_eq!(figures(), ["3", "1767225600"], "{reason}");
    }
    metrics.forget("uid-e");
    say(&metrics, "uid-b", status("Ready", "Settled"));
    assert_eq!(figures(), ["1", "1767225660"]);
    metrics.forget("uid-a");
    assert_eq!(figures(), ["0", "0"]);
}

#[test]
fn what_is_wished_for_and_not_published_counts_by_its_reason() {
    let metrics = Metrics::default();
    let wishing = |service: (&str, &str), map: (&str, &str)| {
        let mut status = status("Ready", "Settled");
        for (kind, (word, reason)) in [("ServicePublished", service), ("ConfigMapPublished", map)] {
            let mut condition = status.conditions[0].clone();
            condition.type_ = kind.to_owned();
            condition.status = word.to_owned();
            condition.reason = reason.to_owned();
            status.conditions.push(condition);
        }
        status
    };
    let figures = || {
        let samples = samples(&metrics);
        let missing = samples.into_iter().filter_map(|(series, value)| {
            let label = series.strip_prefix("taurus_publications_missing")?;
            Some(format!("{label} {value}"))
        });
        missing.collect::<Vec<_>>()
    };
    let published = ("True", "Published");
    let taken = ("False", "NameTaken");
    say(&metrics, "uid-a", wishing(published, published));
    assert!(figures().is_empty(), "{:?}", figures());
    say(&metrics, "uid-a", wishing(taken, published));
    say(
        &metrics,
        "uid-b",
        wishing(taken, ("Unknown", "PublishFailed")),
    );
    // It leads to a place that was not read.
    say(
        &metrics,
        "uid-d",
        wishing(published, ("Unknown", "Published")),
    );
    // A reason of somebody else's is no label.
    say(&metrics, "uid-c", wishing(published, ("False", "9f2c1e")));
    let all = [
        r#"{reason="NameTaken"} 2"#,
        r#"{reason="PublishFailed"} 1"#,
        r#"{reason="Published"} 1"#,
    ];
    assert_eq!(figures(), all);
    metrics.forget("uid-d");
    say(&metrics, "uid-a", wishing(published, published));
    metrics.undecodable(&Uid::from("uid-b"), None, now());
    assert!(figures().is_empty(), "{:?}", figures());
    say(&metrics, "uid-b", wishing(taken, published));
    metrics.forget("uid-b");
    assert!(figures().is_empty(), "{:?}", figures());
}

#[test]
fn a_clock_that_was_set_back_makes_no_negative_durations() {
    let metrics = Metrics::default();
    let last = last("Succeeded", "2026-01-01T00:00:40Z", "2026-01-01T00:00:00Z");
    metrics.change_ended(&last);
    assert_eq!(samples(&metrics)["taurus_change_seconds_sum"], "0.0");
}
