//! The way to the proxies, for the operator to connect to them.

use serde_json::{Value, json};

use super::{
    manifests::one,
    platforms::{by_helm, by_kustomize},
};
use crate::world::plane;

/// The rules by which the operator may connect to somewhere.
fn egress(objects: &[Value]) -> Vec<Value> {
    let rules = &one(objects, "NetworkPolicy")["spec"]["egress"];
    rules.as_array().unwrap().clone()
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_component_and_the_chart_lead_to_proxies_and_nothing_else_does() {
    let plane = &plane::bare().await;
    let with = |components: Value| {
        let kustomization = json!({"resources": ["../../base"], "components": components});
        egress(&by_kustomize(plane, &kustomization, &[]))
    };
    let (usual, more) = (with(json!([])), with(json!(["../../components/probes"])));
    assert!(
        usual.iter().all(|rule| rule.get("to").is_none()),
        "{usual:?}"
    );
    // Those of --proxy-networks, as docs/configuration.md has them.
    let blocks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let chart = by_helm(&json!({"networkPolicy": {"probeTo": blocks}}));
    assert_eq!(by_helm_alone(), usual);
    let port = |rule: &Value, field: &str| rule["ports"][0][field].clone();
    for rules in [more, egress(&chart)] {
        let [others @ .., to_proxies] = rules.as_slice() else {
            panic!("there are rules");
        };
        assert_eq!(others, usual);
        let to: Vec<Value> = blocks
            .iter()
            .map(|block| json!({"ipBlock": {"cidr": block}}))
            .collect();
        assert_eq!(to_proxies["to"], json!(to));
        assert_eq!(port(to_proxies, "port"), 1025);
        assert_eq!(port(to_proxies, "endPort"), 65_534);
    }
}

fn by_helm_alone() -> Vec<Value> {
    egress(&by_helm(&json!({})))
}
