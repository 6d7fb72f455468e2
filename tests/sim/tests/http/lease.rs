//! Credentials for a while: for an ID token, for a token, and for a machine with an agency.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Accounts, Options, Simulator, sample};

use crate::client::{Client, Reply, Signer, list_path, seconds, send};

const ID_TOKEN: &str = "id-token-of-no-worth";
const METADATA: &str = "/openstack/latest/securitykey";

async fn start() -> (Simulator, Client) {
    let accounts = Accounts::none()
        .account("acme")
        .id_token("cluster", ID_TOKEN)
        .token("raw")
        .machine_agency();
    let simulator = Simulator::start(Options::stepped().accounts(accounts))
        .await
        .unwrap();
    let client = Client::of(&simulator);
    (simulator, client)
}

async fn log_in(client: &Client, provider: &str, token: &str, scope: Value) -> Reply {
    let body = json!({"auth": {"id_token": {"id": token}, "scope": scope}});
    let request = client.bare(Method::POST, "/v3.0/OS-AUTH/id-token/tokens");
    send(request.header("X-Idp-Id", provider).json(&body))
        .await
        .unwrap()
}

/// Lists with temporary keys.
async fn list_with(client: &Client, keys: &Value) -> u16 {
    let text = |name: &str| keys["credential"][name].as_str().unwrap();
    let (access, secret, token) = (text("access"), text("secret"), text("securitytoken"));
    let signer = Signer {
        signed: vec![("x-security-token", token)],
        ..Signer::with(access, secret)
    };
    let path = list_path(sample::INSTANCE);
    signer.send(client, Method::GET, &path, "", "").await.status
}

#[tokio::test]
async fn an_id_token_buys_a_token_from_its_provider_only() {
    let (simulator, client) = start().await;
    let project = json!({"project": {"name": sample::REGION}});
    let reply = log_in(&client, "cluster", ID_TOKEN, project).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(reply.json()["token"]["expires_at"].is_string());
    assert!(!reply.header("x-request-id").is_empty());
    let token = reply.header("x-subject-token");
    let list = client.bare(Method::GET, &list_path(sample::INSTANCE));
    let listed = send(list.header("X-Auth-Token", token)).await.unwrap();
    assert_eq!(listed.status, 200);
    let whose = simulator.journal().pop().unwrap().credential;
    assert_eq!(whose.as_deref(), Some("acme/cluster"));

    for (provider, text) in [("other", ID_TOKEN), ("cluster", "another")] {
        let refused = log_in(&client, provider, text, json!({})).await;
        assert_eq!(refused.refusal(), (401, "IAM.0001".to_owned()));
    }
    assert!(!format!("{:?}", simulator.journal()).contains(ID_TOKEN));
}

#[tokio::test]
async fn a_token_buys_temporary_keys_for_as_long_as_was_asked_for() {
    let (simulator, client) = start().await;
    let ask = async |lifetime: Value| {
        let mut body =
            json!({"auth": {"identity": {"methods": ["token"], "token": {"id": "raw"}}}});
        if !lifetime.is_null() {
            body["auth"]["identity"]["token"]["duration_seconds"] = lifetime;
        }
        let request = client.bare(Method::POST, "/v3.0/OS-CREDENTIAL/securitytokens");
        send(request.json(&body)).await.unwrap()
    };
    let reply = ask(json!(1000)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let keys = reply.json();
    assert_eq!(list_with(&client, &keys).await, 200);
    simulator.advance(seconds(999)).unwrap();
    assert_eq!(list_with(&client, &keys).await, 200);
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(list_with(&client, &keys).await, 401);

    assert_eq!(ask(Value::Null).await.status, 201);
    for wrong in [json!(899), json!(86_401), json!("900")] {
        assert_eq!(ask(wrong).await.refusal(), (400, "IAM.0011".to_owned()));
    }
    let journal = format!("{:?}", simulator.journal());
    for secret in ["secret", "securitytoken"] {
        let text = keys["credential"][secret].as_str().unwrap();
        assert!(!journal.contains(text), "{secret}");
    }
}

#[tokio::test]
async fn a_machine_with_an_agency_gets_keys_with_and_without_a_metadata_token() {
    let (simulator, client) = start().await;
    let token = client
        .bare(Method::PUT, "/meta-data/latest/api/token")
        .header("X-Metadata-Token-Ttl-Seconds", "21600");
    let token = send(token).await.unwrap().body;
    let get = async |token: Option<&str>| {
        let request = client.bare(Method::GET, METADATA);
        let request = match token {
            Some(token) => request.header("X-Metadata-Token", token),
            None => request,
        };
        send(request).await.unwrap()
    };
    for token in [Some(&*token), None] {
        let keys = get(token).await.json();
        assert_eq!(list_with(&client, &keys).await, 200);
        let expires = keys["credential"]["expires_at"].as_str().unwrap();
        let expires: Timestamp = expires.parse().unwrap();
        let left = expires.duration_since(simulator.now());
        // The answer cuts off what is below a microsecond.
        let off = SignedDuration::from_hours(6) - left;
        assert!(off < SignedDuration::from_micros(1), "{off}");
    }
    assert_eq!(get(Some("strange")).await.status, 401);
    simulator.advance(seconds(21_600)).unwrap();
    let ended = get(Some(&*token)).await;
    assert_eq!(ended.status, 401);
    assert!(
        !ended
            .body
            .contains("Please configure Cloud Service Agency first")
    );
    assert!(!format!("{:?}", simulator.journal()).contains(&token));
}

#[tokio::test]
async fn a_machine_without_an_agency_is_refused() {
    let simulator = Simulator::start(Options::stepped()).await.unwrap();
    let client = Client::of(&simulator);
    let refused = send(client.bare(Method::GET, METADATA)).await.unwrap();
    assert_eq!(refused.status, 401);
    // By this text the vendor's clients tell it from a token that has ended.
    let told = "Please configure Cloud Service Agency first";
    assert!(refused.body.contains(told), "{}", refused.body);
    let token = client.bare(Method::PUT, "/meta-data/latest/api/token");
    assert_eq!(
        send(token).await.unwrap().status,
        400,
        "the lifetime is missing"
    );
}

#[tokio::test]
async fn a_pod_gets_keys_for_its_token_and_the_journal_shows_neither() {
    let (simulator, client) = start().await;
    let ask = async |token: &str| {
        let request = client.bare(Method::POST, "/pod-identity/credentials");
        send(request.header("Authorization", token).json(&json!({})))
            .await
            .unwrap()
    };
    assert_eq!(ask("token-of-a-pod").await.status, 401);
    simulator.set_id_token(sample::POD_IDENTITY, "token-of-a-pod");
    let keys = ask("token-of-a-pod").await.json();
    let named = |name: &str| keys["credentials"][name].as_str().unwrap();
    let renamed = json!({"credential": {
        "access": named("accessKeyId"),
        "secret": named("secretAccessKey"),
        "securitytoken": named("securityToken"),
    }});
    assert_eq!(list_with(&client, &renamed).await, 200);
    simulator.advance(seconds(3600)).unwrap();
    assert_eq!(list_with(&client, &renamed).await, 401);
    simulator.set_id_token(sample::POD_IDENTITY, "the-next-one");
    assert_eq!(ask("token-of-a-pod").await.status, 401);
    let journal = format!("{:?}", simulator.journal());
    let secrets = [
        "token-of-a-pod",
        named("secretAccessKey"),
        named("securityToken"),
    ];
    for secret in secrets {
        assert!(!journal.contains(secret), "{secret}");
    }
}
