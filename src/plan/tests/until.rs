//! What is said of when a wait ends: it is true, and it is written once.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    cloud::{DAWN, End, Fate, Mode, error, wall},
    world::World,
};
use crate::{
    cloud::{CloudError, Meaning},
    crd::{ABANDON_JOB, Corrections},
    desired::read,
    model::Moment,
    pace::Pace,
    plan::{
        self,
        facts::{Facts, Observed, Seen, Trouble},
        record::Record,
        session::Session,
        summary,
    },
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

const UNTIL: &str = "; until ";
const NOT_BEFORE: &str = "; not before ";
const DECIDES: &str = "; the operator decides at ";

/// The second that stands in the message after `before`.
fn end(world: &World, before: &str) -> u64 {
    let told = world.message("Ready");
    let (_, time) = told
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?} in {told:?}"));
    let (time, _) = time.split_at("2027-01-15T08:00:00Z".len());
    let time: Timestamp = time.parse().unwrap();
    u64::try_from(time.as_second() - DAWN).unwrap()
}

/// Until the time that is said after `before` the message stands, however often it is looked, and nothing is written but the port
/// that a list has shown meanwhile; that time.
fn stands(world: &mut World, before: &str) -> u64 {
    let at = end(world, before);
    let (told, writes) = (world.message("Ready").to_owned(), world.cluster.writes);
    let in_sync = world.message("PortInSync").to_owned();
    while world.now() + 2 < at {
        let now = world.now();
        world.crew[0].wake(now);
        world.run(7.min(at - 2 - now));
        assert_eq!(world.message("Ready"), told, "at {} of {at}", world.now());
        let listed = world.message("PortInSync") != in_sync;
        let more = world.cluster.writes - writes;
        assert_eq!(more, usize::from(listed), "at {} of {at}", world.now());
    }
    assert!(world.now() < at);
    at
}

fn is_about(at: u64, expected: u64) {
    assert!(at.abs_diff(expected) <= 2, "{at} instead of {expected}");
}

#[test]
fn n04_a_list_that_has_fallen_back_is_believed_at_the_time_that_is_said() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.want(3307);
    world.run(2);
    world.run_until(MINUTE, World::is_ready).unwrap();
    let verified = world.now();
    world.sky.state().lag = 2 * HOUR;
    world.want(3306);
    world.run(1);
    assert!(
        world
            .message("Ready")
            .starts_with("the list of proxies shows port 3306")
    );
    let at = stands(&mut world, UNTIL);
    is_about(at, verified + 120);
    world.run(5);
    assert!(world.is_ready(), "{}", world.message("Ready"));
}

#[test]
fn n04_a_job_that_is_lost_counts_as_over_at_the_time_that_is_said() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(20 * MINUTE, End::Fails);
    world.want(3307);
    world.run(30);
    let seen = world.now();
    world.sky.state().works[0].erased = true;
    world
        .run_until(5 * MINUTE, |world| world.reason() == "OutcomeUnknown")
        .unwrap();
    let at = stands(&mut world, UNTIL);
    assert!((seen + 31 * MINUTE..=seen + 32 * MINUTE).contains(&at));
    assert_eq!(world.puts(), 1);
    world.run(40);
    assert_eq!(world.puts(), 2, "{}", world.message("Ready"));
}

#[test]
fn n04_a_job_that_is_given_up_is_watched_for_until_the_times_that_are_said() {
    for early in [true, false] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.takes(100 * HOUR, End::Moves);
        world.want(3307);
        world.run(if early { 30 } else { 100 });
        let given_up = world.now();
        world.annotate(ABANDON_JOB, "job-1");
        world.run(1);
        assert!(world.message("Ready").contains("job job-1 was given up"));
        let at = stands(&mut world, NOT_BEFORE);
        is_about(at, (given_up + 120).max(161));
        world.run(4);
        // Where it was not seen for long, the port is looked at once more, a quarter of a minute later.
        if early {
            is_about(stands(&mut world, NOT_BEFORE), at + 15);
        }
        world.run(20);
        assert_eq!(world.said().change, None);
    }
}

#[test]
fn n04_an_unknown_outcome_is_watched_until_the_times_that_are_said() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.loses(None);
    world.want(3307);
    world.run(31);
    let at = stands(&mut world, UNTIL);
    is_about(at, 161);
    world.run(4);
    let at = stands(&mut world, DECIDES);
    assert_eq!(world.puts(), 1);
    world.run(at + 5 - world.now());
    assert_eq!(world.puts(), 2);
}

#[test]
fn n04_a_port_that_does_not_come_is_waited_for_until_the_time_that_is_said() {
    for fails_for in [0, 18] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.takes(40, End::Lies);
        world.want(3307);
        world
            .run_until(100, |world| world.reason() == "Verifying")
            .unwrap();
        let begun = world.now();
        is_about(end(&world, UNTIL), begun + 120);
        // Reads that fail move nothing as long as they do.
        let writes = world.cluster.writes;
        world.sky.state().reads_fail = Some((begun + fails_for, Meaning::Transient));
        world.run(fails_for);
        assert_eq!(world.cluster.writes, writes);
        // It counts from the first list that was read.
        world.run(20);
        let moved = usize::from(fails_for > 10);
        assert_eq!(world.cluster.writes, writes + moved);
        let at = stands(&mut world, UNTIL);
        assert!((begun + 120..=begun + fails_for + 140).contains(&at));
        assert_eq!(world.reason(), "Verifying");
        world.run(20);
        assert_eq!(world.reason(), "BackingOff");
    }
}

#[test]
fn n04_what_is_missing_is_looked_for_once_more_at_the_time_that_is_said() {
    for instance in [true, false] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.want(3307);
        if instance {
            world.sky.state().instance_gone_until = HOUR;
        } else {
            world.sky.state().gone_until = HOUR;
        }
        let first = world.now();
        world.run(1);
        assert_eq!(world.reason(), "ConfirmingAbsence");
        let at = stands(&mut world, NOT_BEFORE);
        is_about(at, first + 30);
        world.run(10);
        assert!(world.condition("Stalled").ends_with("NotFound"));
    }
}

#[test]
fn n04_a_change_that_was_refused_is_tried_again_at_the_time_that_is_said() {
    for (meaning, after) in [
        (Meaning::Busy, 20),
        (Meaning::Withdrawn, 5),
        (Meaning::Slow, 5),
        (Meaning::Transient, 5),
        (Meaning::Throttled, 5),
        (Meaning::UnknownRefusal, 5 * MINUTE),
        (Meaning::Denied, 15 * MINUTE),
        (Meaning::Blocked, HOUR),
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.sky.state().fates.push_back(Fate::Refused(meaning));
        world.want(3307);
        world.run(1);
        let at = stands(&mut world, NOT_BEFORE);
        is_about(at, 1 + after);
        assert_eq!(world.puts(), 1, "{meaning:?}");
        world.run(10);
        assert_eq!(world.puts(), 2, "{meaning:?}");
    }
}

/// The cloud can't be called, and nobody calls it before `until`.
fn put_off(world: &World, meaning: Meaning, until: u64) -> Trouble {
    let left = until.saturating_sub(world.now());
    Trouble::Cloud(CloudError {
        retry_after: Some(Duration::from_secs(left)),
        ..error(meaning)
    })
}

#[test]
fn n04_who_is_told_to_wait_says_until_when_and_is_written_only_where_that_moves() {
    for meaning in [Meaning::Throttled, Meaning::OutOfCalls, Meaning::Transient] {
        let mut world = World::new(Mode::Hidden, 3306, 3307);
        for until in [100, 500] {
            world.crew[0].trouble = Some(put_off(&world, meaning, until));
            let now = world.now();
            world.crew[0].wake(now);
            world.run(1);
            let (told, writes) = (world.message("Ready").to_owned(), world.cluster.writes);
            is_about(end(&world, NOT_BEFORE), until);
            for _ in 0..4 {
                world.crew[0].trouble = Some(put_off(&world, meaning, until));
                let now = world.now();
                world.crew[0].wake(now);
                world.run(5);
                assert_eq!(world.message("Ready"), told, "{meaning:?}");
            }
            assert_eq!(world.cluster.writes, writes, "{meaning:?}");
        }
    }
}

#[test]
fn n04_a_port_in_place_waits_for_no_call_and_is_written_once_however_long_the_cloud_wants_none() {
    for meaning in [
        Meaning::Throttled,
        Meaning::OutOfCalls,
        Meaning::UnknownRefusal,
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        let writes = world.cluster.writes;
        world.crew[0].trouble = Some(put_off(&world, meaning, 2 * MINUTE));
        world.run(9 * HOUR);
        assert!(world.condition("Reconciling").starts_with("True/"));
        assert!(!world.message("Ready").contains(NOT_BEFORE));
        assert_eq!(world.cluster.writes, writes + 1, "{meaning:?}");
    }
}

#[test]
fn n07_who_made_no_call_knows_nothing_new_of_the_cloud() {
    let unasked = || Some(Trouble::Cloud(error(Meaning::Unasked)));
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.crew[0].trouble = unasked();
    world.run(HOUR);
    assert_eq!(world.condition("Ready"), "False/WaitingForBudget");
    let told = "waiting for calls of the cloud that are under way";
    assert!(world.message("Ready").starts_with(told));
    // One of its own calls was not answered; then none is made.
    world.crew[0].trouble = Some(Trouble::Cloud(error(Meaning::Transient)));
    world.run(HOUR);
    assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
    let writes = world.cluster.writes;
    for _ in 0..4 {
        world.crew[0].trouble = unasked();
        world.run(HOUR);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        world.crew[0].trouble = Some(Trouble::Cloud(error(Meaning::Transient)));
        world.run(HOUR);
    }
    assert_eq!(world.cluster.writes, writes, "it is said once");
}

/// Clocks are read between two seconds, and a time that follows from them must not go to and fro.
#[test]
fn n04_a_time_in_a_text_stands_whatever_the_fraction_of_a_second_at_which_it_is_looked() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.run(HOUR);
    let mut status = world.said().clone();
    let times = [0, 600, 1200].map(|second| Time(wall(second))).to_vec();
    status.corrections = Some(Corrections { times });
    world.sky.state().drift(3310);
    let proxy = world.sky.state().proxies().unwrap().remove(0);
    let mut object = world.cluster.object.clone();
    object.status = Some(status);
    let observed = Observed {
        proxy: Seen::Known(Some(proxy)),
        ..Observed::default()
    };
    let (desired, pace) = (read(&object).unwrap(), Pace::real());
    let mut session = Session::default();
    let mut said = Vec::new();
    for milliseconds in [7_200_700, 7_800_200, 8_400_900] {
        let uptime = Duration::from_millis(milliseconds);
        let now = Moment::new(wall(0).checked_add(uptime).unwrap(), uptime);
        let decision = plan::decide(&Facts {
            desired: &desired,
            record: &Record::of(&object),
            observed: &observed,
            session: &session,
            now,
            leading_for: uptime,
            pace: &pace,
            resync: Duration::from_mins(10),
        });
        session = decision.session.clone();
        let status = summary::status(&object, &desired, &observed, &decision, now);
        object.status = Some(status.clone());
        said.push(status);
    }
    let text = format!("{said:#?}");
    assert!(text.contains("DriftContested"), "{text}");
    assert!(said[0] == said[1] && said[1] == said[2], "{text}");
}
