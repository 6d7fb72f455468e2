//! What is said and done when the cloud, or the proxy, is not there.

use std::time::Duration;

use super::{
    cloud::{End, Fate, Mode, error},
    world::{World, about_to_change},
};
use crate::{
    cloud::{CloudError, Meaning, ProxyStatus},
    crd::Outcome,
    plan::facts::Trouble,
};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const RESYNC: u64 = 10 * MINUTE;

#[test]
fn a_settled_resource_stays_ready_until_three_resyncs_in_a_row_have_failed() {
    for meaning in [Meaning::Transient, Meaning::Throttled, Meaning::Malformed] {
        let mut world = World::settled(Mode::Hidden, 3306);
        let writes = world.cluster.writes;
        world.sky.state().reads_fail = Some((9 * HOUR, meaning));
        // The first resync after the outage began fails at 10 min, the third at 30 min.
        world.run(29 * MINUTE);
        assert!(world.is_ready());
        assert_eq!(world.cluster.writes, writes, "and nothing is written");
        world.run(7 * MINUTE);
        assert!(world.condition("Ready").starts_with("Unknown/"));
        assert!(world.condition("Reconciling").starts_with("True/"));
        world.run(8 * HOUR);
        assert_eq!(world.cluster.writes, writes + 1);
        world.run(HOUR);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 0);
    }
}

#[test]
fn resyncs_that_fail_with_successes_between_them_are_not_three_in_a_row() {
    let mut world = World::settled(Mode::Hidden, 3306);
    let writes = world.cluster.writes;
    for _ in 0..20 {
        let now = world.now();
        world.sky.state().reads_fail = Some((now + 2 * RESYNC, Meaning::Transient));
        world.run(2 * RESYNC + 6 * MINUTE);
        assert!(world.is_ready());
    }
    assert_eq!(world.cluster.writes, writes);
}

#[test]
fn a_port_that_cannot_be_read_is_no_port_and_no_drift() {
    let mut world = World::settled(Mode::Hidden, 3306);
    let writes = world.cluster.writes;
    world.sky.state().port_unreadable = true;
    world.run(29 * MINUTE);
    assert_eq!(world.cluster.writes, writes);
    world.run(HOUR);
    assert_eq!(world.condition("Ready"), "Unknown/MalformedAnswer");
    assert_eq!(world.said().port, Some(3306));
    assert_eq!(world.puts(), 0);
    let lists = world.sky.state().reads[0];
    world.run(HOUR);
    let lists = world.sky.state().reads[0] - lists;
    assert!(lists <= 13, "{lists} lists in an hour");
}

#[test]
fn a_port_that_cannot_be_read_ends_no_change() {
    for lost in [false, true] {
        for mut world in about_to_change() {
            if lost {
                world.sky.state().fates.push_back(Fate::Lost(Some(0)));
            }
            world.run(5);
            world.sky.state().port_unreadable = true;
            world.run(HOUR);
            assert_eq!(world.condition("Ready"), "Unknown/MalformedAnswer");
            assert!(world.said().change.is_some());
            world.sky.state().port_unreadable = false;
            world.run(HOUR);
            assert!(world.is_ready() && world.puts() == 1);
        }
    }
}

#[test]
fn a_task_list_that_fails_anew_is_read_soon_again_after_it_was_read_or_not_needed() {
    for needed in [false, true] {
        for mut world in about_to_change() {
            world.sky.state().tasks_fail = Some((HOUR, Meaning::Transient));
            world.run(HOUR);
            if needed {
                world.sky.state().foreign_until = 2 * HOUR;
            } else {
                world.sky.state().drift(3307);
            }
            world.run(HOUR);
            assert_eq!(world.is_ready(), !needed);
            let now = world.now();
            world.sky.state().drift(3310);
            world.sky.state().tasks_fail = Some((now + HOUR, Meaning::Transient));
            assert!(
                world
                    .run_until(11 * MINUTE, |world| world.reason() == "CloudUnreachable")
                    .is_some()
            );
            let walks = world.sky.state().reads[2];
            world.run(40);
            let walks = world.sky.state().reads[2] - walks;
            assert!(walks >= 3, "{walks} walks in 40 s");
        }
    }
}

#[test]
fn refused_credentials_and_permissions_show_at_once() {
    let table = [
        (
            Trouble::Cloud(error(Meaning::Unauthenticated)),
            "CredentialsInvalid",
        ),
        (Trouble::Cloud(error(Meaning::Locked)), "CredentialsLocked"),
        (Trouble::Cloud(error(Meaning::Denied)), "PermissionDenied"),
        (Trouble::Cloud(error(Meaning::ClockSkew)), "ClockSkew"),
        (
            Trouble::Cloud(error(Meaning::EndpointNotAllowed)),
            "EndpointNotAllowed",
        ),
        (
            Trouble::CredentialsUnset("none".to_owned()),
            "CredentialsMissing",
        ),
        (
            Trouble::CredentialsInvalid("bad".to_owned()),
            "CredentialsInvalid",
        ),
    ];
    for (trouble, reason) in table {
        let mut world = World::settled(Mode::Hidden, 3306);
        world.crew[0].trouble = Some(trouble);
        world.run(RESYNC + 1);
        assert_eq!(world.condition("Stalled"), format!("True/{reason}"));
        assert_eq!(world.condition("Ready"), format!("False/{reason}"));
        world.crew[0].trouble = None;
        world.run(16 * MINUTE);
        assert!(world.is_ready());
    }
}

fn missing() -> Trouble {
    Trouble::CredentialsMissing("no such Secret".to_owned())
}

fn says(world: &World) -> String {
    let conditions = &world.said().conditions;
    let ready = conditions
        .iter()
        .find(|condition| condition.type_ == "Ready");
    ready.map(|ready| ready.message.clone()).unwrap_or_default()
}

#[test]
fn g06_a_secret_that_comes_a_little_later_stalls_nothing() {
    let mut world = World::new(Mode::Hidden, 3306, 3306);
    world.crew[0].trouble = Some(missing());
    world.run(1);
    assert_eq!(world.condition("Reconciling"), "True/WaitingForCredentials");
    let said = says(&world);
    let until = said
        .strip_prefix("no such Secret; waiting for it until ")
        .unwrap();
    assert!(until.parse::<jiff::Timestamp>().is_ok(), "{said}");
    let writes = world.cluster.writes;
    world.run(100);
    assert_eq!(world.condition("Reconciling"), "True/WaitingForCredentials");
    assert_eq!(world.cluster.writes, writes, "it is said once");
    world.crew[0].trouble = None;
    world.run(15);
    assert!(world.reason() != "WaitingForCredentials", "noticed soon");
    world.run(10 * MINUTE);
    assert!(world.is_ready());
}

#[test]
fn g06_another_process_waits_for_a_secret_no_longer_than_was_told() {
    let mut world = World::new(Mode::Hidden, 3306, 3306);
    world.crew[0].trouble = Some(missing());
    world.run(MINUTE + 40);
    assert_eq!(world.condition("Reconciling"), "True/WaitingForCredentials");
    world.crash();
    world.crew[0].trouble = Some(missing());
    world.run(MINUTE);
    assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
}

#[test]
fn g06_a_secret_that_does_not_come_stalls_until_it_does_or_another_is_named() {
    let mut world = World::new(Mode::Hidden, 3306, 3306);
    world.crew[0].trouble = Some(missing());
    world.run(2 * MINUTE + 2);
    assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
    let writes = world.cluster.writes;
    world.crash();
    world.crew[0].trouble = Some(missing());
    world.run(5 * MINUTE);
    assert_eq!(
        world.cluster.writes, writes,
        "another process waits no second time"
    );
    assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
    world.edit(|spec| spec["credentialsRef"] = serde_json::json!({"name": "another"}));
    world.run(1);
    assert_eq!(world.condition("Reconciling"), "True/WaitingForCredentials");
    world.run(3 * MINUTE);
    assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
    world.crew[0].trouble = None;
    world.run(15);
    assert!(world.reason() != "CredentialsMissing", "noticed soon");
}

#[test]
fn g06_a_secret_that_is_made_anew_takes_nothing_from_a_settled_resource() {
    let mut world = World::settled(Mode::Hidden, 3306);
    let writes = world.cluster.writes;
    world.crew[0].trouble = Some(missing());
    world.run(RESYNC + 90);
    assert!(world.is_ready() && world.cluster.writes == writes);
    world.run(MINUTE);
    assert_eq!(world.condition("Stalled"), "True/CredentialsMissing");
}

#[test]
fn a_secret_that_was_put_right_is_noticed_soon_however_long_the_old_one_is_held_back() {
    for meaning in [
        Meaning::Unauthenticated,
        Meaning::Locked,
        Meaning::ClockSkew,
    ] {
        let mut world = World::settled(Mode::Hidden, 3306);
        let held = CloudError {
            retry_after: Some(Duration::from_mins(16)),
            ..error(meaning)
        };
        world.crew[0].trouble = Some(Trouble::Cloud(held));
        world.run(RESYNC + 1);
        assert!(!world.is_ready());
        world.crew[0].trouble = None;
        world.run(15);
        assert!(world.is_ready(), "{meaning:?}");
    }
}

#[test]
fn an_edit_that_changes_nothing_about_the_port_keeps_ready_also_while_the_cloud_fails() {
    for fails in [false, true] {
        let mut world = World::settled(Mode::Hidden, 3306);
        if fails {
            world.sky.state().reads_fail = Some((HOUR, Meaning::Transient));
        }
        world.edit(|spec| spec["changeTimeout"] = "40m".into());
        world.run(1);
        assert!(world.is_ready());
        assert_eq!(world.said().observed_generation, Some(2));
    }
}

#[test]
fn a_new_wish_is_not_ready_while_the_cloud_fails() {
    for mut world in about_to_change() {
        world.sky.state().reads_fail = Some((HOUR, Meaning::Transient));
        world.run(1);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        assert_eq!(world.said().observed_generation, Some(2));
        world.run(2 * HOUR);
        assert!(world.is_ready() && world.puts() == 1);
    }
}

#[test]
fn failing_reads_are_made_ever_more_slowly() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.sky.state().reads_fail = Some((2 * HOUR, Meaning::Transient));
    world.run(2 * HOUR);
    let lists = world.sky.state().reads[0];
    assert!((24..=32).contains(&lists), "{lists} lists in two hours");
}

#[test]
fn a_busy_proxy_is_looked_at_ever_more_slowly() {
    for mut world in about_to_change() {
        world.sky.state().foreign_until = 2 * HOUR;
        world.run(2 * HOUR);
        let walks = world.sky.state().reads[2];
        assert!((60..=66).contains(&walks), "{walks} walks in two hours");
    }
}

#[test]
fn a_proxy_is_believed_gone_when_two_lists_30_seconds_apart_lack_it() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.sky.state().gone_until = 2 * HOUR;
    world.run(RESYNC);
    assert!(world.is_ready(), "seen once");
    world.run(28);
    assert!(world.is_ready());
    world.run(2);
    assert_eq!(world.condition("Stalled"), "True/ProxyNotFound");
    assert_eq!(world.said().port, Some(3306), "what was last read stays");
    world.run(3 * HOUR);
    assert!(world.is_ready());
    assert_eq!(world.puts(), 0);
}

#[test]
fn a_proxy_that_is_missing_once_is_not_gone() {
    let mut world = World::settled(Mode::Hidden, 3306);
    let writes = world.cluster.writes;
    world.sky.state().gone_until = RESYNC + 20;
    world.run(HOUR);
    assert_eq!(world.cluster.writes, writes);
}

#[test]
fn an_instance_that_is_not_there_is_confirmed_before_it_is_believed() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.sky.state().instance_gone_until = HOUR;
    world.run(29);
    assert_eq!(world.condition("Reconciling"), "True/ConfirmingAbsence");
    world.run(2);
    assert_eq!(world.condition("Stalled"), "True/InstanceNotFound");
    world.run(2 * HOUR);
    assert!(world.is_ready());
}

#[test]
fn during_a_change_a_proxy_is_believed_gone_only_after_ten_minutes() {
    for mut world in about_to_change() {
        world.run(5);
        world.sky.state().gone_until = HOUR;
        world.run(10 * MINUTE);
        assert!(world.said().change.is_some());
        world.run(2 * MINUTE);
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!((last.outcome, &world.said().change), (Outcome::Void, &None));
        assert_eq!(world.condition("Stalled"), "True/ProxyNotFound");
        world.run(HOUR);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 1, "it had been moved");
    }
}

#[test]
fn a_change_whose_job_may_be_at_work_is_not_given_up_because_its_proxy_is_missing() {
    let mut world = World::settled(Mode::Doubling, 3306);
    world.takes(25 * MINUTE, End::Moves);
    world.want(3307);
    world.run(30);
    let now = world.now();
    world.sky.state().works[0].erased = true;
    world.sky.state().gone_until = now + 12 * MINUTE;
    world.run(HOUR);
    assert!(world.is_ready());
    assert_eq!(world.puts(), 1);

    // The task list shows it, though no answer named it.
    let mut world = World::settled(Mode::Hidden, 3306);
    world.takes(40 * MINUTE, End::Moves);
    world.loses(Some(0));
    world.want(3307);
    world.run(30);
    let now = world.now();
    world.sky.state().gone_until = now + 20 * MINUTE;
    world.run(30 * MINUTE);
    assert!(world.said().change.is_some(), "{:?}", world.said());
    world.run(HOUR);
    assert!(world.is_ready());
    assert_eq!(world.puts(), 1);
}

#[test]
fn an_unhealthy_proxy_stalls_and_heals() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.sky.state().status = Some(ProxyStatus::Unhealthy("ABNORMAL".to_owned()));
    world.run(RESYNC + 1);
    assert_eq!(world.condition("Stalled"), "True/ProxyUnhealthy");
    assert_eq!(world.said().proxy_status.as_deref(), Some("ABNORMAL"));
    world.sky.state().status = None;
    world.run(RESYNC);
    assert!(world.is_ready());
}

#[test]
fn a_settled_resource_whose_proxy_is_at_work_stays_ready() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.sky.state().status = Some(ProxyStatus::Changing("SCALING".to_owned()));
    world.run(RESYNC + 1);
    assert!(world.is_ready());
    assert_eq!(world.said().proxy_status.as_deref(), Some("SCALING"));
}

#[test]
fn the_other_sides_texts_alone_change_no_status() {
    let mut world = World::new(Mode::Hidden, 3306, 3307);
    world.sky.state().reads_fail = Some((9 * HOUR, Meaning::Transient));
    world.run(MINUTE);
    let writes = world.cluster.writes;
    for word in ["request 1 failed", "request 2 failed"] {
        world.sky.state().text = word;
        world.run(HOUR);
    }
    assert_eq!(world.cluster.writes, writes);
}
