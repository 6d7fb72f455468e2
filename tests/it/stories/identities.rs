//! ServiceAccounts in place of Secrets: whose tokens Kubernetes makes for the operator, and what IAM makes of them.

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::{TaurusProxyPort, WorkloadIdentity};
use taurus_sim::{Entry, Filter, Fleet, IdentityProvider, Mode, Operation, sample};

use crate::world::{
    World, condition, is_ready_with, message, options,
    plane::{self, Plane},
    reason,
    tools::printed,
};

/// The ServiceAccount that the operator may sign in as, here as by the component.
pub const ACCOUNT: &str = "taurus-ports";

/// The client id of the identity provider.
const AUDIENCE: &str = "taurus-iam";

const PROVIDER: &str = "cce";

/// What IAM has of the cluster: its keys, and a rule for one ServiceAccount of one namespace.
pub fn provider(plane: &Plane, namespace: &str) -> IdentityProvider {
    let keys = printed(plane::kubectl(plane, &["get", "--raw", "/openid/v1/jwks"]));
    let about = ["get", "--raw", "/.well-known/openid-configuration"];
    let about: Value = serde_json::from_str(&printed(plane::kubectl(plane, &about))).unwrap();
    IdentityProvider {
        name: PROVIDER.to_owned(),
        issuer: about["issuer"].as_str().unwrap().to_owned(),
        client_id: AUDIENCE.to_owned(),
        keys: serde_json::from_str(&keys).unwrap(),
        subjects: vec![format!("system:serviceaccount:{namespace}:{ACCOUNT}")],
    }
}

/// The same resource without a Secret.
pub fn keyless(resource: TaurusProxyPort, account: &str) -> TaurusProxyPort {
    let mut resource = resource;
    resource.spec.credentials_ref = None;
    resource.spec.workload_identity = Some(WorkloadIdentity {
        service_account_name: account.to_owned(),
        idp_id: PROVIDER.to_owned(),
        audience: AUDIENCE.to_owned(),
    });
    resource
}

pub async fn make_account(world: &World, name: &str) {
    let account = ServiceAccount {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ServiceAccount::default()
    };
    let parameters = PostParams::default();
    accounts(world).create(&parameters, &account).await.unwrap();
}

fn accounts(world: &World) -> Api<ServiceAccount> {
    Api::namespaced(world.client.clone(), &world.namespace)
}

/// Lets the operator have tokens made for these ServiceAccounts of the story's namespace.
fn grant(world: &World, names: &[&str]) {
    let namespace = &world.namespace;
    let name = "taurus-port-operator-tokens";
    let rule = json!({
        "apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": names, "verbs": ["create"],
    });
    let metadata = json!({"name": name, "namespace": namespace});
    let operator = json!({"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "taurus-system"});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata, "subjects": [operator],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        },
    ]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), list.to_string()).unwrap();
    let file = file.path().to_str().unwrap();
    let applied = plane::kubectl(&world.plane, &["apply", "--server-side", "-f", file]);
    printed(applied);
}

async fn is_refused(world: &World, name: &str, why: &str, said: &[&str]) {
    let told = world
        .recorder
        .until(name, "refused", |object| {
            reason(object) == why && said.iter().all(|said| message(object).contains(said))
        })
        .await;
    assert_eq!(condition(&told, "Stalled"), "True");
}

/// The temporary key of the last call for a proxy of an instance.
fn key_of(world: &World, instance: &str) -> String {
    let lists = Filter::on(Operation::List).instance(instance);
    let last = world.sim.entries(&lists).pop();
    last.and_then(|entry| entry.credential).unwrap()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_changes_ports_without_any_key_and_its_keys_are_renewed() {
    let mut world = World::without_operator(options(Mode::M2)).await;
    world
        .sim
        .set_identity_provider(provider(&world.plane, &world.namespace));
    world.start_operator().await;
    world.create(&keyless(world.resource(3307), ACCOUNT)).await;
    let forbidden = [
        "may not have a token made",
        ACCOUNT,
        "denied by the API server",
    ];
    is_refused(&world, "orders", "CredentialsMissing", &forbidden).await;
    grant(&world, &[ACCOUNT]);
    let missing = ["does not exist", "serviceAccountName"];
    is_refused(&world, "orders", "CredentialsMissing", &missing).await;
    assert_eq!(world.sim.count(&Filter::on(Operation::IdToken)), 0);

    make_account(&world, ACCOUNT).await;
    world.until_ready(3307).await;
    assert_eq!(world.asked_for(), [3307]);
    let exchanged = || world.sim.count(&Filter::on(Operation::IdToken));
    let first = exchanged();

    // What IAM takes away is had anew, for a token that Kubernetes has made meanwhile.
    let key = key_of(&world, sample::INSTANCE);
    world.sim.remove_access_key(&key).unwrap();
    world.want_now(3308).await;
    world.until_ready(3308).await;
    assert_eq!(exchanged(), first + 1);
    assert_ne!(key_of(&world, sample::INSTANCE), key);
    let shown = format!("{:?}", world.recorder.versions_of("orders"));
    assert!(!shown.contains("eyJ"), "a token is shown: {shown}");

    // Who is gone gets no more tokens.
    let parameters = DeleteParams::default();
    accounts(&world).delete(ACCOUNT, &parameters).await.unwrap();
    is_refused(&world, "orders", "CredentialsMissing", &missing).await;
    world.finish().await;
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_account_that_iam_has_no_rule_for_is_refused_and_borrows_nothing() {
    const OTHER: &str = "somebody-else";
    let fleet = Fleet::sample().numbered(1);
    let mut world = World::without_operator(options(Mode::M2).fleet(fleet)).await;
    world
        .sim
        .set_identity_provider(provider(&world.plane, &world.namespace));
    grant(&world, &[ACCOUNT, OTHER]);
    make_account(&world, ACCOUNT).await;
    make_account(&world, OTHER).await;
    world.start_operator().await;
    world.create(&keyless(world.resource(3307), ACCOUNT)).await;
    world
        .until_passing("Ready", |object| is_ready_with(object, 3307))
        .await;
    // Same namespace, same provider, same project: another ServiceAccount is another identity.
    world.create(&keyless(world.numbered(0, 3307), OTHER)).await;
    let said = ["spec.workloadIdentity", "IAM does not accept", OTHER];
    is_refused(&world, "numbered-0", "CredentialsInvalid", &said).await;
    let instance = Fleet::numbered_instance(0);
    let of_other: Vec<Entry> = world.sim.entries(&Filter::all().instance(&instance));
    assert!(of_other.is_empty(), "{of_other:?}");
    world.finish().await;
}
