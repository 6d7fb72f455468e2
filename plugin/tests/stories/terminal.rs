//! `status` at a terminal, of a narrow and of a wide screen, and as it goes on.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use kube::api::{Patch, PatchParams};
use serde_json::json;
use taurus_controlplane::needs;

use crate::plane::{Place, status, with_plugin};

/// What the plugin writes to a terminal of so many columns.
fn at_a_terminal(place: &Place, columns: usize, more: &str) -> String {
    let script = Command::new("script").arg("--version").output();
    if !script.is_ok_and(|output| output.status.success()) {
        needs::lacking("script", "it makes terminals; util-linux has it");
    }
    let line = format!(
        "stty cols {columns} rows 24; {more} kubectl taurus-port -n {} status",
        place.namespace
    );
    let mut command = Command::new("script");
    let output = with_plugin(&mut command, &place.plane)
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[taurus_needs::test]
async fn each_line_fits_the_terminal_and_colours_are_for_terminals_alone() {
    let place = Place::new().await;
    for number in 0..20 {
        let said = if number == 7 {
            status("Stalled", "CredentialsInvalid", 3306)
        } else {
            status("Ready", "Settled", 3307)
        };
        let proxy = format!("{number:032x}po01");
        let name = format!("orders-of-a-long-name-{number}");
        place.make(&name, json!({"proxyID": proxy}), said).await;
    }
    for columns in [40, 80, 200] {
        let shown = at_a_terminal(&place, columns, "");
        assert!(shown.contains("\u{1b}["), "colours at {columns}: {shown:?}");
        let plain = console::strip_ansi_codes(&shown);
        assert_eq!(
            plain
                .lines()
                .filter(|line| line.contains("orders-of"))
                .count(),
            20
        );
        for line in plain.lines() {
            let width = console::measure_text_width(line.trim_end());
            assert!(width <= columns, "{width} of {columns}: {line:?}");
        }
        let whole = plain.contains("the operator says CredentialsInvalid");
        assert_eq!(whole, columns == 200, "{plain}");
    }
    assert!(!at_a_terminal(&place, 80, "NO_COLOR=1").contains('\u{1b}'));
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_watch_tells_each_change_and_ends_with_its_reader() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-taurus_port"));
    let mut child = with_plugin(&mut command, &place.plane)
        .args(["-n", &place.namespace, "status", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(
        first.starts_with("orders ") && first.contains("Settled"),
        "{first}"
    );
    let stalled = Patch::Merge(json!({"status": status("Stalled", "PortRejected", 3306)}));
    let api = place.api();
    api.patch_status("orders", &PatchParams::default(), &stalled)
        .await
        .unwrap();
    let second = lines.next().unwrap().unwrap();
    assert!(
        second.contains("Stalled") && second.contains("PortRejected"),
        "{second}"
    );
    api.delete("orders", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let third = lines.next().unwrap().unwrap();
    assert!(third.contains("deleted"), "{third}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[taurus_needs::test]
async fn a_watch_that_can_not_work_ends_with_the_reason() {
    let place = Place::new().await;
    let namespace = place.namespace.as_str();
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    for (name, verbs) in [("nobody", ""), ("reader", "get,list")] {
        place.kubectl(&["create", "serviceaccount", name]);
        if verbs.is_empty() {
            continue;
        }
        let resource = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
        let verbs = format!("--verb={verbs}");
        place.kubectl(&["create", "role", name, &verbs, resource]);
        let account = format!("--serviceaccount={namespace}:{name}");
        let role = format!("--role={name}");
        place.kubectl(&["create", "rolebinding", name, &role, &account]);
    }
    for (user, words, said) in [
        (
            "nobody",
            &["status", "--watch"][..],
            "can't list the resources",
        ),
        (
            "reader",
            &["status", "--watch"],
            "can't watch the resources",
        ),
        ("reader", &["status", "stock", "--watch"], "not found"),
    ] {
        let text = place.plane.service_account_kubeconfig(namespace, user);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text.await.unwrap()).unwrap();
        // It only ends what hangs.
        let mut command = Command::new("timeout");
        let output = with_plugin(&mut command, &place.plane)
            .env("KUBECONFIG", file.path())
            .args(["600", env!("CARGO_BIN_EXE_kubectl-taurus_port")])
            .args(["-n", namespace])
            .args(words)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && err.contains(said),
            "{user} {words:?}: {output:?}"
        );
    }
}
