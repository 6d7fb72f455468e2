//! The commands of `docs/audit.md`: users and the cloud move a port, and the audit log of the sample policy has who and what.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use taurus_controlplane::needs;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Mode, sample};

use super::{Page, commands::Person};
use crate::world::{
    NAME, PATIENCE, World, job_of, options, plane, reason, shell::blocks, tools::printed,
};

const POLICY: &str = "deploy/examples/audit-policy.yaml";

/// A resource that is there only until the policies are at work.
const TRIED: &str = "tried";

/// The events of the log.
fn events(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    // The last one may be half written.
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    events.collect()
}

/// The lines of the policies in the log.
fn lines(log: &Path) -> Vec<String> {
    let notes = events(log).into_iter().flat_map(|event| {
        let notes = event["annotations"].as_object().cloned();
        notes.unwrap_or_default().into_iter()
    });
    notes
        .filter(|(key, _)| key.starts_with("taurus-audit-"))
        .map(|(_, note)| note.as_str().unwrap().to_owned())
        .collect()
}

/// Waits until the API server, which takes policies up after a moment, writes the lines of both.
async fn at_work(world: &World, log: &Path) {
    let mut tried: TaurusProxyPort = world.resource(3307);
    tried.metadata.name = Some(TRIED.to_owned());
    world.create(&tried).await;
    let patch = |subresource: &[&str], patch: &Value| {
        let patch = patch.to_string();
        let flags = ["patch", "tpp", TRIED, "--type=merge", "-p", &patch];
        printed(world.kubectl(&[&flags[..], subresource].concat()));
    };
    let both = async {
        for port in (3400..3500).cycle() {
            patch(&[], &json!({"spec": {"port": port}}));
            let status = json!({"status": {"port": port}});
            patch(&["--subresource=status"], &status);
            let lines = lines(log);
            let has = |text: &str| lines.iter().any(|line| line.contains(text));
            if has("sets port") && has("the cloud shows port") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    printed(world.kubectl(&["delete", "tpp", TRIED]));
}

/// The requests in the log: verb, resource with its subresource, and name.
fn requests(log: &Path) -> Vec<String> {
    let request = |event: Value| {
        let object = &event["objectRef"];
        let word = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let of = object["subresource"].as_str();
        let of = of.map(|it| format!("/{it}")).unwrap_or_default();
        let verb = event["verb"].as_str().unwrap();
        format!("{verb} {}{of} {}", word("resource"), word("name"))
    };
    events(log).into_iter().map(request).collect()
}

/// Changes the operator, its defaults and its credentials, and waits until the log has who did, without a password.
async fn other_ways_are_logged(world: &World, log: &Path) {
    let password = "a-password-of-a-web-proxy";
    let proxy = format!("HTTPS_PROXY=http://user:{password}@proxy.example.com:3128");
    let operator = ["-n", "taurus-system"];
    let deployment = "deployment/taurus-port-operator";
    let by_name = |command: &[&str]| {
        printed(plane::kubectl(
            &world.plane,
            &[&operator[..], command].concat(),
        ));
    };
    by_name(&["set", "env", deployment, &proxy]);
    by_name(&["scale", deployment, "--replicas=0"]);
    by_name(&["create", "token", "taurus-port-operator"]);
    let defaults = ["configmap", "taurus-defaults"];
    printed(world.kubectl(&[&["create"][..], &defaults[..]].concat()));
    let patch = r#"{"data":{"managementPolicy":"Enforce"}}"#;
    printed(world.kubectl(&[&["patch"][..], &defaults[..], &["-p", patch]].concat()));
    // None of them has the label.
    let secrets = format!("/api/v1/namespaces/{}/secrets", world.namespace);
    let secrets = format!("{secrets}?labelSelector=none%3Dthere");
    printed(world.kubectl(&["delete", "--raw", &secrets]));
    let wanted = [
        "patch deployments taurus-port-operator",
        "patch deployments/scale taurus-port-operator",
        "create serviceaccounts/token taurus-port-operator",
        "create configmaps taurus-defaults",
        "patch configmaps taurus-defaults",
        "deletecollection secrets ",
    ];
    for wanted in wanted {
        let is_logged = async {
            while !requests(log).iter().any(|request| request == wanted) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, is_logged).await;
        assert!(in_time.is_ok(), "{wanted}");
    }
    let text = std::fs::read_to_string(log).unwrap();
    assert!(!text.contains(password), "the log has a password");
}

/// Whether a line has all of these words.
fn has_line(text: &str, words: &[&str]) -> bool {
    let has = |line: &str| words.iter().all(|word| line.contains(word));
    text.lines().any(has)
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_on_audit_say_who_moved_which_port_and_what_came_of_it() {
    if Command::new("jq").arg("--version").output().is_err() {
        needs::lacking("jq", "install jq");
    }
    let plane = &plane::audited(POLICY, "deploy/base").await;
    let log = plane.folder().join("audit.log");
    let page = Page::read("docs/audit.md");
    let commands: Vec<&str> = blocks(&page.text).collect();
    let [turn_on, all, of_one, by_others, forged, history] = commands[..] else {
        panic!("six blocks: {commands:?}")
    };
    let job = options(Mode::M2).job(job_of(1));
    let mut world = World::without_neighbour(plane, job).await;
    let person = Person::at(plane, &world.namespace);
    let typed = async |block: &str| {
        let block = format!("export AUDIT_LOG={}\n{block}", log.display());
        person.types(&block).await
    };
    typed(turn_on).await;
    at_work(&world, &log).await;

    // An administrator creates it, Alice moves it, and somebody else does so in the cloud.
    world.want(3307).await;
    world.start_operator().await;
    world.until_ready(3307).await;
    // Nobody adds the rights to roles of Kubernetes here.
    for rights in ["view", "edit"] {
        let name = format!("alice-{rights}");
        let role = format!("--clusterrole=taurus-port-operator-{rights}");
        let bind = ["create", "rolebinding", &name, "--user=alice", &role];
        printed(world.kubectl(&bind));
    }
    let is_bound = async {
        for verb in ["get", "patch"] {
            let question = ["auth", "can-i", verb, "tpp", "--as=alice", "--quiet"];
            while !world.kubectl(&question).status.success() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, is_bound).await.unwrap();
    let moved = r#"{"spec":{"port":3308,"managementPolicy":"ApplyOnChange"}}"#;
    let patch = [
        "patch",
        "tpp",
        NAME,
        "--type=merge",
        "--as=alice",
        "-p",
        moved,
    ];
    printed(world.kubectl(&patch));
    world.until_ready(3308).await;
    world.sim.set_port(sample::PROXY, 3399).unwrap();
    world.ask("look now").await;
    world
        .until_passing("drifted", |object| reason(object) == "DriftDetected")
        .await;

    let (namespace, operator) = (&world.namespace, "taurus-system:taurus-port-operator");
    let wished = format!("{namespace}/{NAME}: alice sets port 3308 in place of 3307");
    let ended = "has ended: Succeeded, from port 3307 to 3308";
    let by_cloud = format!("{namespace}/{NAME}: the cloud shows port 3399 in place of 3308");
    for block in [all, of_one] {
        let said = typed(block).await;
        let policy = "managementPolicy ApplyOnChange in place of Enforce";
        assert!(has_line(&said, &["alice\t", &wished, policy]), "{said}");
        let begins = "begins, from port 3307 to 3308";
        assert!(has_line(&said, &[operator, begins]), "{said}");
        assert!(has_line(&said, &[operator, "of the cloud"]), "{said}");
        assert!(has_line(&said, &[operator, ended]), "{said}");
        assert!(has_line(&said, &[operator, &by_cloud]), "{said}");
    }
    assert!(!typed(of_one).await.contains(TRIED));
    let said = typed(by_others).await;
    assert!(has_line(&said, &[&by_cloud]), "{said}");
    assert!(!said.contains("3307 to 3308"), "{said}");
    // What stood in for the operator's writes above was none of it.
    let said = typed(forged).await;
    assert!(has_line(&said, &[TRIED]), "{said}");
    assert!(!has_line(&said, &[NAME]), "{said}");
    let said = typed(history).await;
    let first = said.lines().next().unwrap();
    assert!(has_line(first, &["3307\t3308\tEdit\tSucceeded"]), "{said}");
    other_ways_are_logged(&world, &log).await;
}
