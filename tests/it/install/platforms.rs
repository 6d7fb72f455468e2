//! Platforms that differ: ports of the API server and of names, and users that the platform chooses.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;

use super::{
    chart::template,
    manifests::{apply, kustomized, one, parse, pod, restricted_namespace, unwarned},
};
use crate::{
    pages::Page,
    world::{
        plane,
        tools::{copy_into, printed},
    },
};

pub(super) fn by_helm(values: &Value) -> Vec<Value> {
    parse(&printed(template(
        "taurus-port-operator",
        "taurus-system",
        values,
    )))
}

/// What an overlay of the base renders that is written like this.
pub(super) fn by_kustomize(
    plane: &ControlPlane,
    kustomization: &Value,
    files: &[(&str, &str)],
) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    for path in ["crds", "deploy/base", "deploy/components"] {
        copy_into(folder.path(), path);
    }
    let overlay = folder.path().join("deploy/overlays/mine");
    std::fs::create_dir_all(&overlay).unwrap();
    let text = kustomization.to_string();
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    for (name, text) in files {
        std::fs::write(overlay.join(name), text).unwrap();
    }
    kustomized(plane, overlay.to_str().unwrap())
}

/// The ports that a policy lets out, by protocol.
fn let_out(objects: &[Value]) -> BTreeSet<(String, u64)> {
    let rules = one(objects, "NetworkPolicy")["spec"]["egress"].clone();
    let rules = rules.as_array().unwrap();
    let ports = rules
        .iter()
        .flat_map(|rule| rule["ports"].as_array().unwrap());
    ports
        .map(|port| {
            let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
            (protocol, port["port"].as_u64().unwrap())
        })
        .collect()
}

/// The numbers of a cell.
fn numbers(cell: &str) -> impl Iterator<Item = u64> {
    cell.split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|it| it.parse().ok())
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_the_ports_of_each_platform_of_the_page_are_let_out_by_default() {
    let plane = &plane::bare().await;
    let page = Page::read("docs/install.md");
    let section = page.section(2, "Ports of the NetworkPolicy");
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(char::is_numeric))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 5, "{rows:?}");
    for platform in ["Huawei Cloud CCE", "OpenShift", "minikube"] {
        assert!(
            rows.iter().any(|row| row[1].contains(platform)),
            "{platform}"
        );
    }
    let sources = [kustomized(plane, "deploy/base"), by_helm(&json!({}))];
    for objects in sources {
        let let_out = let_out(&objects);
        let allowed = |protocol: &str, port| let_out.contains(&(protocol.to_owned(), port));
        assert!(allowed("TCP", 443), "the cloud");
        for row in &rows {
            for port in numbers(row[2]) {
                assert!(allowed("TCP", port), "{row:?}: {let_out:?}");
            }
            for port in numbers(row[3]) {
                assert!(
                    allowed("TCP", port) && allowed("UDP", port),
                    "{row:?}: {let_out:?}"
                );
            }
        }
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h04_an_overlay_adds_a_port_as_the_page_shows() {
    let plane = &plane::bare().await;
    let page = Page::read("docs/install.md");
    let section = page.section(2, "Ports of the NetworkPolicy");
    let (_, patch) = section.split_once("```yaml\n").unwrap();
    let patch = patch.split("```").next().unwrap();
    let kustomization = json!({
        "resources": ["../../base"],
        "patches": [{"path": "port.yaml", "target": {"kind": "NetworkPolicy"}}],
    });
    let objects = by_kustomize(plane, &kustomization, &[("port.yaml", patch)]);
    let mut more = let_out(&kustomized(plane, "deploy/base"));
    more.insert(("TCP".to_owned(), 3128));
    assert_eq!(let_out(&objects), more);
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn h11_on_openshift_user_and_groups_are_left_to_the_platform() {
    let plane = &plane::bare().await;
    let namespace = "left-to-openshift";
    restricted_namespace(plane, namespace);
    let kustomization =
        json!({"resources": ["../../base"], "components": ["../../components/openshift"]});
    let credentials = json!({
        "secretName": "keys", "namespaces": ["shop"], "projects": ["00000000000000000000000000000000"],
    });
    // Nobody makes one here, as a controller would.
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace},
    });
    let rendered = [
        by_kustomize(plane, &kustomization, &[]),
        by_helm(&json!({"openshift": true})),
        by_helm(&json!({"openshift": true, "defaultCredentials": credentials})),
        by_helm(&json!({"openshift": true, "podSecurityContext": {"fsGroup": 1000}})),
    ];
    for (number, objects) in rendered.iter().enumerate() {
        let mut pod = pod(one(objects, "Deployment"));
        let context = &pod["spec"]["securityContext"];
        let fields = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        assert_eq!(*context, fields);
        // Nothing else names a user or a group.
        let text = pod["spec"].to_string();
        for field in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert!(!text.contains(field), "{field}: {text}");
        }
        // As OpenShift would fill it in; the restricted standard takes it.
        pod["spec"]["securityContext"]["runAsUser"] = json!(1_000_650_000);
        pod["metadata"]["name"] = format!("pod-{number}").into();
        pod["metadata"]["namespace"] = namespace.into();
        pod["spec"]["serviceAccountName"] = "default".into();
        unwarned(apply(plane, &[account.clone(), pod]));
    }
    // Without a word they are fixed.
    let usual = by_helm(&json!({}));
    let context = &one(&usual, "Deployment")["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(context["runAsUser"], 65_532);
}
