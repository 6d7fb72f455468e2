//! What a change would break in the cluster, told before it begins.

use std::time::Duration;

use k8s_openapi::api::{
    events::v1::Event,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::{
    crd::{Approval, PlanRecord, TaurusProxyPort},
    permits::limits::Limits,
};
use taurus_sim::Mode;

use super::windows::closed_window;
use crate::world::{
    PATIENCE, World,
    operator::Setup,
    options, reason,
    relay::{Call, Effect, Fault, Relay},
    tools::printed,
};

/// The kinds that are read, as they stand in paths.
const READ: [&str; 3] = ["/networkpolicies?", "/endpointslices?", "/pods?"];

/// Gives the operator the rights of the component in the story's namespace.
pub async fn allow(world: &World) {
    let shipped = include_str!("../../../deploy/components/preflight/rbac.yaml");
    let mut documents = serde_saphyr::from_multiple::<Value>(shipped)
        .unwrap()
        .into_iter();
    let rules = documents.next().unwrap()["rules"].take();
    let metadata = json!({"name": "preflight"});
    let role: Role = serde_json::from_value(json!({"metadata": metadata, "rules": rules})).unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "preflight"},
        "subjects": [{"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "taurus-system"}],
    }))
    .unwrap();
    let params = PostParams::default();
    let of_namespace: Api<Role> = Api::namespaced(world.client.clone(), &world.namespace);
    of_namespace.create(&params, &role).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(world.client.clone(), &world.namespace);
    bindings.create(&params, &binding).await.unwrap();
}

/// Applies an object in the story's namespace.
fn apply(world: &World, object: &Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    let file = file.to_str().unwrap();
    printed(world.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", file]));
}

/// A policy that lets pods reach the proxies by these ports.
fn policy(ports: &[u16]) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({"port": port})).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "databases"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": ports}]},
    })
}

/// A slice of somebody's that leads there.
fn slice(address: &str, port: u16) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "db-1", "labels": {"kubernetes.io/service-name": "db"}},
        "endpoints": [{"addresses": [address]}], "ports": [{"port": port, "protocol": "TCP", "name": ""}],
    })
}

fn plan(object: &TaurusProxyPort) -> Option<&PlanRecord> {
    object.status.as_ref()?.plan.as_ref()
}

/// Waits for a plan with as many warnings.
async fn until_warned(world: &World, count: usize) -> PlanRecord {
    let what = format!("{count} warnings");
    let is_warned =
        |object: &TaurusProxyPort| plan(object).is_some_and(|plan| plan.warnings.len() == count);
    let object = world.until(&what, is_warned).await;
    plan(&object).unwrap().clone()
}

/// The texts of the events that tell of it so far, without those that were counted up.
async fn told(world: &World) -> Vec<String> {
    let events: Api<Event> = Api::namespaced(world.client.clone(), &world.namespace);
    let events = events.list(&ListParams::default()).await.unwrap();
    let of_it = events
        .items
        .into_iter()
        .filter(|event| event.reason.as_deref() == Some("PreflightWarnings"));
    of_it
        .map(|event| {
            assert_eq!(event.type_.as_deref(), Some("Warning"));
            event.note.unwrap()
        })
        .collect()
}

pub async fn until_told(world: &World, text: &str) -> String {
    until_told_where(world, text, |note| note.contains(text)).await
}

async fn until_told_where(world: &World, what: &str, is: impl Fn(&str) -> bool) -> String {
    let telling = async {
        loop {
            let found = told(world).await;
            if let Some(note) = found.into_iter().find(|note| is(note)) {
                return note;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, telling)
        .await
        .unwrap_or_else(|_| panic!("no event tells of {what}"))
}

/// Whether an event is about the policy and the story's own change.
fn is_of_policy(note: &str) -> bool {
    note.contains("port 3306 to 3307") && note.contains("NetworkPolicy databases")
}

async fn handled(world: &World, request: &str) -> TaurusProxyPort {
    world.ask(request).await;
    let is_handled = |object: &TaurusProxyPort| {
        let status = object.status.as_ref();
        status.and_then(|status| status.last_handled_request.as_deref()) == Some(request)
    };
    world.until("handled", is_handled).await
}

/// How often something of the cluster was read.
fn reads(relay: &Relay) -> usize {
    let seen = relay.seen();
    let lists = seen.iter().filter(|seen| {
        // What the operator publishes is asked for by its labels.
        let is_read = READ.iter().any(|kind| seen.line.contains(kind));
        is_read && !seen.line.contains("labelSelector")
    });
    lists.count()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_change_would_break_is_told_while_it_waits_and_no_longer_once_it_is_mended() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    let relay = Relay::start(&world.plane).await;
    world.start_operator_with(relay.setup()).await;
    let mut resource = world.resource(3306);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let settled = world.until_ready(3306).await;
    let address = settled.status.unwrap().address.unwrap();
    // What is told below is not about its change.
    world.until_neighbour_is_ready().await;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": world.namespace, "annotations": {"linkerd.io/inject": "enabled"}},
    });
    apply(&world, &policy(&[3306]));
    apply(&world, &slice(&address, 3306));
    apply(&world, &namespace);
    let of_neighbour = reads(&relay);
    handled(&world, "at rest").await;
    assert_eq!(reads(&relay), of_neighbour, "nothing is due");

    world.want_now(3307).await;
    let warned = until_warned(&world, 3).await;
    let expected = [
        format!(
            "NetworkPolicy databases: lets {address}:3306 through and not 3307; allow port 3307"
        ),
        format!(
            "EndpointSlice db-1: leads to {address}:3306 of Service db; it still has port 3306"
        ),
        format!(
            "Namespace {}: mesh Linkerd takes port 3306 for TCP and not 3307",
            world.namespace
        ),
    ];
    for (warning, begins) in warned.warnings.iter().zip(&expected) {
        assert!(warning.starts_with(begins), "{warning}");
    }
    let note = until_told_where(&world, "the policy", is_of_policy).await;
    for part in [
        &warned.id,
        "port 3306 to 3307",
        "EndpointSlice db-1",
        "Linkerd",
    ] {
        assert!(note.contains(part), "{note}");
    }

    // Looked at again, it is the same.
    let seen = reads(&relay);
    handled(&world, "again").await;
    assert!(reads(&relay) > seen);
    assert_eq!(until_warned(&world, 3).await, warned);

    apply(&world, &policy(&[3306, 3307]));
    handled(&world, "one is mended").await;
    let left = until_warned(&world, 2).await;
    assert_eq!(left.warnings, warned.warnings[1..]);
    let nobody = json!({"metadata": {"annotations": {"linkerd.io/inject": null}}}).to_string();
    printed(world.kubectl(&["patch", "namespace", &world.namespace, "-p", &nobody]));
    apply(&world, &slice(&address, 3307));
    handled(&world, "all are mended").await;
    let mended = until_warned(&world, 0).await;
    assert_eq!(mended.id, warned.id, "it was the same plan all the time");
    assert_eq!(
        told(&world).await.len(),
        1,
        "what is known is not told anew"
    );

    world
        .patch(json!({"spec": {"approvedPlan": mended.id}}))
        .await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn warnings_outlive_a_restart_and_a_failing_api_server_changes_none() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    world.start_operator().await;
    apply(&world, &policy(&[3306]));
    let mut resource = world.resource(3307);
    resource.spec.maintenance_windows = serde_json::from_value(closed_window()).unwrap();
    world.create(&resource).await;
    let warned = until_warned(&world, 1).await;
    until_told_where(&world, "the policy", is_of_policy).await;
    let version = world.get().await.metadata.resource_version;
    world.stop_operator().await;

    let relay = Relay::start(&world.plane).await;
    world.start_operator_with(relay.setup()).await;
    world.until_more(taurus_sim::Operation::List, 2).await;
    assert!(reads(&relay) > 0);
    let now = world.get().await;
    assert_eq!(
        now.metadata.resource_version, version,
        "nothing was written"
    );

    // From the start of this process nobody can read policies.
    world.stop_operator().await;
    let failing = relay.inject(Fault::on(&[Call::ReadPolicies], Effect::refuse(500)));
    let refusals = || {
        let reads = relay.seen_of(&Call::ReadPolicies);
        reads.iter().filter(|read| read.answer == Some(500)).count()
    };
    world.start_operator_with(relay.setup()).await;
    world.until_true("a refusal", || refusals() > 0).await;
    handled(&world, "while it fails").await;
    world.until_true("a second one", || refusals() > 1).await;
    let partly = until_warned(&world, 2).await;
    assert_eq!(partly.id, warned.id);
    assert_eq!(partly.warnings[0], warned.warnings[0], "it stands");
    let failed = "NetworkPolicies (the API server failed)";
    assert!(partly.warnings[1].contains(failed), "{partly:?}");

    // What can be read is not held up by that.
    let address = world.get().await.status.unwrap().address.unwrap();
    apply(&world, &slice(&address, 3306));
    handled(&world, "a slice is stale").await;
    let more = until_warned(&world, 3).await;
    assert_eq!(more.warnings[0], warned.warnings[0]);
    assert!(more.warnings[1].starts_with("EndpointSlice db-1"));
    relay.remove(failing);
    handled(&world, "it answers again").await;
    let whole = until_warned(&world, 2).await;
    assert_eq!(whole.warnings, more.warnings[..2]);
    let notes = told(&world).await;
    let of_policy = notes.iter().filter(|note| is_of_policy(note));
    assert_eq!(of_policy.count(), 1, "what stands is not news: {notes:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_said_of_a_plan_before_is_said_once_its_change_begins() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    world.start_operator().await;
    apply(&world, &policy(&[3306]));
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let warned = until_warned(&world, 1).await;
    until_told_where(&world, "the policy", is_of_policy).await;
    let address = world.get().await.status.unwrap().address.unwrap();
    world.stop_operator().await;
    // Nobody looks at it before the change begins.
    apply(&world, &slice(&address, 3306));
    world
        .patch(json!({"spec": {"approvedPlan": warned.id}}))
        .await;
    world.start_operator().await;
    world.until_change(1).await;
    until_told(&world, "EndpointSlice db-1").await;
    world.until_ready(3307).await;
    let notes = told(&world).await;
    let of_policy = notes.iter().filter(|note| is_of_policy(note));
    assert_eq!(of_policy.count(), 1, "{notes:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_change_would_break_that_waits_for_a_limit_is_said_once_before_it_begins() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    apply(&world, &policy(&[3306]));
    let limits = Limits {
        hourly: 1,
        ..Limits::default()
    };
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    world.start_operator_with(setup).await;
    // The neighbour's change is the one of this hour.
    world.until_neighbour_is_ready().await;
    world.want(3307).await;
    let waits = |object: &TaurusProxyPort| reason(object) == "WaitingForBudget";
    world.until("it waits", waits).await;
    let note = until_told(&world, "the change from port 3306 to 3307 waits").await;
    assert!(note.contains("NetworkPolicy databases"), "{note}");
    handled(&world, "still the same").await;
    assert_eq!(plan(&world.get().await), None);
    assert_eq!(world.asked_for().len(), 0, "it has not begun");
    let notes = told(&world).await;
    let of_policy = notes.iter().filter(|note| is_of_policy(note));
    assert_eq!(of_policy.count(), 1, "{notes:?}");
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_begins_at_once_is_told_of_by_an_event() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    // A read for the neighbour, whose change begins first, serves this one as well.
    apply(&world, &policy(&[3306]));
    world.start_operator().await;
    world.want(3307).await;
    world.until_change(1).await;
    let note = until_told(&world, "the change from port 3306 to 3307 was begun").await;
    assert!(note.contains("NetworkPolicy databases"), "{note}");
    world.until_ready(3307).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_rights_nothing_is_read_and_nothing_is_said() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    let relay = Relay::start(&world.plane).await;
    world.start_operator_with(relay.setup()).await;
    apply(&world, &policy(&[3306]));
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let plan = until_warned(&world, 0).await;
    let asked = relay.seen();
    let mut asked = asked.iter();
    assert!(
        asked.any(|seen| seen.line.contains("selfsubjectaccessreviews")
            && seen.body.contains("networkpolicies")),
        "it is asked whether that is allowed"
    );
    assert_eq!(reads(&relay), 0);
    world
        .patch(json!({"spec": {"approvedPlan": plan.id}}))
        .await;
    world.until_ready(3307).await;
    assert_eq!((reads(&relay), told(&world).await.len()), (0, 0));
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_missing_is_one_warning_and_holds_nothing_up() {
    let world = World::without_operator(options(Mode::M2)).await;
    allow(&world).await;
    let nothing_of_pods = json!([{"op": "remove", "path": "/rules/3"}]).to_string();
    printed(world.kubectl(&[
        "patch",
        "role",
        "preflight",
        "--type=json",
        "-p",
        &nothing_of_pods,
    ]));
    let mut world = world;
    world.start_operator().await;
    apply(&world, &policy(&[3306]));
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let plan = until_warned(&world, 2).await;
    assert!(
        plan.warnings[1].ends_with("Pods (the operator may not read them)"),
        "{:?}",
        plan.warnings
    );
    world
        .patch(json!({"spec": {"approvedPlan": plan.id}}))
        .await;
    world.until_ready(3307).await;
    world.finish().await;
}
