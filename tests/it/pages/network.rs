//! The commands of `docs/network.md`, on a real API server.

use serde_json::Value;
use taurus_controlplane::needs;

use super::{Page, commands::Person};
use crate::{
    install::manifests::{minor, one, parse},
    world::{plane, shell::blocks, tools::printed},
};

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_networks_make_what_the_components_mount() {
    let plane = &plane::with("deploy/base").await;
    if minor(plane) < 37 {
        needs::too_old("ClusterTrustBundle v1: Kubernetes 1.37 and newer have it");
    }
    let page = Page::read("docs/network.md");
    let person = Person::at(plane, "default");
    // Any authority will do.
    let authority = plane.ca().trim();
    let files = format!("tee ca.crt new-ca.crt > /dev/null << 'END'\n{authority}\nEND");
    person.types(&files).await;
    let mut count = 0;
    for block in blocks(&page.text) {
        let rendered = block.contains("> operator.yaml");
        let shown = if rendered { "cat operator.yaml" } else { "" };
        let said = person.types(&format!("{block}\n{shown}")).await;
        if rendered {
            assert!(said.contains("taurus-port-operator-0.1.0.tgz"), "{said}");
            let (_, objects) = said.split_once("apiVersion:").unwrap();
            let objects = parse(&format!("apiVersion:{objects}"));
            assert_eq!(
                one(&objects, "Deployment")["metadata"]["name"],
                "taurus-port-operator"
            );
        }
        count += 1;
    }
    assert_eq!(count, 4);

    let get = |what: &[&str]| -> Value {
        let flags = [&["get", "-o", "json", "-n", "taurus-system"][..], what].concat();
        serde_json::from_str(&printed(plane::kubectl(plane, &flags))).unwrap()
    };
    let map = get(&["configmap", "taurus-extra-ca"]);
    let held = map["data"]["ca.crt"].as_str().unwrap();
    let begin = "BEGIN CERTIFICATE";
    assert_eq!(held.matches(begin).count(), 2, "both authorities");
    let bundle = get(&["clustertrustbundle", "taurus-cloud"]);
    let held = bundle["spec"]["trustBundle"].as_str().unwrap();
    assert_eq!(held.matches(begin).count(), 1);
}
