//! Scenario files: the one among the examples does what it says, and what is wrong in one is told with its place.

use std::path::Path;

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::json;
use taurus_sim::{
    Control, Effect, Filter, JobState, Mode, Oddity, Operation, Options, Outcome, Simulator, Time,
    sample,
};

use crate::client::{Client, Reply, Signer, change_path, list_path, seconds, send};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/rough-day.yaml");
const SECOND_PROXY: &str = "b7c2049de1f34a6c8d50e93f7a16c28bpo01";

/// The example in stepped time and without what comes by chance, so that each of its lines can be looked at.
async fn rough_day() -> (Simulator, Client) {
    let options = Options::from_scenario(Path::new(EXAMPLE)).unwrap();
    assert_eq!((options.time, options.seed), (Time::Automatic, 7));
    let chaos = options.chaos.as_ref().unwrap();
    assert_eq!((chaos.seed, chaos.operations.len()), (7, 3));
    let options = Options {
        time: Time::Stepped,
        chaos: None,
        ..options
    };
    let simulator = Simulator::start(options).await.unwrap();
    let client = Client::of(&simulator);
    (simulator, client)
}

async fn signed(client: &Client, method: Method, path: &str, body: &str) -> Reply {
    let signer = Signer {
        signed: vec![("content-type", "application/json")],
        ..Signer::with("SCENARIOACCESSKEY01", "scenario-secret-key-of-no-worth")
    };
    signer.send(client, method, path, "", body).await
}

async fn change(client: &Client, port: u16) -> Option<Reply> {
    let body = json!({"port": port}).to_string();
    let path = change_path(sample::INSTANCE, sample::PROXY);
    let token = "scenario-token-of-no-worth";
    let request = client
        .bare(Method::PUT, &path)
        .header("X-Auth-Token", token)
        .header("Content-Type", "application/json");
    send(request.body(body)).await.ok()
}

#[tokio::test]
async fn the_example_makes_its_fleet_and_lets_its_accounts_in() {
    let (simulator, client) = rough_day().await;
    let state = simulator.state();
    assert_eq!(
        state.instances.len(),
        12,
        "two of its own and ten by number"
    );
    let proxy = |id: &str| simulator.proxy(id).unwrap();
    assert_eq!(
        (proxy(sample::PROXY).listed_port, proxy(sample::PROXY).mode),
        (3306, Mode::M1)
    );
    assert_eq!(
        (proxy(SECOND_PROXY).listed_port, proxy(SECOND_PROXY).mode),
        (3310, Mode::M4)
    );
    assert_eq!(proxy(sample::OTHER_PROXY).status, "ABNORMAL");
    assert_eq!(
        simulator.instance(sample::OTHER_INSTANCE).unwrap().status,
        "FROZEN"
    );

    let list = list_path(sample::INSTANCE);
    for _ in 0..2 {
        let throttled = signed(&client, Method::GET, &list, "").await;
        assert_eq!(
            (throttled.status, throttled.header("retry-after")),
            (429, "5")
        );
    }
    let row = signed(&client, Method::GET, &list, "").await.json()["proxy_list"][0].clone();
    assert_eq!(row["proxy"]["vcpus"], 2, "odd, as ordered");
    assert!(row["x_array"].is_array(), "{row}");
    let mut sign_in = crate::client::sign_in_body("scenario-password-of-no-worth");
    sign_in["auth"]["scope"]["project"]["name"] = json!("xx-sim-1");
    assert_eq!(client.sign_in(&sign_in).await.status, 201);
    let by_provider = client
        .bare(Method::POST, "/v3.0/OS-AUTH/id-token/tokens")
        .header("X-Idp-Id", "cluster")
        .json(&json!({"auth": {"id_token": {"id": "id-token-of-no-worth"}}}));
    assert_eq!(send(by_provider).await.unwrap().status, 201);
    let machine = client.bare(Method::GET, "/openstack/latest/securitykey");
    assert_eq!(send(machine).await.unwrap().status, 200);
    let locked = Signer::with("SCENARIOACCESSKEY02", "another-secret-key-of-no-worth");
    let get = |signer: Signer<'static>| {
        let (client, list) = (client.clone(), list.clone());
        async move {
            signer
                .send(&client, Method::GET, &list, "", "")
                .await
                .status
        }
    };
    assert_eq!(get(locked).await, 401);
    for strange in [Signer::sample(), Signer::with("SCENARIOACCESSKEY01", "x")] {
        assert_eq!(get(strange).await, 401);
    }
}

#[tokio::test]
async fn the_examples_locks_and_tokens_end_in_their_time() {
    let (simulator, client) = rough_day().await;
    let sign_in = async || {
        let mut body = crate::client::sign_in_body("another-password-of-no-worth");
        body["auth"]["identity"]["password"]["user"]["name"] = json!("forgetful");
        client.sign_in(&body).await.status
    };
    let key = async || {
        let signer = Signer::with("SCENARIOACCESSKEY02", "another-secret-key-of-no-worth");
        let list = list_path(sample::INSTANCE);
        signer
            .send(&client, Method::GET, &list, "", "")
            .await
            .status
    };
    let token = async || {
        let request = client
            .bare(Method::GET, &list_path(sample::INSTANCE))
            .header("X-Auth-Token", "short-lived-token-of-no-worth");
        send(request).await.unwrap().status
    };
    assert_eq!(
        (sign_in().await, key().await, token().await),
        (401, 401, 200)
    );
    simulator.advance(seconds(300)).unwrap();
    assert_eq!(
        (sign_in().await, key().await, token().await),
        (401, 200, 401)
    );
    simulator.advance(seconds(600)).unwrap();
    assert_eq!(sign_in().await, 201);
}

#[tokio::test]
async fn the_examples_jobs_and_faults_come_as_they_are_written() {
    let (simulator, client) = rough_day().await;
    assert!(change(&client, 3307).await.is_none(), "the answer is lost");
    let put = simulator
        .entries(&Filter::on(Operation::Change))
        .pop()
        .unwrap();
    assert_eq!((put.outcome, put.work_done), (Outcome::Reset, true));
    assert_eq!(
        change(&client, 3308).await.unwrap().refusal(),
        (409, "DBS.212033".to_owned())
    );
    let status = |control: &Control| control.proxy(sample::PROXY).unwrap().status;
    assert_eq!(status(&simulator), "PORT_MODIFYING");
    simulator.advance(seconds(10)).unwrap();
    let job = &simulator.jobs()[0];
    let course = |job: &taurus_sim::JobView| job.ends.unwrap().duration_since(job.accepted);
    assert_eq!(
        (job.state, course(job)),
        (JobState::Failed, SignedDuration::from_secs(10))
    );

    let reply = change(&client, 3309).await.unwrap();
    assert!(reply.json()["job_id"].is_string(), "{reply:?}");
    let listens = || simulator.proxy(sample::PROXY).unwrap().listening_port;
    simulator.advance(seconds(6)).unwrap();
    assert_eq!(listens(), Some(3309), "4 seconds before its job ends");
    simulator.advance(seconds(4)).unwrap();
    let view = simulator.proxy(sample::PROXY).unwrap();
    assert_eq!((view.actual_port, view.listed_port), (3309, 3306));
    simulator.advance(seconds(30)).unwrap();
    assert_eq!(simulator.proxy(sample::PROXY).unwrap().listed_port, 3309);

    change(&client, 3310).await.unwrap();
    let third = &simulator.jobs()[2];
    assert_eq!(course(third), SignedDuration::from_secs(22), "the default");
}

#[tokio::test]
async fn the_examples_maintenance_comes_in_its_time() {
    let (simulator, _client) = rough_day().await;
    let present = || simulator.proxy(SECOND_PROXY).unwrap().present;
    assert!(present());
    simulator.advance(seconds(120)).unwrap();
    assert!(!present());
    simulator.advance(seconds(60)).unwrap();
    assert!(present());
    simulator.advance(seconds(420)).unwrap();
    let status = simulator.instance(sample::INSTANCE).unwrap().status;
    assert_eq!(status, "MODIFYING INSTANCE TYPE");
}

#[test]
fn what_a_scenario_does_not_say_is_as_always() {
    for text in ["", "# nothing\n", "{}", "behaviour: {}"] {
        let options = Options::from_scenario_text("day.yaml", text).unwrap();
        let always = Options::default();
        assert_eq!(
            (options.fleet, options.behaviour, options.job, options.chaos),
            (always.fleet, always.behaviour, always.job, always.chaos)
        );
        assert!(options.accounts.has_access_key(sample::ACCESS_KEY));
    }
    let options = Options::from_scenario_text(
        "day.yaml",
        "time: stepped\nbehaviour: {odd: [port_text]}\nfaults: [{effect: {page_cap: 1}}]\n",
    )
    .unwrap();
    assert_eq!(options.time, Time::Stepped);
    assert!(options.behaviour.odd.contains(&Oddity::PortText));
    assert_eq!(options.faults[0].effect, Effect::PageCap(1));
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_field() {
    let twice = format!("projects:\n  - id: {0}\n  - id: {0}\n", sample::PROJECT);
    let numbered = |id: &str, count: u64| format!("  - {{id: {id}, numbered: {count}}}\n");
    let many = format!("projects:\n{}", numbered(sample::PROJECT, 1 << 40));
    let twice_numbered = format!(
        "projects:\n{}{}",
        numbered(sample::PROJECT, 2),
        numbered(&"7".repeat(32), 2)
    );
    let proxy = |line: &str| {
        format!(
            "projects:\n  - id: {}\n    instances:\n      - id: {}\n        proxies:\n          - id: {}\n            {line}\n",
            sample::PROJECT,
            sample::INSTANCE,
            sample::PROXY
        )
    };
    for (text, error) in [
        (
            "behaviour:\n  mood: M1\n",
            "2:3: behaviour.mood: unknown field `mood`",
        ),
        (
            "behaviour:\n  mode: M7\n",
            "2:9: behaviour.mode: unknown variant `M7`",
        ),
        (
            "jobs: {default: {durations: 1}}",
            "1:18: jobs.default.durations: unknown field",
        ),
        (
            "faults:\n  - times: 1\n    effect: {lose: {at: before, how: reset}}\n",
            "3:25: faults[0].effect.lose.at: unknown variant `before`",
        ),
        (
            "faults:\n  - effect: {explode: 1}\n",
            "2:14: faults[0].effect: unknown variant",
        ),
        (
            &proxy("port: 70000"),
            "7:19: projects[0].instances[0].proxies[0].port: invalid u16",
        ),
        (
            &proxy("port: 0"),
            "7:19: projects[0].instances[0].proxies[0].port: nothing listens on port 0",
        ),
        (&twice, "3:9: projects[1].id: id"),
        (
            &many,
            "2:54: projects[0].numbered: more than 100000 are too many",
        ),
        (
            &twice_numbered,
            "3:54: projects[1].numbered: id \"00000000000000000000000000000000in07\" is there twice",
        ),
        (
            "projects:\n  - id: short\n",
            "2:9: projects[0].id: project id \"short\" is not",
        ),
        (
            "faults:\n  - match: {proxy: nobody}\n    effect: {page_cap: 1}\n",
            "2:5: faults[0].match.proxy: no instance and no proxy is \"nobody\"",
        ),
        (
            "faults: [{effect: {hide: nobody}}]",
            "1:10: faults[0].effect.hide: no instance",
        ),
        (
            "maintenance:\n  - {of: nobody}\n",
            "2:5: maintenance[0].of: no instance",
        ),
        (
            "jobs:\n  next:\n    - {proxy: nobody, plan: {}}\n",
            "3:7: jobs.next[0].proxy: no instance",
        ),
        ("chaos:\n  latency: 2\n", "2:3: chaos: latency is 2;"),
        (
            "chaos:\n  throttles: 0.9\n",
            "2:3: chaos: the rates other than latency",
        ),
        ("seed: 1\nseed: 2\n", "2:1: .: duplicate mapping key: seed"),
        ("- 1\n", "1:1: .: expected mapping"),
        ("faults: [\n", "1:9: faults: unclosed bracket"),
    ] {
        let found = error_of(text);
        assert!(
            found.starts_with(&format!("day.yaml:{error}")),
            "{text}\n{found}\n{error}"
        );
    }
}

#[test]
fn what_is_wrong_near_a_secret_is_told_without_it() {
    for text in [
        "accounts:\n  - name: a\n    tokens: [{text: canary canary}]\n",
        "accounts:\n  - name: a\n    users:\n      - {name: u, password: [canary]}\n",
        "accounts:\n  - name: a\n    users:\n      - {name: u, password: canary, mood: 1}\n",
        "accounts:\n  - name: a\n    access_keys:\n      - {id: k, secret: canary\n",
    ] {
        let error = error_of(text);
        assert!(
            error.contains("accounts") && !error.contains("canary"),
            "{error}"
        );
    }
}

fn error_of(text: &str) -> String {
    let options = Options::from_scenario_text("day.yaml", text);
    let error = options.err().unwrap_or_else(|| panic!("taken: {text}"));
    error.to_string()
}
