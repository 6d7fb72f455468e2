//! Schedules in which people also say when changes may start, and approve them.

use taurus_port_operator::{
    cloud::ProxyStatus,
    crd::{APPLY_NOW, APPROVE, Approval, InstanceWindow},
};
use taurus_schedules::{Flaw, Stage, play_gated};

/// How many are played here, fewer where nothing is optimised.
const MANY: u64 = if cfg!(debug_assertions) { 30 } else { 300 };

/// How many are played at most until a fault is seen.
const MOST: u64 = 3000;

#[test]
fn no_change_begins_outside_its_hours_or_for_an_approval_that_was_used_and_what_may_begin_does() {
    let mut requests = 0;
    for seed in 0..MANY {
        let verdict = play_gated(seed, None, false);
        requests += verdict.requests;
        let breaches = verdict.breaches;
        assert!(breaches.is_empty(), "gated schedule {seed}\n{breaches:#?}");
    }
    assert!(requests as u64 > MANY, "{requests}");
}

fn is_seen(flaw: Flaw, what: &str) {
    let shows = |seed: &u64| {
        let breaches = play_gated(*seed, Some(flaw), false).breaches;
        breaches.iter().any(|breach| breach.contains(what))
    };
    assert!(
        (0..MOST).any(|seed| shows(&seed)),
        "no schedule shows {flaw:?}"
    );
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_knows_of_no_calendar_is_seen() {
    is_seen(Flaw::OverlooksTheCalendar, "outside its hours");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_takes_any_approval_is_seen() {
    is_seen(Flaw::TakesAnyApproval, "without approval");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_finds_a_used_plan_on_record_again_is_seen() {
    is_seen(Flaw::RevivesPlans, "an approval is used for two changes");
}

/// From 08:00 to 10:00.
const OPENS: u64 = 7200;

#[tokio::test(start_paused = true)]
async fn a_window_with_half_a_minute_to_spare_is_caught_whatever_chance_says() {
    for seed in 0..20 {
        let stage = Stage::set(seed).await;
        // More than is allowed for: from now on a change counts as one of 30 minutes.
        stage.next_job(1_000, 1_900, true);
        stage.want(3307);
        stage.pass(3_000).await;
        assert!(stage.is_ready(), "{}", stage.told());
        let windows = serde_json::json!([{"start": "10:00", "duration": "30m30s"}]);
        stage.keep_to(windows);
        stage.want(3306);
        stage.pass(OPENS - 1 - 3_030).await;
        assert_eq!(stage.requests(), 1, "{seed}\n{}", stage.told());
        stage.pass(31).await;
        assert_eq!(stage.requests(), 2, "{seed}\n{}", stage.told());
    }
}

/// Without what was seen of the first change, twenty minutes would be enough for the second one.
#[tokio::test(start_paused = true)]
async fn a_change_starts_only_where_as_much_of_its_window_is_left_as_the_last_one_took() {
    let stage = Stage::set(1).await;
    stage.next_job(1_000, 29 * 60, true);
    stage.want(3307);
    stage.pass(3_000).await;
    assert!(stage.is_ready(), "{}", stage.told());
    // It is 08:50, and the window closes at 09:10.
    let windows = serde_json::json!([{"start": "08:00", "duration": "70m"}]);
    stage.edit(|object| {
        object.spec.maintenance_windows = serde_json::from_value(windows).unwrap();
        object.spec.port = 3306;
    });
    stage.pass(DAY - 3_030 - 1).await;
    assert_eq!(stage.requests(), 1, "{}", stage.told());
    stage.pass(61).await;
    assert_eq!(stage.requests(), 2, "{}", stage.told());
}

const DAY: u64 = 24 * 3600;

/// What a resource waits for, as somebody edits it or the calendar.
type Wait = fn(&Stage);

#[tokio::test(start_paused = true)]
async fn a_day_of_waiting_for_a_window_a_freeze_or_an_approval_costs_no_write() {
    let waits: [(&str, Wait); 4] = [
        ("WaitingForWindow", |stage| {
            // The stage is set on a Friday.
            let windows =
                serde_json::json!([{"days": ["Wed"], "start": "02:00", "duration": "2h"}]);
            stage.keep_to(windows);
        }),
        ("WaitingForWindow", |stage| {
            stage.edit(|object| object.spec.instance_window = Some(InstanceWindow::Follow));
        }),
        ("ChangeFreeze", |stage| {
            let text = "freezes: [{from: 2027-01-15T00:00:00Z, until: 2027-01-20T00:00:00Z, reason: stop}]";
            stage.set_calendar(text);
        }),
        ("WaitingForApproval", |stage| {
            stage.edit(|object| object.spec.approval = Some(Approval::Manual));
        }),
    ];
    for (number, (reason, wait)) in waits.into_iter().enumerate() {
        let stage = Stage::set(number as u64).await;
        wait(&stage);
        stage.want(3307);
        stage.pass(600).await;
        assert_eq!(stage.reason(), reason, "{}", stage.told());
        let (writes, version) = (stage.writes(), stage.object().metadata.resource_version);
        stage.pass(DAY).await;
        assert_eq!(stage.writes(), writes, "{reason}\n{}", stage.told());
        assert_eq!(stage.object().metadata.resource_version, version);
        assert_eq!((stage.reason().as_str(), stage.requests()), (reason, 0));
    }
}

/// An older definition shows the resource without its approval, in the same generation.
#[tokio::test(start_paused = true)]
async fn c06_a_definition_that_hides_the_approval_lets_no_change_start() {
    for late in 0..5 {
        let stage = Stage::set(late).await;
        // So the definition was looked at a short while ago.
        stage.want(3307);
        stage.pass(120).await;
        assert!(stage.is_ready(), "{}", stage.told());
        stage.edit(|object| {
            object.spec.approval = Some(Approval::Manual);
            object.spec.port = 3308;
        });
        stage.pass(60 + late).await;
        assert_eq!(stage.reason(), "WaitingForApproval", "{}", stage.told());
        stage.install_older_definition();
        // Nobody hears of that before the next sweep.
        stage.pass(1_300).await;
        assert_eq!(stage.requests(), 1, "{}", stage.told());
        assert_eq!(stage.reason(), "CRDOutdated", "{}", stage.told());
    }
}

/// What was read of the proxy stays what is said of it, also where its next look is put off for others.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_is_not_in_order_is_not_called_active_while_others_change() {
    let stage = Stage::set(1).await;
    stage.create_neighbour();
    stage.pass(60).await;
    stage.next_job(1_000, 3_000, true);
    stage.want_of_neighbour(3307);
    stage.pass(60).await;
    stage.proxies_are(Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned())));
    stage.pass(1_300).await;
    assert_eq!(stage.reason(), "ProxyUnhealthy", "{}", stage.told());
    stage.want(3307);
    stage.pass(60).await;
    for minute in 0..20 {
        let status = stage.object().status.unwrap();
        assert_eq!(status.proxy_status.as_deref(), Some("ABNORMAL"), "{minute}");
        assert_eq!(
            stage.reason(),
            "ProxyUnhealthy",
            "{minute}\n{}",
            stage.told()
        );
        stage.pass(60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_apply_now_has_led_past_its_windows_is_counted_and_no_other_one() {
    for (opens, counted) in [("10:00", 1), ("08:00", 0)] {
        let stage = Stage::set(1).await;
        let windows = serde_json::json!([{"start": opens, "duration": "2h"}]);
        stage.edit(|object| {
            object.spec.maintenance_windows = serde_json::from_value(windows).unwrap();
            object.spec.approval = Some(Approval::Manual);
        });
        stage.want(3307);
        stage.pass(60).await;
        let plan = stage.object().status.unwrap().plan.unwrap().id;
        stage.edit(|object| {
            let annotations = object.metadata.annotations.get_or_insert_default();
            annotations.insert(APPLY_NOW.to_owned(), plan.clone());
            annotations.insert(APPROVE.to_owned(), plan);
        });
        stage.pass(300).await;
        assert_eq!((stage.requests(), stage.port()), (1, 3307), "{opens}");
        let figure = stage.figure("taurus_plans_applied_now_total");
        assert_eq!(figure, Some(counted), "{opens}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_to_wait_while_the_calendar_is_edited_is_woken_all_the_same() {
    for late in 0..5 {
        let stage = Stage::set(late).await;
        stage.set_calendar(
            "freezes: [{from: 2027-01-15T00:00:00Z, until: 2027-01-16T00:00:00Z, reason: stop}]",
        );
        stage.writes_take(4_000);
        stage.want(3307);
        stage.pass(late).await;
        stage.set_calendar("freezes: []");
        stage.pass(60).await;
        assert_eq!(stage.requests(), 1, "{late}\n{}", stage.told());
    }
}

/// Something happens to the calendar; the text is that of a freeze.
type Act = fn(&Stage, &str);

/// What becomes of the calendar while a job is at work changes nothing of that job; it counts for the next change.
#[tokio::test(start_paused = true)]
async fn a_calendar_that_changes_during_a_job_counts_for_the_next_change_alone() {
    let freeze =
        "freezes: [{from: 2027-01-15T00:00:00Z, until: 2027-01-16T00:00:00Z, reason: stop}]";
    let acts: [(&str, Act, bool); 5] = [
        (
            "a freeze begins",
            |stage, freeze| stage.set_calendar(freeze),
            false,
        ),
        (
            "no calendar",
            |stage, _| stage.break_calendar(Some("windows: nobody knows")),
            true,
        ),
        (
            "an empty file",
            |stage, _| stage.break_calendar(Some("")),
            true,
        ),
        ("no file", |stage, _| stage.break_calendar(None), true),
        (
            "a freeze begins, and its file is gone",
            |stage, freeze| {
                stage.set_calendar(freeze);
                stage.break_calendar(None);
            },
            false,
        ),
    ];
    for (what, act, next_starts) in acts {
        let stage = Stage::set(1).await;
        stage.set_calendar("freezes: []");
        stage.next_job(0, 120, true);
        stage.want(3307);
        stage.pass(60).await;
        assert_eq!((stage.requests(), stage.port()), (1, 3306), "{what}");
        act(&stage, freeze);
        stage.pass(300).await;
        assert!(stage.is_ready(), "{what}\n{}", stage.told());
        assert_eq!((stage.requests(), stage.port()), (1, 3307), "{what}");
        stage.want(3308);
        stage.pass(300).await;
        let requests = if next_starts { 2 } else { 1 };
        assert_eq!(stage.requests(), requests, "{what}\n{}", stage.told());
    }
}
