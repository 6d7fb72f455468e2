//! Steps 1, 2 and 4 of the change protocol: the fresh look, the intent, the job id.

use std::time::Duration;

use super::{
    cloud::{End, MODES, Mode},
    process::{CrashPoint, Process},
    world::{World, about_to_change},
};
use crate::{
    cloud::{CloudError, Meaning, ProxyStatus},
    fleet::claims::{Rival, Standing},
    plan::facts::Trouble,
};

#[test]
fn a_wanted_port_is_moved_once_and_then_verified() {
    for mut world in about_to_change() {
        world.run(0);
        assert_eq!(world.condition("Ready"), "False/JobRunning");
        assert_eq!(world.condition("Reconciling"), "True/JobRunning");
        assert_eq!(world.condition("JobSucceeded"), "Unknown/JobRunning");
        assert_eq!(world.said().port, Some(3306), "frozen during the change");
        world.run(60);
        assert_eq!(world.condition("Ready"), "True/Settled");
        assert_eq!(world.condition("PortInSync"), "True/PortMatches");
        assert_eq!(world.condition("JobSucceeded"), "True/JobCompleted");
        let status = world.said();
        assert_eq!((status.port, status.applied_port), (Some(3307), Some(3307)));
        assert_eq!((world.puts(), world.port()), (1, 3307));
    }
}

#[test]
fn a_settled_resource_is_written_zero_times() {
    for mut world in about_to_change() {
        world.run(60);
        let writes = world.cluster.writes;
        let history = world.said().history.clone();
        assert_eq!(history.len(), 1);
        world.run(6 * 3600);
        assert_eq!(world.cluster.writes, writes);
        assert_eq!(world.said().history, history);
        assert!(world.is_ready());
    }
}

#[test]
fn a_new_object_gets_neither_ready_nor_a_change_before_the_process_has_led_for_160_seconds() {
    for mode in MODES {
        for wanted in [3306, 3307] {
            let mut world = World::new(mode, 3306, wanted);
            world.crew = vec![Process::new(0, 0)];
            world.run(0);
            assert_eq!(
                world.condition("Reconciling"),
                "True/CheckingEarlierChanges"
            );
            world.run(159);
            assert!(world.puts() == 0 && !world.is_ready());
            let status = world.said();
            let proven = (&status.subject_uid, status.applied_port);
            assert_eq!(proven, (&None, None), "not vetted yet");
            world.run(60);
            assert!(world.is_ready());
            assert_eq!(world.puts(), usize::from(wanted == 3307));
        }
    }
}

#[test]
fn n04_a_new_resource_says_until_when_earlier_changes_are_checked_and_is_not_written_meanwhile() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.crew = vec![Process::new(0, 0)];
    world.run(0);
    let told = "checking that no earlier change is still running on this proxy, since the operator has just started; until \
                2027-01-15T08:02:40Z";
    assert_eq!(world.message("Reconciling"), told);
    let writes = world.cluster.writes;
    for _ in 0..15 {
        world.run(10);
        world.request("look again"); // does not hurry it
        assert_eq!(world.message("Ready"), told);
    }
    assert!(
        world.cluster.writes <= writes + 1,
        "the request is acknowledged"
    );
    world.run(15);
    assert_eq!(world.puts(), 1);
}

#[test]
fn n04_a_resource_that_is_only_observed_waits_for_nothing_after_a_start_and_for_all_once_it_is_enforced()
 {
    for mode in MODES {
        let mut world = World::new(mode, 3306, 3307);
        world.edit(|spec| spec["managementPolicy"] = "Observe".into());
        world.crew = vec![Process::new(0, 0)];
        world.run(1);
        assert_eq!(world.condition("Ready"), "True/Observed");
        assert_eq!(world.said().port, Some(3306));
        let writes = world.cluster.writes;
        world.run(60);
        assert_eq!(world.cluster.writes, writes, "it is settled");
        world.edit(|spec| spec["managementPolicy"] = "Enforce".into());
        world.run(98);
        assert_eq!((world.puts(), world.is_ready()), (0, false));
        world.run(60);
        assert_eq!((world.puts(), world.is_ready()), (1, true));
    }
}

#[test]
fn n05_a_change_right_after_an_own_one_that_was_verified_waits_for_nothing() {
    for mut world in about_to_change() {
        world.run(2);
        let first = world.run_until(60, World::is_ready).unwrap();
        world.want(3308);
        world.run(1);
        assert_eq!(world.puts(), 2, "after {first} s");
        world.run(60);
        assert_eq!(
            (world.condition("Ready"), world.port()),
            ("True/Settled".to_owned(), 3308)
        );
    }
}

#[test]
fn n05_after_a_restart_the_own_job_is_waited_for_until_lists_cannot_lag_behind_it_and_no_longer() {
    for mut world in about_to_change() {
        world.run(2);
        world.run_until(60, World::is_ready).unwrap();
        world.crash();
        world.want(3308);
        world.run(3);
        assert_eq!(world.condition("Ready"), "False/CloudListsLag");
        let told = "the last change of this resource (job job-1) has just completed; \
            the next one waits while the cloud's lists may lag behind it; until 2027-01-15T08:02:41Z";
        assert_eq!(world.message("Ready"), told);
        world.run_until(200, |world| world.puts() == 2).unwrap();
        assert_eq!(world.now(), 41 + 120, "the job ended at 41");
    }
}

#[test]
fn n05_a_list_that_falls_back_after_an_own_change_lets_nothing_be_sent() {
    for mut world in about_to_change() {
        world.run(2);
        world.run_until(60, World::is_ready).unwrap();
        world.sky.state().lag = 100;
        world.want(3308);
        world.run_until(300, |world| world.puts() == 2).unwrap();
        let listed = world.sky.state().listed;
        assert_eq!(listed, Some(3307), "no list from before was believed");
        world.run(60);
        assert_eq!((world.puts(), world.port()), (2, 3308));
    }
}

#[test]
fn n05_a_process_that_has_just_begun_believes_no_list_from_before_the_last_change() {
    let hour = 60 * 60;
    for (ahead, falls_back_before) in [(0, false), (0, true), (6 * hour, true), (30 * hour, false)]
    {
        for mut world in about_to_change() {
            world.run(2);
            world.run_until(60, World::is_ready).unwrap();
            world.sky.state().lag = 100;
            world.sky.state().tasks_lag = 100;
            if falls_back_before {
                world.annotate("example.com/touched", "so that it looks");
                world.run(1);
            }
            world.crash();
            world.crew[0].ahead = ahead;
            world.run(60);
            assert_eq!(world.puts(), 1, "both lists are from before the change");
            world.run(120);
            assert_eq!((world.puts(), world.port()), (1, 3307));
            assert!(world.is_ready());
        }
    }
}

#[test]
fn n05_a_port_that_a_failed_job_took_back_is_no_drift() {
    // Somebody else's job, or an own one whose port was wanted no longer.
    for own in [false, true] {
        let mut world = World::settled(Mode::Hasty, 3306);
        world.takes(60, End::Fails);
        if own {
            world.want(3307);
            world.run(5);
            world.want(3306);
        } else {
            world.sky.state().somebody_asks_for(3307);
            world.run(5);
        }
        world.annotate("example.com/touched", "so that it looks");
        world.run(50);
        world.sky.state().lag = 100;
        world.run(400);
        assert_eq!((world.puts(), world.port()), (usize::from(own), 3306));
        assert!(world.is_ready());
        assert!(world.said().corrections.is_none());
    }
}

#[test]
fn n05_a_list_that_falls_back_during_the_second_change_shows_no_third_port() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.want(3307);
        world.run(2);
        world.run_until(60, World::is_ready).unwrap();
        world.want(3308);
        world.run(2);
        assert_eq!(world.puts(), 2);
        world.sky.state().lag = 60;
        world.run(300);
        assert_eq!(
            (world.condition("Ready"), world.puts(), world.port()),
            ("True/Settled".to_owned(), 2, 3308)
        );
        assert!(
            world.said().corrections.is_none(),
            "nothing was taken for drift"
        );
    }
}

#[test]
fn a_process_that_has_led_for_long_lets_a_new_object_wait_for_nothing() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.run(0);
    assert_eq!(world.puts(), 1);
}

#[test]
fn an_unfinished_task_of_the_instance_holds_a_change_back_whoever_began_it() {
    for mut world in about_to_change() {
        world.sky.state().foreign_until = 500;
        world.run(480);
        assert_eq!(world.puts(), 0);
        assert_eq!(world.condition("Reconciling"), "True/ProxyBusy");
        world.run(120);
        assert_eq!(world.puts(), 1);
    }
}

#[test]
fn an_unfinished_task_holds_the_first_ready_of_a_new_object_back() {
    let mut world = World::new(Mode::Hidden, 3306, 3306);
    world.sky.state().foreign_until = 500;
    world.run(480);
    assert_eq!(world.condition("Reconciling"), "True/ProxyBusy");
    world.run(120);
    assert!(world.is_ready());
}

#[test]
fn a_task_list_that_is_denied_stalls_the_resource_and_nothing_is_sent() {
    for mut world in about_to_change() {
        world.sky.state().tasks_fail = Some((7200, Meaning::Denied));
        world.run(7000);
        assert_eq!(world.condition("Stalled"), "True/PermissionDenied");
        assert_eq!(world.puts(), 0);
        let walks = world.sky.state().reads[2];
        assert!(walks < 20, "{walks} walks in two hours");
        world.run(1200);
        assert!(world.is_ready());
    }
}

#[test]
fn a_task_list_that_fails_is_read_ever_more_slowly() {
    for mut world in about_to_change() {
        world.sky.state().tasks_fail = Some((7200, Meaning::Transient));
        world.run(7000);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        assert_eq!(world.puts(), 0);
        let walks = world.sky.state().reads[2];
        assert!((20..40).contains(&walks), "{walks} walks in two hours");
    }
}

#[test]
fn a_successor_of_a_deleted_object_waits_for_its_change() {
    for mode in MODES {
        for wanted in [3306, 3307, 3308] {
            let mut world = World::settled(mode, 3306);
            world.sky.state().usual.visible_after = 30;
            world.want(3307);
            world.run(1);
            world.recreate("uid-2", false);
            world.want(wanted);
            world.run(159);
            assert!(!world.is_ready(), "{mode:?} {wanted}");
            assert_eq!(world.puts(), 1);
            world.run(300);
            assert!(world.is_ready());
            assert_eq!(world.puts(), 1 + usize::from(wanted != 3307));
            assert_eq!(world.sky.state().most_at_once, 1);
        }
    }
}

#[test]
fn a_successor_waits_as_well_where_the_process_is_new() {
    for mut world in about_to_change() {
        world.sky.state().usual.visible_after = 30;
        world.run(1);
        world.recreate("uid-2", false);
        world.crash();
        world.run(140);
        assert!(!world.is_ready() && world.puts() == 1);
        world.run(160);
        assert!(world.is_ready() && world.puts() == 1);
    }
}

#[test]
fn a_proxy_that_is_not_active_is_not_changed() {
    let table = [
        (
            ProxyStatus::Changing("CREATING PROXY".to_owned()),
            "ProxyBusy",
        ),
        (
            ProxyStatus::Unhealthy("ABNORMAL".to_owned()),
            "ProxyUnhealthy",
        ),
    ];
    for (status, reason) in table {
        for mut world in about_to_change() {
            world.sky.state().status = Some(status.clone());
            world.run(2000);
            assert_eq!((world.puts(), world.reason()), (0, reason.to_owned()));
            world.sky.state().status = None;
            world.run(600);
            assert!(world.is_ready());
        }
    }
}

#[test]
fn whoever_does_not_own_the_proxy_is_stalled_even_where_the_ports_agree() {
    for wanted in [3306, 3307] {
        let mut world = World::new(Mode::Hidden, 3306, wanted);
        world.cluster.standing = Standing::Claimed(Rival::default());
        world.run(2000);
        assert_eq!(world.condition("Stalled"), "True/ProxyClaimed");
        assert_eq!(world.puts(), 0);
        world.edit(|spec| spec["managementPolicy"] = "Observe".into());
        world.run(1);
        assert_eq!(world.reason(), "Observed", "who observes claims nothing");
    }
}

#[test]
fn h03_who_comes_after_another_of_its_namespace_waits_as_reconciling_and_shows_the_port_meanwhile()
{
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    let predecessor = Rival {
        name: Some("orders-old".to_owned()),
        same_port: true,
    };
    assert!(predecessor.is_predecessor());
    world.cluster.standing = Standing::Claimed(predecessor);
    world.run(2000);
    assert_eq!(world.condition("Reconciling"), "True/TakingOver");
    assert!(world.message("Ready").contains("orders-old"));
    world.sky.state().drift(3307);
    world.run(601);
    assert_eq!(world.said().port, Some(3307), "it was not looked at again");
    world.cluster.standing = Standing::Open(Duration::from_mins(2));
    world.run(601);
    assert!(
        world.is_ready(),
        "nothing is to be changed: there is nothing to wait for"
    );
    assert_eq!(world.puts(), 0);
}

#[test]
fn h15_where_several_want_what_is_not_there_nothing_is_sent_and_all_say_why() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.cluster.standing = Standing::Contested(Rival::default());
    world.run(9000);
    assert_eq!(world.condition("Stalled"), "True/ProxyContested");
    assert!(world.message("Ready").contains("another namespace"));
    assert_eq!(world.puts(), 0);
    world.cluster.standing = Standing::Owner;
    world.run(2000);
    assert!(world.is_ready());
    assert_eq!(world.puts(), 1);
}

#[test]
fn h15_who_waits_is_not_on_record_as_owner_whatever_is_said_of_it_later() {
    for standing in [
        Standing::Claimed(Rival::default()),
        Standing::Contested(Rival::default()),
    ] {
        for refused in [false, true] {
            let mut world = World::settled(Mode::Hidden, 3306);
            assert!(world.said().subject_uid.is_some());
            world.cluster.standing = standing.clone();
            world.want(3307);
            world.run(5);
            assert_eq!(world.said().subject_uid, None, "{standing:?}");
            let (writes, said) = (world.cluster.writes, world.reason());
            let text = || "refused".to_owned();
            world.crew[0].trouble = Some(if refused {
                Trouble::CredentialsInvalid(text())
            } else {
                Trouble::Cloud(CloudError::local(Meaning::Transient, text()))
            });
            world.run(3000);
            assert_eq!(world.cluster.writes, writes, "it stays as it is");
            world.crew[0].trouble = None;
            world.sky.state().status = Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned()));
            world.cluster.pruned = true;
            world.run(3000);
            assert_eq!((world.reason(), &world.said().subject_uid), (said, &None));
            world.sky.state().status = None;
            world.cluster.pruned = false;
            world.cluster.standing = Standing::Open(Duration::from_mins(2));
            world.run(1200);
            assert_eq!(world.condition("Ready"), "False/TakingOver");
            assert_eq!((&world.said().subject_uid, world.puts()), (&None, 0));
            world.cluster.standing = Standing::Owner;
            world.run(900);
            assert!(world.is_ready() && world.said().subject_uid.is_some());
            assert_eq!(world.puts(), 1);
        }
    }
}

#[test]
fn h15_who_is_settled_and_finds_another_owner_while_the_cloud_is_silent_waits_for_it() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.crew[0].trouble = Some(Trouble::CredentialsInvalid("expired".to_owned()));
    world.cluster.standing = Standing::Claimed(Rival::default());
    world.run(1200);
    assert_eq!(world.condition("Stalled"), "True/ProxyClaimed");
    assert_eq!(world.said().subject_uid, None);
}

#[test]
fn h15_who_never_saw_the_proxy_is_not_told_that_somebody_manages_it() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.crew[0].trouble = Some(Trouble::CredentialsInvalid("no key".to_owned()));
    world.cluster.standing = Standing::Claimed(Rival::default());
    world.run(1200);
    assert_eq!(world.condition("Stalled"), "True/CredentialsInvalid");
}

#[test]
fn h15_who_turns_to_observing_is_not_on_record_as_owner_and_stays_ready_while_the_cloud_is_silent()
{
    let mut world = World::settled(Mode::Hidden, 3306);
    world.edit(|spec| spec["managementPolicy"] = "Observe".into());
    world.run(1);
    assert_eq!(world.condition("Ready"), "True/Observed");
    assert_eq!(world.said().subject_uid, None);
    let writes = world.cluster.writes;
    let silent = CloudError::local(Meaning::Transient, "no answer".to_owned());
    world.crew[0].trouble = Some(Trouble::Cloud(silent));
    world.run(700);
    assert_eq!(
        world.cluster.writes, writes,
        "it stays as it is for a while"
    );
    world.cluster.standing = Standing::Claimed(Rival::default());
    world.edit(|spec| spec["managementPolicy"] = "Enforce".into());
    world.run(3000);
    assert_eq!(world.said().subject_uid, None);
    assert!(!world.is_ready());
}

#[test]
fn h15_who_turns_to_observing_while_the_cloud_is_silent_is_not_on_record_as_owner_either() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.crew[0].trouble = Some(Trouble::CredentialsInvalid("expired".to_owned()));
    world.edit(|spec| spec["managementPolicy"] = "Observe".into());
    world.run(1);
    assert_eq!(world.said().subject_uid, None);
}

#[test]
fn a_definition_that_drops_the_record_lets_nothing_be_sent() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.cluster.pruned = true;
    world.want(3307);
    world.run(2000);
    assert_eq!(world.condition("Stalled"), "True/CRDOutdated");
    assert_eq!(world.puts(), 0);
}

#[test]
fn a_crash_at_any_point_of_a_change_costs_no_second_request() {
    use CrashPoint::{AfterIntent, AfterJob, AfterRequest, BeforeIntent};
    for point in [BeforeIntent, AfterIntent, AfterRequest, AfterJob] {
        for mut world in about_to_change() {
            world.crew[0].crash = Some(point);
            world.run(800);
            assert!(world.is_ready(), "{point:?}");
            assert_eq!(world.puts(), 1, "{point:?}");
        }
    }
}

#[test]
fn r09_a_list_that_falls_back_after_a_second_change_has_failed_makes_nothing_ready() {
    for mode in [Mode::Hidden, Mode::Doubling] {
        let mut world = World::settled(mode, 3306);
        world.want(3307);
        world.run(2);
        world.run_until(60, World::is_ready).unwrap();
        world.takes(5, End::Fails);
        world.want(3308);
        world.run(10);
        assert_eq!((world.puts(), world.port()), (2, 3307));
        world.sky.state().lag = 60;
        world.want(3306);
        for _ in 0..200 {
            world.run(1);
            assert!(!world.is_ready() || world.port() == 3306, "{mode:?}");
        }
        world.run(200);
        let end = (world.is_ready(), world.port(), world.puts());
        assert_eq!(end, (true, 3306, 3));
    }
}

#[test]
fn r02_a_change_that_was_taken_from_the_record_is_doubted_by_the_next_process_as_well() {
    for mut world in about_to_change() {
        world.takes(600, End::Moves);
        world.run(2);
        assert_eq!(world.puts(), 1);
        let mut status = world.said().clone();
        status.change = None;
        world.tamper(Some(status));
        world.run(2);
        assert_eq!(world.said().subject_uid, None, "doubted on record");
        world.crash();
        world.run(1200);
        assert_eq!((world.puts(), world.port()), (1, 3307));
        assert!(world.is_ready());
    }
}

#[test]
fn n06_another_wish_of_who_only_observes_is_told_also_while_the_cloud_is_silent() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.edit(|spec| spec["managementPolicy"] = "Observe".into());
    world.run(1);
    let told = |port| {
        format!(
            "the proxy listens on port 3306; managementPolicy is Observe, so port {port} is not set"
        )
    };
    assert_eq!(world.message("Ready"), told(3307));
    let silent = world.now() + 300;
    world.sky.state().reads_fail = Some((silent, Meaning::Transient));
    world.want(3308);
    world.run(60);
    assert_eq!(world.condition("Ready"), "True/Observed");
    assert_eq!(world.message("Ready"), told(3308));
}
