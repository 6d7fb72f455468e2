//! The program: what it says, what it takes, how it ends.

use std::process::Stdio;

use taurus_sim::sample;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::client::PATIENCE;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taurus-sim"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts it; the program, its address, and what else it said up to the last line.
async fn greeted(arguments: &[&str]) -> (Child, String, String) {
    let mut child = program(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let greeting = async {
        let first = lines.next_line().await.unwrap().unwrap();
        let mut rest = String::new();
        while !rest.contains("_sim/journal") {
            rest += &lines.next_line().await.unwrap().unwrap();
            rest.push('\n');
        }
        (first, rest)
    };
    let (first, rest) = tokio::time::timeout(PATIENCE, greeting).await.unwrap();
    let url = first
        .strip_prefix("taurus-sim listening on ")
        .unwrap_or_else(|| panic!("{first}"))
        .to_owned();
    (child, url, rest)
}

async fn failure(arguments: &[&str]) -> String {
    let output = tokio::time::timeout(PATIENCE, program(arguments).output())
        .await
        .unwrap()
        .unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn without_flags_it_says_where_it_listens_what_it_made_and_who_may_call() {
    let (mut child, url, rest) = greeted(&["--listen", "127.0.0.1:0"]).await;
    for word in [
        sample::PROJECT,
        sample::INSTANCE,
        sample::OTHER_PROXY,
        sample::ACCESS_KEY,
        sample::SECRET_KEY,
    ] {
        assert!(rest.contains(word), "{word} is missing: {rest}");
    }
    let clock = reqwest::get(format!("{url}/_sim/clock"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(clock.contains("automatic"), "{clock}");

    let id = child.id().unwrap().to_string();
    Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .await
        .unwrap();
    let status = tokio::time::timeout(PATIENCE, child.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn flags_make_the_fleet_and_given_credentials_are_not_repeated() {
    let proxy = format!("{}/{}=3310", sample::OTHER_INSTANCE, sample::PROXY);
    let (_child, url, rest) = greeted(&[
        "--listen=127.0.0.1:0",
        "--time=stepped",
        "--mode=m4",
        &format!("--project={}", "7".repeat(32)),
        &format!("--proxy={proxy}"),
        "--fleet=20",
        "--access-key=KEY:canary",
        "--user=acme/op:canary",
        "--token=canary",
        "--job-duration=8s",
        "--port-listens=before=2s",
    ])
    .await;
    assert!(
        rest.contains(sample::PROXY) && rest.contains("3310") && rest.contains("13 more proxies"),
        "{rest}"
    );
    assert!(
        rest.contains("8s") && !rest.contains("canary") && !rest.contains(sample::ACCESS_KEY),
        "{rest}"
    );
    let state = reqwest::get(format!("{url}/_sim/state")).await.unwrap();
    let state: serde_json::Value = serde_json::from_str(&state.text().await.unwrap()).unwrap();
    let listens = &state["default_job"]["port_listens"];
    assert_eq!(listens, &serde_json::json!({"before": 2}));
    let list = format!(
        "{url}/v3/{}/instances/{}/proxies",
        "7".repeat(32),
        sample::OTHER_INSTANCE
    );
    let reply = reqwest::Client::new()
        .get(list)
        .header("X-Auth-Token", "canary")
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
}

#[tokio::test]
async fn a_scenario_makes_everything_and_credentials_of_flags_come_on_top() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rough-day.yaml");
    let (_child, url, rest) = greeted(&[
        "--listen=127.0.0.1:0",
        "--scenario",
        example,
        "--token=canary",
    ])
    .await;
    for word in [sample::PROXY, "3310", "Mode M1", "20s", "out of seed 7"] {
        assert!(rest.contains(word), "{word} is missing: {rest}");
    }
    for secret in ["canary", "of-no-worth", sample::ACCESS_KEY] {
        assert!(!rest.contains(secret), "{secret}: {rest}");
    }
    for token in ["canary", "scenario-token-of-no-worth"] {
        let path = format!(
            "{url}/v3/{}/instances/{}",
            sample::PROJECT,
            sample::INSTANCE
        );
        let request = reqwest::Client::new()
            .get(path)
            .header("X-Auth-Token", token);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn chaos_and_throttling_have_flags() {
    let (_child, url, rest) =
        greeted(&["--listen=127.0.0.1:0", "--chaos=5", "--calls-per-minute=60"]).await;
    assert!(rest.contains("out of seed 5"), "{rest}");
    let get = async |path: &str| -> serde_json::Value {
        let reply = reqwest::get(format!("{url}/_sim/{path}")).await.unwrap();
        reply.json().await.unwrap()
    };
    assert_eq!(get("chaos").await["chaos"]["seed"], 5);
    let throttling = &get("behaviour").await["throttling"];
    assert_eq!(throttling["calls_per_minute"], 60);
}

#[tokio::test]
async fn help_explains_itself_with_examples() {
    let output = program(&["--help"]).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "--proxy <INSTANCE/PROXY=PORT>",
        "--job-duration",
        "Examples:",
        "/_sim/clock/advance",
        "--scenario <FILE>",
        "--chaos <SEED>",
        "[default: 127.0.0.1:8460]",
    ] {
        assert!(text.contains(word), "{word} is missing: {text}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_the_name_of_the_flag() {
    for (arguments, words) in [
        (vec!["--proxy", "a=1"], "--proxy"),
        (
            vec!["--project", "short"],
            "project id \"short\" is not 32 letters or digits",
        ),
        (
            vec!["--instance", "p/x"],
            "--instance p/x: no --project is \"p\"",
        ),
        (vec!["--job-duration", "soon"], "--job-duration"),
        (vec!["--port-listens", "sometimes"], "--port-listens"),
        (vec!["--mode", "M5"], "--mode"),
        (vec!["--listen", "everywhere"], "--listen"),
        (vec!["--fleeet", "1"], "--fleeet"),
        (
            vec!["--scenario", "/nowhere.yaml"],
            "--scenario: /nowhere.yaml: ",
        ),
        (vec!["--scenario", "x.yaml", "--mode", "M1"], "--mode"),
    ] {
        let error = failure(&arguments).await;
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = failure(&["--listen", &address]).await;
    assert!(
        error.contains(&format!("cannot listen on {address}")),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_not_repeated() {
    for flag in [
        ["--access-key", "canary"],
        ["--user", "canary"],
        ["--token", "canary canary"],
    ] {
        let error = failure(&flag).await;
        assert!(
            error.contains(flag[0]) && !error.contains("canary"),
            "{error}"
        );
    }
}
