//! Operators of two clusters that know nothing of each other, and want different ports of one proxy.

use std::time::Duration;

use kube::{Api, api::PostParams};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Mode, sample};

use crate::world::{
    NAME, World, is_ready_with, job_of,
    operator::{Operator, Setup},
    options, plane, reason,
};

/// One change that is wished, and three corrections.
const MOST: usize = 4;

fn setup() -> Setup {
    Setup {
        resync: Duration::from_millis(500),
        ..Setup::default()
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clusters_that_want_different_ports_end_their_fight_and_one_says_so() {
    let job = options(Mode::M2).job(job_of(1));
    let world = World::start_with(job, setup()).await;
    world.want(3307).await;
    world.until_ready(3307).await;

    // The other cluster is a namespace, with an operator of its own.
    let namespace = plane::new_namespace(&world.client).await;
    world.secret_in(&namespace, "keys").await;
    let of_other: Api<TaurusProxyPort> = Api::namespaced(world.client.clone(), &namespace);
    let mut rival = world.resource(3308);
    rival.metadata.namespace = Some(namespace.clone());
    let params = PostParams::default();
    of_other.create(&params, &rival).await.unwrap();
    let config = plane::operator_config(&world.plane).await;
    let other = Operator::start(config, &namespace, &world.sim.url(), setup()).await;

    // Who has used up the corrections of a day gives way.
    world
        .until_true_async("one gives way, and the other is in order", async || {
            world.pass(1);
            let (one, other) = (world.get().await, of_other.get(NAME).await.unwrap());
            let contested = |object: &TaurusProxyPort| reason(object) == "DriftContested";
            (contested(&one) && is_ready_with(&other, 3308))
                || (contested(&other) && is_ready_with(&one, 3307))
        })
        .await;
    let asked = world.asked_for();
    for port in [3307, 3308] {
        let count = asked.iter().filter(|it| **it == port).count();
        assert!((2..=MOST).contains(&count), "{port}: {asked:?}");
    }
    let left = world.sim.proxy(sample::PROXY).unwrap().actual_port;
    assert_eq!(asked.last(), Some(&left), "{asked:?}");
    other.stop().await;
    world.finish().await;
}
