//! Definitions of the resource that are not ours, on control planes of their own.

use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Fleet, Mode, Operation, sample};

use crate::world::{
    World, gate::Gate, is_ready, operator::Setup, options, plane, program::Program,
};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_one_stored_object_that_cannot_be_decoded_stops_nobody() {
    let plane = &plane::of_its_own(plane::loosen).await;
    let fleet = Fleet::sample().numbered(5);
    let world = World::on(plane, options(Mode::M2).fleet(fleet)).await;
    let mut odd = serde_json::to_value(world.resource(3307)).unwrap();
    odd["metadata"]["name"] = json!("bad");
    odd["spec"]["port"] = json!("abc");
    odd["spec"].as_object_mut().unwrap().remove("proxyID");
    odd["spec"]["proxyID"] = json!("");
    let request = http::Request::post(world.api().resource_url());
    let request = request.body(serde_json::to_vec(&odd).unwrap()).unwrap();
    world.client.request::<Value>(request).await.unwrap();
    let restored = plane::kubectl(
        plane,
        &["apply", "--server-side", "--force-conflicts", "-k", "crds"],
    );
    assert!(restored.status.success(), "{restored:?}");

    let mut program = Program::start(&world).await;
    for number in 0..5 {
        world.create(&world.numbered(number, sample::PORT)).await;
    }
    for number in 0..5 {
        world
            .until_passing_of(&format!("numbered-{number}"), "Ready", is_ready)
            .await;
    }
    assert!(
        program.log().contains("can't be decoded"),
        "{}",
        program.log()
    );
    let figures = program.until_answer("/metrics", 200).await;
    assert!(
        figures.contains("taurus_undecodable_resources 1"),
        "{figures}"
    );
    world.until_neighbour_is_ready().await;
    program.signal("TERM").await;
    assert!(program.ended().await.success());

    let _program = Program::start(&world).await;
    for number in 0..5 {
        let patch = json!({"spec": {"port": 3307}});
        let patch = kube::api::Patch::Merge(&patch);
        let name = format!("numbered-{number}");
        world
            .api()
            .patch(&name, &kube::api::PatchParams::default(), &patch)
            .await
            .unwrap();
        let moved = |object: &TaurusProxyPort| {
            let port = object.status.as_ref().and_then(|status| status.port);
            is_ready(object) && port == Some(3307)
        };
        world.until_passing_of(&name, "moved", moved).await;
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c13_a_definition_without_status_leads_to_no_change_and_to_no_hot_loop() {
    let plane = &plane::of_its_own(|definition| {
        let version = definition.pointer_mut("/spec/versions/0").unwrap();
        version.as_object_mut().unwrap().remove("subresources");
    })
    .await;
    let world = World::on(plane, options(Mode::M2)).await;
    let program = Program::start(&world).await;
    world.want(3307).await;
    world
        .until_true("it says so", || {
            program
                .log()
                .contains("has no status subresource: install the one of this release")
        })
        .await;
    // The tries grow apart: five seconds doubling, here a sixtieth.
    let tries = || program.log().matches("has no status subresource").count();
    world
        .until_true("it was tried again", || tries() >= 4)
        .await;
    assert!(tries() <= 40, "{}", program.log());
    assert_eq!(
        world.sim.count(&taurus_sim::Filter::on(Operation::Change)),
        0
    );
    let installed = plane::kubectl(
        plane,
        &["apply", "--server-side", "--force-conflicts", "-k", "crds"],
    );
    assert!(installed.status.success(), "{installed:?}");
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_that_drops_the_record_of_a_change_leads_to_no_change() {
    let plane = &plane::of_its_own(|definition| {
        let status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
        let status = definition.pointer_mut(status).unwrap();
        status.as_object_mut().unwrap().remove("change");
    })
    .await;
    let mut world = World::on(plane, options(Mode::M2)).await;
    world
        .start_operator_with(Setup {
            gate: Gate::default(),
            ..Setup::default()
        })
        .await;
    world.want(3307).await;
    let outdated = world
        .until("told so", |object| {
            crate::world::reason(object) == "CRDOutdated"
        })
        .await;
    assert!(!is_ready(&outdated));
    assert_eq!(
        world.sim.count(&taurus_sim::Filter::on(Operation::Change)),
        0
    );
    let installed = plane::kubectl(
        plane,
        &["apply", "--server-side", "--force-conflicts", "-k", "crds"],
    );
    assert!(installed.status.success(), "{installed:?}");
    world.ask("installed").await;
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(world.asked_for(), [3308]);
    let touch = json!({"spec": {"changeTimeout": "31m"}});
    let patch = kube::api::Patch::Merge(&touch);
    world
        .api()
        .patch("neighbour", &kube::api::PatchParams::default(), &patch)
        .await
        .unwrap();
    world.finish().await;
}
