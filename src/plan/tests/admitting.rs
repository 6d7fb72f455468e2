//! The security group of the instance, as a gate that each start passes.

use std::time::Duration;

use super::{
    cloud::{MODES, Mode, error},
    world::World,
};
use crate::{
    cloud::Meaning,
    crd::{APPLY_NOW, APPROVE, WaitsFor},
    pace::Pace,
    plan::admitting::{self, Unchecked, Verdict},
    preflight::admission::Shut,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

fn shut() -> Verdict {
    Verdict::Shut(Shut {
        group: "70b3e8d5".to_owned(),
        sources: vec!["10.0.0.0/8".to_owned(), "security group apps".to_owned()],
    })
}

/// All that stands against a change.
fn obstacles() -> Vec<Verdict> {
    let unchecked = [
        Unchecked::Off,
        Unchecked::NoGroup,
        Unchecked::Instance(error(Meaning::Denied)),
        Unchecked::Rules("70b3e8d5".to_owned(), error(Meaning::Transient)),
    ];
    let unchecked = unchecked.into_iter().map(Verdict::Unchecked);
    unchecked.chain([shut()]).collect()
}

fn world(mode: Mode, require: bool, verdict: Verdict) -> World {
    let mut world = World::settled(mode, 3306);
    world.cluster.admission = Some(verdict);
    if require {
        world.edit(|spec| spec["preflight"] = "Require".into());
    }
    world
}

#[test]
fn a_change_waits_for_as_long_as_its_group_shuts_somebody_out_and_goes_on_by_itself() {
    for mode in MODES {
        for verdict in obstacles() {
            let mut world = world(mode, true, verdict.clone());
            world.want(3307);
            world.run(2 * HOUR);
            assert_eq!(
                world.condition("Stalled"),
                "True/PreflightFailed",
                "{verdict:?}"
            );
            assert_eq!(world.puts(), 0, "{verdict:?}");
            world.cluster.admission = Some(Verdict::Admitted);
            let longest = admitting::good_for(&Pace::real()) + Duration::from_mins(10);
            let took = world.run_until(longest.as_secs(), World::is_ready);
            assert!(took.is_some(), "{}", world.message("Ready"));
            assert_eq!(world.puts(), 1);
        }
    }
}

#[test]
fn without_the_wish_nothing_waits() {
    for verdict in obstacles() {
        let mut world = world(Mode::Hidden, false, verdict.clone());
        world.want(3307);
        world.run(HOUR);
        assert_eq!((world.is_ready(), world.puts()), (true, 1), "{verdict:?}");
    }
}

#[test]
fn the_wish_alone_moves_nothing_and_a_settled_resource_stays_ready() {
    let mut world = world(Mode::Hidden, true, shut());
    world.run(2 * HOUR);
    assert!(world.is_ready());
    assert_eq!(world.puts(), 0);
}

#[test]
fn neither_an_approval_nor_the_wish_to_start_now_overrides_it() {
    let mut world = world(Mode::Hidden, true, shut());
    world.edit(|spec| spec["approval"] = "Manual".into());
    world.want(3307);
    world.run(MINUTE);
    let plan = world.said().plan.clone().unwrap();
    assert!(plan.waits_for.contains(&WaitsFor::Preflight), "{plan:?}");
    assert!(plan.waits_for.contains(&WaitsFor::Approval), "{plan:?}");
    for annotation in [APPROVE, APPLY_NOW] {
        world.annotate(annotation, &plan.id);
    }
    world.run(2 * HOUR);
    assert_eq!(world.condition("Stalled"), "True/PreflightFailed");
    let plan = world.said().plan.clone().unwrap();
    assert_eq!(plan.waits_for, [WaitsFor::Preflight]);
    assert_eq!(world.puts(), 0);
}

#[test]
fn people_read_who_is_shut_out_what_to_do_and_when_it_is_looked_at_again() {
    let mut world = world(Mode::Hidden, true, shut());
    world.want(3307);
    world.run(MINUTE);
    let text = world.message("Ready");
    for part in [
        "security group 70b3e8d5",
        "10.0.0.0/8, security group apps",
        "at TCP port 3306 and not at port 3307",
        "add inbound rules for port 3307",
        "looks again at 20",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let denied = Unchecked::Rules("70b3e8d5".to_owned(), error(Meaning::Denied));
    world.cluster.admission = Some(Verdict::Unchecked(denied));
    world.run(HOUR);
    let text = world.message("Ready");
    for part in [
        "the cloud denies the credential",
        "vpc:securityGroupRules:list",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn while_it_waits_a_look_costs_no_write_before_it_is_looked_at_again() {
    let mut world = world(Mode::Hidden, true, shut());
    world.want(3307);
    world.run(MINUTE);
    let before = world.cluster.writes;
    world.run(HOUR);
    let writes = world.cluster.writes - before;
    let looks = HOUR / admitting::good_for(&Pace::real()).as_secs();
    assert!(writes as u64 <= looks + 1, "{writes} writes, {looks} looks");
}
