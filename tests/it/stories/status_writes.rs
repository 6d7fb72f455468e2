//! Writes of the status that are refused or get lost, at every step of a change.

use std::time::Duration;

use taurus_sim::Mode;

use crate::world::{
    World, in_all_modes, options,
    relay::{Call, Effect, Fault, Relay, Stage},
};

in_all_modes! {
    whichever_write_of_the_status_is_refused_the_change_is_made_once: refused_writes;
    whichever_write_of_the_status_gets_lost_the_change_is_made_once: lost_writes;
}

async fn refused_writes(mode: Mode) {
    // The last two are repeated by kube's client itself.
    for effect in [
        Effect::refuse(409),
        Effect::refuse(500),
        Effect::refuse_for(429, 1),
        Effect::refuse(503),
    ] {
        at_every_write(mode, effect).await;
    }
}

async fn lost_writes(mode: Mode) {
    for stage in [Stage::Before, Stage::After] {
        at_every_write(mode, Effect::Cut(stage)).await;
    }
}

/// One resource after the other for the same proxy, and another write of each meets the fault, until there is none left
/// that could.
async fn at_every_write(mode: Mode, effect: Effect) {
    let mut world = World::without_operator(options(mode)).await;
    let relay = Relay::start(&world.plane).await;
    world.start_operator_with(relay.setup()).await;
    world.until_neighbour_is_ready().await;
    let mut asked = Vec::new();
    for nth in 1.. {
        let fault = Fault::on(&[Call::status()], effect.clone());
        let fault = relay.inject(fault.nth(nth));
        let port = if nth % 2 == 1 { 3307 } else { 3308 };
        world.want(port).await;
        world.until_ready(port).await;
        asked.push(port);
        assert_eq!(world.asked_for(), asked, "write {nth}: {effect:?}");
        if relay.remove(fault) == 0 {
            assert!(nth > 4, "a change takes more than {nth} writes");
            break;
        }
        world.delete().await;
        // A job that ended just now would hold the next resource back.
        world.pass(180);
    }
    world.finish().await;
}

/// Every call ends within half a minute, whatever becomes of its answer.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_answer_never_comes_is_read_again_and_carried_out_once() {
    for stage in [Stage::Before, Stage::After] {
        let mut world = World::without_operator(options(Mode::M3)).await;
        let relay = Relay::start(&world.plane).await;
        world.start_operator_with(relay.setup()).await;
        world.until_neighbour_is_ready().await;
        // The first write says that the resource was noticed, the second one is the intent.
        let silent = Fault::on(&[Call::status()], Effect::Silence(stage));
        relay.inject(silent.nth(2));
        world.want(3307).await;
        let began = tokio::time::Instant::now();
        world.until_change(1).await;
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(25), "it was held: {took:?}");
        let most = Duration::from_secs(40) + world.slack().await;
        assert!(took < most, "and not for long: {took:?} of {most:?}");
        world.until_ready(3307).await;
        assert_eq!(world.asked_for(), [3307]);
        world.finish().await;
    }
}
