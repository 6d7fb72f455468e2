//! Rules of security groups: pages, filters, and those that somebody adds and deletes.

use reqwest::Method;
use serde_json::{Value, json};
use taurus_sim::{GroupRule, sample};

use crate::client::{Client, Reply, start};

const PATH: &str = "vpc/security-group-rules";

async fn rules(client: &Client, query: &str) -> Reply {
    let path = format!("/v3/{}/{PATH}{query}", sample::PROJECT);
    client.get(&path).await
}

fn ids(reply: &Reply) -> Vec<String> {
    let rules = reply.json()["security_group_rules"].clone();
    let rules = rules.as_array().unwrap().iter();
    rules
        .map(|rule| rule["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_page_ends_with_the_marker_of_the_next_unless_it_is_the_last() {
    let (simulator, client) = start().await;
    let all = ids(&rules(&client, "").await);
    assert_eq!(all.len(), simulator.group_rules().len());
    let mut met = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let reply = rules(&client, &query).await;
        let page = ids(&reply);
        assert_eq!(page.len(), 1);
        met.extend(page);
        match reply.json()["page_info"]["next_marker"].clone() {
            Value::String(marker) => query = format!("?limit=1&marker={marker}"),
            none => {
                assert_eq!(none, Value::Null);
                break;
            }
        }
    }
    assert_eq!(met, all);
    assert_eq!(rules(&client, "?limit=2001").await.status, 400);
}

#[tokio::test]
async fn rules_are_asked_for_by_group_and_direction() {
    let (simulator, client) = start().await;
    let other = GroupRule {
        security_group_id: "another".to_owned(),
        ..GroupRule::default()
    };
    let other = simulator.add_group_rule(other);
    let of_sample = format!(
        "?security_group_id={}&direction=ingress",
        sample::SECURITY_GROUP
    );
    let found = ids(&rules(&client, &of_sample).await);
    assert_eq!(found.len(), 2);
    assert!(!found.contains(&other));
    assert_eq!(
        ids(&rules(&client, "?security_group_id=another").await),
        std::slice::from_ref(&other)
    );
    simulator.delete_group_rule(&other).unwrap();
    assert!(simulator.delete_group_rule(&other).is_err());
    assert!(ids(&rules(&client, "?security_group_id=another").await).is_empty());
}

#[tokio::test]
async fn a_rule_that_is_added_by_the_admin_api_is_there_at_once() {
    let (_simulator, client) = start().await;
    let added = client
        .admin(
            Method::POST,
            "/security-group-rules",
            json!({"multiport": "3307", "remote_ip_prefix": "10.0.0.0/8"}),
        )
        .await;
    let id = added.json()["id"].as_str().unwrap().to_owned();
    let reply = rules(&client, "").await;
    let rule = reply.json()["security_group_rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["id"] == id.as_str())
        .cloned()
        .unwrap();
    assert_eq!(rule["multiport"], "3307");
    assert_eq!(rule["security_group_id"], sample::SECURITY_GROUP);
}
