//! Step 5 of the change protocol: unknown outcomes, also where a status was restored or changed by hand.

use super::{
    cloud::{Course, End, MODES, Mode},
    process::Process,
    world::{World, about_to_change},
};
use crate::{
    cloud::{Meaning, ProxyStatus},
    crd::{Outcome, Phase},
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const FOREVER: u64 = 1_000 * HOUR;

/// The time between requests.
fn gaps(world: &World) -> Vec<u64> {
    let puts = &world.sky.state().puts;
    puts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn an_answer_that_was_lost_is_waited_for_and_nothing_is_sent_twice() {
    for arrives in [0, 29] {
        for mut world in about_to_change() {
            world.loses(Some(arrives));
            world.run(31);
            assert_eq!(world.condition("Reconciling"), "True/OutcomeUnknown");
            let done = world.run_until(400, World::is_ready);
            assert!(done.is_some_and(|passed| passed >= 129), "{done:?}");
            assert_eq!(world.puts(), 1);
            let last = world.said().last_change.as_ref().unwrap();
            assert_eq!(last.outcome, Outcome::Succeeded);
            assert_eq!(last.job_id, None, "a job of the task list is never adopted");
        }
    }
}

#[test]
fn a_job_that_is_visible_as_late_as_can_be_is_still_seen_before_anything_is_sent_again() {
    for mut world in about_to_change() {
        world.loses(Some(29));
        world.sky.state().usual = Course {
            visible_after: 119,
            takes: 600,
            end: End::Moves,
        };
        world.run(900);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.sky.state().most_at_once), (1, 1));
    }
}

#[test]
fn a_request_that_never_arrived_is_void_after_160_seconds_and_two_looks_and_made_anew_at_once() {
    for mut world in about_to_change() {
        world.loses(None);
        world.run(300);
        assert!(world.is_ready());
        let gaps = gaps(&world);
        assert_eq!(gaps.len(), 1);
        assert!((175..=200).contains(&gaps[0]), "{gaps:?}");
    }
}

#[test]
fn void_attempts_are_repeated_ever_more_slowly_and_from_the_third_on_a_person_is_told() {
    for mut world in about_to_change() {
        for _ in 0..6 {
            world.loses(None);
        }
        world.run(20 * MINUTE);
        assert_eq!(world.condition("Stalled"), "True/AttemptsVoid");
        assert_eq!(world.said().failures[0].void, 3);
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!(last.outcome, Outcome::Void);
        assert_eq!(world.condition("JobSucceeded"), "Unknown/OutcomeUnknown");
        world.run(6 * HOUR);
        assert!(world.is_ready(), "still tried, hourly");
        let waits = [0, 5, 15, 60, 60, 60].map(|minutes| minutes * MINUTE + 175);
        let gaps = gaps(&world);
        assert_eq!(gaps.len(), waits.len());
        for (gap, wait) in gaps.iter().zip(waits) {
            assert!((wait..wait + 40).contains(gap), "{gaps:?}");
        }
        assert_eq!(world.said().failures, []);
    }
}

#[test]
fn a_list_that_still_shows_the_port_of_a_job_that_failed_makes_nothing_ready() {
    for lag in [0, 60, 119] {
        for mut world in about_to_change() {
            world.sky.state().advance(300);
            world.sky.state().lag = lag;
            world.loses(Some(0));
            world.takes(200, End::Fails);
            world.run(1);
            let sky = world.sky.clone();
            let ready = world.run_until(600, |world| {
                assert!(!world.is_ready() || sky.state().port() == 3307);
                world.is_ready()
            });
            assert!(ready.is_some(), "made anew");
            assert_eq!(world.puts(), 2);
        }
    }
}

/// Somebody else's task is at work for 40 minutes, beside a change of unknown outcome: it is never called overdue.
fn is_not_called_overdue_beside_a_young_task(world: &mut World) {
    world.loses(None);
    world.run(5);
    let now = world.now();
    world.sky.state().foreign_until = now + 40 * MINUTE;
    world.run(35 * MINUTE);
    assert_eq!(world.reason(), "OutcomeUnknown");
    world.run(HOUR);
    assert!(world.is_ready());
}

#[test]
fn b29_a_young_task_of_somebody_else_is_not_called_overdue() {
    for mut world in about_to_change() {
        is_not_called_overdue_beside_a_young_task(&mut world);
    }
}

/// How long a task has been at work is judged by the time of the cloud, which tells when it was created.
#[test]
fn h16_a_young_task_of_somebody_else_is_not_called_overdue_by_a_clock_that_is_ahead() {
    for mut world in about_to_change() {
        world.crew[0].ahead = 6 * HOUR;
        is_not_called_overdue_beside_a_young_task(&mut world);
    }
}

#[test]
fn an_unfinished_job_is_waited_for_and_becomes_overdue_for_people_only() {
    for mut world in about_to_change() {
        world.loses(Some(0));
        world.takes(3 * HOUR, End::Moves);
        world.run(29 * MINUTE);
        assert_eq!(world.reason(), "OutcomeUnknown");
        world.run(4 * MINUTE);
        let hasty = world.sky.state().mode == Mode::Hasty;
        if hasty {
            assert!(world.is_ready(), "the port was in place for changeTimeout");
        } else {
            assert_eq!(world.condition("Stalled"), "True/JobOverdue");
            let change = world.said().change.as_ref().unwrap();
            assert_eq!((change.phase, &change.job_id), (Phase::Intended, &None));
        }
        world.run(3 * HOUR);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_proxy_that_stays_unusable_after_an_unknown_outcome_stalls() {
    for mut world in about_to_change() {
        world.loses(None);
        world.run(1);
        world.sky.state().status = Some(ProxyStatus::Changing("REBOOTING".to_owned()));
        world.run(10 * MINUTE);
        assert_eq!(world.condition("Reconciling"), "True/ProxyBusy");
        world.run(30 * MINUTE);
        assert_eq!(world.condition("Stalled"), "True/ProxyUnhealthy");
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_third_port_after_an_unknown_outcome_means_done_and_then_drift() {
    for mut world in about_to_change() {
        world.loses(None);
        world.run(1);
        world.sky.state().drift(3310);
        world.run(400);
        assert!(world.is_ready());
        assert_eq!((world.puts(), world.port()), (2, 3307));
        assert_eq!(world.said().corrections.as_ref().unwrap().times.len(), 1);
    }
}

#[test]
fn a_failed_read_decides_nothing_however_old_the_record() {
    for mut world in about_to_change() {
        world.loses(None);
        world.run(1);
        world.sky.state().tasks_fail = Some((FOREVER, Meaning::Transient));
        world.run(5 * HOUR);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        assert_eq!(world.puts(), 1);
        world.sky.state().tasks_fail = None;
        world.sky.state().reads_fail = Some((FOREVER, Meaning::Malformed));
        world.run(5 * HOUR);
        assert_eq!(world.condition("Ready"), "Unknown/MalformedAnswer");
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn a_new_process_watches_a_record_anew_however_old_it_is() {
    for mut world in about_to_change() {
        world.loses(None);
        world.run(100);
        world.crew = vec![Process::new(5 * HOUR, 0)];
        world.sky.state().advance(5 * HOUR);
        world.run(159);
        assert_eq!(world.puts(), 1);
        world.run(60);
        assert_eq!(world.puts(), 2);
    }
}

#[test]
fn a_change_that_somebody_takes_from_the_record_is_watched_for_before_another_one() {
    for mode in MODES {
        for (whole, absurd) in [(false, false), (false, true), (true, false)] {
            let mut world = World::settled(mode, 3306);
            world.sky.state().usual.visible_after = 100;
            world.sky.state().usual.takes = 150;
            world.want(3307);
            world.run(5);
            let mut status = world.said().clone();
            if absurd {
                status.change.as_mut().unwrap().to_port = -1;
            } else {
                status.change = None;
            }
            world.tamper(Some(status).filter(|_| !whole));
            if absurd {
                world.crash();
            }
            world.run(155);
            assert!(world.puts() == 1 && !world.is_ready(), "{mode:?}");
            world.run(300);
            assert!(world.is_ready(), "{mode:?}");
            assert_eq!((world.puts(), world.sky.state().most_at_once), (1, 1));
        }
    }
}

#[test]
fn a_restored_status_is_of_unknown_outcome_and_costs_no_attempt() {
    for mut world in about_to_change() {
        world.sky.state().usual.visible_after = 100;
        world.run(1);
        world.recreate("uid-2", true);
        world.cluster.orphan_until = 0;
        world.run(158);
        assert!(world.puts() == 1 && !world.is_ready());
        world.run(200);
        assert!(world.is_ready());
        assert_eq!((world.puts(), &world.said().failures), (1, &vec![]));
    }
}

#[test]
fn a_status_of_a_later_generation_counts_for_no_change() {
    for mut world in about_to_change() {
        world.run(100);
        let mut status = world.said().clone();
        status.observed_generation = Some(99);
        world.tamper(Some(status));
        world.run(1);
        assert_eq!(world.said().observed_generation, Some(2));
        assert!(!world.is_ready());
        world.run(200);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1);
    }
}
