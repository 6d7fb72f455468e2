//! Processes that end where it hurts most.

use std::time::Duration;

use taurus_port_operator::crd::Phase;
use taurus_sim::{Effect, Fault, Filter, Loss, Mode, Operation, sample};

use crate::world::{
    World, gate::Gate, in_all_modes, is_ready, job_id, operator::Setup, options, phase,
    program::Program,
};

in_all_modes! {
    b01_a_change_accepted_just_before_a_crash_is_not_made_again: accepted_before_a_crash;
    b03_an_intent_that_a_crash_left_behind_resolves_by_itself: intent_left_behind;
    b27_a_resource_restored_without_its_status_starts_nothing_twice: restored;
}

async fn accepted_before_a_crash(mode: Mode) {
    let gate = Gate::default();
    let mut world = World::start_with(
        options(mode),
        Setup {
            gate: gate.clone(),
            ..Setup::default()
        },
    )
    .await;
    world.until_neighbour_is_ready().await;
    let held = Fault::on(Operation::Change, Effect::hold_after());
    world.sim.inject(held.proxy(sample::PROXY).once());
    world.want(3307).await;
    world.until_change(1).await;
    gate.close();
    world.sim.release_all();
    world
        .until_true("the job id is about to be recorded", || gate.waiting() > 0)
        .await;
    world.kill_operator();
    let left = world.get().await;
    assert_eq!(phase(&left), Some(Phase::Intended), "{left:#?}");

    world.start_fresh_operator().await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

async fn intent_left_behind(mode: Mode) {
    let mut world = World::start(options(mode)).await;
    world.until_neighbour_is_ready().await;
    let lost = world.sim.inject(
        Fault::on(Operation::Change, Effect::lose_request(Loss::Silence)).proxy(sample::PROXY),
    );
    world.want(3307).await;
    world.until_change(1).await;
    world.kill_operator();
    world.sim.remove_fault(lost).unwrap();
    assert_eq!(phase(&world.get().await), Some(Phase::Intended));

    world.start_fresh_operator().await;
    world.until_ready(3307).await;
    assert_eq!(world.accepted(), [3307]);
    assert_eq!(
        world.asked_for().len(),
        2,
        "the one that got lost, and the one that arrived"
    );
    world.finish().await;
}

async fn restored(mode: Mode) {
    let mut world = World::start(options(mode)).await;
    world.until_neighbour_is_ready().await;

    // The port is the wanted one.
    world.want(sample::PORT).await;
    world.until_ready(sample::PORT).await;
    world.kill_operator();
    world.delete().await;
    world.want(sample::PORT).await;
    world.start_fresh_operator().await;
    world.until_ready(sample::PORT).await;
    assert!(world.asked_for().is_empty());

    // A job from before is still at work.
    world.want_now(3307).await;
    world.until_change(1).await;
    world.kill_operator();
    world.delete().await;
    world.want(3307).await;
    world.start_fresh_operator().await;
    world.until_more(Operation::List, 3).await;
    assert!(!is_ready(&world.get().await));
    world.pass(60);
    world.until_ready(3307).await;
    assert_eq!(world.accepted(), [3307]);
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_waits_for_nothing_that_it_only_reads() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    // A call may take six seconds.
    let mut program = Program::start_slow(&world, 5).await;
    world.until_neighbour_is_ready().await;
    let silent = Fault::on(Operation::List, Effect::black_hole()).instance(sample::INSTANCE);
    let silent = world.sim.inject(silent);
    world.want(3307).await;
    world.until_more(Operation::List, 1).await;
    let told = tokio::time::Instant::now();
    program.signal("TERM").await;
    let status = program.ended().await;
    assert_eq!(status.code(), Some(0), "{}", program.log());
    let took = told.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(world.asked_for().is_empty());
    world.sim.remove_fault(silent).unwrap();
    world.start_fresh_operator().await;
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a16_a_process_that_is_told_to_end_records_the_job_of_the_call_in_flight_first() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    let mut program = Program::start_slow(&world, 6).await;
    world.until_neighbour_is_ready().await;
    let held = Fault::on(Operation::Change, Effect::hold_after());
    world.sim.inject(held.proxy(sample::PROXY).once());
    world.want(3307).await;
    world.until_change(1).await;
    program.signal("TERM").await;
    program.until_answer("/readyz", 503).await;
    world.sim.release_all();
    let status = program.ended().await;
    assert_eq!(status.code(), Some(0), "{}", program.log());
    let left = world.get().await;
    let job = job_id(&left).expect("the job is on record").to_owned();

    world.start_fresh_operator().await;
    world.until_more(Operation::Job, 2).await;
    let jobs = world
        .sim
        .entries(&Filter::on(Operation::Job).credential(sample::ACCESS_KEY));
    let last = jobs.last().expect("it is polled");
    assert!(last.query.contains(&("id".to_owned(), job)), "{last:?}");
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}
