//! Step 6 of the change protocol: jobs that are followed, lost, or given up.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{
    cloud::{Course, End, Fate, Mode, error},
    world::{World, about_to_change},
};
use crate::{
    cloud::Meaning,
    crd::{ABANDON_JOB, Outcome},
    plan::facts::Trouble,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const FOREVER: u64 = 1_000 * HOUR;

#[test]
fn a_job_is_not_found_for_two_minutes_before_that_means_anything() {
    for mut world in about_to_change() {
        world.sky.state().usual = Course {
            visible_after: 119,
            takes: 200,
            end: End::Moves,
        };
        world.run(118);
        assert_eq!(world.condition("Reconciling"), "True/JobRunning");
        world.run(120);
        assert!(world.is_ready());
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!(last.job_id.as_deref(), Some("job-1"));
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_job_is_polled_after_one_second_and_then_ever_more_slowly() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(600, End::Moves);
    world.want(3307);
    world.run(0);
    world.run(1);
    assert_eq!(world.sky.state().reads[1], 1);
    world.run(598);
    let polls = world.sky.state().reads[1];
    assert!((52..=60).contains(&polls), "{polls} polls in 600 s");
}

#[test]
fn the_end_of_a_job_is_seen_at_most_an_eighth_of_its_length_late() {
    for takes in [1, 5, 8, 20, 40, 90, 120, 400] {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.takes(takes, End::Moves);
        world.want(3307);
        let ready = world.run_until(1000, World::is_ready).unwrap();
        let late = (takes / 8).clamp(1, 15) + 1; // turns are at whole seconds
        assert!(ready <= takes + late, "{takes} s: Ready after {ready} s");
    }
}

#[test]
fn words_of_a_job_that_nobody_knows_and_failing_polls_are_no_end() {
    for mut world in about_to_change() {
        world.takes(300, End::Moves);
        world.run(20);
        for word in ["ROLLBACKING", "", "pending"] {
            world.sky.state().works[0].word = word;
            world.run(30);
            assert_eq!(world.reason(), "JobRunning", "{word}");
        }
        let writes = world.cluster.writes;
        world.sky.state().reads_fail = Some((200, Meaning::Transient));
        world.run(80);
        assert_eq!(world.reason(), "JobRunning");
        assert_eq!(world.cluster.writes, writes, "what was said stands");
        world.run(200);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_job_that_waits_for_authorization_stalls_and_is_followed() {
    for mut world in about_to_change() {
        world.takes(300, End::Moves);
        world.run(20);
        world.sky.state().works[0].word = "Unauthorized";
        world.run(30);
        assert_eq!(world.condition("Stalled"), "True/JobUnauthorized");
        world.run(300);
        assert!(world.is_ready());
    }
}

#[test]
fn a_job_is_overdue_only_by_an_answer_that_says_running() {
    for mut world in about_to_change() {
        world.takes(FOREVER, End::Moves);
        world.run(20 * MINUTE);
        world.sky.state().reads_fail = Some((40 * MINUTE, Meaning::Transient));
        world.run(19 * MINUTE);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        world.run(10 * MINUTE);
        assert_eq!(world.condition("Stalled"), "True/JobOverdue");
        let polls = world.sky.state().reads[1];
        world.run(HOUR);
        let polls = world.sky.state().reads[1] - polls;
        assert!((10..=13).contains(&polls), "{polls} polls in an hour");
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_lost_job_may_still_be_at_work_until_change_timeout_is_over() {
    for end in [End::Moves, End::Fails] {
        for mut world in about_to_change() {
            world.takes(20 * MINUTE, end);
            world.run(30);
            world.sky.state().works[0].erased = true;
            world.run(29 * MINUTE);
            assert_eq!(world.condition("Reconciling"), "True/OutcomeUnknown");
            assert_eq!(world.puts(), 1);
            world.run(5 * MINUTE);
            assert!(world.is_ready());
            assert_eq!(world.puts(), 1 + usize::from(end == End::Fails));
            assert_eq!(world.sky.state().most_at_once, 1);
        }
    }
}

#[test]
fn a_lost_job_that_ends_last_of_all_is_not_made_again_because_a_list_lags_behind_it() {
    for mut world in about_to_change() {
        world.takes(30 * MINUTE - 5, End::Moves);
        world.run(30);
        world.sky.state().works[0].erased = true;
        world.sky.state().lag = 110;
        world.run(45 * MINUTE);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_lost_job_may_be_at_work_also_where_a_third_port_is_seen() {
    let mut world = World::settled(Mode::Doubling, 3306);
    world.takes(20 * MINUTE, End::Fails);
    world.want(3307);
    world.run(30);
    world.sky.state().works[0].erased = true;
    world.run(200);
    world.sky.state().drift(3310);
    world.run(40 * MINUTE);
    assert!(world.is_ready());
    assert_eq!(world.sky.state().most_at_once, 1);
}

#[test]
fn a_job_that_was_given_up_holds_nothing_up_any_longer() {
    for mut world in about_to_change() {
        let hasty = world.sky.state().mode == Mode::Hasty;
        let changing = world.sky.state().mode == Mode::Changing;
        world.takes(FOREVER, End::Moves);
        world.run(2 * HOUR);
        assert_eq!(world.condition("Stalled"), "True/JobOverdue");
        world.annotate(ABANDON_JOB, "job-1");
        let ended = world.run_until(3 * MINUTE, |world| world.said().change.is_none());
        assert_eq!(ended.is_none(), changing);
        if changing {
            assert_eq!(world.reason(), "ProxyUnhealthy", "the proxy says so");
        } else {
            let last = world.said().last_change.as_ref().unwrap();
            let outcome = if hasty {
                Outcome::Succeeded
            } else {
                Outcome::Void
            };
            assert_eq!(last.outcome, outcome);
        }
    }
}

#[test]
fn a_job_that_was_given_up_may_have_ended_just_now_while_the_list_lags() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.takes(FOREVER, End::Moves);
        world.want(3307);
        world.run(2 * HOUR);
        // It has ended after all, though its record says that it runs.
        has_just_ended(&world);
        world.annotate(ABANDON_JOB, "job-1");
        world.run(10 * MINUTE);
        assert!(world.is_ready(), "{mode:?}");
        assert_eq!(world.puts(), 1, "{mode:?}");
    }
}

#[test]
fn a_lost_job_of_this_process_is_not_over_because_its_clock_was_behind() {
    let mut world = World::settled(Mode::Doubling, 3306);
    world.takes(FOREVER, End::Moves);
    world.want(3307);
    world.run(30);
    let mut status = world.said().clone();
    let change = status.change.as_mut().unwrap();
    let behind = |time: &mut Time| time.0 = time.0.checked_sub(Duration::from_hours(2)).unwrap();
    behind(&mut change.intended_at);
    behind(change.submitted_at.as_mut().unwrap());
    world.tamper(Some(status));
    world.sky.state().works[0].erased = true;
    // Somebody else's task, which ends soon and leaves the port.
    world.takes(1, End::Lies);
    world.sky.state().put(3310);
    world.run(20 * MINUTE);
    assert_eq!(world.reason(), "OutcomeUnknown");
    assert_eq!(world.sky.state().puts.len(), 2);
}

/// A job ends now and has moved the port; the list lags behind that.
fn has_just_ended(world: &World) {
    world.sky.state().lag = 110;
    world.sky.state().drift(3307);
}

/// A job whose record is gone, which has ended a moment ago and moved the port, while the list lags.
fn lost_and_just_ended(mode: Mode) -> World {
    let mut world = World::settled(mode, 3306);
    world.takes(FOREVER, End::Moves);
    world.want(3307);
    world.run(30);
    world.sky.state().works[0].erased = true;
    world.run(20 * MINUTE);
    assert_eq!(world.reason(), "OutcomeUnknown");
    has_just_ended(&world);
    world
}

#[test]
fn a_lost_job_that_is_given_up_may_have_ended_just_now_however_long_the_old_port_was_seen() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = lost_and_just_ended(mode);
        world.annotate(ABANDON_JOB, "job-1");
        world.run(10 * MINUTE);
        assert!(world.is_ready(), "{mode:?}");
        assert_eq!(world.puts(), 1, "{mode:?}");
    }
}

#[test]
fn a_job_that_is_given_up_a_second_time_may_have_ended_just_now_as_well() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.takes(FOREVER, End::Moves);
        world.want(3307);
        world.run(HOUR);
        world.annotate(ABANDON_JOB, "job-1");
        world.run(100);
        // Somebody has seen that it is at work after all.
        world.annotate(ABANDON_JOB, "");
        world.run(HOUR);
        assert_eq!(world.condition("Stalled"), "True/JobOverdue");
        has_just_ended(&world);
        world.annotate(ABANDON_JOB, "job-1");
        world.run(10 * MINUTE);
        assert!(world.is_ready(), "{mode:?}");
        assert_eq!(world.puts(), 1, "{mode:?}");
    }
}

#[test]
fn a_job_of_somebody_else_that_is_given_up_may_have_ended_just_now() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.sky.state().foreign_until = FOREVER;
        world.want(3307);
        world.run(HOUR);
        assert_eq!(world.reason(), "ProxyBusy");
        has_just_ended(&world);
        world.annotate(ABANDON_JOB, "backup");
        world.run(60);
        assert_eq!(world.condition("Reconciling"), "True/CloudListsLag");
        let told = world.message("Ready");
        assert!(told.contains("job backup was given up"), "{told}");
        assert!(told.contains("; until 2027-"), "{told}");
        world.run(10 * MINUTE);
        assert!(world.is_ready(), "{mode:?}");
        assert_eq!(world.puts(), 0, "{mode:?}");
    }
}

#[test]
fn a_job_of_somebody_else_that_is_given_up_holds_nothing_up_for_more_than_two_minutes() {
    let mut world = World::settled(Mode::Doubling, 3306);
    world.sky.state().foreign_until = FOREVER;
    world.want(3307);
    world.run(HOUR);
    let given_up = world.now();
    world.annotate(ABANDON_JOB, "backup");
    world
        .run_until(10 * MINUTE, |world| world.puts() == 1)
        .unwrap();
    assert!((120..=125).contains(&(world.now() - given_up)));
    world.run(60);
    world.want(3308);
    world.run(2);
    assert_eq!(world.puts(), 2, "it is known that it was given up long ago");
}

#[test]
fn trouble_with_credentials_shows_at_once_also_while_a_job_runs() {
    for lost in [false, true] {
        for mut world in about_to_change() {
            world.takes(20 * MINUTE, End::Moves);
            if lost {
                world.loses(Some(0));
            }
            world.run(200);
            let denied = Trouble::Cloud(error(Meaning::Unauthenticated));
            world.crew[0].trouble = Some(denied);
            world.run(20);
            assert_eq!(world.condition("Stalled"), "True/CredentialsInvalid");
            let missing = Trouble::CredentialsMissing("no such Secret".to_owned());
            world.crew[0].trouble = Some(missing);
            // The last look but one saw the denied credentials.
            world.run(100);
            assert_eq!(world.condition("Stalled"), "", "it may come soon");
            world.run(200);
            assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
            world.crew[0].trouble = None;
            world.run(20 * MINUTE);
            assert!(world.is_ready());
            assert_eq!(world.puts(), 1);
        }
    }
}

#[test]
fn e16_a_change_of_unknown_outcome_whose_proxy_is_gone_stalls_while_its_job_is_overdue() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(FOREVER, End::Moves);
    world.sky.state().fates.push_back(Fate::Lost(Some(0)));
    world.want(3307);
    world.run(MINUTE);
    let now = world.sky.state().now;
    world.sky.state().gone_until = now + 10 * HOUR;
    world.run(20 * MINUTE);
    assert_eq!(world.condition("Reconciling"), "True/OutcomeUnknown");
    world.run(20 * MINUTE);
    assert_eq!(world.condition("Stalled"), "True/JobOverdue");
    let lists = world.sky.state().reads[2];
    world.run(HOUR);
    let lists = world.sky.state().reads[2] - lists;
    assert!((10..=14).contains(&lists), "{lists} task lists in an hour");
    assert_eq!(world.puts(), 1);
}
