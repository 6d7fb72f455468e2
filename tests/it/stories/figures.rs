//! Figures, events and logs: bounded, and gone with what they tell of.

use k8s_openapi::api::{
    events::v1::Event,
    rbac::v1::{Role, RoleBinding},
};
use kube::{Api, api::ListParams};
use serde_json::json;
use taurus_sim::{Answer, Effect, Fault, Fleet, Mode, Operation, sample};

use crate::world::{PATIENCE, World, is_ready, options, program::Program, reason};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f05_figures_of_resources_go_with_them() {
    let count = 40;
    let fleet = Fleet::sample().numbered(count);
    let world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    let program = Program::start(&world).await;
    world.until_neighbour_is_ready().await;
    let settled = |figures: &str| {
        let line = figures
            .lines()
            .find(|line| line.starts_with("taurus_resources{") && line.contains("Settled"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
            .unwrap_or_default()
    };
    for number in 0..count {
        world.create(&world.numbered(number, sample::PORT)).await;
    }
    for number in 0..count {
        world
            .until_passing_of(&format!("numbered-{number}"), "Ready", is_ready)
            .await;
    }
    let full = until(&program, |figures| settled(figures) == count + 1).await;
    let lines = |figures: &str| figures.lines().count();
    for number in 0..count {
        let name = format!("numbered-{number}");
        world
            .api()
            .delete(&name, &kube::api::DeleteParams::default())
            .await
            .unwrap();
    }
    let figures = until(&program, |figures| settled(figures) == 1).await;
    assert!(lines(&figures) <= lines(&full));
    for word in [sample::PROXY, "numbered-", "keys", world.namespace.as_str()] {
        assert!(!figures.contains(word), "{word}: {figures}");
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f06_trouble_that_lasts_makes_few_events() {
    let world = World::start(options(Mode::M2)).await;
    for number in 0..60 {
        let text = format!("request {number} failed");
        let answer = if number % 2 == 0 {
            Answer::error(500, "DBS.108000", &text)
        } else {
            Answer::error(503, "APIGW.0613", &text)
        };
        let fault = Fault::on(Operation::List, Effect::respond(answer));
        world.sim.inject(fault.instance(sample::INSTANCE).once());
    }
    world.want(3307).await;
    for number in 0..40 {
        world.ask(&number.to_string()).await;
        world.until_more(Operation::List, 1).await;
    }
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    let ours = events.items.iter().filter(|event| {
        let about = event
            .regarding
            .as_ref()
            .and_then(|regarding| regarding.name.as_deref());
        about == Some("orders")
    });
    let count = ours.count();
    assert!((1..=10).contains(&count), "{count} events");
    world.sim.clear_faults();
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn f08_the_right_to_read_the_named_secrets_alone_is_enough() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    let rules = json!([
        {"apiGroups": ["taurusdb.huaweicloud.com"], "resources": ["taurusproxyports"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["taurusdb.huaweicloud.com"], "resources": ["taurusproxyports/status"], "verbs": ["update"]},
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["keys", "user"], "verbs": ["get"]},
    ]);
    let role: Role =
        serde_json::from_value(json!({"metadata": {"name": "narrow"}, "rules": rules})).unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "name": "narrow", "namespace": world.namespace}],
    }))
    .unwrap();
    let (client, namespace) = (world.client.clone(), world.namespace.clone());
    let params = kube::api::PostParams::default();
    Api::namespaced(client.clone(), &namespace)
        .create(&params, &role)
        .await
        .unwrap();
    Api::namespaced(client, &namespace)
        .create(&params, &binding)
        .await
        .unwrap();
    world.start_operator_as(&namespace, "narrow").await;
    world.want(3307).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);

    // Another name is refused, and said so without a hot loop.
    let mut other = world.resource_with(sample::PORT, "unnamed");
    other.metadata.name = Some("other".to_owned());
    other.spec.instance_id = sample::OTHER_INSTANCE.to_owned();
    other.spec.proxy_id = "0".repeat(32) + "po01";
    world.create(&other).await;
    let missing = world
        .recorder
        .until("other", "refused", |object| {
            reason(object) == "CredentialsMissing"
        })
        .await;
    assert!(crate::world::message(&missing).contains("may not read Secret unnamed"));
    world.finish().await;
}

/// The figures, once they are as `are` says.
async fn until(program: &Program, are: impl Fn(&str) -> bool) -> String {
    let asking = async {
        loop {
            let figures = program.until_answer("/metrics", 200).await;
            if are(&figures) {
                return figures;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}
