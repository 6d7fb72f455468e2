//! Objects that get past a definition without rules, as that of a careless upgrade, lead to no call.

use kube::api::PostParams;
use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Mode, Operation, sample};

use crate::world::{World, options, plane, reason};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn e32_odd_ids_that_get_past_the_definition_lead_to_no_call() {
    let plane = &plane::loosened().await;
    let mut world = World::on(plane, options(Mode::M1)).await;
    world.start_operator().await;
    let odd = [
        "",
        "..",
        "../..",
        "a%2Fb",
        "%2e%2e%2fport",
        "x?y=z",
        "x#y",
        "4d1f/../port",
        " ",
    ];
    for (number, id) in odd.iter().enumerate() {
        for field in ["proxyID", "instanceID", "projectID"] {
            let mut manifest = serde_json::to_value(world.resource(3307)).unwrap();
            manifest["spec"][field] = json!(id);
            manifest["metadata"]["name"] = json!(format!("odd-{number}-{}", field.to_lowercase()));
            let resource: TaurusProxyPort = serde_json::from_value(manifest).unwrap();
            let created = world
                .api()
                .create(&PostParams::default(), &resource)
                .await
                .unwrap();
            let name = created.metadata.name.unwrap();
            let refused = world
                .recorder
                .until(&name, "refused", |object| reason(object) == "SpecInvalid")
                .await;
            assert!(
                crate::world::message(&refused).contains(field),
                "{refused:#?}"
            );
        }
    }
    // A port that the service reserves, let through by the same definition, leads to no call either.
    world.want(33071).await;
    world
        .until("refused", |object| reason(object) == "SpecInvalid")
        .await;
    let calls = taurus_sim::Filter::on(Operation::Change).proxy(sample::PROXY);
    assert_eq!(world.sim.count(&calls), 0);
    world.finish().await;
}
