//! Schedules in which resources also publish where their proxies are: what applications are led by, whatever happens.

use std::time::Duration;

use taurus_schedules::{Flaw, Stage, play_publishing};

/// How many are played here, fewer where nothing is optimised.
const MANY: u64 = if cfg!(debug_assertions) { 30 } else { 300 };

/// How many are played at most until a fault is seen.
const MOST: u64 = 3000;

#[test]
fn applications_are_led_to_verified_ports_alone_and_at_rest_to_the_one_in_place() {
    let mut publications = 0;
    for seed in 0..MANY {
        let verdict = play_publishing(seed, None, false);
        publications += verdict.publications;
        let breaches = verdict.breaches;
        assert!(
            breaches.is_empty(),
            "taurus-schedules --publishing --seed {seed}\n{breaches:#?}"
        );
    }
    assert!(publications as u64 > MANY, "{publications}");
}

/// Schedules in which a promise was once broken, by what they show.
const ONCE: [(u64, &str); 9] = [
    (
        3207,
        "the change of a deleted resource at work over a restart",
    ),
    (3323, "an edit of a slice over a restart, and another name"),
    (
        4375,
        "labels taken from a slice that a rename leaves to another one",
    ),
    (
        4570,
        "another name wished for while the old one is another's",
    ),
    (6750, "labels taken from a slice whose Service was deleted"),
    (
        8752,
        "a Service that was never led to what a change has left",
    ),
    (
        11890,
        "a list that shows neither port of a change that has ended",
    ),
    (12704, "a slice made by another one for an old name"),
    (
        18702,
        "objects of an earlier name that could not be looked for",
    ),
];

#[test]
fn what_was_once_broken_holds() {
    for (seed, what) in ONCE {
        let breaches = play_publishing(seed, None, false).breaches;
        assert!(
            breaches.is_empty(),
            "taurus-schedules --publishing --seed {seed}: {what}\n{breaches:#?}"
        );
    }
}

#[test]
fn a_schedule_that_publishes_is_the_same_whenever_it_is_played() {
    for seed in 0..MANY / 10 {
        let told = || play_publishing(seed, None, true).trace;
        assert_eq!(told(), told(), "seed {seed}");
    }
}

/// Plays until a breach says `what`.
#[expect(clippy::print_stdout, reason = "a helper of tests")]
fn is_seen(flaw: Flaw, what: &str) {
    let shows = |seed: &u64| {
        let breaches = play_publishing(*seed, Some(flaw), false).breaches;
        breaches.iter().any(|breach| breach.contains(what))
    };
    let seed = (0..MOST).find(shows);
    assert!(seed.is_some(), "no schedule shows {flaw:?}");
    println!("{flaw:?} is seen in schedule {seed:?}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn a_port_that_is_published_before_it_is_verified_is_seen() {
    is_seen(Flaw::PublishesEarly, "was never in place");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn a_port_from_before_a_verified_change_is_seen() {
    is_seen(Flaw::BelievesOldLists, "is the old one");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_takes_what_is_somebody_else_s_is_seen() {
    is_seen(Flaw::TakesWhatIsOthers, "it writes what is somebody else's");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn a_slice_without_an_endpoint_is_seen() {
    is_seen(Flaw::EmptiesSlices, "a slice without an endpoint");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_endpoint_that_is_withdrawn_after_one_list_is_seen() {
    is_seen(Flaw::WithdrawsAtOnce, "it withdraws what");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_never_publishes_again_after_a_conflict_is_seen() {
    is_seen(Flaw::ForgetsAfterAConflict, "no rest");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn what_is_left_though_nobody_wishes_for_it_is_seen() {
    is_seen(Flaw::LeavesWhatIsWithdrawn, "is left");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_operator_that_hears_of_no_edits_is_seen() {
    is_seen(Flaw::HearsOfNoEdits, "was not put right");
}

/// What can't be published is tried again and again; the cloud is looked at all the same, and drift is put right.
#[tokio::test(start_paused = true)]
async fn whoever_publishes_in_vain_looks_at_the_cloud_as_often_as_others() {
    for for_want_of_a_right in [true, false] {
        for seed in 0..10 {
            let stage = Stage::set(seed).await;
            stage.refuse_publications(24 * 3600, for_want_of_a_right);
            stage.edit(|object| {
                let service = serde_json::json!({"name": "orders"});
                object.spec.service = serde_json::from_value(service).unwrap();
            });
            stage.pass(1200).await;
            stage.set_elsewhere(3399);
            stage.pass(1200).await;
            assert_eq!(stage.requests(), 1, "{seed}: {}", stage.told());
        }
    }
}

/// No look comes about in a story by itself.
const SELDOM: Duration = Duration::from_hours(24);

const RESTORED: &str = "taurus_publications_restored_total";

/// What this process has published is put back from memory.
#[tokio::test(start_paused = true)]
async fn a8_what_is_edited_or_deleted_is_put_right_within_seconds_and_costs_no_call_of_the_cloud() {
    let stage = Stage::set_publishing(1, SELDOM).await;
    let reads = stage.reads();
    stage.edit_slice(9999);
    stage.pass(10).await;
    assert_eq!(stage.slice_port(), Some(3306), "{}", stage.told());
    stage.delete_slice();
    stage.pass(10).await;
    assert_eq!(stage.slice_port(), Some(3306), "{}", stage.told());
    assert_eq!(stage.figure(RESTORED), Some(2));
    assert_eq!(stage.publication(), "Published");
    assert_eq!(stage.reads(), reads, "{}", stage.told());
}

#[tokio::test(start_paused = true)]
async fn a8_an_edit_war_is_damped_and_told_and_over_when_nobody_edits_any_more() {
    let stage = Stage::set_publishing(2, SELDOM).await;
    let reads = stage.reads();
    for _ in 0..600 {
        stage.edit_slice(9999);
        stage.pass(1).await;
    }
    assert_eq!(stage.publication(), "EditContested", "{}", stage.told());
    let restored = stage.figure(RESTORED).unwrap();
    assert!((6..=12).contains(&restored), "{restored}");
    assert!(stage.writes() < 40, "{}", stage.writes());
    // The last edit is put right when that was said.
    stage.pass(301).await;
    assert_eq!(stage.slice_port(), Some(3306));
    stage.pass(601).await;
    assert_eq!(stage.publication(), "Published", "{}", stage.told());
    stage.edit_slice(9999);
    stage.pass(10).await;
    assert_eq!(stage.slice_port(), Some(3306), "at once again");
    assert_eq!(stage.reads(), reads, "{}", stage.told());
}

/// Whoever is called for something else meanwhile looks at the cloud, whatever somebody edits.
#[tokio::test(start_paused = true)]
async fn a8_an_edit_war_holds_up_no_change_of_the_port() {
    let stage = Stage::set_publishing(3, SELDOM).await;
    for second in 0..300 {
        if second == 60 {
            stage.next_job(1_000, 20, true);
            stage.want(3307);
        }
        stage.edit_slice(9999);
        stage.pass(1).await;
    }
    assert!(stage.is_ready(), "{}", stage.told());
    assert_eq!((stage.port(), stage.requests()), (3307, 1));
    stage.pass(301).await;
    assert_eq!(stage.slice_port(), Some(3307));
}

/// Nobody looks at the cloud meanwhile, nor tells who waits that the name is free.
#[tokio::test(start_paused = true)]
async fn a_name_that_another_resource_lets_go_of_is_taken_within_a_minute() {
    let stage = Stage::set_publishing(4, SELDOM).await;
    stage.create_neighbour();
    stage.publish_of_neighbour("orders");
    stage.pass(300).await;
    assert_eq!(stage.publication(), "Published", "{}", stage.told());
    stage.edit(|object| object.spec.service = None);
    stage.pass(75).await;
    assert_eq!(stage.publication(), "", "it wishes for none");
    assert_eq!(stage.led_to("orders"), Some(3306), "{}", stage.told());
}

/// Who may make resources, and has seen no proxy, takes nobody's Service.
#[tokio::test(start_paused = true)]
async fn a_resource_that_sees_nothing_takes_no_service_from_one_for_a_proxy_of_the_same_id() {
    let stage = Stage::set_publishing(5, SELDOM).await;
    let before = stage.service("orders");
    assert_eq!(before.as_ref().map(|(port, _)| *port), Some(3306));
    stage.create_impostor("orders", 9999);
    for _ in 0..60 {
        stage.pass(5).await;
        assert_eq!(stage.service("orders"), before, "{}", stage.told());
    }
    assert_eq!(stage.publication(), "Published", "{}", stage.told());
}
