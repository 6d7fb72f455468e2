//! Steps 7 to 10 of the change protocol: verification, failures, edits and deletion in flight.

use super::{
    cloud::{Course, End, Fate, MODES, Mode},
    process::Process,
    world::{World, about_to_change},
};
use crate::{
    cloud::Meaning,
    crd::{FailureCause, Outcome, Phase, Trigger},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

fn ends(world: &World, ends: &[End]) {
    let courses = ends.iter().map(|end| Course {
        visible_after: 3,
        takes: 40,
        end: *end,
    });
    world.sky.state().courses.extend(courses);
}

fn gaps(world: &World) -> Vec<u64> {
    let puts = &world.sky.state().puts;
    puts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_list_that_lags_behind_the_job_is_waited_for() {
    for mut world in about_to_change() {
        world.sky.state().advance(300);
        world.sky.state().lag = 110;
        world.run(0);
        let done = world.run_until(400, World::is_ready).unwrap();
        assert!(done >= 40, "{done}");
        assert_eq!(world.puts(), 1);
        world.run(HOUR);
        assert_eq!((world.puts(), world.port()), (1, 3307));
    }
}

#[test]
fn a_completed_job_without_its_port_fails_after_two_minutes_and_four_reads() {
    for mode in MODES {
        let mut world = World::settled(mode, 3306);
        ends(&world, &[End::Lies]);
        world.want(3307);
        let begun = world.run_until(100, |world| world.reason() == "Verifying");
        assert!(begun.is_some());
        world.run(100);
        assert_eq!(world.reason(), "Verifying");
        world.sky.state().reads_fail = Some((world.now() + 600, Meaning::Transient));
        world.run(500);
        assert_ne!(world.reason(), "BackingOff", "reads that fail do not count");
        world.run(170);
        assert_eq!(world.condition("Reconciling"), "True/BackingOff");
        let failure = &world.said().failures[0];
        assert_eq!(
            (failure.failed, failure.cause),
            (1, FailureCause::VerificationFailed)
        );
        world.run(300);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 2);
        let history = world.said().history.iter();
        let history: Vec<_> = history
            .map(|entry| (entry.trigger, entry.outcome))
            .collect();
        assert_eq!(
            history,
            [
                (Trigger::Retry, Outcome::Succeeded),
                (Trigger::Edit, Outcome::Failed)
            ]
        );
    }
}

#[test]
fn a_few_reads_after_a_long_silence_do_not_make_a_verification_fail() {
    for mode in MODES {
        let mut world = World::settled(mode, 3306);
        ends(&world, &[End::Lies]);
        world.want(3307);
        let verifying = |world: &World| world.reason() == "Verifying";
        assert!(world.run_until(100, verifying).is_some());
        world.run(1);
        let silence = world.now() + 10 * MINUTE;
        world.sky.state().reads_fail = Some((silence, Meaning::Transient));
        world.run(10 * MINUTE - 1);
        let reads = world.sky.state().reads[0];
        let failed = |world: &World| !world.said().failures.is_empty();
        assert!(world.run_until(10 * MINUTE, failed).is_some());
        let reads = world.sky.state().reads[0] - reads;
        assert!((2..=3).contains(&reads), "{reads}");
    }
}

#[test]
fn a_third_port_after_the_job_means_done_and_then_drift() {
    for mut world in about_to_change() {
        world.run(20);
        world.sky.state().advance(45);
        world.sky.state().drift(3310);
        world.run(300);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.port()), (2, 3307));
        assert_eq!(world.said().corrections.as_ref().unwrap().times.len(), 1);
    }
}

#[test]
fn the_port_before_after_the_new_one_had_been_seen_is_drift_and_no_failure() {
    for mode in [Mode::Changing, Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.sky.state().fates.push_back(Fate::Lost(Some(0)));
        world.want(3307);
        world.run(100);
        // The answer came in the end, to a process that no longer leads.
        let mut status = world.said().clone();
        status.change.as_mut().unwrap().phase = Phase::Verifying;
        world.sky.state().drift(3306);
        world.tamper(Some(status));
        world.run(1);
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!(last.outcome, Outcome::Succeeded);
        assert_eq!(world.said().applied_port, Some(3307));
        world.run(300);
        assert_eq!(world.said().corrections.as_ref().unwrap().times.len(), 1);
        assert_eq!((world.puts(), world.port()), (2, 3307));
    }
}

#[test]
fn the_port_before_after_days_of_absence_is_drift_and_no_failure() {
    for mut world in about_to_change() {
        world.run(5);
        world.crew.clear();
        world.run(48 * HOUR);
        world.sky.state().drift(3306);
        world.crew = vec![Process::new(world.now(), 0)];
        world.run(1);
        assert_eq!(world.said().applied_port, Some(3307));
        assert_eq!(world.said().failures, []);
        world.run(100);
        assert!(world.is_ready());
        assert_eq!(world.said().corrections.as_ref().unwrap().times.len(), 1);
        assert_eq!(world.puts(), 2);
    }
}

#[test]
fn a_failed_job_is_tried_again_after_1_5_and_15_minutes_and_then_no_more() {
    for mut world in about_to_change() {
        ends(&world, &[End::Fails; 9]);
        world.run(60);
        assert_eq!(world.condition("Reconciling"), "True/BackingOff");
        assert_eq!(world.condition("JobSucceeded"), "False/JobFailed");
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!(last.outcome, Outcome::Failed);
        assert_eq!(last.message.as_deref(), Some("disk is on fire"));
        world.run(48 * HOUR);
        assert_eq!(world.condition("Stalled"), "True/JobFailed");
        let gaps = gaps(&world);
        assert_eq!(gaps.len(), 3);
        for (gap, minutes) in gaps.iter().zip([1, 5, 15]) {
            let wait = minutes * MINUTE + 40;
            assert!((wait..wait + 20).contains(gap), "{gaps:?}");
        }
    }
}

/// Each attempt may cut connections: who only wants to look now does not get more of them. That counts also for a request that comes while the
/// last attempt is verified, which is before it is given up.
#[test]
fn a_request_while_attempts_go_on_by_themselves_adds_none() {
    for (end, given_up) in [(End::Fails, "JobFailed"), (End::Lies, "VerificationFailed")] {
        for seconds in [7, 30, MINUTE] {
            for mut world in about_to_change() {
                ends(&world, &[end; 8]);
                for turn in 0..HOUR / seconds {
                    world.request(&format!("look {turn}"));
                    world.run(seconds);
                    if world.reason() == given_up {
                        break;
                    }
                }
                assert_eq!((world.puts(), world.reason()), (4, given_up.to_owned()));
            }
        }
    }
}

/// The job is lost or given up: nobody polls it, and the list is read all the same.
#[test]
fn a_request_while_a_change_is_verified_is_answered_by_the_list() {
    for mut world in about_to_change() {
        ends(&world, &[End::Lies]);
        world.run(45);
        assert_eq!(world.reason(), "Verifying");
        world.request("look");
        world.run(20);
        assert_eq!(world.reason(), "Verifying");
        assert_eq!(world.said().last_handled_request.as_deref(), Some("look"));
    }
}

#[test]
fn what_was_given_up_is_lifted_by_a_request_once_and_by_no_other_edit() {
    for mut world in about_to_change() {
        ends(&world, &[End::Fails; 8]);
        world.run(2 * HOUR);
        world.edit(|spec| spec["suspend"] = true.into());
        world.run(HOUR);
        world.edit(|spec| spec["suspend"] = false.into());
        world.run(HOUR);
        assert_eq!((world.puts(), world.reason()), (4, "JobFailed".to_owned()));
        world.request("2027-01-15T08:00:00Z");
        world.run(2 * HOUR);
        assert_eq!((world.puts(), world.reason()), (8, "JobFailed".to_owned()));
        world.request("2027-01-15T08:00:00Z");
        world.run(HOUR);
        assert_eq!(world.puts(), 8, "the same value asks for nothing");
        world.request("2027-01-15T12:00:00Z");
        world.run(100);
        assert!(world.is_ready() && world.puts() == 9);
    }
}

#[test]
fn toggling_the_wanted_port_resets_the_limit_only_after_an_hour() {
    for mut world in about_to_change() {
        ends(&world, &[End::Fails; 4]);
        world.run(30 * MINUTE);
        assert_eq!((world.puts(), world.reason()), (4, "JobFailed".to_owned()));
        world.want(3306);
        world.run(MINUTE);
        assert!(world.is_ready());
        world.want(3307);
        world.run(20 * MINUTE);
        assert_eq!((world.puts(), world.reason()), (4, "JobFailed".to_owned()));
        world.run(HOUR);
        assert!(world.is_ready(), "the hour is over");
        assert_eq!(world.puts(), 5);
    }
}

#[test]
fn voids_and_failures_of_one_port_count_together() {
    for mut world in about_to_change() {
        ends(&world, &[End::Fails; 9]);
        let fates = [
            Fate::Lost(None),
            Fate::Served,
            Fate::Lost(None),
            Fate::Served,
        ];
        world.sky.state().fates.extend(fates);
        world.run(24 * HOUR);
        assert_eq!((world.puts(), world.reason()), (4, "JobFailed".to_owned()));
        let failure = &world.said().failures[0];
        assert_eq!((failure.failed, failure.void), (2, 2));
    }
}

#[test]
fn a_port_that_comes_right_by_itself_is_ready() {
    for mut world in about_to_change() {
        ends(&world, &[End::Fails; 4]);
        world.run(2 * HOUR);
        world.sky.state().drift(3307);
        world.run(11 * MINUTE);
        assert!(world.is_ready());
        assert_eq!(world.said().failures, []);
        assert_eq!(world.condition("JobSucceeded"), "False/JobFailed");
        assert_eq!(world.puts(), 4);
    }
}

#[test]
fn a_list_that_still_shows_the_port_of_a_failed_job_is_not_believed() {
    let mut world = World::settled(Mode::Hasty, 3306);
    world.run(200);
    world.sky.state().lag = 110;
    ends(&world, &[End::Fails; 9]);
    world.want(3307);
    for _ in 0..24 * 60 {
        world.run(MINUTE);
        assert!(!world.is_ready());
    }
    assert_eq!((world.puts(), world.reason()), (4, "JobFailed".to_owned()));
}

#[test]
fn edits_in_flight_wait_for_the_job_and_only_the_newest_counts() {
    for mut world in about_to_change() {
        world.run(5);
        world.want(3308);
        world.run(5);
        assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
        assert_eq!(world.said().observed_generation, Some(3));
        let change = world.said().change.as_ref().unwrap();
        assert_eq!((change.to_port, change.generation), (3307, 2));
        world.want(3309);
        world.run(400);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.port()), (2, 3309));
    }
}

#[test]
fn a_change_back_to_the_old_port_in_flight_is_not_in_sync() {
    for mut world in about_to_change() {
        world.run(5);
        world.want(3306);
        world.run(5);
        assert_eq!(world.condition("Ready"), "False/JobRunning");
        assert_eq!(world.condition("PortInSync"), "False/PortDiffers");
        world.run(400);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.port()), (2, 3306));
    }
}

#[test]
fn a_change_of_a_resource_that_is_being_deleted_is_followed_and_no_other_one_begins() {
    for end in [End::Moves, End::Fails] {
        for mode in MODES {
            let mut world = World::settled(mode, 3306);
            ends(&world, &[end]);
            world.want(3307);
            world.run(5);
            world.delete();
            world.run(2 * HOUR);
            assert_eq!(world.puts(), 1);
            assert!(world.said().last_change.is_some());
            assert_eq!(world.said().change, None);
            let reason = if end == End::Moves {
                "Settled"
            } else {
                "Suspended"
            };
            assert_eq!(world.reason(), reason, "the last word");
        }
    }
}
