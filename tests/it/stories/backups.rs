//! Etcd is put back to an older state in place, as administrators restore it from a backup: versions run backwards.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use taurus_sim::{Filter, Fleet, Mode, Operation};

use crate::world::{
    NAME, PATIENCE, World,
    gate::Gate,
    operator::Setup,
    options, plane,
    servers::{Backup, Server},
};

/// How often something was asked of the collection of resources.
fn asked(gate: &Gate) -> usize {
    let seen = gate.seen();
    let of_all = seen
        .iter()
        .filter(|line| line.ends_with("/taurusproxyports"));
    of_all.count()
}

/// Etcd is stopped, gets its older data, and is started; so are the API servers, as the procedure asks. The operator lives on.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h02_an_operator_that_lives_on_sees_what_is_wished_after_etcd_was_restored() {
    let fleet = Fleet::sample().numbered(1);
    let plane = &plane::with("deploy/base").await;
    let mut world = World::on(plane, options(Mode::M2).fleet(fleet)).await;
    let gate = Gate::default();
    let setup = Setup {
        gate: gate.clone(),
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.until_neighbour_is_ready().await;

    let before = asked(&gate);
    let mut etcd = Server::of(plane, "etcd");
    let mut api_server = Server::of(plane, "kube-apiserver");
    let backup = Backup::of(plane, &etcd);
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), &world.namespace);
    for number in 0..200 {
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(format!("later-{number}")),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        maps.create(&PostParams::default(), &map).await.unwrap();
    }
    world
        .until_true("the version is asked for", || asked(&gate) > before)
        .await;

    api_server.stop().await;
    etcd.stop().await;
    backup.restore();
    etcd.start();
    api_server.start();
    let api = world.api();
    let wish = json!({"spec": {"port": 3310}});
    world
        .until_true_async("people can wish again", async || {
            let (params, wish) = (PatchParams::default(), Patch::Merge(&wish));
            api.patch(NAME, &params, &wish).await.is_ok()
        })
        .await;
    let new = world.numbered(0, 3311);
    api.create(&PostParams::default(), &new).await.unwrap();
    let of_new = Filter::on(Operation::Change).proxy(&new.spec.proxy_id);
    let seen = async {
        while world.asked_for() != [3307, 3310] || world.sim.count(&of_new) != 1 {
            world.pass(1);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, seen).await;
    assert!(in_time.is_ok(), "asked for: {:?}", world.asked_for());
    // What records the story is deaf by now: it can't judge the rest.
    world.stop_operator().await;
}
