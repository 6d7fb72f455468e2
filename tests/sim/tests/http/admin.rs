//! The admin API.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{Mode, Options, Time, sample};

use crate::client::{Signer, list_path, seconds, sign_in_body, start, start_with};

#[tokio::test]
async fn time_is_advanced_when_it_is_stepped_and_refuses_otherwise() {
    let (simulator, client) = start().await;
    let before = simulator.now();
    let reply = client
        .admin(Method::POST, "/clock/advance", json!({"seconds": 1.5}))
        .await;
    assert_eq!(
        (reply.status, reply.json()["time"].as_str()),
        (200, Some("stepped"))
    );
    assert_eq!(
        simulator.now().duration_since(before),
        jiff::SignedDuration::from_millis(1500)
    );

    let (_simulator, client) = start_with(Options {
        time: Time::Automatic,
        ..Options::default()
    })
    .await;
    let reply = client
        .admin(Method::POST, "/clock/advance", json!({"seconds": 1}))
        .await;
    assert_eq!(reply.status, 409);
    assert!(
        reply.json()["error"]
            .as_str()
            .unwrap()
            .contains("automatic"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn the_journal_is_shown_filtered_and_does_not_hold_admin_calls() {
    let (_simulator, client) = start().await;
    let id = client.accepted(3307).await;
    client.list("").await;
    let entries = async |query: &str| {
        let reply = client
            .admin(Method::GET, &format!("/journal{query}"), Value::Null)
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["entries"].as_array().unwrap().clone()
    };
    assert_eq!(entries("").await.len(), 2);
    let changes = entries(&format!("?operation=change&proxy={}", sample::PROXY)).await;
    assert_eq!(
        (changes.len(), &changes[0]["job_id"], &changes[0]["body"]),
        (1, &json!(id), &json!(r#"{"port":3307}"#))
    );
    assert_eq!(
        (&changes[0]["outcome"], &changes[0]["answer"]["status"]),
        (&json!("answered"), &json!(200))
    );
    assert_eq!(entries("?since=1").await.len(), 1);
    let wrong = client
        .admin(Method::GET, "/journal?operations=change", Value::Null)
        .await;
    assert_eq!(wrong.status, 400);
    client.admin(Method::DELETE, "/journal", Value::Null).await;
    assert!(entries("").await.is_empty());
}

#[tokio::test]
async fn proxies_and_instances_are_changed_from_outside() {
    let (simulator, client) = start().await;
    let path = format!("/proxies/{}", sample::PROXY);
    let reply = client
        .admin(
            Method::PATCH,
            &path,
            json!({"port": 3400, "status": "ABNORMAL", "mode": "M4"}),
        )
        .await;
    assert_eq!(
        (
            reply.status,
            &reply.json()["listed_port"],
            &reply.json()["mode"]
        ),
        (200, &json!(3400), &json!("M4"))
    );
    assert_eq!(client.listed().await, ("ABNORMAL".to_owned(), 3400));
    client
        .admin(Method::PATCH, &path, json!({"present": false}))
        .await;
    assert!(!simulator.proxy(sample::PROXY).unwrap().present);

    let instance = format!("/instances/{}", sample::INSTANCE);
    let reply = client
        .admin(
            Method::PATCH,
            &instance,
            json!({"status": "FROZEN", "present": false}),
        )
        .await;
    assert_eq!(
        (
            reply.json()["status"].as_str(),
            reply.json()["present"].as_bool()
        ),
        (Some("FROZEN"), Some(false))
    );
    for (path, body, status) in [
        (&path, json!({"prot": 1}), 400),
        (&path, json!({"port": 70000}), 400),
        (&"/proxies/nobody".to_owned(), json!({}), 404),
        (
            &"/instances/nobody".to_owned(),
            json!({"present": true}),
            404,
        ),
    ] {
        let reply = client.admin(Method::PATCH, path, body.clone()).await;
        assert_eq!(reply.status, status, "{body}");
        assert!(reply.json()["error"].is_string());
    }
}

#[tokio::test]
async fn the_maintenance_window_of_an_instance_is_moved_from_outside_and_nothing_else_of_it() {
    let (_simulator, client) = start().await;
    let instance = format!("/instances/{}", sample::INSTANCE);
    let window = json!({"maintenance_window": "01:00-05:00"});
    let reply = client.admin(Method::PATCH, &instance, window).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let told = reply.json();
    assert_eq!(
        (
            &told["maintenance_window"],
            &told["status"],
            &told["present"]
        ),
        (&json!("01:00-05:00"), &json!("ACTIVE"), &json!(true))
    );
    let (one, other) = (sample::INSTANCE, sample::OTHER_INSTANCE);
    let details = format!(
        "/v3/{}/instances/details?instance_ids={one},{other}",
        sample::PROJECT
    );
    let rows = client.get(&details).await.json()["instances"].clone();
    assert_eq!(
        (
            &rows[0]["maintenance_window"],
            &rows[1]["maintenance_window"]
        ),
        (&json!("01:00-05:00"), &json!("18:00-22:00"))
    );
    // Another field leaves it where it is.
    let status = json!({"status": "FROZEN"});
    let reply = client.admin(Method::PATCH, &instance, status).await;
    assert_eq!(reply.json()["maintenance_window"], "01:00-05:00");
}

#[tokio::test]
async fn jobs_are_planned_started_ended_and_forgotten() {
    let (simulator, client) = start().await;
    let plan = json!({"duration": 10, "visible_after": 0});
    assert_eq!(
        client
            .admin(Method::PUT, "/plans/default", plan)
            .await
            .status,
        200
    );
    let next =
        json!({"proxy": sample::PROXY, "plan": {"outcome": "never_ends", "visible_after": 0}});
    assert_eq!(
        client.admin(Method::POST, "/plans/next", next).await.status,
        200
    );
    let nobody = json!({"proxy": "nobody", "plan": {}});
    assert_eq!(
        client
            .admin(Method::POST, "/plans/next", nobody)
            .await
            .status,
        404
    );

    let id = client.accepted(3307).await;
    simulator.advance(seconds(100)).unwrap();
    assert_eq!(client.job_status(&id).await, "Running");
    let end = format!("/jobs/{id}/end");
    let failed = json!({"failed": {"reason": "by hand"}});
    assert_eq!(
        client
            .admin(Method::POST, &end, failed.clone())
            .await
            .status,
        200
    );
    assert_eq!(client.job_status(&id).await, "Failed");
    assert_eq!(client.admin(Method::POST, &end, failed).await.status, 409);
    assert_eq!(
        client
            .admin(Method::DELETE, &format!("/jobs/{id}"), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(client.job(&id).await.status, 400);

    let backup = json!({"name": "Backup", "plan": {"visible_after": 0}});
    let reply = client
        .admin(
            Method::POST,
            &format!("/instances/{}/jobs", sample::INSTANCE),
            backup,
        )
        .await;
    assert_eq!(
        client.task_ids("").await,
        [reply.json()["id"].as_str().unwrap()]
    );
    assert_eq!(
        client
            .admin(Method::DELETE, "/jobs/nothing", Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn switches_are_shown_and_changed_one_by_one() {
    let (simulator, client) = start().await;
    let change = json!({"mode": "M3", "clock_skew": -60});
    let reply = client.admin(Method::PATCH, "/behaviour", change).await;
    assert_eq!(
        (reply.status, reply.json()["default_limit"].as_u64()),
        (200, Some(100))
    );
    assert_eq!(
        (
            simulator.behaviour().mode,
            simulator.behaviour().clock_skew.as_secs()
        ),
        (Mode::M3, -60)
    );
    assert_eq!(
        client
            .admin(Method::PATCH, "/behaviour", json!({"mood": "M3"}))
            .await
            .status,
        400
    );
    let state = client
        .admin(Method::GET, "/state", Value::Null)
        .await
        .json();
    assert_eq!(
        (
            &state["behaviour"]["mode"],
            state["instances"].as_array().unwrap().len()
        ),
        (&json!("M3"), 2)
    );
}

#[tokio::test]
async fn faults_are_added_listed_released_and_removed() {
    let (simulator, client) = start().await;
    let rule = json!({
        "match": {"operation": "list"},
        "times": 1,
        "effect": {"respond": {"at": "before_work", "answer": {"status": 503, "body": "{}"}}},
    });
    let id = client.admin(Method::POST, "/faults", rule).await.json()["id"].clone();
    assert_eq!(
        (client.list("").await.status, client.list("").await.status),
        (503, 200)
    );
    let listed = client
        .admin(Method::GET, "/faults", Value::Null)
        .await
        .json();
    assert_eq!(
        (
            &listed["faults"][0]["id"],
            &listed["faults"][0]["applied"],
            &listed["faults"][0]["left"]
        ),
        (&id, &json!(1), &json!(0))
    );
    assert_eq!(
        client
            .admin(Method::POST, "/faults/release", json!({"id": id}))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .admin(Method::POST, "/faults/release", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .admin(Method::DELETE, &format!("/faults/{id}"), Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .admin(Method::DELETE, &format!("/faults/{id}"), Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .admin(Method::POST, "/faults", json!({"effect": "explode"}))
            .await
            .status,
        400
    );
    client
        .admin(Method::POST, "/faults", json!({"effect": {"page_cap": 1}}))
        .await;
    client.admin(Method::DELETE, "/faults", Value::Null).await;
    assert!(simulator.faults().is_empty());
}

#[tokio::test]
async fn tokens_lose_their_worth_and_idle_connections_are_closed() {
    let (_simulator, client) = start().await;
    let reply = client
        .admin(
            Method::POST,
            "/tokens/expire",
            json!({"credential": "token 1", "seconds": 0}),
        )
        .await;
    assert_eq!(reply.json(), json!({"tokens": 1}));
    assert_eq!(
        client.list("").await.refusal(),
        (401, "APIGW.0307".to_owned())
    );
    assert_eq!(
        client
            .admin(Method::POST, "/tokens/revoke", Value::Null)
            .await
            .json(),
        json!({"tokens": 1})
    );
    assert_eq!(
        client.list("").await.refusal(),
        (401, "APIGW.0301".to_owned())
    );
    let reply = client
        .admin(Method::POST, "/connections/close-idle", Value::Null)
        .await;
    assert!(reply.json()["connections"].is_u64(), "{reply:?}");
}

#[tokio::test]
async fn keys_and_users_are_set_blocked_locked_and_removed() {
    let (simulator, client) = start().await;
    let call = async |method, path: &str, body| client.admin(method, path, body).await.status;
    let list = async |secret: &str| {
        let signer = Signer::with("NEWKEY", secret);
        let path = list_path(sample::INSTANCE);
        signer
            .send(&client, Method::GET, &path, "", "")
            .await
            .status
    };
    let key = "/access-keys/NEWKEY";
    assert_eq!(call(Method::PUT, key, json!({"secret": "s"})).await, 200);
    assert_eq!(list("s").await, 200);
    let block = format!("{key}/block");
    assert_eq!(
        call(Method::POST, &block, json!({"seconds": 60})).await,
        200
    );
    assert!(simulator.blocked_until("NEWKEY").is_some());
    assert_eq!(list("s").await, 401);
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(list("s").await, 200);
    let temporary = json!({"secret": "t", "security_token": "x"});
    assert_eq!(call(Method::PUT, key, temporary).await, 200);
    assert_eq!(list("t").await, 401, "the security token is missing");
    assert_eq!(call(Method::DELETE, key, Value::Null).await, 200);
    assert_eq!(call(Method::DELETE, key, Value::Null).await, 404);

    let user = format!("/users/{}/{}", sample::DOMAIN, sample::USER);
    let sign_in = async |password| client.sign_in(&sign_in_body(password)).await.status;
    let password = format!("{user}/password");
    assert_eq!(
        call(Method::PUT, &password, json!({"password": "p"})).await,
        200
    );
    assert_eq!(
        (sign_in("p").await, sign_in(sample::PASSWORD).await),
        (201, 401)
    );
    let lock = format!("{user}/lock");
    assert_eq!(call(Method::POST, &lock, json!({"seconds": 60})).await, 200);
    assert_eq!(sign_in("p").await, 401);
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(sign_in("p").await, 201);
    let nobody = "/users/no/body/lock";
    assert_eq!(call(Method::POST, nobody, json!({"seconds": 1})).await, 404);
}

#[tokio::test]
async fn the_manual_is_there_and_unknown_calls_are_named_as_such() {
    let (_simulator, client) = start().await;
    for path in ["", "/"] {
        let reply = client.admin(Method::GET, path, Value::Null).await;
        assert!(
            reply.status == 200 && reply.body.starts_with("# Admin API"),
            "{path:?} {reply:?}"
        );
    }
    assert_eq!(
        client
            .admin(Method::GET, "/nothing", Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(
        client
            .admin(Method::PUT, "/journal", Value::Null)
            .await
            .status,
        405
    );
}
