//! The time of a change: windows, freezes, plans and approvals, through the gate that each start passes.
//!
//! The world begins on a Friday at 08:00 UTC.

use serde_json::json;

use super::{
    cloud::{Course, DAWN, End, Fate, MODES, Mode, wall},
    process::CrashPoint,
    world::World,
};
use crate::{
    calendar::{self, Calendar},
    cloud::Meaning,
    crd::{APPLY_NOW, APPROVE, PlanRecord, WaitsFor},
    permits::limits::Limit,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The window of these tests begins at 10:00 and lasts two hours.
const OPENS: u64 = 2 * HOUR;

/// A resource may be looked at so much later than it asked for.
const SLACK: u64 = 5;

fn with_window(world: &mut World) {
    world.edit(|spec| {
        spec["maintenanceWindows"] = json!([{"start": "10:00", "duration": "2h"}]);
    });
    world.run(1);
}

fn calendar(text: &str) -> Calendar {
    calendar::file::parse(text).unwrap()
}

fn freeze(from: &str, until: &str) -> Calendar {
    calendar(&format!(
        "freezes: [{{from: {from}, until: {until}, reason: year-end}}]"
    ))
}

fn plan(world: &World) -> PlanRecord {
    let plan = world.said().plan.clone();
    plan.unwrap_or_else(|| panic!("no plan: {}", world.message("Ready")))
}

fn waits_for(world: &World) -> Vec<WaitsFor> {
    plan(world).waits_for
}

fn needs_approval(world: &mut World) {
    needs_approval_of(world, 3307);
}

fn needs_approval_of(world: &mut World, port: u16) {
    world.edit(|spec| spec["approval"] = "Manual".into());
    world.want(port);
    world.run(1);
    assert_eq!(world.reason(), "WaitingForApproval");
}

fn approve(world: &mut World) {
    let id = plan(world).id;
    world.annotate(APPROVE, &id);
    world.run(1);
}

/// What happens to a world.
type Act = fn(&mut World);

/// A way in which a change comes to be due, from a world that is settled at 3306.
struct Way {
    name: &'static str,
    /// What happens while changes may start at any time.
    before: Act,
    /// What happens when they may not.
    then: Act,
}

fn ways() -> [Way; 9] {
    let nothing: Act = |_| {};
    let fails: Act = |world| {
        world.takes(MINUTE, End::Fails);
        world.want(3307);
        world.run(MINUTE + 20);
        assert_eq!((world.reason().as_str(), world.puts()), ("BackingOff", 1));
    };
    let gives_up: Act = |world| {
        for _ in 0..4 {
            world.takes(MINUTE, End::Fails);
        }
        world.want(3307);
        world.run(40 * MINUTE);
        assert_eq!((world.reason().as_str(), world.puts()), ("JobFailed", 4));
    };
    let is_at_work: Act = |world| {
        world.takes(5 * MINUTE, End::Moves);
        world.want(3308);
        world.run(MINUTE);
        assert_eq!((world.reason().as_str(), world.puts()), ("JobRunning", 1));
    };
    let way = |name, before, then| Way { name, before, then };
    [
        way("first attempt", nothing, |world| world.want(3307)),
        way("retry", fails, nothing),
        way("drift", nothing, |world| {
            world.sky.state().drift(3310);
            world.run(20 * MINUTE);
        }),
        way("take-over", nothing, |world| {
            world.cluster.owned_until = world.now() + 120;
            world.want(3307);
        }),
        way("edit with a request", nothing, |world| {
            world.want(3307);
            world.request("now");
        }),
        way("request after all attempts", gives_up, |world| {
            world.request("now");
        }),
        way("successor", nothing, |world| {
            world.recreate("uid-2", true);
            world.want(3307);
        }),
        way("successor of one that was at work", is_at_work, |world| {
            world.recreate("uid-2", false);
            world.want(3307);
        }),
        way("restart", nothing, |world| {
            world.crash();
            world.want(3307);
        }),
    ]
}

#[test]
fn nothing_starts_outside_a_window_by_whichever_way_and_everything_does_inside() {
    for mode in MODES {
        for Way {
            name: way,
            before,
            then,
        } in ways()
        {
            let mut world = World::settled(mode, 3306);
            before(&mut world);
            let puts = world.puts();
            with_window(&mut world);
            then(&mut world);
            world.run(OPENS - 1 - world.now());
            assert_eq!(world.reason(), "WaitingForWindow", "{way}");
            assert_eq!(world.puts(), puts, "{way}");
            let told = world.message("Ready");
            assert!(
                told.ends_with("; the change starts at 2027-01-15T10:00:00Z at the earliest"),
                "{told}"
            );
            world.run(1 + SLACK);
            assert_eq!(world.puts(), puts + 1, "{way}: {}", world.message("Ready"));
            world.run(10 * MINUTE);
            assert!(world.is_ready() && world.said().plan.is_none(), "{way}");
        }
    }
}

#[test]
fn nothing_starts_in_a_freeze_by_whichever_way_and_a_person_cannot_hurry_it() {
    for Way {
        name: way,
        before,
        then,
    } in ways()
    {
        let mut world = World::settled(Mode::Hidden, 3306);
        before(&mut world);
        let puts = world.puts();
        world.cluster.calendar = freeze("2027-01-15T08:00:00Z", "2027-01-15T10:00:00Z");
        then(&mut world);
        world.run(OPENS - MINUTE - world.now());
        assert_eq!(world.reason(), "ChangeFreeze", "{way}");
        assert!(world.message("Ready").contains("(year-end)"), "{way}");
        let id = plan(&world).id;
        world.annotate(APPLY_NOW, &id);
        world.run(MINUTE - 1);
        assert_eq!(
            (world.reason().as_str(), world.puts()),
            ("ChangeFreeze", puts),
            "{way}"
        );
        world.run(1 + SLACK);
        assert_eq!(world.puts(), puts + 1, "{way}");
    }
}

#[test]
fn a_retry_waits_for_the_next_window_and_a_change_at_work_is_followed_beyond_its_own() {
    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    world.run(OPENS + 110 * MINUTE - world.now() - 5);
    world.takes(30 * MINUTE, End::Fails);
    world.want(3307);
    world.run(10);
    assert_eq!((world.reason().as_str(), world.puts()), ("JobRunning", 1));
    world.run(20 * MINUTE);
    assert_eq!(world.reason(), "JobRunning", "the window is closed");
    world.run(2 * HOUR);
    assert_eq!(
        (world.reason().as_str(), world.puts()),
        ("WaitingForWindow", 1)
    );
    world.run(OPENS + DAY + 30 - world.now());
    assert_eq!(world.puts(), 2, "{}", world.message("Ready"));
}

#[test]
fn a_change_starts_only_where_ten_minutes_are_left() {
    for (left, puts) in [(10 * MINUTE + 2, 1), (10 * MINUTE - 1, 0)] {
        let mut world = World::settled(Mode::Hidden, 3306);
        with_window(&mut world);
        world.run(OPENS + 2 * HOUR - left - world.now());
        world.want(3307);
        world.run(2);
        assert_eq!(world.puts(), puts, "{left}");
    }
}

#[test]
fn whoever_waits_for_a_day_is_written_once() {
    let weekly: Act = |world| {
        world.edit(|spec| {
            let window = json!([{"days": ["Sun"], "start": "10:00", "duration": "2h"}]);
            spec["maintenanceWindows"] = window;
        });
    };
    let frozen: Act =
        |world| world.cluster.calendar = freeze("2027-01-15T00:00:00Z", "2027-01-25T00:00:00Z");
    let manual: Act = |world| world.edit(|spec| spec["approval"] = "Manual".into());
    for (setting, waits) in [
        (weekly, WaitsFor::Window),
        (frozen, WaitsFor::Freeze),
        (manual, WaitsFor::Approval),
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        setting(&mut world);
        world.want(3307);
        world.run(1);
        assert_eq!(waits_for(&world), [waits]);
        let (writes, plan) = (world.cluster.writes, plan(&world));
        world.run(DAY);
        assert_eq!(world.cluster.writes, writes, "{waits:?}");
        world.crash();
        world.run(DAY / 4);
        assert_eq!(world.said().plan.as_ref(), Some(&plan));
        assert_eq!(world.cluster.writes, writes, "a restart says nothing new");
    }
}

#[test]
fn an_approval_that_is_waited_for_is_written_again_only_where_its_window_opens_and_closes() {
    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    needs_approval(&mut world);
    let (writes, id) = (world.cluster.writes, plan(&world).id);
    for day in 1..=3 {
        world.run(DAY);
        // `notBefore` goes when the window opens, and is the next opening when it has become too short.
        assert_eq!(world.cluster.writes, writes + 2 * day, "day {day}");
        assert_eq!(plan(&world).id, id);
    }
}

#[test]
fn a_resource_that_says_nothing_about_time_has_no_plan() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.cluster.calendar = calendar(
        "freezes: [{from: 2027-01-15T00:00:00Z, until: 2027-01-16T00:00:00Z, reason: stop, namespaces: [web]}]",
    );
    world.cluster.limit = Some((
        HOUR,
        Limit::Concurrent {
            most: 5,
            deleted: 0,
        },
    ));
    world.want(3307);
    world.run(30);
    assert_eq!(
        (world.reason().as_str(), &world.said().plan),
        ("WaitingForBudget", &None)
    );
}

#[test]
fn a_plan_tells_of_a_limit_and_of_another_change_of_the_instance_that_hold_it_in_its_window() {
    let limited: Act = |world| {
        let (most, deleted) = (5, 0);
        let limit = Limit::Concurrent { most, deleted };
        world.cluster.limit = Some((world.now() + HOUR, limit));
    };
    let halted: Act = |world| {
        let limit = Limit::Halted {
            failed: 3,
            own: vec!["orders".to_owned()],
            until: wall(world.now() + HOUR),
        };
        world.cluster.limit = Some((world.now() + HOUR, limit));
    };
    let taken: Act = |world| world.cluster.orphan_until = world.now() + HOUR;
    for (holds, reason, waits) in [
        (limited, "WaitingForBudget", WaitsFor::Budget),
        (halted, "RolloutHalted", WaitsFor::Budget),
        (taken, "WaitingForInstance", WaitsFor::Instance),
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.cluster.calendar = calendar("windows: [{start: '08:00', duration: 3h}]");
        holds(&mut world);
        world.want(3307);
        world.run(1);
        assert_eq!(world.reason(), reason);
        assert_eq!(waits_for(&world), [waits], "{reason}");
        assert_eq!((plan(&world).not_before, world.puts()), (None, 0));
        world.run(HOUR + 10 * MINUTE);
        assert_eq!(world.puts(), 1, "{reason}");
        assert!(world.is_ready() && world.said().plan.is_none(), "{reason}");
    }
}

#[test]
fn windows_that_are_all_too_short_are_told_as_such() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| {
        spec["maintenanceWindows"] = json!([{"start": "10:00", "duration": "30m"}]);
    });
    world.cluster.takes = Some(31 * MINUTE);
    world.edit(|spec| spec["changeTimeout"] = "1h".into());
    world.want(3307);
    world.run(DAY);
    let told = world.message("Ready");
    assert!(
        told.contains("may take 31 min") && told.ends_with("entry of at least 33 min"),
        "{told}"
    );
    assert_eq!((plan(&world).not_before, world.puts()), (None, 0));
    // What a resource does not allow is not expected of its changes either.
    world.edit(|spec| spec["changeTimeout"] = "20m".into());
    world.run(DAY);
    assert_eq!(world.puts(), 1);
}

#[test]
fn a_plan_starts_once_it_is_approved_by_annotation_or_spec_and_not_before() {
    for by_spec in [false, true] {
        let mut world = World::settled(Mode::Hidden, 3306);
        needs_approval(&mut world);
        world.run(DAY);
        assert_eq!(
            (waits_for(&world), world.puts()),
            (vec![WaitsFor::Approval], 0)
        );
        let plan = plan(&world);
        assert_eq!(
            (plan.from_port, plan.to_port, plan.not_before),
            (3306, 3307, None)
        );
        assert!(world.message("Ready").contains(&plan.id));
        if by_spec {
            world.edit(|spec| spec["approvedPlan"] = plan.id.clone().into());
        } else {
            world.annotate(APPROVE, &plan.id);
        }
        world.run(2);
        assert_eq!((world.puts(), &world.said().plan), (1, &None));
        world.run(10 * MINUTE);
        assert!(world.is_ready());
    }
}

#[test]
fn an_approved_plan_still_waits_for_its_window_and_keeps_its_approval() {
    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    needs_approval(&mut world);
    assert_eq!(waits_for(&world), [WaitsFor::Window, WaitsFor::Approval]);
    approve(&mut world);
    assert_eq!(world.reason(), "WaitingForWindow");
    assert_eq!(waits_for(&world), [WaitsFor::Window]);
    world.crash();
    world.run(OPENS - 1 - world.now());
    assert_eq!(world.puts(), 0);
    world.run(1 + SLACK);
    assert_eq!(world.puts(), 1, "also after a restart");
}

#[test]
fn an_approval_is_used_once_and_the_next_attempt_is_another_plan() {
    for fate in [None, Some(Fate::Lost(None))] {
        let mut world = World::settled(Mode::Hidden, 3306);
        match fate {
            Some(fate) => world.sky.state().fates.push_back(fate),
            None => world.takes(40, End::Fails),
        }
        needs_approval(&mut world);
        let first = plan(&world).id;
        approve(&mut world);
        world.run(HOUR);
        let sent = world.puts();
        assert_eq!(world.reason(), "WaitingForApproval", "{fate:?}");
        assert_ne!(plan(&world).id, first, "{fate:?}");
        world.run(DAY);
        assert_eq!(world.puts(), sent, "{fate:?}");
        approve(&mut world);
        world.run(HOUR);
        assert_eq!((world.puts(), world.port()), (sent + 1, 3307), "{fate:?}");
    }
}

#[test]
fn a_refusal_that_changes_nothing_leaves_the_approval_as_it_is() {
    for meaning in [Meaning::Busy, Meaning::Throttled, Meaning::Denied] {
        let mut world = World::settled(Mode::Hidden, 3306);
        for _ in 0..3 {
            let refused = Fate::Refused(meaning);
            world.sky.state().fates.push_back(refused);
        }
        needs_approval(&mut world);
        let first = plan(&world).id;
        approve(&mut world);
        world.run(2);
        assert_eq!(
            (world.puts(), plan(&world).id),
            (1, first.clone()),
            "{meaning:?}"
        );
        assert_ne!(world.reason(), "WaitingForApproval", "{meaning:?}");
        world.crash();
        world.run(6 * HOUR);
        assert_eq!((world.puts(), world.port()), (4, 3307), "{meaning:?}");
        let plans = world.cluster.starts.iter().map(|start| start.plan.clone());
        assert!(
            plans.eq([(); 4].map(|()| Some(first.clone()))),
            "{meaning:?}"
        );
    }
    // A port that the cloud refuses needs another wish, and that is another plan.
    let mut world = World::settled(Mode::Hidden, 3306);
    let refused = Fate::Refused(Meaning::Rejected);
    world.sky.state().fates.push_back(refused);
    needs_approval(&mut world);
    approve(&mut world);
    world.run(HOUR);
    assert_eq!((world.reason().as_str(), world.puts()), ("PortRejected", 1));
    assert_eq!(world.said().plan, None);
}

#[test]
fn a_crash_around_the_intent_uses_no_approval_twice() {
    for point in [
        CrashPoint::BeforeIntent,
        CrashPoint::AfterIntent,
        CrashPoint::AfterRequest,
        CrashPoint::AfterJob,
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.sky.state().usual = Course {
            visible_after: 3,
            takes: 40,
            end: End::Fails,
        };
        needs_approval(&mut world);
        world.crew[0].crash = Some(point);
        approve(&mut world);
        world.run(DAY);
        assert_eq!(world.reason(), "WaitingForApproval", "{point:?}");
        let most = usize::from(point != CrashPoint::AfterIntent);
        assert_eq!(world.puts(), most, "{point:?}");
    }
}

#[test]
fn what_keeps_a_plan_from_starting_is_told_with_it() {
    let warnings = |world: &World| plan(world).warnings;
    let mut world = World::settled(Mode::Hidden, 3306);
    needs_approval(&mut world);
    assert!(warnings(&world).is_empty());
    world.annotate(APPROVE, "0123456789abcdef");
    world.annotate(APPLY_NOW, "fedcba9876543210");
    world.run(1);
    let told = warnings(&world);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("approves plan 0123456789abcdef, not this one"),
        "{told:?}"
    );
    assert!(
        told[1].contains("names plan fedcba9876543210, not this one"),
        "{told:?}"
    );
    let id = plan(&world).id;
    world.annotate(APPLY_NOW, &id);
    world.edit(|spec| spec["approvedPlan"] = "0123456789abcdef".into());
    world.run(1);
    let told = warnings(&world);
    assert!(
        told[1].starts_with("spec.approvedPlan approves plan 0123456789abcdef"),
        "{told:?}"
    );
    assert!(
        told[2].contains("does not replace the approval"),
        "{told:?}"
    );

    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| {
        spec["maintenanceWindows"] = json!([{"start": "10:00", "duration": "30m"}]);
    });
    for (takes, told) in [
        (10, None),
        (
            29,
            Some("set duration to at least 31 min (29 min for a change, plus 2 min)"),
        ),
        (31, Some("can't start inside windows: it may take 31 min")),
    ] {
        world.cluster.takes = Some(takes * MINUTE);
        world.edit(|spec| spec["changeTimeout"] = format!("{}m", 40 + takes).into());
        world.want(3307);
        world.run(1);
        let warnings = warnings(&world);
        assert_eq!(!warnings.is_empty(), told.is_some(), "{warnings:?}");
        assert!(
            told.is_none_or(|told| warnings[0].contains(told)),
            "{warnings:?}"
        );
    }

    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    world.cluster.calendar = freeze("2027-01-15T09:00:00Z", "2027-01-16T11:00:00Z");
    world.want(3307);
    world.run(1);
    let told = warnings(&world);
    assert!(
        told[0].contains("freeze (year-end) until 2027-01-16T11:00:00Z"),
        "{told:?}"
    );
    let writes = world.cluster.writes;
    world.run(HOUR - 10);
    assert_eq!(world.cluster.writes, writes, "said once");
    let id = plan(&world).id;
    world.run(HOUR);
    world.annotate(APPLY_NOW, &id);
    world.run(1);
    let told = warnings(&world);
    assert!(
        told.iter()
            .any(|told| told.contains("start this plan now: freeze (year-end) from 2027-01-15")),
        "{told:?}"
    );

    let mut world = World::settled(Mode::Hidden, 3306);
    needs_approval(&mut world);
    world.want(33060);
    world.run(1);
    let told = warnings(&world);
    assert!(told[0].contains("port 33060"), "{told:?}");
}

#[test]
fn the_window_of_an_instance_is_one_more_and_nothing_starts_while_it_is_the_only_one_and_not_known()
{
    let follow = |world: &mut World| world.edit(|spec| spec["instanceWindow"] = "Follow".into());
    let window = |text| calendar::Window::of_instance(text).unwrap();
    let mut world = World::settled(Mode::Hidden, 3306);
    follow(&mut world);
    // The windows of the calendar are for those who state none.
    world.cluster.calendar = calendar("windows: [{start: '08:00', duration: 3h}]");
    world.want(3307);
    world.run(MINUTE);
    assert_eq!(
        (world.reason().as_str(), world.puts()),
        ("WaitingForWindow", 0)
    );
    assert!(
        world
            .message("Ready")
            .contains("the instance's maintenance window is not known")
    );
    assert_eq!(
        (waits_for(&world), plan(&world).not_before),
        (vec![WaitsFor::Window], None)
    );
    world.cluster.instance_window = Some(Err("denied".into()));
    let writes = world.cluster.writes;
    world.run(20 * MINUTE);
    assert_eq!((world.cluster.writes, world.puts()), (writes, 0));
    world.cluster.instance_window = Some(Ok(window("10:00-12:00")));
    world.run(OPENS - 1 - world.now());
    assert_eq!(world.puts(), 0);
    assert!(
        world
            .message("Ready")
            .ends_with("; the change starts at 2027-01-15T10:00:00Z at the earliest")
    );
    world.run(1 + SLACK);
    assert_eq!(world.puts(), 1);

    // Beside one that is known, an unknown one holds up nothing; and a person can do without.
    for now in [false, true] {
        let mut world = World::settled(Mode::Hidden, 3306);
        follow(&mut world);
        if !now {
            with_window(&mut world);
        }
        world.want(3307);
        world.run(1);
        if now {
            let id = plan(&world).id;
            world.annotate(APPLY_NOW, &id);
            world.run(MINUTE);
        } else {
            assert_eq!(world.puts(), 0);
            world.run(OPENS + SLACK - world.now());
        }
        assert_eq!(world.puts(), 1, "{now}");
    }
}

#[test]
fn a_window_that_is_hardly_longer_than_a_change_is_caught() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| {
        spec["maintenanceWindows"] = json!([{"start": "10:00", "duration": "30m"}]);
        spec["changeTimeout"] = "1h".into();
    });
    world.cluster.takes = Some(30 * MINUTE - 2 * SLACK);
    world.want(3307);
    world.run(OPENS + SLACK - world.now());
    assert_eq!(world.puts(), 1, "{}", world.message("Ready"));
}

#[test]
fn nobody_knows_the_id_of_a_plan_before_it_is_there() {
    // All that people can know beforehand is the same; chance is not.
    let made = |versions: u64| {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.cluster.version += versions;
        needs_approval(&mut world);
        plan(&world)
    };
    let [one, other] = [0, 1].map(made);
    assert_eq!(one.made_at, other.made_at);
    assert_ne!(one.id, other.id);
}

#[test]
fn an_approved_plan_outlives_a_list_that_falls_back() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.want(3307);
    world.run(2);
    world.run_until(10 * MINUTE, World::is_ready).unwrap();
    let lag = world.sky.state().lag;
    with_window(&mut world);
    needs_approval_of(&mut world, 3308);
    approve(&mut world);
    let id = plan(&world).id;
    world.sky.state().lag = 100;
    world.request("look");
    world
        .run_until(90, |world| world.reason() == "CloudListsLag")
        .unwrap();
    assert_eq!(plan(&world).id, id);
    world.sky.state().lag = lag;
    world.run(10 * MINUTE);
    assert_eq!(
        (world.reason().as_str(), plan(&world).id),
        ("WaitingForWindow", id)
    );
}

#[test]
fn a_freeze_that_takes_every_window_away_is_named() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.cluster.calendar = freeze("2027-01-15T09:00:00Z", "2099-01-01T00:00:00Z");
    with_window(&mut world);
    world.want(3307);
    world.run(1);
    assert_eq!(world.reason(), "WaitingForWindow");
    let told = world.message("Ready");
    assert!(
        told.contains(
            "is free of freezes; the last freeze (year-end) lasts until 2099-01-01T00:00:00Z"
        ),
        "{told}"
    );
    assert_eq!(waits_for(&world), [WaitsFor::Window]);
}

#[test]
fn a_plan_is_void_as_soon_as_something_of_it_moves() {
    let moves: [(&str, Act); 5] = [
        ("port", |world| world.want(3308)),
        ("generation", |world| {
            world.edit(|spec| spec["changeTimeout"] = "1h".into());
        }),
        ("drift", |world| {
            world.sky.state().drift(3310);
            world.run(20 * MINUTE);
        }),
        ("drift and back", |world| {
            world.sky.state().drift(3310);
            world.run(20 * MINUTE);
            world.sky.state().drift(3306);
            world.run(20 * MINUTE);
        }),
        ("resource", |world| {
            world.recreate("uid-2", true);
            world.run(HOUR);
        }),
    ];
    for (what, moves) in moves {
        let mut world = World::settled(Mode::Hidden, 3306);
        needs_approval(&mut world);
        let before = plan(&world).id;
        moves(&mut world);
        world.run(1);
        assert_ne!(plan(&world).id, before, "{what}");
        world.annotate(APPROVE, &before);
        world.run(DAY);
        assert_eq!(
            (world.reason().as_str(), world.puts()),
            ("WaitingForApproval", 0),
            "{what}"
        );
    }
}

#[test]
fn a_status_that_is_restored_brings_no_used_approval_back() {
    let mut world = World::settled(Mode::Hidden, 3306);
    needs_approval(&mut world);
    let backup = world.status().cloned();
    approve(&mut world);
    world.run(10 * MINUTE);
    assert!(world.is_ready() && world.puts() == 1);
    world.sky.state().drift(3306);
    world.tamper(backup);
    world.run(DAY);
    assert_eq!(
        (world.reason().as_str(), world.puts()),
        ("WaitingForApproval", 1)
    );
}

#[test]
fn a_plan_that_is_wanted_now_starts_outside_its_window_and_no_other_one_does() {
    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    world.takes(40, End::Fails);
    world.want(3307);
    world.run(1);
    world.annotate(APPLY_NOW, "0123456789abcdef");
    world.run(MINUTE);
    assert_eq!(world.puts(), 0);
    let id = plan(&world).id;
    world.annotate(APPLY_NOW, &id);
    world.run(30 * MINUTE);
    assert_eq!(world.puts(), 1);
    assert_eq!(
        world.reason(),
        "WaitingForWindow",
        "the retry is another plan"
    );
    // It hurries nothing that waits for an approval.
    let mut world = World::settled(Mode::Hidden, 3306);
    with_window(&mut world);
    needs_approval(&mut world);
    let id = plan(&world).id;
    world.annotate(APPLY_NOW, &id);
    world.run(MINUTE);
    assert_eq!(
        (world.reason().as_str(), world.puts()),
        ("WaitingForApproval", 0)
    );
    approve(&mut world);
    world.run(2);
    assert_eq!(world.puts(), 1);
}

#[test]
fn whatever_happens_each_request_leaves_at_a_permitted_moment() {
    let calendar = calendar(
        "windows: [{start: '09:00', duration: 45m}, {start: '13:00', duration: 1h}]\n\
         freezes: [{from: 2027-01-15T13:00:00Z, until: 2027-01-16T09:20:00Z, reason: stop}]",
    );
    let hours = calendar.hours("shop", &[]);
    for mode in MODES {
        let mut world = World::settled(mode, 3306);
        world.cluster.calendar = calendar.clone();
        for step in 0..200_u64 {
            match step % 7 {
                0 => world.want(if step % 2 == 0 { 3307 } else { 3308 }),
                2 => world.sky.state().drift(3310),
                3 => world.takes(40, End::Fails),
                4 => world.crash(),
                5 => world.request(&step.to_string()),
                _ => world.sky.state().fates.push_back(Fate::Lost(Some(5))),
            }
            world.run(17 * MINUTE + step * 7);
        }
        let puts = world.sky.state().puts.clone();
        assert!(puts.len() > 3, "{puts:?}");
        for put in puts {
            let at = jiff::Timestamp::from_second(DAWN + i64::try_from(put).unwrap()).unwrap();
            let takes = super::super::timing::WITHOUT_EXPERIENCE;
            assert_eq!(hours.next(at, takes), Some(at), "{mode:?}");
        }
    }
}
