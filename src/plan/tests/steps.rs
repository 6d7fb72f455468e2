//! Steps 1, 2 and 4 of the change protocol: the fresh look, the intent, the job id.

use super::{
    cloud::{MODES, Mode},
    process::{CrashPoint, Process},
    world::{World, about_to_change},
};
use crate::cloud::{Meaning, ProxyStatus};

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
        world.run(6 * 3600);
        assert_eq!(world.cluster.writes, writes);
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
            assert_eq!(world.condition("Reconciling"), "True/OutcomeUnknown");
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
        world.cluster.claimed = true;
        world.run(2000);
        assert_eq!(world.condition("Stalled"), "True/ProxyClaimed");
        assert_eq!(world.puts(), 0);
        world.edit(|spec| spec["managementPolicy"] = "Observe".into());
        world.run(1);
        assert_eq!(world.reason(), "Observed", "who observes claims nothing");
    }
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
