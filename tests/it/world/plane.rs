//! The control plane that all stories share, with what is deployed into a real one.

use std::{
    process::Command,
    sync::{
        Arc, Once,
        atomic::{AtomicU32, Ordering},
    },
};

use k8s_openapi::{
    api::{
        core::v1::Namespace,
        rbac::v1::{Role, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};
use taurus_controlplane::{ControlPlane, needs};
use taurus_port_operator::crd;
use tokio::sync::OnceCell;

use super::{PATIENCE, definitions::select_what_is_there, tools::root};

/// A control plane; it ends with the last story that has it.
pub type Plane = Arc<ControlPlane>;

static SHARED: OnceCell<Plane> = OnceCell::const_new();
static BARE: OnceCell<Plane> = OnceCell::const_new();
static LOOSENED: OnceCell<Plane> = OnceCell::const_new();

/// The control plane of all stories; the definition, the rights and the Deployment of `deploy/base` are applied to it by
/// kubectl.
pub async fn shared() -> Plane {
    SHARED
        .get_or_init(|| with_kustomization("deploy/base"))
        .await
        .clone()
}

/// A control plane with the definition and nothing else, for those who install: what they do there lies in namespaces of
/// their own, or harms nobody.
pub async fn bare() -> Plane {
    BARE.get_or_init(|| with_kustomization("crds"))
        .await
        .clone()
}

/// A control plane of its own for a story, onto which kubectl has applied this kustomization.
pub async fn with(kustomization: &str) -> Plane {
    with_kustomization(kustomization).await
}

/// The same, and the API server logs requests by this audit policy, a file of the repository.
pub async fn audited(policy: &str, kustomization: &str) -> Plane {
    prepare();
    let policy = std::fs::read_to_string(root().join(policy)).unwrap();
    let plane = Arc::new(needs::control_plane_audited(&policy).await.unwrap());
    applied(&plane, kustomization).await;
    plane
}

/// A control plane of its own for a story that begins with nothing.
pub async fn empty() -> Plane {
    started().await
}

async fn with_kustomization(path: &str) -> Plane {
    let plane = started().await;
    applied(&plane, path).await;
    plane
}

/// Applies a kustomization with the definition, and waits until that is served.
async fn applied(plane: &ControlPlane, path: &str) {
    let applied = kubectl(plane, &["apply", "--server-side", "-k", path]);
    assert!(applied.status.success(), "{applied:?}");
    established(plane).await;
}

/// A control plane whose definition of the resource has lost its rules, as that of a careless upgrade.
pub async fn loosened() -> Plane {
    LOOSENED
        .get_or_init(|| with_definition(loosen))
        .await
        .clone()
}

/// A control plane of its own for a story, with a definition that was changed.
pub async fn of_its_own(change: impl FnOnce(&mut Value)) -> Plane {
    with_definition(change).await
}

async fn with_definition(change: impl FnOnce(&mut Value)) -> Plane {
    let plane = started().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let mut value = serde_json::to_value(crd::definition()).unwrap();
    change(&mut value);
    select_what_is_there(&mut value);
    let definition = serde_json::from_value(value).unwrap();
    let params = PostParams::default();
    definitions.create(&params, &definition).await.unwrap();
    established(&plane).await;
    for file in ["namespace", "rbac"] {
        let path = format!("deploy/base/{file}.yaml");
        let applied = kubectl(&plane, &["apply", "--server-side", "-f", &path]);
        assert!(applied.status.success(), "{applied:?}");
    }
    plane
}

/// Takes all rules from a definition; ports may even be words.
pub fn loosen(definition: &mut Value) {
    forget_rules(definition);
    let port = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/port";
    *definition.pointer_mut(port).unwrap() = json!({"x-kubernetes-int-or-string": true});
}

async fn started() -> Plane {
    prepare();
    Arc::new(needs::control_plane().await.unwrap())
}

/// What every process needs once: a crypto provider, and logs for whoever looks into a failure with `RUST_LOG`.
pub fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .init();
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
}

/// Waits until the definition is served.
pub async fn established(plane: &ControlPlane) {
    let definitions: Api<CustomResourceDefinition> = Api::all(plane.client().await.unwrap());
    let name = "taurusproxyports.taurusdb.huaweicloud.com";
    let established = await_condition(definitions, name, is_crd_established());
    tokio::time::timeout(PATIENCE, established)
        .await
        .unwrap()
        .unwrap();
}

fn forget_rules(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for rule in [
                "pattern",
                "maxLength",
                "x-kubernetes-validations",
                "minimum",
                "maximum",
            ] {
                // A property of such a name is an object, or a list only where it is a rule.
                if !fields.get(rule).is_some_and(Value::is_object) {
                    fields.remove(rule);
                }
            }
            fields.values_mut().for_each(forget_rules);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_rules),
        _ => {}
    }
}

/// A kubeconfig with the operator's own rights.
pub async fn operator_kubeconfig(plane: &ControlPlane) -> String {
    plane
        .service_account_kubeconfig("taurus-system", "taurus-port-operator")
        .await
        .unwrap()
}

/// Lets the operator keep its Lease in this namespace, as in one that it is installed in.
pub async fn allow_leases(plane: &ControlPlane, namespace: &str) {
    let leases = json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]});
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "leases"}, "rules": [leases]
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "leases"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leases"},
        "subjects": [{"kind": "ServiceAccount", "name": "taurus-port-operator", "namespace": "taurus-system"}],
    });
    let client = plane.client().await.unwrap();
    let params = PatchParams::apply("story").force();
    let roles: Api<Role> = Api::namespaced(client.clone(), namespace);
    let role = Patch::Apply(role);
    roles.patch("leases", &params, &role).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(client, namespace);
    let binding = Patch::Apply(binding);
    bindings.patch("leases", &params, &binding).await.unwrap();
}

/// The configuration of a client with the operator's own rights.
pub async fn operator_config(plane: &ControlPlane) -> Config {
    parsed(&operator_kubeconfig(plane).await).await
}

/// The configuration of a client with the rights of a service account, which is made.
pub async fn config_of(plane: &ControlPlane, namespace: &str, account: &str) -> Config {
    let made = kubectl(
        plane,
        &["create", "serviceaccount", account, "-n", namespace],
    );
    assert!(made.status.success(), "{made:?}");
    parsed(
        &plane
            .service_account_kubeconfig(namespace, account)
            .await
            .unwrap(),
    )
    .await
}

async fn parsed(kubeconfig: &str) -> Config {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap()
}

/// Runs kubectl as an administrator, from the root of the repository.
pub fn kubectl(plane: &ControlPlane, arguments: &[&str]) -> std::process::Output {
    Command::new(plane.kubectl())
        .env("KUBECONFIG", plane.kubeconfig())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap()
}

pub async fn new_namespace(client: &Client) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("story-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    name
}
