//! Which policies of Cilium are named, for pods that are there and for pods that may come.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::json;

use super::*;

fn object(name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

/// The names of the policies that are named, of those for all namespaces, in a namespace with pods that have these labels.
fn named(policies: &[(&str, Value)], pods: &[Value]) -> Vec<String> {
    let objects = policies.iter().map(|(name, spec)| object(name, spec));
    let pods = pods.iter().map(|labels| ObjectMeta {
        labels: serde_json::from_value(labels.clone()).unwrap(),
        ..ObjectMeta::default()
    });
    let found = Found {
        namespace: serde_json::from_value(json!({"name": "shop", "labels": {"team": "sales"}}))
            .unwrap(),
        clients: Clients::Pods(pods.collect()),
        clusterwide: Arc::new(objects.collect()),
        ..Found::default()
    };
    let moved = Move {
        namespace: "shop".to_owned(),
        address: Some("10.0.0.7".to_owned()),
        from: 3306,
        to: 3307,
        ..Move::default()
    };
    let touched = touched(&found, &moved).into_iter();
    touched.map(|touched| touched.name).collect()
}

fn rule(ports: &[&str]) -> Value {
    let ports: Vec<Value> = ports.iter().map(|port| json!({"port": port})).collect();
    json!([{"toCIDR": ["10.0.0.0/8"], "toPorts": [{"ports": ports}]}])
}

/// One that allows the old port alone.
fn old(selector: &Value) -> Value {
    json!({"endpointSelector": selector, "egress": rule(&["3306"])})
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_policy_for_nodes_or_for_pods_elsewhere_is_not_named() {
    let labels = |name: &str, value: &str| json!({"matchLabels": {name: value}});
    let meets = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
    let namespace = "k8s:io.kubernetes.pod.namespace";
    let of_namespace = "k8s:io.cilium.k8s.namespace.labels.team";
    for (selector, is_named) in [
        (json!({}), true),
        (labels(namespace, "shop"), true),
        (labels(namespace, "other"), false),
        (labels("io.kubernetes.pod.namespace", "other"), false),
        (meets(namespace, "In", &["other", "shop"]), true),
        (meets(namespace, "NotIn", &["shop"]), false),
        (labels(of_namespace, "sales"), true),
        (labels(of_namespace, "finance"), false),
        (labels("app", "web"), true),
        (labels("k8s:app", "web"), true),
        (labels("any:app", "db"), false),
        (meets("app", "Exists", &[]), true),
        (meets("app", "DoesNotExist", &[]), false),
        (meets("tier", "DoesNotExist", &[]), true),
        (labels("reserved:host", ""), false),
        // Which account a pod runs as is not read.
        (labels("io.cilium.k8s.policy.serviceaccount", "web"), true),
    ] {
        let found = named(&[("p", old(&selector))], &[json!({"app": "web"})]);
        assert_eq!(!found.is_empty(), is_named, "{selector}");
    }
    let of_nodes = json!({"nodeSelector": {}, "egress": rule(&["3306"])});
    assert_eq!(named(&[("p", of_nodes)], &[json!({})]), NOTHING);
}

#[test]
fn before_there_are_pods_any_may_come_with_any_labels_but_not_to_another_namespace() {
    for (labels, is_named) in [
        (json!({"app": "web"}), true),
        (json!({"k8s:io.kubernetes.pod.namespace": "shop"}), true),
        (json!({"k8s:io.kubernetes.pod.namespace": "other"}), false),
    ] {
        let selector = json!({"matchLabels": labels});
        let found = named(&[("p", old(&selector))], &[]);
        assert_eq!(!found.is_empty(), is_named, "{selector}");
    }
}

#[test]
fn policies_of_a_pod_add_up_and_what_one_denies_no_other_allows() {
    let all = json!({});
    let web = json!({"matchLabels": {"app": "web"}});
    let db = json!({"matchLabels": {"app": "db"}});
    let allows = |selector: &Value, ports: &[&str]| json!({"endpointSelector": selector, "egress": rule(ports)});
    let denies = |selector: &Value, ports: &[&str]| json!({"endpointSelector": selector, "egressDeny": rule(ports)});
    let pods = [json!({"app": "web"}), json!({"app": "db"})];
    for (one, other, expected) in [
        (allows(&all, &["3306"]), allows(&all, &["3307"]), &[][..]),
        (allows(&web, &["3306"]), allows(&all, &["3307"]), &[]),
        (allows(&all, &["3306"]), allows(&web, &["3307"]), &["one"]),
        (allows(&web, &["3306"]), allows(&db, &["3307"]), &["one"]),
        // The old port is shut already.
        (allows(&all, &["3306"]), denies(&all, &["3306"]), &[]),
        (
            allows(&all, &["3306", "3307"]),
            denies(&all, &["3307"]),
            &["other"],
        ),
        (allows(&web, &["3306", "3307"]), denies(&db, &["3307"]), &[]),
        // Of what is denied, nothing was let through before.
        (denies(&all, &["3307"]), denies(&all, &["3308"]), &[]),
    ] {
        let policies = [("one", one), ("other", other)];
        assert_eq!(named(&policies, &pods), expected, "{policies:?}");
    }
}

#[test]
fn a_deny_beside_what_is_allowed_by_default_is_named_and_an_empty_rule_allows_nothing() {
    let denies = json!({
        "endpointSelector": {}, "egressDeny": rule(&["3307"]), "enableDefaultDeny": {"egress": false},
    });
    assert_eq!(named(&[("p", denies)], &[json!({})]), ["p"]);
    let old = ("old", old(&json!({})));
    let empty = ("empty", json!({"endpointSelector": {}, "egress": [{}]}));
    assert_eq!(named(&[old, empty], &[json!({})]), ["old"]);
}
