//! What a status says is true at the time at which it stands there, and names what it is about.

use super::{
    cloud::{End, Mode, wall},
    world::{World, about_to_change},
};
use crate::{
    calendar::{self, Calendar},
    crd::WaitsFor,
    model::Reason,
    permits::limits::Limit,
    plan::facts::Trouble,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// A resource may be looked at so much later than it asked for.
const SLACK: u64 = 5;

fn freeze(from: &str, until: &str) -> Calendar {
    let text = format!(
        "freezes: [{{from: 2027-01-15T{from}:00Z, until: 2027-01-15T{until}:00Z, reason: sale}}]"
    );
    calendar::file::parse(&text).unwrap()
}

fn waits_for(world: &World) -> Vec<WaitsFor> {
    let plan = world.said().plan.as_ref();
    plan.expect("a plan waits").waits_for.clone()
}

fn window_at_ten(world: &mut World) {
    world.edit(|spec| {
        spec["maintenanceWindows"] = serde_json::json!([{"start": "10:00", "duration": "2h"}]);
    });
    world.run(1);
}

#[test]
fn a_freeze_that_is_over_is_no_longer_the_reason_though_the_window_is_still_closed() {
    for approval in ["Automatic", "Manual"] {
        let mut world = World::settled(Mode::Hidden, 3306);
        window_at_ten(&mut world);
        world.edit(|spec| spec["approval"] = approval.into());
        world.cluster.calendar = freeze("08:00", "09:07");
        world.run(HOUR - world.now());
        world.want(3307);
        world.run(1);
        assert_eq!(waits_for(&world).first(), Some(&WaitsFor::Freeze));
        if approval == "Automatic" {
            assert_eq!(world.reason(), "ChangeFreeze");
            let text = world.message("Ready");
            assert!(
                text.contains("from 2027-01-15T08:00:00Z until 2027-01-15T09:07:00Z"),
                "{text}"
            );
            let ends = "; the change starts at 2027-01-15T10:00:00Z at the earliest";
            assert!(text.ends_with(ends), "{text}");
        }
        world.run(HOUR + 7 * MINUTE + SLACK - world.now());
        assert_eq!(waits_for(&world).first(), Some(&WaitsFor::Window));
        if approval == "Automatic" {
            assert_eq!(world.reason(), "WaitingForWindow");
        }
    }
}

#[test]
fn a_freeze_that_is_near_is_what_the_plan_waits_for_as_the_reason_says() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.cluster.calendar = freeze("08:30", "09:30");
    world.run(25 * MINUTE - world.now());
    world.want(3307);
    world.run(1);
    assert_eq!(world.reason(), "ChangeFreeze");
    assert_eq!(waits_for(&world), [WaitsFor::Freeze]);
}

#[test]
fn a_plan_waits_for_no_freeze_that_is_over_while_the_cloud_can_not_be_read() {
    let mut world = World::settled(Mode::Hidden, 3306);
    window_at_ten(&mut world);
    world.cluster.calendar = freeze("08:00", "09:07");
    world.run(HOUR - world.now());
    world.want(3307);
    world.run(1);
    assert_eq!(waits_for(&world), [WaitsFor::Freeze, WaitsFor::Window]);
    let id = world.said().plan.as_ref().unwrap().id.clone();
    world.crew[0].trouble = Some(Trouble::CredentialsInvalid("no".to_owned()));
    world.run(20 * MINUTE);
    assert_eq!(world.reason(), "CredentialsInvalid");
    assert_eq!(waits_for(&world), [WaitsFor::Window]);
    assert_eq!(world.said().plan.as_ref().unwrap().id, id);
}

#[test]
fn a_halt_that_is_over_is_no_longer_the_reason() {
    let mut world = World::settled(Mode::Hidden, 3306);
    let until = world.now() + 7 * MINUTE;
    let halted = Limit::Halted {
        failed: 3,
        own: Vec::new(),
        until: wall(until),
    };
    world.cluster.limit = Some((until, halted));
    world.want(3307);
    world.run(1);
    assert_eq!(world.reason(), "RolloutHalted");
    world.run(until + SLACK - world.now());
    assert_ne!(world.reason(), "RolloutHalted");
}

#[test]
fn both_ports_are_named_as_long_as_a_change_is_on_record() {
    for mut world in about_to_change() {
        world.takes(10 * MINUTE, End::Moves);
        let mut seen = 0;
        for _ in 0..20 {
            world.run(MINUTE);
            if world.said().change.is_some() {
                let text = world.message("Ready");
                assert!(text.contains("3306") && text.contains("3307"), "{text}");
                seen += 1;
            }
        }
        assert!(seen > 5 && world.is_ready());
    }
}

#[test]
fn a_port_that_is_put_right_is_said_to_have_been_in_place_before() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.want(3307);
    world.run(10 * MINUTE);
    assert!(world.is_ready());
    world.sky.state().drift(3399);
    let told = world.run_until(20 * MINUTE, |world| {
        let text = world.message("Ready");
        text.contains("3399") && text.contains("3307")
    });
    assert!(told.is_some(), "{}", world.message("Ready"));
}

#[test]
fn the_job_that_ended_is_still_named_when_the_next_attempt_begins() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(MINUTE, End::Fails);
    world.want(3307);
    let failed = world.run_until(20 * MINUTE, |world| {
        world.condition("JobSucceeded") == "False/JobFailed"
    });
    assert!(failed.is_some());
    let job = world.message("JobSucceeded").to_owned();
    world.loses(None);
    let again = world.run_until(20 * MINUTE, |world| {
        world.condition("JobSucceeded").starts_with("Unknown/")
    });
    assert!(again.is_some());
    let text = world.message("JobSucceeded");
    let job = job.trim_start_matches("job ");
    assert!(text.contains(job) && text.contains("failed"), "{text}");
}

#[test]
fn after_a_restart_it_is_said_that_the_wait_begins_again() {
    for mut world in about_to_change() {
        world.loses(Some(0));
        world.run(60);
        assert_eq!(world.reason(), "OutcomeUnknown");
        assert!(!world.message("Ready").contains("restarted"));
        world.crash();
        world.run(30);
        assert_eq!(world.reason(), "OutcomeUnknown");
        let text = world.message("Ready");
        assert!(text.contains("the operator has restarted since"), "{text}");
    }
}

#[test]
fn a_proxy_that_was_found_missing_stays_missing_over_a_restart() {
    for reason in [Reason::ProxyNotFound, Reason::InstanceNotFound] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.run(MINUTE);
        let until = world.now() + 10 * HOUR;
        if reason == Reason::ProxyNotFound {
            world.sky.state().gone_until = until;
        } else {
            world.sky.state().instance_gone_until = until;
        }
        world.run(HOUR);
        assert_eq!(world.reason(), reason.name());
        assert_eq!(world.condition("PortInSync"), "Unknown/PortUnknown");
        let writes = world.cluster.writes;
        world.crash();
        world.run(HOUR);
        assert_eq!(world.reason(), reason.name());
        assert_eq!(
            world.cluster.writes, writes,
            "nothing new is said of {reason}"
        );
    }
}

#[test]
fn a_suspended_resource_that_is_in_order_says_that_it_is_suspended() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| spec["suspend"] = true.into());
    world.run(MINUTE);
    assert!(world.is_ready());
    assert!(world.message("Ready").contains("spec.suspend is true"));
}
