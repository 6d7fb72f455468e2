//! The control plane does what it promises: it serves, and leaves nothing behind.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use kube::{Api, ResourceExt as _, api::PostParams, core::ObjectMeta};
use taurus_controlplane::needs;

/// It only ends what hangs.
const PATIENCE: Duration = Duration::from_mins(10);

/// Processes whose command line names the folder.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&folder))
        .collect()
}

/// Two servers and their supervisor. A process that is just being looked at may show no command line for a moment.
fn wait_until_there(folder: &Path) {
    let begun = Instant::now();
    while processes_of(folder).len() < 3 {
        let there = processes_of(folder);
        assert!(begun.elapsed() < PATIENCE, "there is only {there:?}");
        std::thread::yield_now();
    }
}

fn wait_until_gone(folder: &Path) {
    let begun = Instant::now();
    while folder.exists() || !processes_of(folder).is_empty() {
        let left = processes_of(folder);
        assert!(
            begun.elapsed() < PATIENCE,
            "{} is left, with {left:?}",
            folder.display()
        );
        std::thread::yield_now();
    }
}

/// A control plane in a process of its own, to be killed.
fn held() -> (Child, PathBuf) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_taurus-controlplane"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // To its last word: whoever writes to somebody who no longer listens comes to an end of its own.
    let said: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .collect();
    let kubeconfig = said
        .iter()
        .find_map(|line| line.strip_prefix("kubeconfig: ").map(PathBuf::from))
        .unwrap();
    (child, kubeconfig.parent().unwrap().to_owned())
}

#[taurus_needs::test]
async fn it_serves_an_administrator_and_accounts_with_just_their_rights() {
    let plane = needs::control_plane().await.unwrap();
    let admin = plane.client().await.unwrap();
    let name = || ObjectMeta {
        name: Some("reader".to_owned()),
        ..ObjectMeta::default()
    };
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    let account = ServiceAccount {
        metadata: name(),
        ..ServiceAccount::default()
    };
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();

    let client = plane
        .service_account_client("default", "reader")
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let refusal = maps
        .list(&kube::api::ListParams::default())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("system:serviceaccount:default:reader"),
        "{refusal}"
    );

    let namespaces: Api<Namespace> = Api::all(admin);
    assert_eq!(
        namespaces.get("default").await.unwrap().name_any(),
        "default"
    );
    let kubectl = Command::new(plane.kubectl())
        .args([
            "--kubeconfig".as_ref(),
            plane.kubeconfig().as_os_str(),
            "get".as_ref(),
            "--raw=/version".as_ref(),
        ])
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&kubectl.stdout).contains("v1."),
        "{kubectl:?}"
    );
}

#[taurus_needs::test]
async fn two_run_side_by_side_and_nothing_is_left_of_either() {
    let (one, other) = tokio::join!(needs::control_plane(), needs::control_plane());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_ne!(one.url(), other.url());
    let folders = [one.folder().to_owned(), other.folder().to_owned()];
    for folder in &folders {
        wait_until_there(folder);
    }
    drop((one, other));
    for folder in &folders {
        wait_until_gone(folder);
    }
}

#[test]
fn n10_help_is_help_and_starts_nothing() {
    let program = env!("CARGO_BIN_EXE_taurus-controlplane");
    let told = Command::new(program).arg("--help").output().unwrap();
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success() && text.contains("Usage:"), "{text}");
    assert!(!text.contains("kubeconfig:"), "nothing was started: {text}");
    let wrong = Command::new(program).arg("--port=1").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

#[taurus_needs::test]
fn nothing_is_left_when_the_process_is_killed_or_interrupted() {
    needs::programs_of_control_plane();
    for signal in ["KILL", "INT", "TERM"] {
        let (mut child, folder) = held();
        wait_until_there(&folder);
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        child.wait().unwrap();
        wait_until_gone(&folder);
    }
}
