//! The way from one release to another and back: definitions that are older, and what later releases may leave behind.
//!
//! There was no release yet. The older definition is the first that was ever committed (`tests/fixtures/definitions`): what
//! was stored under it has to be read for ever.

use std::io::Write as _;

use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use taurus_port_operator::crd::{TaurusProxyPort, TaurusProxyPortStatus};
use taurus_sim::{Fleet, Mode, Operation, sample};

use crate::world::{
    NAME, World,
    definitions::{STATUS, first, present},
    has_change, is_ready, is_ready_with, job_id, options, plane, reason,
    recorder::Recorder,
};

/// A duration that the first definition took, and that today's refuses.
const ODD_TIMEOUT: &str = "000030m";

/// A resource that was stored when the rules were others.
const STORED: &str = "numbered-0";

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_definitions_are_upgraded_and_rolled_back_while_jobs_run_and_no_job_is_lost() {
    let plane = &plane::of_its_own(|definition| *definition = first()).await;
    let fleet = Fleet::sample().numbered(1);
    let mut world = World::on(plane, options(Mode::M3).fleet(fleet)).await;
    let stored = with_odd_timeout(&world);
    world.create(&stored).await;
    world.want(sample::PORT).await;
    world.start_operator().await;
    world.until_neighbour_is_ready().await;
    world.until_passing_of(STORED, "Ready", is_ready).await;
    world.until_ready(sample::PORT).await;

    let mut asked = Vec::new();
    for (definition, port) in [(present(), 3307), (first(), 3308), (present(), 3309)] {
        world.want_now(port).await;
        let before = world
            .until("its job is on record", |object| job_id(object).is_some())
            .await;
        world.kill_operator();
        let takes_it = definition == first();
        install(&world, &definition);
        world
            .until_true_async("the definition is in force", async || {
                takes_odd_timeout(&world).await == takes_it
            })
            .await;
        let listed = world.api().list(&ListParams::default()).await.unwrap();
        assert_eq!(listed.items.len(), 3, "all are served: {listed:#?}");
        let shown = without_history(&world.get().await);
        assert_eq!(shown, without_history(&before), "nothing is lost");

        world.start_fresh_operator().await;
        world.until_more(Operation::Job, 2).await;
        assert_eq!(job_id(&world.get().await), job_id(&before), "it goes on");
        world.until_ready(port).await;
        asked.push(port);
        assert_eq!(world.asked_for(), asked, "each once");

        // What today's rules would refuse is served as before.
        let patch = Patch::Merge(json!({"spec": {"port": port}}));
        let patched = world.api();
        let patched = patched.patch(STORED, &PatchParams::default(), &patch).await;
        assert!(patched.is_ok(), "{patched:?}");
        let moved = |object: &TaurusProxyPort| is_ready_with(object, port);
        world.until_passing_of(STORED, "moved", moved).await;
    }
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_a_definition_that_knows_no_changes_leads_to_no_second_one() {
    let plane = &plane::of_its_own(|_| ()).await;
    let mut world = World::on(plane, options(Mode::M3)).await;
    world.start_operator().await;
    world.until_neighbour_is_ready().await;
    world.want(3307).await;
    world
        .until("its job is on record", |object| job_id(object).is_some())
        .await;
    world.kill_operator();
    let mut older = first();
    let known = older.pointer_mut(STATUS).unwrap().as_object_mut().unwrap();
    known.remove("change");
    install(&world, &older);
    world
        .until_true_async("the record is not shown", async || {
            !has_change(&world.get().await)
        })
        .await;

    // The job is still at work: the task list shows it, and nothing is sent.
    world.start_fresh_operator().await;
    world.until_more(Operation::Tasks, 3).await;
    assert!(!is_ready(&world.get().await));
    world.until_ready(3307).await;
    // Another port is wanted, and there is no room for a record.
    world.want_now(3308).await;
    world
        .until("told so", |object| reason(object) == "CRDOutdated")
        .await;
    assert_eq!(world.asked_for(), [3307]);

    install(&world, &present());
    world.ask("installed").await;
    world.want_now(3309).await;
    world.until_ready(3309).await;
    assert_eq!(world.asked_for(), [3307, 3309]);
    world.finish().await;
}

/// Words and fields that this release does not know, in all places of a status that have words.
#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_words_of_a_later_release_are_read_without_loss_of_the_job() {
    let plane = &plane::of_its_own(|definition| {
        let status = definition.pointer_mut(STATUS).unwrap();
        status["change"]["properties"]["node"] = json!({"type": "string"});
        status["plan"] = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        for word in [
            "/change/properties/phase",
            "/lastChange/properties/outcome",
            "/failures/items/properties/cause",
        ] {
            *status.pointer_mut(word).unwrap() = json!({"type": "string"});
        }
    })
    .await;
    let mut world = World::on(plane, options(Mode::M3)).await;
    world.start_operator().await;
    world.until_neighbour_is_ready().await;
    world.want(3307).await;
    let before = world
        .until("its job is on record", |object| job_id(object).is_some())
        .await;
    world.kill_operator();
    let mut status = serde_json::to_value(&before.status).unwrap();
    status["change"]["phase"] = json!("Draining");
    status["change"]["node"] = json!("one");
    status["plan"] = json!({"id": "p1"});
    status["lastChange"] = json!({
        "id": "0123456789abcdef", "fromPort": 3305, "toPort": 3306, "outcome": "Superseded",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"
    });
    status["failures"] = json!([{
        "port": 3309, "failed": 1, "void": 0, "cause": "NodeLost", "lastAt": "2026-01-01T00:00:00Z"
    }]);
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["reason"] = json!("NodeDraining");
    }
    let patch = json!({"status": status}).to_string();
    let written = world.kubectl(&[
        "patch",
        "tpp",
        NAME,
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
    assert!(written.status.success(), "{written:?}");
    install(&world, &present());

    world.start_fresh_operator().await;
    world.until_more(Operation::Job, 2).await;
    world
        .until("in words of this release", |object| {
            reason(object) == "JobRunning" && job_id(object) == job_id(&before)
        })
        .await;
    // What is judged from here on was written by this release.
    world.recorder = Recorder::start(
        world.client.clone(),
        &world.namespace,
        world.sim.control().clone(),
    )
    .await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.want_now(3309).await;
    world.until_ready(3309).await;
    assert_eq!(world.asked_for(), [3307, 3309]);
    world.finish().await;
}

/// What the first definition has of a status: for people alone is what it lacks.
fn without_history(object: &TaurusProxyPort) -> Option<TaurusProxyPortStatus> {
    let status = object.status.clone()?;
    Some(TaurusProxyPortStatus {
        history: Vec::new(),
        ..status
    })
}

fn with_odd_timeout(world: &World) -> TaurusProxyPort {
    let mut stored = world.numbered(0, sample::PORT);
    stored.spec.change_timeout = Some(ODD_TIMEOUT.to_owned());
    stored
}

/// Whether the rules in force are those of the first definition.
async fn takes_odd_timeout(world: &World) -> bool {
    let mut resource = with_odd_timeout(world);
    resource.metadata.name = Some("tried".to_owned());
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    world.api().create(&params, &resource).await.is_ok()
}

/// Puts a definition in the place of the one that is there.
fn install(world: &World, definition: &Value) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(definition.to_string().as_bytes()).unwrap();
    let path = file.path().to_str().unwrap();
    let replaced = plane::kubectl(&world.plane, &["replace", "-f", path]);
    assert!(replaced.status.success(), "{replaced:?}");
}
