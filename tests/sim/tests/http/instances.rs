//! The list of instances: its fields, its pages, whom it belongs to.

use serde_json::Value;
use taurus_sim::{Filter, Fleet, Operation, Options, sample};

use crate::client::{Client, Reply, start, start_with};

async fn list(client: &Client, query: &str) -> Reply {
    let path = format!("/v3/{}/instances{query}", sample::PROJECT);
    client.get(&path).await
}

fn ids(reply: &Reply) -> Vec<String> {
    let json = reply.json();
    let rows = json["instances"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn each_row_names_the_instance_and_the_addresses_of_its_proxies() {
    let (simulator, client) = start().await;
    let reply = list(&client, "").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["total_count"], 2);
    assert_eq!(ids(&reply), [sample::INSTANCE, sample::OTHER_INSTANCE]);
    let row = &reply.json()["instances"][0];
    assert_eq!(row["status"], "ACTIVE");
    assert!(row["name"].is_string() && row["tags"].is_array());
    assert_eq!(row["proxy_ips"].as_array().map(Vec::len), Some(1));
    let newer = format!("/v3.1/{}/instances", sample::PROJECT);
    let newer = client.get(&newer).await;
    assert_eq!(ids(&newer), ids(&reply));
    assert_eq!(simulator.count(&Filter::on(Operation::Instances)), 2);
}

#[tokio::test]
async fn pages_follow_each_other_and_end() {
    let fleet = Fleet::sample().numbered(230);
    let (_simulator, client) = start_with(Options::stepped().fleet(fleet)).await;
    let mut found = Vec::new();
    loop {
        let page = ids(&list(&client, &format!("?offset={}&limit=100", found.len())).await);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 100);
        found.extend(page);
    }
    let total = list(&client, "?limit=1").await.json()["total_count"].clone();
    assert_eq!(total, Value::from(found.len()));
    found.sort_unstable();
    found.dedup();
    assert_eq!(total, Value::from(found.len()), "each once");
    for limit in ["0", "101", "x"] {
        assert_eq!(
            list(&client, &format!("?limit={limit}")).await.status,
            400,
            "{limit}"
        );
    }
}

#[tokio::test]
async fn names_can_be_looked_for_and_another_project_shows_nothing_of_this_one() {
    let (_simulator, client) = start().await;
    let name = list(&client, "").await.json()["instances"][1]["name"].clone();
    let name = name.as_str().unwrap();
    for wanted in [name.to_owned(), format!("*{}", &name[3..])] {
        let found = ids(&list(&client, &format!("?name={wanted}")).await);
        assert_eq!(found, [sample::OTHER_INSTANCE], "{wanted}");
    }
    let other = format!("/v3/{}/instances", "0".repeat(32));
    let other = client.get(&other).await;
    assert_eq!(other.status, 403);
}

#[tokio::test]
async fn details_are_told_of_twenty_at_once_and_have_a_maintenance_window_that_can_move() {
    let (simulator, client) = start().await;
    let details = async |ids: &str| {
        let path = format!("/v3/{}/instances/details{ids}", sample::PROJECT);
        client.get(&path).await
    };
    let both = format!(
        "?instance_ids={},{}",
        sample::INSTANCE,
        sample::OTHER_INSTANCE
    );
    simulator
        .set_instance_window(sample::OTHER_INSTANCE, "01:00-05:00")
        .unwrap();
    let reply = details(&both).await;
    assert_eq!(ids(&reply), [sample::INSTANCE, sample::OTHER_INSTANCE]);
    let windows = reply.json()["instances"].clone();
    assert_eq!(windows[0]["maintenance_window"], "18:00-22:00");
    assert_eq!(windows[1]["maintenance_window"], "01:00-05:00");
    let unknown = details("?instance_ids=nothing").await;
    assert!(ids(&unknown).is_empty());
    let many = vec!["x"; 21].join(",");
    for bad in [
        String::new(),
        "?instance_ids=".to_owned(),
        format!("?instance_ids={many}"),
    ] {
        assert_eq!(details(&bad).await.status, 400, "{bad}");
    }
    assert_eq!(simulator.count(&Filter::on(Operation::Details)), 5);
}
