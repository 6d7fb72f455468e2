//! A control plane with the definition, and the plugin on it.

use std::{
    ffi::OsStr,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde_json::{Value, json};
use taurus_controlplane::{ControlPlane, needs};
use taurus_port_operator::crd::{self, TaurusProxyPort};
use taurus_sim::sample;
use tokio::sync::OnceCell;

/// It only ends what hangs.
pub const PATIENCE: Duration = Duration::from_mins(10);

static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();

/// How many namespaces there are.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A namespace of a control plane that all stories share.
pub struct Place {
    pub plane: Arc<ControlPlane>,
    pub client: Client,
    pub namespace: String,
}

/// What the plugin printed, and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// What was printed, of a run that went well.
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    pub fn json(self) -> Value {
        serde_json::from_str(&self.good()).unwrap()
    }
}

impl Place {
    pub async fn new() -> Self {
        Self::on(SHARED.get_or_init(started).await.clone()).await
    }

    /// A namespace of a control plane of its own, with this definition.
    pub async fn with_definition(definition: &Value) -> Self {
        let definition = serde_json::from_value(definition.clone()).unwrap();
        Self::on(started_with(&definition).await).await
    }

    async fn on(plane: Arc<ControlPlane>) -> Self {
        let client = plane.client().await.unwrap();
        let namespace = format!("story-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = Namespace {
            metadata: ObjectMeta {
                name: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &made)
            .await
            .unwrap();
        Self {
            plane,
            client,
            namespace,
        }
    }

    pub fn api(&self) -> Api<TaurusProxyPort> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// A namespace of this name, which a story makes by itself.
    pub async fn named(namespace: &str) -> Self {
        let plane = SHARED.get_or_init(started).await.clone();
        Self {
            client: plane.client().await.unwrap(),
            namespace: namespace.to_owned(),
            plane,
        }
    }

    /// Applies an object.
    pub fn apply(&self, object: &Value) {
        let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
        std::fs::write(file.path(), object.to_string()).unwrap();
        self.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
    }

    /// What kubectl's own completion of plugins prints.
    pub fn completed(&self, words: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut kubectl = Command::new(self.plane.kubectl());
        let output = with_completion(&mut kubectl, &self.plane, folder.path())
            .arg("__complete")
            .args(words)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `kubectl taurus-port` in this namespace, with nobody who could be asked.
    pub fn plugin(&self, arguments: &[&str]) -> Printed {
        self.plugin_with(self.plane.kubeconfig(), arguments, "", &[])
    }

    /// The same with another kubeconfig, an input, and variables.
    pub fn plugin_with(
        &self,
        kubeconfig: &Path,
        arguments: &[&str],
        input: &str,
        variables: &[(&str, &str)],
    ) -> Printed {
        let mut kubectl = Command::new(self.plane.kubectl());
        let mut child = with_plugin(&mut kubectl, &self.plane)
            .env("KUBECONFIG", kubeconfig)
            .envs(variables.iter().copied())
            .arg("taurus-port")
            .args(arguments)
            .args(["-n", &self.namespace])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that ends without having read all of it is not at fault.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Printed {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(self.plane.kubectl())
            .env("KUBECONFIG", self.plane.kubeconfig())
            .args(["-n", &self.namespace])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a resource, with a status.
    pub async fn make(&self, name: &str, spec: Value, status: Value) {
        let mut whole = json!({
            "region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE, "proxyID": sample::PROXY,
            "port": 3307,
        });
        for (field, value) in spec.as_object().unwrap() {
            whole[field] = value.clone();
        }
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": name}, "spec": whole,
        });
        let object: TaurusProxyPort = serde_json::from_value(object).unwrap();
        let api = self.api();
        api.create(&PostParams::default(), &object).await.unwrap();
        let patch = Patch::Merge(json!({"status": status}));
        let parameters = PatchParams::default();
        api.patch_status(name, &parameters, &patch).await.unwrap();
    }

    pub async fn get(&self, name: &str) -> TaurusProxyPort {
        self.api().get(name).await.unwrap()
    }
}

/// Lets a program find the control plane, its kubectl, and the plugin.
pub fn with_plugin<'c>(command: &'c mut Command, plane: &ControlPlane) -> &'c mut Command {
    let folder = |program: &Path| program.parent().unwrap().display().to_string();
    let plugin = folder(Path::new(env!("CARGO_BIN_EXE_kubectl-taurus_port")));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("KUBECONFIG", plane.kubeconfig()).env(
        "PATH",
        format!("{plugin}:{}:{path}", folder(plane.kubectl())),
    )
}

/// The same, and lets kubectl find the plugin for completions, by a link in this folder.
pub fn with_completion<'c>(
    command: &'c mut Command,
    plane: &ControlPlane,
    folder: &Path,
) -> &'c mut Command {
    let plugin = env!("CARGO_BIN_EXE_kubectl-taurus_port");
    let name = folder.join("kubectl_complete-taurus_port");
    if !name.exists() {
        std::os::unix::fs::symlink(plugin, name).unwrap();
    }
    with_plugin(command, plane);
    let is_path =
        |(name, path): (&OsStr, Option<&OsStr>)| (name == "PATH").then_some(path?.to_owned());
    let path = command.get_envs().find_map(is_path).unwrap();
    let path = format!("{}:{}", folder.display(), path.to_str().unwrap());
    command.env("PATH", path)
}

/// A status with this condition of the three True.
pub fn status(kind: &str, reason: &str, port: u16) -> Value {
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": format!("the operator says {reason}"),
            "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let mut conditions = vec![condition(kind, "True")];
    if kind != "Ready" {
        conditions.push(condition("Ready", "False"));
    }
    json!({"observedGeneration": 1, "port": port, "conditions": conditions})
}

async fn started() -> Arc<ControlPlane> {
    started_with(&crd::definition()).await
}

async fn started_with(definition: &CustomResourceDefinition) -> Arc<ControlPlane> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plane = needs::control_plane().await.unwrap();
    let definitions = Api::all(plane.client().await.unwrap());
    definitions
        .create(&PostParams::default(), definition)
        .await
        .unwrap();
    let name = "taurusproxyports.taurusdb.huaweicloud.com";
    let established = await_condition(definitions, name, is_crd_established());
    tokio::time::timeout(PATIENCE, established)
        .await
        .unwrap()
        .unwrap();
    Arc::new(plane)
}
