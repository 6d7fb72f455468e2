//! Maintenance of instances and proxies: other statuses for a while, or nobody there.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{ControlError, Maintenance, sample};

use crate::client::{seconds, start};

#[tokio::test]
async fn a_scheduled_maintenance_comes_and_goes_with_the_clock() {
    let (simulator, client) = start().await;
    let upgrade = Maintenance::showing(sample::INSTANCE, "MODIFYING INSTANCE TYPE")
        .after(seconds(60))
        .lasting(seconds(300));
    simulator.maintain(upgrade).unwrap();
    let status = async || {
        let path = format!("/v3/{}/instances/{}", sample::PROJECT, sample::INSTANCE);
        client.get(&path).await.json()["instance"]["status"].clone()
    };
    assert_eq!(status().await, "ACTIVE");
    simulator.advance(seconds(60)).unwrap();
    assert_eq!(status().await, "MODIFYING INSTANCE TYPE");
    assert_eq!(
        client.change(3307).await.refusal(),
        (409, "DBS.201014".to_owned())
    );
    assert_eq!(client.listed().await.0, "ACTIVE", "the proxy's is its own");
    simulator.advance(seconds(300)).unwrap();
    assert_eq!(status().await, "ACTIVE");
    client.accepted(3307).await;
}

#[tokio::test]
async fn a_proxy_shows_the_status_of_its_maintenance_until_it_is_ended() {
    let (simulator, client) = start().await;
    let word = "DELETING READ REPLICAS FROM PROXY";
    simulator
        .maintain(Maintenance::showing(sample::PROXY, word))
        .unwrap();
    assert_eq!(client.listed().await.0, word);
    assert_eq!(client.change(3307).await.status, 409);
    simulator.end_maintenance();
    assert_eq!(client.listed().await.0, "ACTIVE");
}

#[tokio::test]
async fn proxies_and_instances_vanish_and_return_by_schedule() {
    let (simulator, client) = start().await;
    let proxy = Maintenance::absent(sample::PROXY).lasting(seconds(10));
    let instance = Maintenance::absent(sample::INSTANCE)
        .after(seconds(20))
        .lasting(seconds(10));
    simulator.maintain(proxy).unwrap();
    simulator.maintain(instance).unwrap();
    assert_eq!(client.list("").await.json(), json!({"proxy_list": []}));
    assert!(!simulator.proxy(sample::PROXY).unwrap().present);
    simulator.advance(seconds(10)).unwrap();
    assert_eq!(client.listed().await.1, 3306);
    simulator.advance(seconds(10)).unwrap();
    assert_eq!(client.list("").await.status, 404);
    simulator.advance(seconds(10)).unwrap();
    assert_eq!(client.listed().await.1, 3306);
    let nobody = simulator.maintain(Maintenance::absent("nobody"));
    assert_eq!(nobody, Err(ControlError::Nothing("nobody".to_owned())));
}

#[tokio::test]
async fn the_admin_api_schedules_shows_and_ends_it() {
    let (_simulator, client) = start().await;
    let path = "/maintenance";
    let body = json!({"of": sample::PROXY, "lasting": 60, "status": "ADDING PROXY NODE"});
    let reply = client.admin(Method::POST, path, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(client.listed().await.0, "ADDING PROXY NODE");
    let shown = client.admin(Method::GET, path, Value::Null).await.json();
    assert_eq!(
        (
            &shown["maintenance"][0]["of"],
            &shown["maintenance"][0]["lasting"]
        ),
        (&json!(sample::PROXY), &json!(60))
    );
    for (body, status) in [(json!({"of": "nobody"}), 404), (json!({"off": "x"}), 400)] {
        assert_eq!(client.admin(Method::POST, path, body).await.status, status);
    }
    client.admin(Method::DELETE, path, Value::Null).await;
    assert_eq!(client.listed().await.0, "ACTIVE");
}
