//! Secrets stay where they belong, also when the cloud echoes them.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::json;
use taurus_sim::{Answer, Effect, Fault, Mode, Operation, sample};

use crate::world::{World, message, options, program::Program};

/// What stands in the Secrets of the stories, by the name of the Secret.
const SECRETS: [(&str, &[&str]); 2] = [
    ("user", &[sample::PASSWORD]),
    ("keys", &[sample::SECRET_KEY, sample::ACCESS_KEY]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_reaches_status_events_logs_or_metrics_also_where_the_cloud_echoes_it() {
    let world = World::without_operator(options(Mode::M2)).await;
    let program = Program::start(&world).await;
    world.want(3307).await;
    world.until_ready(3307).await;
    world.until_neighbour_is_ready().await;
    let token = "MIIFbQYJKoZIhvcNAQcCoIIFXjCC".repeat(20);
    for (status, code) in [
        (403, "APIGW.0302"),
        (400, "DBS.999999"),
        (500, "DBS.108000"),
        (401, "APIGW.0301"),
    ] {
        for (secret, values) in SECRETS {
            let echo = format!(
                "{} and X-Auth-Token: {token} and Authorization: SDK-HMAC-SHA256 Access={}, Signature={}",
                values.join(" with "),
                values[0],
                "a".repeat(64),
            );
            let answer = Answer::error(status, code, &echo);
            let fault = Fault::on(Operation::List, Effect::respond(answer));
            world.sim.inject(fault.instance(sample::INSTANCE));
            world
                .patch(json!({"spec": {"credentialsRef": {"name": secret}}}))
                .await;
            let what = format!("told of {code}, with {secret}");
            world
                .until(&what, |object| message(object).contains(code))
                .await;
            world.sim.clear_faults();
            world.ask(&what).await;
            world.until_ready(3307).await;
        }
    }
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    assert!(!events.items.is_empty());
    let shown = [
        ("events", serde_json::to_string(&events).unwrap()),
        (
            "versions",
            serde_json::to_string(&world.recorder.objects()).unwrap(),
        ),
        ("log", program.log()),
        ("metrics", program.until_answer("/metrics", 200).await),
    ];
    for (place, text) in &shown {
        assert!(text.len() > 200, "{place} is all but empty: {text}");
        let values = SECRETS
            .iter()
            .flat_map(|(_, values)| values.iter().copied());
        for secret in values.chain([&token[..], &token[..80]]) {
            assert!(!text.contains(secret), "{place} shows a secret: {text}");
        }
    }
    world.finish().await;
}
