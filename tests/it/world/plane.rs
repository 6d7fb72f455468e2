//! The control plane that all stories share, with what is deployed into a real one.

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config,
    api::{ObjectMeta, PostParams},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use taurus_controlplane::ControlPlane;
use tokio::sync::OnceCell;

use super::PATIENCE;

static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

/// The shared control plane; the definition, the rights and the Deployment of `deploy/base` are applied to it by kubectl.
pub async fn shared() -> &'static ControlPlane {
    PLANE
        .get_or_init(|| async {
            // Shown only where RUST_LOG asks for it, for whoever looks into a failure.
            tracing_subscriber::fmt()
                .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
                .with_test_writer()
                .init();
            // A second installation is refused and changes nothing.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let plane = ControlPlane::start().await.unwrap();
            let applied = kubectl(&plane, &["apply", "--server-side", "-k", "deploy/base"]);
            assert!(applied.status.success(), "{applied:?}");
            let definitions: Api<CustomResourceDefinition> =
                Api::all(plane.client().await.unwrap());
            let name = "taurusproxyports.taurusdb.huaweicloud.com";
            let established = await_condition(definitions, name, is_crd_established());
            tokio::time::timeout(PATIENCE, established)
                .await
                .unwrap()
                .unwrap();
            plane
        })
        .await
}

/// A client that may do everything.
pub async fn admin() -> Client {
    shared().await.client().await.unwrap()
}

/// The configuration of a client with the operator's own rights.
pub async fn operator_config() -> Config {
    let plane = shared().await;
    let text = plane
        .service_account_kubeconfig("taurus-system", "taurus-port-operator")
        .await
        .unwrap();
    let kubeconfig = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default())
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
