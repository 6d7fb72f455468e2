//! An API server that is away, or takes the lease and does not say so. The operator is the real program, with the real term
//! of its lease.

use std::time::Duration;

use taurus_port_operator::leader::TERM;
use taurus_sim::{Effect as CloudEffect, Fault as CloudFault, Mode, Operation, sample};
use tokio::time::Instant;

use crate::world::{
    World, has_change, job_id, options,
    program::Program,
    relay::{Call, Effect, Fault, Relay, Seen, Stage},
};

/// How long the API server is away, or the lease's answers are.
const OUTAGE: Duration = Duration::from_secs(30);

/// Within this somebody leads again.
const SOON: Duration = Duration::from_mins(1);

/// What was begun in time may come late by this, on a machine that is busy.
const SLACK: Duration = Duration::from_secs(5);

async fn program_behind(world: &World, relay: &Relay) -> Program {
    let kubeconfig = relay.kubeconfig();
    Program::start_with(world, &[("KUBECONFIG", &kubeconfig)], &[]).await
}

async fn until_passed(world: &World, since: Instant, time: Duration) {
    world
        .until_true("time passes", || since.elapsed() >= time)
        .await;
}

fn answered(call: &Call, relay: &Relay) -> Vec<Seen> {
    let seen = relay.seen_of(call).into_iter();
    seen.filter(|seen| seen.answer == Some(200)).collect()
}

fn statuses(relay: &Relay) -> Vec<Seen> {
    let seen = relay.seen().into_iter();
    seen.filter(|seen| matches!(seen.call, Call::Status(_)))
        .collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_id_that_comes_while_the_api_server_is_away_is_recorded_by_the_same_process() {
    let world = World::without_operator(options(Mode::M3)).await;
    let mut relay = Relay::start(&world.plane).await;
    let mut program = program_behind(&world, &relay).await;
    world.until_neighbour_is_ready().await;
    let held = CloudFault::on(Operation::Change, CloudEffect::hold_after());
    world.sim.inject(held.proxy(sample::PROXY).once());
    world.want(3307).await;
    world.until_change(1).await;
    let away_since = Instant::now();
    relay.stop_listening().await;
    world.sim.release_all();
    until_passed(&world, away_since, OUTAGE).await;
    assert!(OUTAGE > TERM * 3 / 2, "its lease has run out");
    assert_eq!(job_id(&world.get().await), None);
    program.until_answer("/livez", 200).await;
    assert!(program.is_running(), "{}", program.log());

    relay.listen().await;
    let back_since = Instant::now();
    world
        .until("its job is on record", |object| job_id(object).is_some())
        .await;
    let took = back_since.elapsed();
    world.until_ready(3307).await;
    let leads_since = answered(&Call::WriteLease, &relay)
        .into_iter()
        .map(|seen| seen.at)
        .find(|at| *at > back_since);
    let leads_since = leads_since.expect("it leads again");
    for write in statuses(&relay) {
        let while_it_did_not_lead = write.at > back_since && write.at < leads_since;
        let is_the_job = write.body.contains("jobID");
        assert!(!while_it_did_not_lead || is_the_job, "{write:?}");
    }
    assert!(took < SOON + world.slack().await, "{took:?}");
    assert_eq!(world.asked_for(), [3307]);
    assert!(program.is_running(), "{}", program.log());
    world.finish().await;
}

/// One outage of the hourly ones.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_a_lease_whose_renewals_are_never_answered_pauses_the_only_process_and_ends_nothing() {
    let world = World::without_operator(options(Mode::M3)).await;
    let relay = Relay::start(&world.plane).await;
    let mut program = program_behind(&world, &relay).await;
    world.until_neighbour_is_ready().await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let silent = Effect::Silence(Stage::After);
    let silent = relay.inject(Fault::on(&[Call::WriteLease], silent));
    world
        .until_true("it takes effect", || relay.acted(silent) > 0)
        .await;
    let since = Instant::now();
    let renewed = answered(&Call::WriteLease, &relay);
    let over = renewed.last().unwrap().at + TERM;
    // A change that is wanted once the term is over.
    world
        .until_true("the term is over", || Instant::now() > over + SLACK)
        .await;
    world.want_now(3308).await;
    until_passed(&world, since, OUTAGE).await;
    assert_eq!(world.asked_for(), [3307], "it does not lead");
    let late = statuses(&relay).into_iter().find(|it| it.at > over + SLACK);
    assert!(late.is_none(), "nothing is written any more: {late:?}");

    relay.remove(silent);
    let healthy = Instant::now();
    // A job that ended just now would hold the next change back.
    world.pass(180);
    world.until_change(2).await;
    let took = healthy.elapsed();
    assert!(took < SOON + world.slack().await, "{took:?}");
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3307, 3308]);
    assert!(program.is_running(), "{}", program.log());
    world.finish().await;
}

/// Of two processes each has a way of its own to the API server.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f01_a_lease_whose_renewals_are_never_answered_is_one_of_two_processes_at_most_once() {
    for stage in [Stage::After, Stage::Before] {
        let world = World::without_operator(options(Mode::M2)).await;
        let (of_first, of_second) = (
            Relay::start(&world.plane).await,
            Relay::start(&world.plane).await,
        );
        let mut first = program_behind(&world, &of_first).await;
        let mut second = program_behind(&world, &of_second).await;
        world.until_neighbour_is_ready().await;
        world.want(3307).await;
        world.until_change(1).await;
        world
            .until("following its job", |object| job_id(object).is_some())
            .await;
        let silent = Effect::Silence(stage);
        let silent = of_first.inject(Fault::on(&[Call::WriteLease], silent));
        world
            .until_true("it takes effect", || of_first.acted(silent) > 0)
            .await;
        let since = Instant::now();
        let renewed = answered(&Call::WriteLease, &of_first);
        let over = renewed.last().unwrap().at + TERM;
        until_passed(&world, since, OUTAGE).await;
        let writes = statuses(&of_first).into_iter();
        let late = writes.filter(|it| it.at > over + SLACK).collect::<Vec<_>>();
        assert!(late.is_empty(), "nothing is written any more: {late:?}");
        of_first.remove(silent);
        let healthy = Instant::now();
        world.until_ready(3307).await;
        let took = healthy.elapsed();
        let most = SOON + world.slack().await;
        assert!(took < most, "somebody leads: {took:?} of {most:?}");
        assert!(!has_change(&world.get().await));
        assert_eq!(world.asked_for(), [3307]);
        if stage == Stage::Before {
            // Nobody has seen its renewals: the other one has taken over, and it ends to begin anew.
            assert_eq!(first.ended().await.code(), Some(1), "{}", first.log());
        } else {
            assert!(first.is_running(), "{}", first.log());
        }
        assert!(second.is_running(), "{}", second.log());
        world.want_now(3308).await;
        world.until_ready(3308).await;
        assert_eq!(world.asked_for(), [3307, 3308]);
        world.finish().await;
    }
}
