//! `status` and `lint` through kubectl: the kubeconfig, formats, exit codes, rights.

use std::{
    ffi::OsStr,
    io::Write as _,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::plane::{Place, status};

#[taurus_needs::test]
async fn kubectl_finds_the_plugin_and_the_fleet_is_shown_with_what_is_not_settled_first() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    place
        .make("stock", json!({}), status("Stalled", "PortRejected", 3306))
        .await;
    place
        .make(
            "users",
            json!({}),
            status("Reconciling", "WaitingForTheMoon", 3306),
        )
        .await;
    let shown = place.plugin(&["status"]).good();
    assert!(
        shown.starts_with("3 resources: 1 stalled, 1 reconciling, 1 ready\n"),
        "{shown}"
    );
    let places = ["stock ", "users ", "orders "].map(|name| shown.find(name).unwrap());
    assert!(places.is_sorted(), "{shown}");
    assert!(
        shown.contains("WaitingForTheMoon"),
        "a word that nobody knows is shown: {shown}"
    );
    assert!(!shown.contains('\u{1b}'), "no colours without a terminal");
    let names = place.plugin(&["status", "-o", "name"]).good();
    assert_eq!(names.lines().count(), 3);
    // As kubectl takes them.
    let first = names.lines().next().unwrap();
    assert!(
        place
            .kubectl(&["get", first, "-o", "name"])
            .contains("stock")
    );
    let all = place.plugin(&["status", "-o", "json"]).json();
    assert_eq!(all["counts"]["stalled"], 1);
    assert_eq!(all["resources"][0]["reason"], "PortRejected");
    assert!(
        place
            .plugin(&["status", "-o", "yaml"])
            .good()
            .contains("reason: PortRejected")
    );
}

#[taurus_needs::test]
async fn one_resource_is_shown_with_its_advice_and_its_neighbours() {
    let place = Place::new().await;
    // An instance that no other story has: all namespaces are looked at.
    let instance = taurus_sim::Fleet::numbered_instance(1234);
    let stock = json!({"instanceID": instance});
    place
        .make("stock", stock, status("Stalled", "PortRejected", 3306))
        .await;
    let other = json!({"instanceID": instance, "proxyID": taurus_sim::sample::OTHER_PROXY});
    place.make("other", other, json!({})).await;
    let shown = place.plugin(&["status", "stock"]).good();
    assert!(
        shown.contains("/stock: Stalled for ")
            && shown.contains(", PortRejected\n")
            && shown.contains("set another port"),
        "{shown}"
    );
    assert!(
        shown.contains(&format!("{}/other", place.namespace)),
        "{shown}"
    );
    let whole = place.plugin(&["status", "stock", "-o", "json"]).json();
    assert_eq!(whole["status"]["port"], 3306);
    let missing = place.plugin(&["status", "nobody"]);
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert!(
        missing.err.contains("nobody") && missing.err.contains("not found"),
        "{}",
        missing.err
    );
}

#[taurus_needs::test]
async fn the_kubeconfig_counts_as_for_kubectl() {
    let place = Place::new().await;
    place.make("orders", json!({}), json!({})).await;
    let kubeconfig = place.plane.kubeconfig().to_str().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let none = elsewhere.path().join("none");
    let named = place.plugin_with(&none, &["status", "--kubeconfig", kubeconfig], "", &[]);
    assert!(named.good().starts_with("1 resource: 1 unknown"));
    let lost = place.plugin_with(&none, &["status"], "", &[]);
    assert!(
        lost.code == 1 && lost.err.contains("kubeconfig"),
        "{lost:?}"
    );
    let context = place.plugin(&["status", "--context", "moon"]);
    assert!(
        context.code == 1 && context.err.contains("moon"),
        "{context:?}"
    );
    let list = format!("{}:{kubeconfig}", none.display());
    let list = place.plugin_with(Path::new(&list), &["status"], "", &[]);
    assert!(list.good().starts_with("1 resource: 1 unknown"));
    let user = place.plugin(&["status", "--user", "nope"]);
    assert!(
        user.code == 1 && user.err.contains("auth info \"nope\" does not exist"),
        "{user:?}"
    );
    let usage = place.plugin(&["status", "--colour"]);
    assert_eq!(usage.code, 1, "2 would mean that something would change");
}

#[taurus_needs::test]
async fn a_proxy_for_the_api_server_is_passed_over_and_told_of() {
    let place = Place::new().await;
    place.make("orders", json!({}), json!({})).await;
    // Nobody listens there.
    let variables = [("HTTPS_PROXY", "http://127.0.0.1:1")];
    let kubeconfig = place.plane.kubeconfig();
    let shown = place.plugin_with(kubeconfig, &["status"], "", &variables);
    assert!(
        shown
            .err
            .starts_with("note: the API server is called directly: "),
        "{shown:?}"
    );
    assert!(shown.good().starts_with("1 resource: 1 unknown"));
    let covered = [variables[0], ("NO_PROXY", "127.0.0.1,localhost")];
    let shown = place.plugin_with(kubeconfig, &["status"], "", &covered);
    assert!(!shown.err.contains("proxy"), "{shown:?}");
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let mut with_proxy: serde_json::Value = serde_json::from_str(&text).unwrap();
    with_proxy["clusters"][0]["cluster"]["proxy-url"] = json!("http://127.0.0.1:1");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), with_proxy.to_string()).unwrap();
    let shown = place.plugin_with(file.path(), &["status"], "", &[]);
    assert!(shown.good().starts_with("1 resource: 1 unknown"));
}

#[taurus_needs::test]
async fn who_may_only_look_into_one_namespace_sees_all_that_lies_there() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let namespace = place.namespace.as_str();
    place.kubectl(&["create", "serviceaccount", "reader"]);
    place.kubectl(&[
        "create",
        "role",
        "reader",
        "--verb=get,list",
        "--resource=taurusproxyports.taurusdb.huaweicloud.com",
    ]);
    place.kubectl(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        &format!("--serviceaccount={namespace}:reader"),
    ]);
    let text = place
        .plane
        .service_account_kubeconfig(namespace, "reader")
        .await
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let fleet = place.plugin_with(file.path(), &["status"], "", &[]).good();
    assert!(fleet.contains("not visible in taurus-system"), "{fleet}");
    let one = place
        .plugin_with(file.path(), &["status", "orders"], "", &[])
        .good();
    assert!(one.contains("no other resource"), "{one}");
    let refused = place.plugin_with(file.path(), &["suspend", "orders"], "", &[]);
    assert!(
        refused.code == 1 && refused.err.contains("cannot patch"),
        "{refused:?}"
    );
}

#[taurus_needs::test]
async fn what_lint_takes_is_taken_and_what_it_refuses_is_refused() {
    let place = Place::new().await;
    let good = include_str!("../../../deploy/examples/orders-proxy.yaml");
    let lint = |text: &str, arguments: &[&str]| {
        place.plugin_with(
            Path::new("/none"),
            &[&["lint", "-"], arguments].concat(),
            text,
            &[],
        )
    };
    let linted = lint(good, &[]);
    assert_eq!((linted.code, linted.out.as_str()), (0, ""), "{linted:?}");
    let refused = lint(&good.replace("port: 3307", "port: 1033"), &["-o", "json"]);
    assert_eq!(refused.code, 1);
    let report: serde_json::Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!(report["faults"][0]["field"], "spec.port", "{report}");
}

#[test]
fn the_exit_code_is_the_same_where_nobody_reads_and_of_words_that_are_no_text() {
    let program = env!("CARGO_BIN_EXE_kubectl-taurus_port");
    let mut child = Command::new(program)
        .args(["lint", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"kind: [\n").unwrap();
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));

    let odd = OsStr::from_bytes(b"\xff");
    let ended = Command::new(program).arg("status").arg(odd).output();
    let ended = ended.unwrap();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    // As for any word that begins no name.
    let completed = Command::new(program).args(["__complete", "st"]).output();
    assert!(completed.unwrap().status.success());
}
