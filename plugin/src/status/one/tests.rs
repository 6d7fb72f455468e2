use serde_json::json;

use super::*;
use crate::{cluster::kind, described::describes};

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn object(data: Value) -> DynamicObject {
    let mut object = DynamicObject::new("orders", &kind())
        .within("shop")
        .data(data);
    object.metadata.generation = Some(2);
    object
}

fn shown(data: Value, columns: usize) -> String {
    let terminal = Terminal {
        columns: Some(columns),
        ..Terminal::default()
    };
    let neighbours = (0..6)
        .map(|number| format!("shop/other-{number}"))
        .collect();
    One::of(&object(data))
        .with_neighbours(Neighbours::Seen(neighbours))
        .shown(terminal, now())
}

fn spec() -> Value {
    json!({
        "region": "ap-southeast-1", "projectID": "0483b6b16e954cb88930a360d2c4e663",
        "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07", "proxyID": "4d1f0a77c2b94e5f8a6031d7be92c405po01",
        "port": 3308, "credentialsRef": {"name": "taurus-credentials"},
    })
}

/// Everything that a status can hold.
fn busy() -> Value {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-03-02T11:55:00Z"})
    };
    json!({"spec": spec(), "status": {
        "observedGeneration": 2, "port": 3307, "address": "10.0.0.7", "proxyName": "orders-proxy", "proxyStatus": "ACTIVE",
        "change": {"id": "c", "fromPort": 3307, "toPort": 3308, "generation": 2, "phase": "Submitted", "attempt": 2,
            "jobID": "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541", "intendedAt": "2026-03-02T11:58:00Z"},
        "lastChange": {"id": "b", "fromPort": 3306, "toPort": 3307, "outcome": "Succeeded",
            "startedAt": "2026-03-01T10:00:00Z", "finishedAt": "2026-03-01T10:01:40Z"},
        "failures": [{"port": 3308, "failed": 1, "void": 0, "cause": "JobFailed", "lastAt": "2026-03-02T11:50:00Z",
            "message": "node unreachable"}],
        "corrections": {"times": ["2026-03-02T01:00:00Z"]},
        "conditions": [
            condition("PortInSync", "False", "PortDiffers", "port 3307 was read last, wanted is 3308"),
            condition("Ready", "False", "JobRunning", "the cloud works on the change from port 3307 to 3308"),
            condition("Reconciling", "True", "JobRunning", "the cloud works on the change from port 3307 to 3308"),
        ],
    }})
}

#[test]
fn a_change_in_progress_is_told_on_one_screen() {
    let text = shown(busy(), 80);
    assert!(text.lines().count() <= 24, "{text}");
    for line in text.lines() {
        assert!(console::measure_text_width(line) <= 80, "{line}");
    }
    insta::assert_snapshot!("one-busy", text);
}

#[test]
fn a_new_resource_says_that_nothing_is_known() {
    insta::assert_snapshot!("one-new", shown(json!({"spec": spec()}), 200));
}

#[test]
fn fields_and_conditions_of_a_later_release_are_shown() {
    let mut data = busy();
    data["spec"]["moonPhases"] = json!([{"start": "02:00"}]);
    data["status"]["omen"] = json!({"id": "p-1"});
    data["status"]["change"]["phase"] = json!("Draining");
    let conditions = data["status"]["conditions"].as_array_mut().unwrap();
    conditions.push(json!({"type": "ServicePublished", "status": "False", "reason": "NameTaken", "message": "by another"}));
    let text = shown(data, 200);
    for part in [
        r#"spec.moonPhases [{"start":"02:00"}]"#,
        r#"status.omen {"id":"p-1"}"#,
        "Draining",
        "ServicePublished False NameTaken by another",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn an_older_status_of_other_types_is_no_reason_to_fail() {
    let text = shown(
        json!({"spec": "none", "status": {"conditions": {"Ready": true}, "failures": 3, "lastChange": "x"}}),
        80,
    );
    assert!(text.starts_with("shop/orders: Unknown"), "{text}");
}

#[test]
fn what_a_change_waits_for_and_where_applications_find_the_proxy_is_told() {
    let mut data = busy();
    let status = data["status"].as_object_mut().unwrap();
    status.remove("change");
    status.insert(
        "plan".to_owned(),
        json!({"id": "00112233aabbccdd", "fromPort": 3307, "toPort": 3308, "waitsFor": ["Window", "Approval"],
            "notBefore": "2026-03-03T02:00:00Z", "warnings": ["a policy shuts it out"]}),
    );
    status.insert(
        "service".to_owned(),
        json!({"name": "orders-db", "clusterIP": "10.96.0.9", "port": 3306, "endpoint": "10.0.0.7:3307"}),
    );
    let text = shown(data, 200);
    for part in [
        "next      3307 to 3308, not before 2026-03-03T02:00:00Z, waits for Window and Approval, plan 00112233aabbccdd",
        "warning   a policy shuts it out",
        "service   orders-db 10.96.0.9:3306, leads to 10.0.0.7:3307",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn who_has_approved_a_plan_or_hurried_it_is_shown_for_that_plan_alone() {
    let mut data = busy();
    let plan =
        json!({"id": "00112233aabbccdd", "fromPort": 3307, "toPort": 3308, "waitsFor": ["Window"]});
    data["status"].as_object_mut().unwrap().remove("change");
    data["status"]["plan"] = plan;
    assert!(!shown(data.clone(), 200).contains("approved by"));
    data["spec"]["approvedPlan"] = json!("00112233aabbccdd");
    let text = shown(data.clone(), 200);
    assert!(
        text.contains("plan 00112233aabbccdd, approved by spec.approvedPlan"),
        "{text}"
    );
    data["spec"]["approvedPlan"] = json!("ffffffffffffffff");
    assert!(!shown(data.clone(), 200).contains("approved by"));
    let mut object = object(data);
    for name in [crd::APPROVE, crd::APPLY_NOW] {
        let annotations = object.metadata.annotations.get_or_insert_default();
        annotations.insert(name.to_owned(), " 00112233aabbccdd".to_owned());
    }
    let one = One::of(&object);
    let granted: Vec<_> = one.granted("00112233aabbccdd").collect();
    assert_eq!(granted.len(), 2, "{granted:?}");
    assert_eq!(one.granted("0000000000000000").count(), 0);
}

#[test]
fn the_schema_takes_what_is_printed_of_one_resource() {
    let neighbours = Neighbours::Seen(vec!["shop/other".to_owned()]);
    let one = One::of(&object(busy())).with_neighbours(neighbours);
    let whole = serde_json::to_value(&one).unwrap();
    let schema = include_str!("../../../schemas/status.json");
    assert!(describes(schema, &whole), "{whole:#}");
    let mut wrong = whole;
    wrong["neighbours"] = json!("shop/other");
    assert!(!describes(schema, &wrong));
}
