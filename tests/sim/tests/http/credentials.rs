//! Signatures, tokens, and the locks that follow from wrong ones.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Accounts, Filter, Fleet, Operation, Options, Simulator, sample};

use crate::client::{
    Client, Reply, Signer, change_path, list_path, seconds, send, sign_in_body, start,
};

const REFUSED: (u16, &str) = (401, "APIGW.0301");

fn own((status, code): (u16, &str)) -> (u16, String) {
    (status, code.to_owned())
}

async fn signed_list(client: &Client, signer: &Signer<'_>) -> Reply {
    signer
        .send(
            client,
            Method::GET,
            &list_path(sample::INSTANCE),
            "limit=100&offset=0",
            "",
        )
        .await
}

#[tokio::test]
async fn signatures_pass_with_whatever_list_of_signed_headers() {
    let (simulator, client) = start().await;
    let host = simulator.address().to_string();
    let json = ("content-type", "application/json");
    for (signed, unsigned) in [
        (vec![], vec![]),
        (vec![("host", &*host)], vec![]),
        (
            vec![json, ("host", &*host), ("x-project-id", sample::PROJECT)],
            vec![("x-language", "en-us")],
        ),
        (
            vec![("accept", "*/*"), json, ("user-agent", "tests")],
            vec![("x-project-id", sample::PROJECT)],
        ),
    ] {
        let signer = Signer {
            signed,
            unsigned,
            ..Signer::sample()
        };
        assert_eq!(
            signed_list(&client, &signer).await.status,
            200,
            "{:?}",
            signer.signed
        );
    }
    let signer = Signer {
        signed: vec![json],
        ..Signer::sample()
    };
    let path = change_path(sample::INSTANCE, sample::PROXY);
    let reply = signer
        .send(&client, Method::PUT, &path, "", "{\"port\":3307}\n")
        .await;
    assert!(reply.json()["job_id"].is_string(), "{reply:?}");
    let put = simulator
        .entries(&Filter::on(Operation::Change).credential(sample::ACCESS_KEY))
        .pop()
        .unwrap();
    assert!(
        !put.headers["authorization"].contains("Signature"),
        "{put:?}"
    );
}

#[tokio::test]
async fn a_wrong_signature_is_refused_with_the_request_id_and_changes_nothing() {
    let (simulator, client) = start().await;
    for signer in [
        Signer::with(sample::ACCESS_KEY, "wrong"),
        Signer::with("NOSUCHKEY", sample::SECRET_KEY),
        Signer {
            signed: vec![("x-project-id", sample::PROJECT)],
            unsigned: vec![("x-project-id", "another one, added on the way")],
            ..Signer::sample()
        },
    ] {
        let path = change_path(sample::INSTANCE, sample::PROXY);
        let reply = signer
            .send(&client, Method::PUT, &path, "", r#"{"port":3307}"#)
            .await;
        assert_eq!(reply.refusal(), own(REFUSED));
        assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
    }
    let nobody = send(client.bare(Method::GET, &list_path(sample::INSTANCE)))
        .await
        .unwrap();
    assert_eq!(nobody.refusal(), own(REFUSED));
    assert!(simulator.jobs().is_empty());
}

#[tokio::test]
async fn more_than_five_wrong_signatures_in_a_row_block_the_key_for_five_minutes() {
    let (simulator, client) = start().await;
    let (right, wrong) = (Signer::sample(), Signer::with(sample::ACCESS_KEY, "wrong"));
    for _ in 0..5 {
        assert_eq!(signed_list(&client, &wrong).await.refusal(), own(REFUSED));
    }
    assert_eq!(
        signed_list(&client, &right).await.status,
        200,
        "five are forgiven, and forgotten"
    );
    for _ in 0..6 {
        assert_eq!(signed_list(&client, &wrong).await.refusal(), own(REFUSED));
    }
    assert!(simulator.blocked_until(sample::ACCESS_KEY).is_some());
    simulator.advance(seconds(299)).unwrap();
    assert_eq!(signed_list(&client, &right).await.refusal(), own(REFUSED));
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(signed_list(&client, &right).await.status, 200);
    assert_eq!(simulator.blocked_until(sample::ACCESS_KEY), None);
}

#[tokio::test]
async fn signatures_are_good_for_a_quarter_of_an_hour_by_the_real_clock_and_its_skew() {
    let (simulator, client) = start().await;
    simulator.advance(seconds(24 * 3600)).unwrap();
    assert_eq!(
        signed_list(&client, &Signer::sample()).await.status,
        200,
        "stepped time does not count"
    );
    for (minutes, fine) in [(14, true), (-14, true), (16, false), (-16, false)] {
        simulator.configure(|behaviour| behaviour.clock_skew = SignedDuration::from_mins(minutes));
        assert_eq!(
            signed_list(&client, &Signer::sample()).await.status == 200,
            fine,
            "{minutes} minutes"
        );
    }
}

#[tokio::test]
async fn a_temporary_key_needs_its_security_token_and_a_permanent_one_must_have_none() {
    let accounts = Accounts::none()
        .temporary_key("TEMP", "secret", "security")
        .access_key("PERM", "secret");
    let simulator = Simulator::start(Options::stepped().accounts(accounts))
        .await
        .unwrap();
    let client = Client::of(&simulator);
    let token = ("x-security-token", "security");
    for (key, signed, unsigned, fine) in [
        ("TEMP", vec![token], vec![], true),
        ("TEMP", vec![], vec![token], true),
        ("TEMP", vec![], vec![], false),
        ("TEMP", vec![("x-security-token", "other")], vec![], false),
        ("PERM", vec![], vec![], true),
        ("PERM", vec![token], vec![], false),
    ] {
        let signer = Signer {
            signed,
            unsigned,
            ..Signer::with(key, "secret")
        };
        assert_eq!(
            signed_list(&client, &signer).await.status == 200,
            fine,
            "{key} {:?}",
            signer.signed
        );
    }
}

#[tokio::test]
async fn keys_can_be_exchanged_and_taken_away() {
    let (simulator, client) = start().await;
    simulator.set_access_key(sample::ACCESS_KEY, "new");
    assert_eq!(signed_list(&client, &Signer::sample()).await.status, 401);
    assert_eq!(
        signed_list(&client, &Signer::with(sample::ACCESS_KEY, "new"))
            .await
            .status,
        200
    );
    simulator.remove_access_key(sample::ACCESS_KEY).unwrap();
    assert_eq!(
        signed_list(&client, &Signer::with(sample::ACCESS_KEY, "new"))
            .await
            .status,
        401
    );
    assert!(simulator.remove_access_key(sample::ACCESS_KEY).is_err());
}

async fn list_with(client: &Client, token: &str) -> Reply {
    send(
        client
            .bare(Method::GET, &list_path(sample::INSTANCE))
            .header("X-Auth-Token", token),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_password_buys_a_token_with_the_documented_answer() {
    let (simulator, client) = start().await;
    let reply = client.sign_in(&sign_in_body(sample::PASSWORD)).await;
    assert_eq!(reply.status, 201);
    assert!(!reply.header("x-iam-trace-id").is_empty() && !reply.header("x-request-id").is_empty());
    let token = reply.json()["token"].clone();
    let names: Vec<_> = token.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "catalog",
            "expires_at",
            "issued_at",
            "methods",
            "project",
            "roles",
            "user"
        ]
    );
    let time = |name: &str| {
        let text = token[name].as_str().unwrap();
        assert!(
            text.len() == 27 && text.ends_with('Z'),
            "microseconds: {text}"
        );
        text.parse::<Timestamp>().unwrap()
    };
    assert_eq!(
        time("expires_at").duration_since(time("issued_at")),
        SignedDuration::from_hours(24)
    );
    assert_eq!(
        (
            token["project"]["id"].as_str(),
            token["project"]["name"].as_str()
        ),
        (Some(sample::PROJECT), Some(sample::REGION))
    );
    assert_eq!(token["user"]["domain"]["name"], sample::DOMAIN);

    let text = reply.header("x-subject-token").to_owned();
    assert_eq!(list_with(&client, &text).await.status, 200);
    let credential = format!("{}/{}", sample::DOMAIN, sample::USER);
    assert_eq!(simulator.count(&Filter::all().credential(&credential)), 2);
    let journal = format!("{:?}", simulator.journal());
    assert!(
        !journal.contains(&text) && !journal.contains(sample::PASSWORD),
        "{journal}"
    );
}

#[tokio::test]
async fn tokens_expire_by_the_simulators_clock_and_can_be_revoked() {
    let (simulator, client) = start().await;
    simulator.configure(|behaviour| behaviour.token_lifetime = seconds(120));
    let first = client
        .sign_in(&sign_in_body(sample::PASSWORD))
        .await
        .header("x-subject-token")
        .to_owned();
    simulator.advance(seconds(119)).unwrap();
    assert_eq!(list_with(&client, &first).await.status, 200);
    simulator.advance(seconds(1)).unwrap();
    assert_eq!(
        list_with(&client, &first).await.refusal(),
        (401, "APIGW.0307".to_owned())
    );

    let second = client
        .sign_in(&sign_in_body(sample::PASSWORD))
        .await
        .header("x-subject-token")
        .to_owned();
    let third = client
        .sign_in(&sign_in_body(sample::PASSWORD))
        .await
        .header("x-subject-token")
        .to_owned();
    assert_ne!(second, third);
    let credential = format!("{}/{}", sample::DOMAIN, sample::USER);
    assert_eq!(simulator.expire_tokens(Some("nobody"), seconds(0)), 0);
    assert_eq!(simulator.expire_tokens(Some(&credential), seconds(0)), 3);
    assert_eq!(
        list_with(&client, &second).await.refusal(),
        (401, "APIGW.0307".to_owned())
    );
    assert_eq!(simulator.revoke_tokens(Some(&credential)), 3);
    assert_eq!(list_with(&client, &third).await.refusal(), own(REFUSED));
    assert_eq!(
        client.list("").await.status,
        200,
        "the other credential's token is untouched"
    );
    simulator.revoke_tokens(None);
    assert_eq!(client.list("").await.refusal(), own(REFUSED));
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_lock_the_user() {
    let (simulator, client) = start().await;
    for _ in 0..5 {
        assert_eq!(
            client.sign_in(&sign_in_body("wrong")).await.refusal(),
            (401, "IAM.0062".to_owned())
        );
    }
    assert_eq!(
        client
            .sign_in(&sign_in_body(sample::PASSWORD))
            .await
            .refusal(),
        (401, "IAM.0061".to_owned())
    );
    simulator.advance(seconds(15 * 60)).unwrap();
    assert_eq!(
        client.sign_in(&sign_in_body(sample::PASSWORD)).await.status,
        201
    );
    simulator
        .set_password(sample::DOMAIN, sample::USER, "new")
        .unwrap();
    assert_eq!(
        client.sign_in(&sign_in_body(sample::PASSWORD)).await.status,
        401
    );
    assert_eq!(client.sign_in(&sign_in_body("new")).await.status, 201);
}

#[tokio::test]
async fn sign_ins_are_scoped_to_a_project_or_to_none() {
    let other = "7".repeat(32);
    let fleet = Fleet::sample().project(&other);
    let simulator = Simulator::start(Options::stepped().fleet(fleet))
        .await
        .unwrap();
    let client = Client::of(&simulator);
    let with_scope = |scope: Value| {
        let mut body = sign_in_body(sample::PASSWORD);
        body["auth"]["scope"] = scope;
        body
    };
    for (scope, fine) in [
        (json!({"project": {"id": sample::PROJECT}}), true),
        (json!({"project": {"name": sample::REGION}}), true),
        (json!({"project": {"id": other}}), false),
        (json!({"domain": {"name": sample::DOMAIN}}), false),
    ] {
        let reply = client.sign_in(&with_scope(scope.clone())).await;
        assert_eq!(reply.status, 201, "{scope}");
        let listed = list_with(&client, reply.header("x-subject-token")).await;
        assert_eq!(listed.status, if fine { 200 } else { 403 }, "{scope}");
    }
    let nowhere = with_scope(json!({"project": {"name": "xx-nowhere-9"}}));
    assert_eq!(
        client.sign_in(&nowhere).await.refusal(),
        (401, "IAM.0001".to_owned())
    );
}

#[tokio::test]
async fn a_sign_in_that_is_none_is_a_bad_request() {
    let (_simulator, client) = start().await;
    let mut by_token = sign_in_body("x");
    by_token["auth"]["identity"]["methods"] = json!(["token"]);
    let mut nameless = sign_in_body("x");
    nameless["auth"]["identity"]["password"]["user"]["name"] = Value::Null;
    for body in [json!({}), json!([]), by_token, nameless] {
        assert_eq!(
            client.sign_in(&body).await.refusal(),
            (400, "IAM.0011".to_owned()),
            "{body}"
        );
    }
}
