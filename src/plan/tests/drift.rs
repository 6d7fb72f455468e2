//! Drift and its damping, requests, and what the policies allow.

use serde_json::Value;

use super::{
    cloud::{Course, End, Fate, Mode},
    world::{World, about_to_change},
};
use crate::{cloud::Meaning, crd::Trigger};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Somebody sets the port, over and over, as soon as it was put right.
fn contest(world: &mut World, times: usize) {
    for _ in 0..times {
        let put_right = world.run_until(HOUR, |world| world.is_ready() && world.port() == 3306);
        assert!(put_right.is_some(), "{}", world.reason());
        world.run(5);
        world.sky.state().drift(3310);
        // Whatever makes the process look shows it the drift.
        world.annotate("example.com/touched", &world.now().to_string());
        world.run(1);
        assert!(!world.is_ready());
    }
}

#[test]
fn drift_is_put_right_once() {
    for mut world in about_to_change() {
        world.run(HOUR);
        world.sky.state().drift(3310);
        world.run(HOUR);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.port()), (2, 3307));
        assert_eq!(world.said().corrections.as_ref().unwrap().times.len(), 1);
        let history: Vec<(i32, i32, Trigger)> = world
            .said()
            .history
            .iter()
            .map(|entry| (entry.from_port, entry.to_port, entry.trigger))
            .collect();
        assert_eq!(
            history,
            [(3310, 3307, Trigger::Drift), (3306, 3307, Trigger::Edit)]
        );
    }
}

#[test]
fn corrections_are_damped_and_the_fourth_of_a_day_is_not_made() {
    let mut world = World::settled(Mode::Hidden, 3306);
    contest(&mut world, 2);
    assert_eq!(world.condition("Reconciling"), "True/CloudListsLag");
    world.run(2 * MINUTE);
    assert_eq!(world.condition("Reconciling"), "True/BackingOff");
    assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
    contest(&mut world, 2);
    world.run(2 * MINUTE);
    assert_eq!(world.condition("Stalled"), "True/DriftContested");
    assert_eq!(world.puts(), 3);
    let puts = world.sky.state().puts.clone();
    assert!(puts[1] - puts[0] >= 10 * MINUTE && puts[1] - puts[0] < 13 * MINUTE);
    assert!(puts[2] - puts[1] >= 30 * MINUTE && puts[2] - puts[1] < 33 * MINUTE);
    let day = puts[0] + 24 * HOUR;
    let quiet = world
        .run_until(25 * HOUR, |world| world.puts() == 4)
        .unwrap();
    assert!(quiet > 22 * HOUR && world.now() >= day, "the day is over");
}

#[test]
fn corrections_count_on_where_a_person_asks_for_looks_meanwhile() {
    let mut world = World::settled(Mode::Hidden, 3306);
    for look in 0..3 {
        contest(&mut world, 1);
        world.request(&format!("look {look}"));
        world.run(HOUR);
    }
    contest(&mut world, 1);
    world.run(HOUR);
    assert_eq!(
        (world.puts(), world.reason()),
        (3, "DriftContested".to_owned())
    );
}

#[test]
fn contested_drift_is_lifted_by_a_request_once() {
    let mut world = World::settled(Mode::Hidden, 3306);
    contest(&mut world, 4);
    world.request("now");
    world.run(5 * MINUTE);
    assert!(world.is_ready() && world.puts() == 4);
    assert_eq!(world.said().last_handled_request.as_deref(), Some("now"));
    let writes = world.cluster.writes;
    world.request("now");
    world.run(HOUR);
    assert_eq!(world.cluster.writes, writes);
}

#[test]
fn contested_drift_is_over_when_another_port_is_wanted() {
    let mut world = World::settled(Mode::Hidden, 3306);
    contest(&mut world, 4);
    world.want(3311);
    world.run(5 * MINUTE);
    assert!(world.is_ready() && world.port() == 3311);
    assert_eq!(world.said().corrections, None);
}

#[test]
fn a_port_that_comes_back_by_itself_needs_no_correction() {
    for mut world in about_to_change() {
        world.run(HOUR);
        world.sky.state().foreign_until = world.now() + 2 * HOUR;
        world.sky.state().drift(3310);
        world.run(HOUR);
        assert_eq!(world.reason(), "ProxyBusy");
        world.sky.state().drift(3307);
        world.run(HOUR);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn apply_on_change_applies_a_new_wish_and_leaves_drift_alone() {
    for mut world in about_to_change() {
        world.edit(|spec| spec["managementPolicy"] = "ApplyOnChange".into());
        world.run(HOUR);
        assert!(world.is_ready() && world.puts() == 1);
        world.sky.state().drift(3310);
        world.run(HOUR);
        assert_eq!(world.condition("Stalled"), "True/DriftDetected");
        assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
        world.request("again");
        world.edit(|spec| spec["changeTimeout"] = "40m".into());
        world.run(HOUR);
        assert_eq!(world.puts(), 1);
        world.want(3308);
        world.run(HOUR);
        assert!(world.is_ready() && world.puts() == 2);
    }
}

#[test]
fn apply_on_change_leaves_drift_alone_also_after_a_restore() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| spec["managementPolicy"] = "ApplyOnChange".into());
    world.run(1);
    world.sky.state().drift(3310);
    world.recreate("uid-2", true);
    world.run(HOUR);
    assert_eq!(world.condition("Stalled"), "True/DriftDetected");
    assert_eq!(world.puts(), 0);
}

#[test]
fn observe_never_sends_anything_and_says_what_would_be_done() {
    for mut world in about_to_change() {
        world.edit(|spec| spec["managementPolicy"] = "Observe".into());
        world.run(HOUR);
        assert_eq!(world.condition("Ready"), "True/Observed");
        assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
        let mut conditions = world.said().conditions.iter();
        let ready = conditions.find(|condition| condition.type_ == "Ready");
        assert!(ready.unwrap().message.contains("so port 3307 is not set"));
        assert_eq!(world.puts(), 0);
    }
}

#[test]
fn observed_is_not_kept_where_another_policy_came_while_the_cloud_failed() {
    for mut world in about_to_change() {
        world.edit(|spec| spec["managementPolicy"] = "Observe".into());
        world.run(MINUTE);
        world.sky.state().reads_fail = Some((HOUR, Meaning::Transient));
        world.edit(|spec| spec["managementPolicy"] = "Enforce".into());
        world.run(1);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        world.run(2 * HOUR);
        assert!(world.is_ready() && world.puts() == 1);
    }
}

#[test]
fn a_change_in_flight_is_followed_whatever_policy_comes() {
    let edits = [
        ("managementPolicy", Value::from("Observe")),
        ("suspend", true.into()),
    ];
    for (field, value) in edits {
        for mut world in about_to_change() {
            world.run(5);
            world.edit(|spec| spec[field] = value.clone());
            world.run(100);
            assert!(world.is_ready());
            assert_eq!((world.puts(), world.said().port), (1, Some(3307)));
        }
    }
}

#[test]
fn suspended_and_in_sync_is_ready_and_otherwise_suspended_with_nothing_sent() {
    for mut world in about_to_change() {
        world.edit(|spec| spec["suspend"] = true.into());
        world.run(HOUR);
        assert_eq!(world.condition("Reconciling"), "True/Suspended");
        assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
        world.request("do it");
        world.run(HOUR);
        assert_eq!(world.puts(), 0, "a request bypasses nothing");
        world.sky.state().drift(3307);
        world.run(HOUR);
        assert!(world.is_ready());
    }
}

#[test]
fn a_request_lifts_what_the_cloud_refused_but_not_its_call_to_wait() {
    let table = [
        (Meaning::Blocked, 2),
        (Meaning::Denied, 2),
        (Meaning::Throttled, 1),
    ];
    for (meaning, puts) in table {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.sky.state().fates.push_back(Fate::Refused(meaning));
        world.want(3307);
        world.run(2);
        world.request("storage was freed");
        world.run(1);
        assert_eq!(world.puts(), puts, "{meaning:?}");
    }
}

#[test]
fn a_request_is_answered_once_the_proxy_was_read() {
    let handled = |world: &World| world.said().last_handled_request.clone();
    for meaning in [
        Meaning::Transient,
        Meaning::Throttled,
        Meaning::Malformed,
        Meaning::Denied,
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        let until = world.now() + HOUR;
        world.sky.state().reads_fail = Some((until, meaning));
        world.request("look");
        world.run(50 * MINUTE);
        assert_eq!(handled(&world), None, "{meaning:?}");
        world.run(HOUR);
        assert_eq!(handled(&world).as_deref(), Some("look"), "{meaning:?}");
    }
    let mut world = World::settled(Mode::Hidden, 3306);
    world.sky.state().port_unreadable = true;
    world.request("look");
    world.run(50 * MINUTE);
    assert_eq!(handled(&world), None);
    let mut world = World::settled(Mode::Hidden, 3306);
    let until = world.now() + HOUR;
    world.sky.state().gone_until = until;
    world.request("look");
    world.run(50 * MINUTE);
    assert_eq!(world.condition("Stalled"), "True/ProxyNotFound");
    assert_eq!(handled(&world), None);
    world.run(HOUR);
    assert_eq!(handled(&world).as_deref(), Some("look"));
}

#[test]
fn a_request_during_a_change_is_answered_by_a_poll_or_a_list_and_not_by_one_that_failed() {
    for mut world in about_to_change() {
        world.run(5);
        let until = world.now() + HOUR;
        world.sky.state().reads_fail = Some((until, Meaning::Transient));
        world.request("look");
        world.run(10 * MINUTE);
        assert_eq!(world.said().last_handled_request, None);
        world.run(2 * HOUR);
        let handled = world.said().last_handled_request.clone();
        assert_eq!(handled.as_deref(), Some("look"));
    }
}

#[test]
fn corrections_that_fail_are_limited_like_any_attempt() {
    for mut world in about_to_change() {
        world.run(HOUR);
        world.sky.state().usual = Course {
            visible_after: 3,
            takes: 40,
            end: End::Fails,
        };
        world.sky.state().drift(3310);
        world.run(24 * HOUR);
        assert_eq!((world.puts(), world.reason()), (5, "JobFailed".to_owned()));
    }
}
