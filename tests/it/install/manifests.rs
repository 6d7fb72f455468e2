//! Manifests as values, and a process that stands in for the pod of a Deployment.

use std::{io::Write as _, path::Path, process::Output};

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;

use crate::world::{DIVISOR, World, plane, program::Program, tools::printed};

/// The objects of a text in YAML.
pub fn parse(text: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    objects.into_iter().filter(|it| !it.is_null()).collect()
}

/// What kustomize makes of a folder.
pub fn kustomized(plane: &ControlPlane, path: &str) -> Vec<Value> {
    parse(&printed(plane::kubectl(plane, &["kustomize", path])))
}

/// The one object of this kind.
pub fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().expect(kind);
    assert!(found.next().is_none(), "there are several of {kind}");
    one
}

/// The minor release of the API server.
pub fn minor(plane: &ControlPlane) -> u32 {
    let said = printed(plane::kubectl(plane, &["version", "-o", "json"]));
    let said: Value = serde_json::from_str(&said).unwrap();
    let minor = said["serverVersion"]["minor"].as_str().unwrap();
    minor
        .trim_end_matches(|it: char| !it.is_ascii_digit())
        .parse()
        .unwrap()
}

/// Applies objects server-side. What stands in a list kubectl judges by itself, before any policy has filled in what is missing.
pub fn apply(plane: &ControlPlane, objects: &[Value]) -> Output {
    sent(plane, &["apply", "--server-side"], objects)
}

/// Puts an object in the place of one that exists: fields that it does not state are gone.
pub fn replace(plane: &ControlPlane, object: &Value) -> Output {
    sent(plane, &["replace"], std::slice::from_ref(object))
}

/// Hands objects to a command of kubectl, as a file.
fn sent(plane: &ControlPlane, command: &[&str], objects: &[Value]) -> Output {
    let sent = match objects {
        [one] => one.clone(),
        several => json!({"apiVersion": "v1", "kind": "List", "items": several}),
    };
    let mut file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    write!(file, "{sent}").unwrap();
    let path = file.path().to_str().unwrap();
    plane::kubectl(plane, &[command, &["-f", path]].concat())
}

/// What a program has printed that had nothing to warn about.
pub fn unwarned(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("arning"), "{said}");
    printed(output)
}

/// A namespace in which only Pods are admitted that keep the restricted standard.
pub fn restricted_namespace(plane: &ControlPlane, name: &str) {
    let labels =
        ["enforce", "warn"].map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
    printed(plane::kubectl(plane, &["create", "namespace", name]));
    let label = ["label", "namespace", name, &labels[0], &labels[1]];
    printed(plane::kubectl(plane, &label));
}

/// The Pod that a Deployment would make.
pub fn pod(deployment: &Value) -> Value {
    let template = &deployment["spec"]["template"];
    json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
        "metadata": {
            "name": "from-the-template", "namespace": deployment["metadata"]["namespace"],
            "labels": template["metadata"]["labels"],
        },
    })
}

/// The environment of the operator in a Deployment's pod, without what leads to files that only a pod has.
pub fn environment(deployment: &Value) -> Vec<(String, String)> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap().iter();
    let value = |variable: &Value| match variable["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.namespace") => deployment["metadata"]["namespace"].clone(),
        _ => variable["value"].clone(),
    };
    variables
        .map(|variable| {
            let name = variable["name"].as_str().unwrap().to_owned();
            (name, value(variable).as_str().unwrap().to_owned())
        })
        .collect()
}

/// The operator as a Deployment's pod would run it, with this way to the API server, once its probes succeed.
pub async fn deployed(world: &World, deployment: &Value, kubeconfig: &str, log: &Path) -> Program {
    let pace = DIVISOR.to_string();
    let of_pod = environment(deployment);
    let of_story = [
        ("KUBECONFIG", kubeconfig),
        ("TAURUS_PACE", &pace),
        ("TAURUS_CALLS_PER_MINUTE", "1000000"),
    ];
    let of_pod = of_pod
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: Vec<_> = of_pod.chain(of_story).collect();
    let namespace = deployment["metadata"]["namespace"].as_str().unwrap();
    let flags = ["--lease-namespace", namespace, "--resync", "2s"];
    let endpoint = world.sim.address().to_string();
    let program = Program::launch(&endpoint, log, &environment, &flags);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    for probe in ["livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        program.until_answer(path, 200).await;
    }
    program
}

/// A kubeconfig, as a file of this folder, with the rights of a Deployment's service account.
pub async fn kubeconfig_of(plane: &ControlPlane, deployment: &Value, folder: &Path) -> String {
    let account = &deployment["spec"]["template"]["spec"]["serviceAccountName"];
    let namespace = deployment["metadata"]["namespace"].as_str().unwrap();
    let text = plane
        .service_account_kubeconfig(namespace, account.as_str().unwrap())
        .await
        .unwrap();
    let path = folder.join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}
