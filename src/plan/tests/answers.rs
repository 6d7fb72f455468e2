//! Step 3 of the change protocol: what each answer to the one request means.

use super::{
    cloud::{Fate, Mode},
    world::{World, about_to_change},
};
use crate::{cloud::Meaning, crd::Outcome};

#[test]
fn a_port_that_stood_there_already_goes_to_verification() {
    for mut world in about_to_change() {
        world.sky.state().advance(100);
        world.sky.state().lag = 60;
        world.sky.state().drift(3307);
        world.run(0);
        assert_eq!(world.condition("Reconciling"), "True/Verifying");
        assert_eq!(world.said().last_change, None);
        world.run(80);
        assert!(world.is_ready());
        let last = world.said().last_change.as_ref().unwrap();
        assert_eq!(
            (last.outcome, last.job_id.as_ref()),
            (Outcome::Succeeded, None)
        );
        assert_eq!((world.puts(), world.sky.state().works.len()), (1, 0));
    }
}

#[test]
fn a_refusal_clears_the_change_and_says_why() {
    let table = [
        (Meaning::Busy, "Reconciling", "ProxyBusy", 20),
        (Meaning::Throttled, "Reconciling", "Throttled", 5),
        (
            Meaning::UnknownRefusal,
            "Reconciling",
            "RequestRefused",
            300,
        ),
        (Meaning::Denied, "Stalled", "PermissionDenied", 900),
        (
            Meaning::Unauthenticated,
            "Stalled",
            "CredentialsInvalid",
            300,
        ),
        (Meaning::Blocked, "Stalled", "InstanceBlocked", 3600),
    ];
    for (meaning, kind, reason, wait) in table {
        for mut world in about_to_change() {
            world.sky.state().fates.push_back(Fate::Refused(meaning));
            world.run(0);
            assert_eq!(world.condition(kind), format!("True/{reason}"));
            assert_eq!(world.said().change, None);
            assert_eq!(world.said().last_change, None, "nothing was begun");
            world.run(wait - 1);
            assert_eq!(world.puts(), 1);
            world.run(700);
            assert!(world.is_ready(), "{meaning:?}");
            assert_eq!(world.puts(), 2);
        }
    }
}

#[test]
fn the_wait_after_refusals_grows_and_begins_anew_after_a_success() {
    let busy = [Fate::Refused(Meaning::Busy); 3];
    for mut world in about_to_change() {
        world.sky.state().fates.extend(busy);
        world.run(200);
        assert!(world.is_ready());
        world.run(7200);
        world.sky.state().fates.push_back(busy[0]);
        world.sky.state().drift(3310);
        world.run(900);
        let puts = world.sky.state().puts.clone();
        let gaps: Vec<u64> = puts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..3], [20, 40, 80]);
        assert_eq!(gaps[4], 20);
    }
}

#[test]
fn a_refused_port_is_not_asked_for_again_until_another_one_is_wanted() {
    for mut world in about_to_change() {
        world
            .sky
            .state()
            .fates
            .push_back(Fate::Refused(Meaning::Rejected));
        world.run(3 * 3600);
        assert_eq!(world.condition("Stalled"), "True/PortRejected");
        world.edit(|spec| spec["changeTimeout"] = "40m".into());
        world.request("again");
        world.run(3 * 3600);
        assert_eq!(
            (world.puts(), world.reason()),
            (1, "PortRejected".to_owned())
        );
        world.want(3308);
        world.run(60);
        assert!(world.is_ready() && world.puts() == 2);
        world.want(3307);
        world.run(300);
        assert!(
            world.is_ready() && world.puts() == 3,
            "another port was wanted"
        );
    }
}

#[test]
fn a_proxy_that_only_changes_do_not_find_stalls_at_the_second_time() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world
        .sky
        .state()
        .fates
        .extend([Fate::Refused(Meaning::NotFound); 2]);
    world.want(3307);
    world.run(0);
    assert_eq!(world.condition("Reconciling"), "True/ConfirmingAbsence");
    world.run(901);
    assert_eq!(world.condition("Stalled"), "True/InstanceNotFound");
}

#[test]
fn a_request_that_was_not_sent_is_no_attempt() {
    for mut world in about_to_change() {
        world.sky.state().fates.extend([Fate::NotSent; 3]);
        world.run(0);
        assert_eq!(world.condition("Ready"), "Unknown/CloudUnreachable");
        assert_eq!(world.said().failures, []);
        world.run(100);
        assert!(world.is_ready());
        assert_eq!(world.puts(), 4);
    }
}

#[test]
fn people_are_told_that_the_papers_disagree_on_33060() {
    let mut world = World::settled(Mode::Hidden, 3306);
    world.want(33060);
    world.run(0);
    let mut conditions = world.said().conditions.iter();
    let ready = conditions.find(|condition| condition.type_ == "Ready");
    assert!(ready.unwrap().message.contains("user guide"));
    world.run(60);
    assert!(world.is_ready(), "the service decides");
}
