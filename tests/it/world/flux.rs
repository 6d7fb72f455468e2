//! Flux's own kustomize-controller, at work in a story's namespace.
//!
//! Relies on `tests/gitops/build`. The controller is the real one, its source is stood in for: a `GitRepository` whose
//! status was written by hand names an archive, with the repository's `deploy` in it, that is served from here.

use std::{fmt::Write as _, fs::File, path::Path, process::Stdio};

use axum::{Router, routing::get};
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use taurus_controlplane::ControlPlane;
use tokio::{
    process::{Child, Command},
    sync::OnceCell,
    task::JoinHandle,
};

use super::{
    PATIENCE, World, plane,
    tools::{copy_into, printed, tool},
};

/// The name of the source that Flux's Kustomizations refer to, as in `deploy/examples`.
const SOURCE: &str = "fleet";

/// A running controller; it ends with its story.
pub struct Flux {
    child: Child,
    serving: JoinHandle<()>,
    folder: tempfile::TempDir,
    kustomizations: Api<DynamicObject>,
}

impl Drop for Flux {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Flux {
    /// Starts it, with `deploy` and these files in its source.
    pub async fn start(world: &World, files: &[(&str, String)], flags: &[&str]) -> Self {
        static DEFINED: OnceCell<()> = OnceCell::const_new();
        DEFINED.get_or_init(async || define(&world.plane)).await;
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(folder.path(), files).await;
        let digest = Sha256::digest(&archive);
        let digest = digest.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/source.tar.gz", get(async || archive));
        let serving = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let source = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": SOURCE},
            "spec": {"interval": "1h", "url": "https://git.example.invalid/fleet"},
            "status": {"artifact": {
                "digest": format!("sha256:{digest}"),
                "lastUpdateTime": "2026-01-01T00:00:00Z",
                "path": "source.tar.gz",
                "revision": format!("main@sha1:{}", &digest[..40]),
                "url": format!("http://{address}/source.tar.gz"),
            }},
        });
        printed(world.apply(&source.to_string()));
        let kind = GroupVersionKind::gvk("kustomize.toolkit.fluxcd.io", "v1", "Kustomization");
        let kind = ApiResource::from_gvk(&kind);
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(tool("kustomize-controller"))
            .env("KUBECONFIG", world.plane.kubeconfig())
            .env("RUNTIME_NAMESPACE", &world.namespace)
            .env("TMPDIR", folder.path())
            .args(["--watch-all-namespaces=false", "--requeue-dependency=1s"])
            .args(["--metrics-addr=0", "--health-addr=0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self {
            child,
            serving,
            folder,
            kustomizations: Api::namespaced_with(world.client.clone(), &world.namespace, &kind),
        }
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Waits until a Kustomization is as `is` says.
    pub async fn until(&self, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let object = self.kustomizations.get(name).await.unwrap();
                let object = serde_json::to_value(object).unwrap();
                if is(&object) {
                    return object;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        if let Ok(object) = tokio::time::timeout(PATIENCE, looking).await {
            return object;
        }
        panic!(
            "{name} did not become: {what}. It is: {:#?}; the log:\n{}",
            self.kustomizations.get(name).await,
            std::fs::read_to_string(self.folder.path().join("log")).unwrap()
        );
    }

    /// Has a Kustomization gone through once more, to its end.
    pub async fn reconcile(&self, name: &str) {
        const ASKED: &str = "reconcile.fluxcd.io/requestedAt";
        // Another value each time: the same once more asks for nothing.
        let asked = Timestamp::now().to_string();
        let patch = json!({"metadata": {"annotations": {ASKED: asked}}});
        let params = kube::api::PatchParams::default();
        let patch = kube::api::Patch::Merge(patch);
        self.kustomizations
            .patch(name, &params, &patch)
            .await
            .unwrap();
        let handled = |object: &Value| object["status"]["lastHandledReconcileAt"] == asked.as_str();
        self.until(name, "gone through once more", handled).await;
    }

    /// Waits until a Kustomization is ready.
    pub async fn until_ready(&self, name: &str) -> Value {
        self.until(name, "Ready", |object| ready(object)["status"] == "True")
            .await
    }

    /// Waits until a Kustomization is not ready for this reason; gives the message.
    pub async fn until_failed(&self, name: &str, reason: &str) -> String {
        let failed = |object: &Value| {
            let ready = ready(object);
            ready["status"] == "False" && ready["reason"] == reason
        };
        let object = self.until(name, reason, failed).await;
        ready(&object)["message"].as_str().unwrap().to_owned()
    }

    /// Waits until a Kustomization was gone through so many times more.
    pub async fn until_again(&self, name: &str, times: u64) {
        let begun = rounds(&self.until(name, "there", |_| true).await);
        let what = format!("gone through {times} times more");
        self.until(name, &what, |object| rounds(object) >= begun + times)
            .await;
    }
}

/// The condition Ready of a Kustomization; null where it is absent.
fn ready(object: &Value) -> &Value {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .and_then(|conditions| conditions.iter().find(|one| one["type"] == "Ready"))
        .unwrap_or(&Value::Null)
}

/// How often a Kustomization was gone through.
fn rounds(object: &Value) -> u64 {
    let history = object["status"]["history"].as_array();
    let rounds = history.into_iter().flatten();
    rounds
        .filter_map(|entry| entry["totalReconciliations"].as_u64())
        .sum()
}

/// Flux's definitions: that of the Kustomization as its module ships it; of its sources, only that they exist.
fn define(plane: &ControlPlane) {
    let shipped = tool("kustomize-controller").with_file_name("crds");
    let sources = [
        ("GitRepository", "gitrepositories"),
        ("OCIRepository", "ocirepositories"),
        ("Bucket", "buckets"),
    ];
    let definition = |(kind, plural): &(&str, &str)| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.source.toolkit.fluxcd.io")},
            "spec": {
                "group": "source.toolkit.fluxcd.io",
                "names": {"kind": kind, "plural": plural},
                "scope": "Namespaced",
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                    {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
            },
        })
    };
    let items: Vec<Value> = sources.iter().map(definition).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    std::fs::write(file.path(), list.to_string()).unwrap();
    let files = [shipped.to_str().unwrap(), file.path().to_str().unwrap()];
    let apply = ["apply", "--server-side", "-f", files[0], "-f", files[1]];
    printed(plane::kubectl(plane, &apply));
    let wait = [
        "wait",
        "--for=condition=Established",
        "-f",
        files[0],
        "-f",
        files[1],
    ];
    printed(plane::kubectl(plane, &wait));
}

/// An archive of `deploy` and further files.
async fn archive(folder: &Path, files: &[(&str, String)]) -> Vec<u8> {
    let source = folder.join("source");
    copy_into(&source, "deploy");
    for (path, text) in files {
        let path = source.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let packed = Command::new("tar")
        .args(["-czf", "-", "-C", source.to_str().unwrap(), "."])
        .output()
        .await
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    packed.stdout
}
