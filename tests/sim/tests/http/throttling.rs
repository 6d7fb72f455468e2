//! The gateway's limit on the calls of a minute.

use reqwest::Method;
use serde_json::json;
use taurus_sim::{Accounts, Options, Simulator, ThrottledBy, Throttling, sample};

use crate::client::{Client, list_path, seconds, send, start};

const THROTTLED: (u16, &str) = (429, "APIGW.0308");

fn limit(calls_per_minute: u32, by: ThrottledBy) -> Throttling {
    Throttling {
        calls_per_minute,
        by,
        retry_after: true,
    }
}

#[tokio::test]
async fn nobody_is_throttled_until_a_limit_is_set() {
    let (simulator, client) = start().await;
    for _ in 0..100 {
        assert_eq!(client.list("").await.status, 200);
    }
    simulator.configure(|behaviour| behaviour.throttling = Some(Throttling::of_accounts(2)));
    assert_eq!(client.list("").await.status, 200);
    assert_eq!(client.job("x").await.status, 400);
    let reply = client.change(3307).await;
    assert_eq!(reply.refusal(), (THROTTLED.0, THROTTLED.1.to_owned()));
    assert!(reply.headers.get("retry-after").is_none(), "{reply:?}");
    assert!(
        reply.json()["error_msg"]
            .as_str()
            .unwrap()
            .contains("limit:2,time:1 minute"),
        "{reply:?}"
    );
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn the_minute_goes_by_the_simulators_clock_and_the_refusal_says_when_it_is_over() {
    let (simulator, client) = start().await;
    simulator.configure(|behaviour| behaviour.throttling = Some(limit(1, ThrottledBy::Account)));
    client.list("").await;
    simulator.advance(seconds(18)).unwrap();
    assert_eq!(client.list("").await.header("retry-after"), "42");
    simulator.advance(seconds(41)).unwrap();
    assert_eq!(client.list("").await.status, 429);
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(client.list("").await.status, 200);
}

#[tokio::test]
async fn calls_are_counted_by_account_by_credential_or_by_credential_and_call() {
    let accounts = Accounts::none()
        .account("first")
        .token("a")
        .token("b")
        .account("second")
        .token("c");
    let options = Options::stepped().accounts(accounts);
    let simulator = Simulator::start(options).await.unwrap();
    let client = Client::of(&simulator);
    let tasks = format!("/v3/{}/immediate-jobs", sample::PROJECT);
    for (by, expected) in [
        (ThrottledBy::Account, [200, 429, 429, 200]),
        (ThrottledBy::Credential, [200, 429, 200, 200]),
        (ThrottledBy::CredentialAndCall, [200, 200, 200, 200]),
    ] {
        simulator.configure(|behaviour| behaviour.throttling = Some(limit(1, by)));
        simulator.advance(seconds(60)).unwrap();
        let mut statuses = Vec::new();
        for (token, path) in [
            ("a", &list_path(sample::INSTANCE)),
            ("a", &tasks),
            ("b", &tasks),
            ("c", &tasks),
        ] {
            let request = client.bare(Method::GET, path).header("X-Auth-Token", token);
            statuses.push(send(request).await.unwrap().status);
        }
        assert_eq!(statuses, expected, "{by:?}");
    }
}

#[tokio::test]
async fn the_limit_is_a_switch_of_the_admin_api() {
    let (_simulator, client) = start().await;
    let set = async |value| {
        let body = json!({"throttling": value});
        client.admin(Method::PATCH, "/behaviour", body).await.status
    };
    assert_eq!(
        set(json!({"calls_per_minute": 0, "by": "credential"})).await,
        200
    );
    assert_eq!(client.list("").await.status, 429);
    assert_eq!(set(json!(null)).await, 200);
    assert_eq!(client.list("").await.status, 200);
    assert_eq!(set(json!({"calls": 60})).await, 400);
}
