//! Resources that come and go under new names, and watches that have to begin anew: nothing of them stays in memory.

use std::time::Duration;

use kube::api::DeleteParams;
use taurus_sim::{Fleet, Mode, sample};

use crate::world::{
    World, is_ready, options,
    program::{Memory, Program},
    relay::{Call, Effect, Fault, Relay},
};

/// How many waves there are, and after which the process is warm.
const WAVES: usize = 25;
const WARM: usize = 10;

/// A process may have this much more after the last wave than when it was warm.
const MOST_GROWTH: f64 = 1.2;

/// Files that come and go with connections that are just being opened or closed.
const FILES_IN_PASSING: u64 = 4;

/// 25 waves of eight resources; `make soak` has waves as large as the field case.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_waves_of_new_names_and_watches_begun_anew_leave_nothing_in_memory() {
    waves(8).await;
}

/// Lets 25 waves of so many resources come and go, each for a proxy that was not there before.
pub async fn waves(each: usize) {
    let fleet = Fleet::sample().numbered(WAVES * each);
    let world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    let mut relay = Relay::start(&world.plane).await;
    let kubeconfig = relay.kubeconfig();
    let environment = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("TAURUS_LOG_LEVEL", "info"),
    ];
    let program = Program::start_with(&world, &environment, &[]).await;
    world.until_neighbour_is_ready().await;
    let mut after = Vec::new();
    for wave in 0..WAVES {
        let names = wave * each..(wave + 1) * each;
        for number in names.clone() {
            world.create(&world.numbered(number, sample::PORT)).await;
        }
        for number in names.clone() {
            let name = format!("numbered-{number}");
            world.recorder.until(&name, "Ready", is_ready).await;
        }
        for number in names {
            let name = format!("numbered-{number}");
            let params = DeleteParams::default();
            world.api().delete(&name, &params).await.unwrap();
        }
        let lists = relay.seen_of(&Call::List).len();
        let expiring = relay.inject(Fault::on(&[Call::Watch], Effect::Expire).first(1));
        relay.cut_connections().await;
        let again = || relay.seen_of(&Call::List).len() > lists;
        world.until_true("resources are listed anew", again).await;
        assert_eq!(relay.remove(expiring), 1, "the position was too old");
        let memory = program.memory();
        println!("after wave {}: {memory:?}", wave + 1);
        after.push(memory);
    }
    let (warm, last) = (&after[WARM - 1], &after[WAVES - 1]);
    let grown = ratio(last.resident, warm.resident);
    println!("resident memory after wave {WAVES}: {grown:.3} times that after wave {WARM}");
    assert!(grown <= MOST_GROWTH, "memory grows: {after:?}");
    // What stays open is there after every wave.
    let files = |waves: &[Memory]| waves.iter().map(|memory| memory.files).min().unwrap();
    let (warm, last) = (files(&after[..WARM]), files(&after[WARM..]));
    assert!(
        last <= warm + FILES_IN_PASSING,
        "files stay open: {after:?}"
    );
    drop(program);
    world.finish().await;
}

fn ratio(one: u64, other: u64) -> f64 {
    let of = |kib: u64| Duration::from_secs(kib).as_secs_f64();
    of(one) / of(other)
}
