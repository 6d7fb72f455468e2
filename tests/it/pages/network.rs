//! `docs/network.md` lists each call and each port of the operator; its commands are run on a real API server.

use std::collections::BTreeSet;

use serde_json::Value;
use taurus_controlplane::needs;
use taurus_port_operator::cloud::{auth::identity, observer::Operation};

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

/// What the operator connects to, and what it listens on.
fn connections(page: &Page) -> &str {
    page.section(2, "What it connects to")
}

#[test]
fn what_it_connects_to_has_each_call_that_is_made_and_no_other() {
    let page = Page::read("docs/network.md");
    let rows = connections(&page).lines().map(|line| line.split(" | "));
    // Of the tables, this one has four columns.
    let cells = rows.filter_map(|mut row| (row.clone().count() == 4).then(|| row.nth(2))?);
    let named: BTreeSet<&str> = cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let made: BTreeSet<&str> = Operation::iter().map(<&str>::from).collect();
    assert_eq!(named, made);
}

#[test]
fn what_it_connects_to_has_each_address_of_a_sign_in() {
    let page = Page::read("docs/network.md");
    let calls = Page::read("docs/iam.md");
    let sign_ins = calls.section(3, "What a sign-in calls");
    let rows = sign_ins
        .lines()
        .filter(|line| line.contains("](credentials.md#"));
    let ways: Vec<&str> = rows
        .filter_map(|line| line.split_once("](")?.1.split(')').next())
        .collect();
    assert_eq!(ways.len(), 3, "without a user name: {ways:?}");
    let table = connections(&page);
    for way in ways {
        assert!(table.contains(way), "{way}");
    }
    let metadata = identity::METADATA.trim_start_matches("http://");
    assert!(table.contains(metadata) && sign_ins.contains(metadata));
}

#[test]
fn what_it_listens_on_are_the_ports_of_its_flags() {
    let page = Page::read("docs/network.md");
    let flags = Page::read("docs/configuration.md");
    let mut listening = 0;
    for line in flags
        .text
        .lines()
        .filter(|line| line.contains("-address` | `TAURUS_"))
    {
        let cells: Vec<&str> = line.split(" | ").collect();
        let (flag, default) = (
            cells[0].trim_start_matches("| "),
            cells[2].trim_matches('`'),
        );
        let (_, port) = default.rsplit_once(':').unwrap();
        let row = format!("| port {port} ({flag}) |");
        assert!(connections(&page).contains(&row), "{row}");
        listening += 1;
    }
    assert_eq!(listening, 2);
}
