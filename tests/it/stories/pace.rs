//! How often the cloud is asked.

use std::time::Duration;

use taurus_sim::{Filter, Fleet, Mode, Operation, sample};

use crate::world::{PATIENCE, World, in_all_modes, job_id, job_of, options};

in_all_modes! {
    b30_a_job_is_asked_for_at_a_decent_pace: decent_pace;
}

async fn decent_pace(mode: Mode) {
    let world = World::start(options(mode)).await;
    world.want(3307).await;
    let change = world.until_change(1).await;
    world.until_more(Operation::Job, 10).await;
    let polls = Filter::on(Operation::Job).credential(sample::ACCESS_KEY);
    let polls: Vec<Duration> = world
        .sim
        .entries(&polls)
        .iter()
        .map(|entry| entry.after)
        .collect();
    let second = Duration::from_secs(1) / 60;
    assert!(polls[0].saturating_sub(change.after) >= second, "{polls:?}");
    // A minute of the contract is a second here.
    for (number, poll) in polls.iter().enumerate() {
        let within = polls[number..]
            .iter()
            .filter(|later| later.saturating_sub(*poll) < Duration::from_secs(1));
        assert!(within.count() <= 20, "{polls:?}");
    }
    world.pass(60);
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_fifty_running_jobs_hold_nobody_up() {
    let fleet = Fleet::sample().numbered(51);
    let world = World::start(options(Mode::M2).fleet(fleet).job(job_of(600))).await;
    for number in 0..50 {
        world.create(&world.numbered(number, 3307)).await;
    }
    for number in 0..50 {
        let name = format!("numbered-{number}");
        world
            .recorder
            .until(&name, "following its job", |object| {
                job_id(object).is_some()
            })
            .await;
    }
    world.create(&world.numbered(50, 3307)).await;
    let last = Filter::on(Operation::Change).proxy(&Fleet::numbered_proxy(50));
    world
        .sim
        .wait_for_request(&last, 1, PATIENCE)
        .await
        .unwrap();
    world.pass(600);
    for number in 0..51 {
        let name = format!("numbered-{number}");
        world
            .until_passing_of(&name, "Ready", crate::world::is_ready)
            .await;
        let changes = Filter::on(Operation::Change).proxy(&Fleet::numbered_proxy(number));
        assert_eq!(world.sim.count(&changes), 1, "{name}");
    }
    world.finish().await;
}
