//! What people do while a change is at work, and what comes after.

use std::time::Duration;

use serde_json::json;
use taurus_sim::{Answer, Effect, Fault, Mode, Operation, Options, sample};

use crate::world::{
    PATIENCE, World, condition, in_all_modes, is_ready, job_id, job_of, observed, operator::Setup,
    options, reason,
};

in_all_modes! {
    b08_a_change_made_meanwhile_waits_and_only_the_newest_counts: newest_wins;
    b09_correcting_a_refused_port_helps_at_once: correction_helps;
    b19_edits_during_a_job_cause_no_second_change: edits_during_a_job;
    b26_a_resource_made_anew_carries_on_with_the_job_of_its_predecessor: made_anew;
}

async fn newest_wins(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    world.until_change(1).await;
    world.pass(20);
    world.want_now(3308).await;
    world
        .until("seen", |object| observed(object) == Some(2))
        .await;
    world.pass(20);
    world.want_now(3309).await;
    world
        .until("seen", |object| observed(object) == Some(3))
        .await;
    world.until_more(Operation::Job, 3).await;
    assert_eq!(world.asked_for(), [3307]);

    world.pass(20);
    let ready = world.until_ready(3309).await;
    assert_eq!(world.asked_for(), [3307, 3309]);
    assert_eq!(observed(&ready), Some(3));
    let apart = world.time_between_changes();
    assert!(apart[0] >= Duration::from_mins(1), "{apart:?}");
    world.finish().await;
}

async fn correction_helps(mode: Mode) {
    let world = World::start(options(mode)).await;
    let refusal = Answer::error(400, "DBS.200461", "the value is out of range");
    world.sim.inject(
        Fault::on(Operation::Change, Effect::respond(refusal))
            .proxy(sample::PROXY)
            .once(),
    );
    world.want(3307).await;
    let refused = world
        .until("refused", |object| condition(object, "Stalled") == "True")
        .await;
    assert_eq!(reason(&refused), "PortRejected");

    world.want_now(3308).await;
    world
        .sim
        .wait_for_request(
            &taurus_sim::Filter::on(Operation::Change).proxy(sample::PROXY),
            2,
            PATIENCE,
        )
        .await
        .unwrap();
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    world.finish().await;
}

async fn edits_during_a_job(mode: Mode) {
    let job = job_of(600);
    let world = World::start(Options::stepped().mode(mode).job(job)).await;
    world.want(3307).await;
    world.until_change(1).await;
    for round in 0..6 {
        world
            .patch(json!({
                "metadata": {"labels": {"round": round.to_string()}, "annotations": {"round": round.to_string()}},
                "spec": {"changeTimeout": format!("{}m", 60 + round)},
            }))
            .await;
        world.pass(30);
        world.until_more(Operation::Job, 2).await;
    }
    let running = world.get().await;
    assert!(job_id(&running).is_some(), "{running:#?}");
    world.pass(600);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn made_anew(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    world.until_change(1).await;
    world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.pass(20);
    world.delete().await;
    let gone = world.api().get_opt("orders").await.unwrap();
    assert!(gone.is_none(), "nothing holds a deletion up");
    world.pass(10);
    world.want(3307).await;
    let waiting = world
        .until("waiting", |object| !reason(object).is_empty())
        .await;
    assert!(!is_ready(&waiting));
    world.until_more(Operation::List, 2).await;
    world.until_ready(3307).await;
    assert_eq!(world.accepted(), [3307]);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_record_was_deleted_along_with_its_resource_still_holds_the_instance() {
    // In this mode the cloud would take a second change while the first one runs. The job is held to be lost after the operator's two
    // minutes, while the simulator's time stands still: a slow machine needs some of them.
    let setup = Setup {
        divisor: 20,
        ..Setup::default()
    };
    let world = World::start_with(options(Mode::M3), setup).await;
    world.want(3307).await;
    world.until_change(1).await;
    let running = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.delete().await;
    world.sim.forget_job(job_id(&running).unwrap()).unwrap();
    world.want(3307).await;
    let waiting = |object: &_| reason(object) == "WaitingForInstance";
    world.until("waiting", waiting).await;
    // The job of the deleted resource is asked for again and again, though nobody finds it.
    world.until_more(Operation::Job, 3).await;
    assert!(waiting(&world.get().await));
    world.pass(60);
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
