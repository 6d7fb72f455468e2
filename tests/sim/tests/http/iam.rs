//! IAM beyond passwords: a token for a token, and the look-ups of accounts, users and projects.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Filter, Fleet, Operation, Options, Simulator, sample};

use crate::client::{
    Client, Reply, Signer, TOKEN, list_path, seconds, send, sign_in_body, start, start_with,
};

/// The body of a sign-in by another token.
fn by_token(token: &str, scope: &Value) -> Value {
    let mut body = json!({"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}});
    if !scope.is_null() {
        body["auth"]["scope"] = scope.clone();
    }
    body
}

async fn get_with(client: &Client, token: &str, path: &str) -> Reply {
    let request = client.bare(Method::GET, path).header("X-Auth-Token", token);
    send(request).await.unwrap()
}

#[tokio::test]
async fn a_token_buys_another_with_a_project_or_without() {
    let (simulator, client) = start().await;
    let first = client.sign_in(&sign_in_body(sample::PASSWORD)).await;
    let first = first.header("x-subject-token");
    let list = list_path(sample::INSTANCE);
    for (scope, status, holder) in [
        (json!({"project": {"name": sample::REGION}}), 200, "project"),
        (json!({"project": {"id": sample::PROJECT}}), 200, "project"),
        (Value::Null, 403, "domain"),
    ] {
        let reply = client.sign_in(&by_token(first, &scope)).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let token = &reply.json()["token"];
        assert_eq!(token["methods"], json!(["token"]));
        assert!(token[holder]["id"].is_string(), "{token}");
        assert_eq!(
            (&token["user"]["name"], &token["user"]["domain"]["name"]),
            (&json!(sample::USER), &json!(sample::DOMAIN))
        );
        let second = reply.header("x-subject-token");
        assert_ne!(second, first);
        assert_eq!(get_with(&client, second, &list).await.status, status);
    }
    let whose = format!("{}/{}", sample::DOMAIN, sample::USER);
    assert_eq!(
        simulator.count(&Filter::on(Operation::Token).credential(&whose)),
        4
    );
    assert!(!format!("{:?}", simulator.journal()).contains(first));
}

#[tokio::test]
async fn a_token_for_a_token_lives_no_longer_than_the_first() {
    let (simulator, client) = start().await;
    simulator.configure(|behaviour| behaviour.token_lifetime = seconds(600));
    let first = client.sign_in(&sign_in_body(sample::PASSWORD)).await;
    simulator.advance(seconds(400)).unwrap();
    let body = by_token(first.header("x-subject-token"), &Value::Null);
    let second = client.sign_in(&body).await;
    let expires = |reply: &Reply| -> Timestamp {
        let json = reply.json();
        json["token"]["expires_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    };
    assert_eq!(expires(&first), expires(&second));
    simulator.advance(seconds(200)).unwrap();
    assert_eq!(
        client.sign_in(&body).await.refusal(),
        (401, "IAM.0066".to_owned())
    );
    let unknown = client.sign_in(&by_token("unknown", &Value::Null)).await;
    assert_eq!(unknown.refusal(), (401, "IAM.0067".to_owned()));
}

#[tokio::test]
async fn a_token_made_beforehand_can_be_exchanged_too() {
    let (_simulator, client) = start().await;
    let scope = json!({"project": {"name": sample::REGION}});
    let reply = client.sign_in(&by_token(TOKEN, &scope)).await;
    let list = list_path(sample::INSTANCE);
    let token = reply.header("x-subject-token");
    assert_eq!(get_with(&client, token, &list).await.status, 200);
}

#[tokio::test]
async fn accounts_users_and_projects_are_found_by_name() {
    let second = "7".repeat(32);
    let fleet = Fleet::sample().project(&second);
    let (_simulator, client) = start_with(Options::stepped().fleet(fleet)).await;
    let named = async |path: &str, kind: &str| -> Vec<String> {
        let reply = client.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(!reply.header("x-iam-trace-id").is_empty());
        let json = reply.json();
        assert!(json["links"]["self"].is_string(), "{json}");
        let names = json[kind].as_array().unwrap().iter();
        names
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(named("/v3/auth/domains", "domains").await, [sample::DOMAIN]);
    assert_eq!(named("/v3/users", "users").await, [sample::USER]);
    let by_name = format!("/v3/users?name={}", sample::USER);
    assert_eq!(named(&by_name, "users").await, [sample::USER]);
    assert!(named("/v3/users?name=nobody", "users").await.is_empty());
    assert_eq!(named("/v3/projects", "projects").await.len(), 2);
    let by_name = format!("/v3/projects?name={}", sample::REGION);
    assert_eq!(named(&by_name, "projects").await, [sample::REGION]);
    let projects = client.get(&by_name).await.json();
    assert_eq!(projects["projects"][0]["id"], sample::PROJECT);
    let domains = client.get("/v3/auth/domains").await.json();
    assert_eq!(
        projects["projects"][0]["domain_id"],
        domains["domains"][0]["id"]
    );
}

#[tokio::test]
async fn look_ups_take_signatures_and_tokens_without_a_project_and_nobody_else() {
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let client = Client::of(&simulator);
    let query = format!("name={}", sample::REGION);
    let signed = Signer::sample()
        .send(&client, Method::GET, "/v3/projects", &query, "")
        .await;
    assert_eq!(signed.json()["projects"][0]["id"], sample::PROJECT);

    let mut unscoped = sign_in_body(sample::PASSWORD);
    unscoped["auth"]["scope"] = Value::Null;
    let reply = client.sign_in(&unscoped).await;
    let token = reply.header("x-subject-token");
    assert_eq!(
        get_with(&client, token, "/v3/auth/domains").await.status,
        200
    );

    simulator.revoke_tokens(None);
    assert_eq!(
        get_with(&client, token, "/v3/auth/domains").await.refusal(),
        (401, "IAM.0067".to_owned())
    );
    let nobody = send(client.bare(Method::GET, "/v3/users")).await.unwrap();
    assert_eq!(nobody.refusal(), (401, "IAM.0067".to_owned()));
}
