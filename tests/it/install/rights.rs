//! Least rights, by proof: the program runs with the shipped ones alone, nothing is refused, and no right is left over.

use std::path::Path;

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use taurus_port_operator::crd::{Approval, TaurusProxyPort};
use taurus_sim::Mode;

use super::{
    manifests::{apply, deployed, kubeconfig_of, kustomized, one},
    platforms::by_helm,
    request::Right,
};
use crate::stories::{identities, publication};
use crate::world::{
    World, options, plane,
    program::Program,
    relay::{Call, Effect, Fault, Relay},
    tools::{copy_into, printed},
};

/// An account with the rights of a Deployment, and a record of what it asks the API server for.
struct Account {
    relay: Relay,
    folder: tempfile::TempDir,
    kubeconfig: String,
    deployment: Value,
    granted: Vec<Right>,
}

impl Account {
    async fn of(world: &World, objects: &[Value]) -> Self {
        let deployment = one(objects, "Deployment").clone();
        let folder = tempfile::tempdir().unwrap();
        let relay = Relay::start(&world.plane).await;
        let own = kubeconfig_of(&world.plane, &deployment, folder.path()).await;
        let own: Value = serde_json::from_str(&std::fs::read_to_string(own).unwrap()).unwrap();
        let kubeconfig = relay.kubeconfig_with(|_, user| *user = own["users"][0]["user"].clone());
        Self {
            relay,
            folder,
            kubeconfig,
            deployment,
            granted: Right::granted_by(objects),
        }
    }

    async fn program(&self, world: &World, log: &str) -> Program {
        let log = self.folder.path().join(log);
        deployed(world, &self.deployment, &self.kubeconfig, &log).await
    }

    /// What was asked for is granted, and what is granted was asked for.
    fn judge(&self) {
        self.judge_those(|_| true);
    }

    /// The same of those needs that `counts` names.
    fn judge_those(&self, counts: impl Fn(&Right) -> bool) {
        let seen = self.relay.seen();
        for request in &seen {
            assert_ne!(request.answer, Some(403), "{request:?}");
        }
        let needed: Vec<Right> = seen
            .iter()
            .filter_map(|request| Right::needed_by(&request.line))
            .filter(|needed| counts(needed))
            .collect();
        let used = |right: &&Right| needed.iter().any(|needed| right.covers(needed));
        let unused: Vec<_> = self.granted.iter().filter(|right| !used(right)).collect();
        assert_eq!(unused, Vec::<&Right>::new(), "rights that nobody needs");
        let granted = |needed: &&Right| self.granted.iter().any(|right| right.covers(needed));
        let missing: Vec<_> = needed.iter().filter(|needed| !granted(needed)).collect();
        assert_eq!(missing, Vec::<&Right>::new(), "rights that are missing");
    }
}

/// All that an operator has to do with the API server: a lease that is waited for and taken over, changes, a status that
/// somebody else wrote first, and an event that is told again. Gives the logs.
async fn everything(world: &World, account: &Account) -> [String; 2] {
    let mut first = account.program(world, "first").await;
    let second = account.program(world, "second").await;
    world.want(3307).await;
    world.until_ready(3307).await;
    let stale = Fault::on(&[Call::status()], Effect::refuse(409)).first(1);
    account.relay.inject(stale);
    world.want_now(3308).await;
    world.until_ready(3308).await;
    for port in [3307, 3308] {
        world.want_now(port).await;
        world.until_ready(port).await;
    }
    first.signal("TERM").await;
    assert!(first.ended().await.success());
    world.want_now(3309).await;
    world.until_ready(3309).await;
    assert_eq!(world.asked_for(), [3307, 3308, 3307, 3308, 3309]);
    [first.log(), second.log()]
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_of_the_base_is_used_and_none_is_missing() {
    let plane = &plane::with("deploy/base").await;
    let world = World::on(plane, options(Mode::M2)).await;
    let account = Account::of(&world, &kustomized(plane, "deploy/base")).await;
    let logs = everything(&world, &account).await;
    account.judge();
    for log in logs {
        assert!(!log.contains("the watch of Secrets failed"), "{log}");
        assert!(
            log.contains("those in use are read again and again"),
            "{log}"
        );
    }
    world.finish().await;
}

/// Where [`with_component`] puts its overlay.
const OVERLAY: &str = "deploy/overlays/with-component";

/// A copy of what is shipped, with an overlay of the base and one component.
fn with_component(component: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_into(folder.path(), "deploy");
    copy_into(folder.path(), "crds");
    let overlay = folder.path().join(OVERLAY);
    std::fs::create_dir(&overlay).unwrap();
    let component = format!("../../components/{component}");
    let kustomization = json!({"resources": ["../../base"], "components": [component]});
    write(
        &overlay.join("kustomization.yaml"),
        &kustomization.to_string(),
    );
    folder
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_of_the_component_that_watches_secrets_is_used_and_none_is_missing() {
    let folder = with_component("watch-secrets");
    let overlay = folder.path().join(OVERLAY);
    let overlay = overlay.to_str().unwrap();
    let plane = &plane::with(overlay).await;
    let world = World::on(plane, options(Mode::M2)).await;
    let account = Account::of(&world, &kustomized(plane, overlay)).await;
    everything(&world, &account).await;
    account.judge();
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_of_the_component_that_publishes_services_is_used_and_none_is_missing() {
    let folder = with_component("services");
    let overlay = folder.path().join(OVERLAY);
    let overlay = overlay.to_str().unwrap();
    let plane = &plane::with(overlay).await;
    let world = World::on(plane, options(Mode::M2)).await;
    let mut account = Account::of(&world, &kustomized(plane, overlay)).await;
    everything_published(&world, &account).await;
    judge_beyond_base(&mut account, plane);
    world.finish().await;
}

/// Judges what a component grants; those of the base are judged with all that an operator has to do.
fn judge_beyond_base(account: &mut Account, plane: &ControlPlane) {
    let of_base = Right::granted_by(&kustomized(plane, "deploy/base"));
    account.granted.retain(|right| !of_base.contains(right));
    account.judge_those(|needed| !of_base.iter().any(|right| right.covers(needed)));
}

/// The kinds of meshes that are read: group, version, kind, plural and scope. A definition without a schema stands for theirs.
const MESHES: [[&str; 5]; 4] = [
    [
        "networking.istio.io",
        "v1",
        "ServiceEntry",
        "serviceentries",
        "Namespaced",
    ],
    [
        "networking.istio.io",
        "v1",
        "DestinationRule",
        "destinationrules",
        "Namespaced",
    ],
    [
        "cilium.io",
        "v2",
        "CiliumNetworkPolicy",
        "ciliumnetworkpolicies",
        "Namespaced",
    ],
    [
        "cilium.io",
        "v2",
        "CiliumClusterwideNetworkPolicy",
        "ciliumclusterwidenetworkpolicies",
        "Cluster",
    ],
];

fn definition([group, version, kind, plural, scope]: [&str; 5]) -> Value {
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": scope, "names": {"kind": kind, "plural": plural}, "versions": [{
            "name": version, "served": true, "storage": true, "schema": {"openAPIV3Schema": schema},
        }]},
    })
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_of_the_component_for_warnings_is_used_and_none_is_missing() {
    let folder = with_component("preflight");
    let overlay = folder.path().join(OVERLAY);
    let overlay = overlay.to_str().unwrap();
    let plane = &plane::with(overlay).await;
    let meshes = MESHES.map(definition);
    printed(apply(plane, &meshes));
    for mesh in &meshes {
        let name = format!("crd/{}", mesh["metadata"]["name"].as_str().unwrap());
        let established = [
            "wait",
            "--for=condition=Established",
            "--timeout=10m",
            &name,
        ];
        printed(plane::kubectl(plane, &established));
    }
    let world = World::on(plane, options(Mode::M2)).await;
    let mut account = Account::of(&world, &kustomized(plane, overlay)).await;
    let policy = json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "databases"},
        "spec": {"egress": [{"toPorts": [{"ports": [{"port": "3306"}]}]}]},
    });
    printed(apply(plane, &[policy]));
    // A read for the neighbour, whose change begins first, serves this one as well.
    let program = account.program(&world, "warning").await;
    let mut resource = world.resource(3307);
    resource.spec.approval = Some(Approval::Manual);
    world.create(&resource).await;
    let is_warned = |object: &TaurusProxyPort| {
        let plan = object
            .status
            .as_ref()
            .and_then(|status| status.plan.as_ref());
        plan.is_some_and(|plan| plan.warnings.len() == 1)
    };
    let warned = world.until("a warning", is_warned).await;
    let warnings = warned.status.unwrap().plan.unwrap().warnings;
    assert!(
        warnings[0].starts_with("CiliumClusterwideNetworkPolicy databases"),
        "{warnings:?}"
    );
    // Nothing else ends its change.
    world.until_neighbour_is_ready().await;
    drop(program);
    judge_beyond_base(&mut account, plane);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chart_grants_for_warnings_what_the_component_does() {
    let plane = &plane::bare().await;
    let folder = with_component("preflight");
    let overlay = folder.path().join(OVERLAY);
    let sorted = |objects: &[Value]| {
        let mut rights = Right::granted_by(objects);
        rights.sort();
        rights
    };
    let by_kustomize = sorted(&kustomized(plane, overlay.to_str().unwrap()));
    let enabled = json!({"preflight": {"enabled": true}});
    assert_eq!(sorted(&by_helm(&enabled)), by_kustomize);
    // A Role has no say in what is of no namespace.
    let single = json!({"preflight": {"enabled": true}, "singleNamespace": true});
    let of_role = sorted(&by_helm(&single));
    let without = sorted(&by_helm(&json!({"singleNamespace": true})));
    let added: Vec<_> = of_role
        .into_iter()
        .filter(|right| !without.contains(right))
        .collect();
    let of_base = sorted(&kustomized(plane, "deploy/base"));
    let mut of_component = by_kustomize;
    of_component.retain(|right| !of_base.contains(right));
    let everywhere = Right::needed_by("GET /apis/cilium.io/v2/ciliumclusterwidenetworkpolicies");
    of_component.retain(|right| Some(right) != everywhere.as_ref());
    assert_eq!(added, of_component);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_of_the_component_for_identities_is_used_and_none_is_missing() {
    let folder = with_component("workload-identity");
    let overlay = folder.path().join(OVERLAY);
    let overlay = overlay.to_str().unwrap();
    let plane = &plane::with(overlay).await;
    let world = World::on(plane, options(Mode::M2)).await;
    let mut account = Account::of(&world, &kustomized(plane, overlay)).await;
    let provider = identities::provider(plane, &world.namespace);
    world.sim.set_identity_provider(provider);
    identities::make_account(&world, identities::ACCOUNT).await;
    let program = account.program(&world, "signing-in").await;
    let resource = identities::keyless(world.resource(3307), identities::ACCOUNT);
    world.create(&resource).await;
    world.until_ready(3307).await;
    // Nothing else ends its change.
    world.until_neighbour_is_ready().await;
    drop(program);
    judge_beyond_base(&mut account, plane);
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chart_grants_for_identities_what_the_component_does() {
    let plane = &plane::bare().await;
    let folder = with_component("workload-identity");
    let overlay = folder.path().join(OVERLAY);
    let sorted = |objects: &[Value]| {
        let mut rights = Right::granted_by(objects);
        rights.sort();
        rights
    };
    let by_kustomize = sorted(&kustomized(plane, overlay.to_str().unwrap()));
    let names = json!({"workloadIdentity": {"serviceAccountNames": [identities::ACCOUNT]}});
    assert_eq!(sorted(&by_helm(&names)), by_kustomize);
    // Without a name there is no right, rather than one for all names.
    let of_base = sorted(&kustomized(plane, "deploy/base"));
    assert_eq!(sorted(&by_helm(&json!({}))), of_base);
}

/// All that an operator has to do with what it publishes.
async fn everything_published(world: &World, account: &Account) {
    let program = account.program(world, "publishing").await;
    world.create(&publication::published(world, 3307)).await;
    world.until_ready(3307).await;
    world
        .patch(json!({"spec": {"service": {"port": 3310}}}))
        .await;
    let is_moved = |object: &TaurusProxyPort| {
        let service = object
            .status
            .as_ref()
            .and_then(|status| status.service.as_ref());
        service.is_some_and(|service| service.port == 3310)
    };
    world.until("another port", is_moved).await;
    let renamed = json!({"service": {"name": "other"}, "configMap": {"name": "other"}});
    world.patch(json!({"spec": renamed})).await;
    let removed = json!({"service": null, "configMap": null});
    let is_other = |object: &TaurusProxyPort| {
        let service = object
            .status
            .as_ref()
            .and_then(|status| status.service.as_ref());
        service.is_some_and(|service| service.name == "other")
    };
    world.until("renamed", is_other).await;
    world.patch(json!({"spec": removed})).await;
    let is_removed = |object: &TaurusProxyPort| {
        object
            .status
            .as_ref()
            .is_some_and(|status| status.service.is_none())
    };
    world.until("removed", is_removed).await;
    drop(program);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_in_a_single_namespace_is_used_and_none_is_missing() {
    let plane = &plane::shared().await;
    let world = World::on(plane, options(Mode::M2)).await;
    let folder = tempfile::tempdir().unwrap();
    copy_into(folder.path(), "deploy");
    copy_into(folder.path(), "crds");
    let overlay = folder.path().join("deploy/overlays/single-namespace");
    // As the overlay's own comments ask for.
    for (file, from, to) in [
        ("kustomization.yaml", "shop", world.namespace.as_str()),
        ("rbac.yaml", "[taurus-credentials]", "[keys, user]"),
    ] {
        let path = overlay.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        write(&path, &text.replace(from, to));
    }
    let overlay = overlay.to_str().unwrap();
    printed(plane::kubectl(
        plane,
        &["apply", "--server-side", "-k", overlay],
    ));
    let account = Account::of(&world, &kustomized(plane, overlay)).await;
    everything(&world, &account).await;
    account.judge();
    world.finish().await;
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
