//! The main job and the plain ways through it.

use std::time::Duration;

use taurus_sim::{JobPlan, Mode, Operation, Options};

use crate::world::{World, condition, has_change, in_all_modes, is_ready, job_id, reason};

in_all_modes! {
    b05_ready_is_told_only_once_the_job_has_ended_and_the_port_is_seen: ready_comes_last;
}

async fn ready_comes_last(mode: Mode) {
    let job = JobPlan::lasting(Duration::from_mins(1));
    let world = World::start(Options::stepped().mode(mode).job(job)).await;
    world.want(3307).await;
    world.until_change(1).await;
    let running = world
        .until("following its job", |object| job_id(object).is_some())
        .await;
    world.until_more(Operation::Job, 5).await;
    for object in world.recorder.versions_of("orders") {
        assert!(!is_ready(&object), "{object:#?}");
    }
    assert_eq!(reason(&running), "JobRunning");

    world.pass(60);
    let ready = world.until_ready(3307).await;
    assert!(!has_change(&ready));
    assert_eq!(condition(&ready, "PortInSync"), "True");
    assert_eq!(condition(&ready, "JobSucceeded"), "True");
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
