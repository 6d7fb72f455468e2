//! What comes from Git through kubectl.

use std::io::Write as _;

use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use taurus_sim::{Filter, Mode, Operation, Options, sample};

use crate::world::{NAME, World, is_ready, job_of, options, plane};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c09_a_status_that_comes_from_git_has_no_effect() {
    let job = job_of(10);
    let world = World::start(Options::stepped().mode(Mode::M2).job(job)).await;
    let invented = json!({"observedGeneration": 1, "port": 3307, "change": {"id": "x", "fromPort": 3306, "toPort": 3307,
        "generation": 1, "phase": "Submitted", "attempt": 1, "jobID": "made-up", "intendedAt": "2026-01-01T00:00:00Z"}});
    let statuses = [json!({}), json!({"conditions": []}), invented];
    let mut port = 3307;
    for status in &statuses {
        for flags in [&["apply"][..], &["apply", "--server-side"][..]] {
            apply(&world, port, status, flags);
            world.until_ready(port).await;
            // Once more, as a GitOps tool does.
            apply(&world, port, status, flags);
            let ready = world.get().await;
            assert_eq!(ready.status.unwrap().port, Some(port.into()), "{status}");
            world.delete().await;
            port += 1;
        }
    }
    let jobs = world.sim.entries(&Filter::on(Operation::Job));
    for entry in jobs {
        assert!(
            !entry
                .query
                .contains(&("id".to_owned(), "made-up".to_owned())),
            "{entry:?}"
        );
    }
    assert_eq!(world.asked_for(), (3307..port).collect::<Vec<_>>());
    world.finish().await;
}

fn apply(world: &World, port: u16, status: &Value, flags: &[&str]) {
    let mut manifest = serde_json::to_value(world.resource(port)).unwrap();
    manifest["status"] = status.clone();
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{manifest}").unwrap();
    let path = file.path().to_str().unwrap();
    let output = plane::kubectl(&world.plane, &[flags, &["-f", path]].concat());
    assert!(output.status.success(), "{output:?}");
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn d10_the_case_of_ids_does_not_matter() {
    let world = World::start(options(Mode::M2)).await;
    let upper = |id: &str| {
        let (body, suffix) = id.split_at(32);
        format!("{}{suffix}", body.to_uppercase())
    };
    let mut resource = world.resource(3307);
    resource.spec.project_id = upper(sample::PROJECT);
    resource.spec.instance_id = upper(sample::INSTANCE);
    resource.spec.proxy_id = upper(sample::PROXY);
    world.create(&resource).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn d15_a_resource_with_the_longest_name_is_served_like_any_other() {
    let world = World::start(options(Mode::M2)).await;
    let mut resource = world.resource(3307);
    let name = format!("{}{}", "long.name.".repeat(25), "end");
    assert_eq!(name.len(), 253);
    resource.metadata.name = Some(name.clone());
    world.create(&resource).await;
    world.until_passing_of(&name, "Ready", is_ready).await;
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    world
        .until_true_async("its events are there", async || {
            let events = events.list(&ListParams::default()).await.unwrap();
            events.items.iter().any(|event| {
                let about = event
                    .regarding
                    .as_ref()
                    .and_then(|about| about.name.as_deref());
                about == Some(&name) && event.reason.as_deref() == Some("Settled")
            })
        })
        .await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

/// What was said of the world's resource in events of this reason.
pub(super) async fn told(world: &World, reason: &str) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let ours = events.into_iter().filter(|event| {
        let about = event
            .regarding
            .as_ref()
            .and_then(|about| about.name.as_deref());
        about == Some(NAME) && event.reason.as_deref() == Some(reason)
    });
    ours.map(|event| event.note.unwrap_or_default()).collect()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn n11_a_mistyped_policy_that_the_api_server_drops_is_said_aloud_by_the_operator() {
    let world = World::start(options(Mode::M2)).await;
    let mut manifest = serde_json::to_value(world.resource(3307)).unwrap();
    manifest["spec"]["managmentPolicy"] = "Observe".into();
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{manifest}").unwrap();
    let path = file.path().to_str().unwrap();
    let refused = plane::kubectl(&world.plane, &["apply", "-f", path]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("managmentPolicy"),
        "{said}"
    );
    let applied = plane::kubectl(&world.plane, &["apply", "--validate=false", "-f", path]);
    assert!(applied.status.success(), "{applied:?}");
    world
        .until_true_async("it is said", async || {
            !told(&world, "PolicyNotSet").await.is_empty()
        })
        .await;
    let said = told(&world, "PolicyNotSet").await;
    assert!(said[0].contains("so Enforce applies"), "{said:?}");
    world.until_ready(3307).await;
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(told(&world, "PolicyNotSet").await.len(), 1, "once");
    world.finish().await;
}
