//! Objects that an older and a newer operator have left, through every verb that reads, and those that write.

use kube::ResourceExt as _;
use serde_json::{Value, json};
use taurus_port_operator::crd::{self, APPROVE, REQUESTED_AT};
use taurus_sim::sample;

use crate::plane::{Place, Printed, status};

const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema/properties";

/// The first definition that there ever was.
fn first() -> Value {
    let text = include_str!("../../../tests/fixtures/definitions/first.yaml");
    serde_saphyr::from_str(text).unwrap()
}

/// A definition with fields and words that nobody knows yet.
fn later() -> Value {
    let mut definition = serde_json::to_value(crd::definition()).unwrap();
    for part in ["spec", "status"] {
        let schema = definition.pointer_mut(&format!("{SCHEMA}/{part}")).unwrap();
        schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
    }
    let open = json!({"type": "string"});
    for word in [
        "spec/properties/managementPolicy",
        "spec/properties/approval",
        "status/properties/change/properties/phase",
        "status/properties/lastChange/properties/outcome",
        "status/properties/history/items/properties/outcome",
        "status/properties/history/items/properties/trigger",
        "status/properties/plan/properties/waitsFor/items",
        "status/properties/failures/items/properties/cause",
    ] {
        let place = format!("{SCHEMA}/{word}");
        *definition.pointer_mut(&place).unwrap() = open.clone();
    }
    for record in [
        "status/properties/history/items",
        "status/properties/plan",
        "status/properties/change",
    ] {
        let schema = definition
            .pointer_mut(&format!("{SCHEMA}/{record}"))
            .unwrap();
        schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
    }
    definition
}

/// Makes a resource past the types of this release.
fn make(place: &Place, spec: Value, status: &Value) {
    let mut whole = json!({
        "region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE, "proxyID": sample::PROXY, "port": 3307,
    });
    for (field, value) in spec.as_object().unwrap() {
        whole[field] = value.clone();
    }
    place.apply(&json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort", "metadata": {"name": "orders"}, "spec": whole,
    }));
    let patch = json!({"status": status}).to_string();
    place.kubectl(&[
        "patch",
        "tpp",
        "orders",
        "--subresource=status",
        "--type=merge",
        "-p",
        &patch,
    ]);
}

/// `plan -f` of a manifest, as JSON.
fn planned(place: &Place, spec: Value) -> Printed {
    let manifest = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort", "metadata": {"name": "orders"}, "spec": spec,
    });
    let words = ["plan", "-f", "-", "-o", "json"];
    place.plugin_with(place.plane.kubeconfig(), &words, &manifest.to_string(), &[])
}

/// Every verb that reads; what each says of the resource.
fn read(place: &Place) -> Vec<Printed> {
    let mut printed = Vec::new();
    for format in [
        &[][..],
        &["-o", "wide"],
        &["-o", "json"],
        &["-o", "yaml"],
        &["-o", "name"],
    ] {
        for verb in [
            &["status"][..],
            &["status", "orders"],
            &["plan"],
            &["plan", "orders"],
            &["history", "orders"],
        ] {
            let said = place.plugin(&[verb, format].concat());
            // Something may be to change; nothing may be at fault.
            let good = said.code == 0 || (verb[0] == "plan" && said.code == 2);
            assert!(good, "{verb:?} {format:?}: {said:?}");
            printed.push(said);
        }
    }
    let names = place.completed(&["taurus-port", "-n", &place.namespace, "status", ""]);
    assert!(names.contains("orders"), "{names}");
    printed
}

#[taurus_needs::test]
async fn objects_of_an_older_operator_are_read_and_asked_for() {
    let place = Place::with_definition(&first()).await;
    let mut said = status("Stalled", "JobFailed", 3306);
    said["lastChange"] = json!({"id": "a", "fromPort": 3306, "toPort": 3307, "outcome": "Failed", "jobID": "job-1",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"});
    make(&place, json!({}), &said);
    let printed = read(&place);
    let all: String = printed.iter().map(|said| said.out.as_str()).collect();
    for part in [
        "Stalled",
        "JobFailed",
        "job-1",
        "only the last change is known: the operator keeps no history yet",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let spec = json!({
        "region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE, "proxyID": sample::PROXY, "port": 3308,
    });
    let plan = planned(&place, spec);
    assert!(
        matches!(plan.code, 0 | 2) && !plan.out.contains("Refused"),
        "{plan:?}"
    );
    let none = place.plugin(&["approve", "orders", "--yes"]);
    assert!(
        none.code == 1 && none.err.contains("no plan waits"),
        "{none:?}"
    );
    place.plugin(&["retry", "orders", "--yes"]).good();
    place.plugin(&["suspend", "orders"]).good();
    place.plugin(&["resume", "orders", "--yes"]).good();
    assert!(
        place
            .get("orders")
            .await
            .annotations()
            .contains_key(REQUESTED_AT)
    );
}

#[taurus_needs::test]
async fn objects_of_a_newer_operator_are_shown_with_what_nobody_knows_yet() {
    let place = Place::with_definition(&later()).await;
    let mut said = status("Reconciling", "WaitingForTheMoon", 3306);
    let entry = |id: &str| {
        json!({"id": id, "fromPort": 3305, "toPort": 3306, "outcome": "Superseded", "trigger": "Tide", "phase": 7, "jobID": "job-9",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"})
    };
    said["lastChange"] = entry("b");
    said["history"] = json!([entry("b"), entry("a")]);
    said["plan"] = json!({"id": "00112233aabbccdd", "fromPort": 3306, "toPort": 3307, "madeAt": "2026-01-01T00:00:00Z",
        "waitsFor": ["Approval", "Moon"], "warnings": ["the tide is high"], "risk": {"level": 3}});
    said["omen"] = json!({"id": "p-1"});
    let spec = json!({"managementPolicy": "Auto", "approval": "Quorum", "moonPhases": [{"start": "02:00"}]});
    make(&place, spec, &said);
    let before = place.kubectl(&["get", "tpp", "orders", "-o", "json"]);
    let printed = read(&place);
    let all: String = printed.iter().map(|said| said.out.as_str()).collect();
    for part in [
        "WaitingForTheMoon",
        "Superseded",
        "Tide",
        "job-9",
        "Auto",
        "Approval and Moon",
        "the tide is high",
        "status.omen",
        "spec.moonPhases",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let version = |text: &str| -> Value {
        let object: Value = serde_json::from_str(text).unwrap();
        object["metadata"]["resourceVersion"].clone()
    };
    let manifest = |more: &str| {
        json!({
            "region": "ap-southeast-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE, "proxyID": sample::PROXY,
            "port": 3308, "managementPolicy": "Auto", "moonPhases": more,
        })
    };
    // A definition is published some moments after it was made.
    let deadline = std::time::Instant::now() + crate::plane::PATIENCE;
    let plan = loop {
        let plan = planned(&place, manifest("full"));
        if plan.code == 2 || std::time::Instant::now() > deadline {
            break plan;
        }
    };
    assert!(
        plan.code == 2
            && plan
                .out
                .contains("does not know spec.managementPolicy, spec.moonPhases"),
        "{plan:?}"
    );
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["changes"][0]["action"], "Unknown");
    let mut wrong = manifest("full");
    wrong["port"] = json!(1033);
    let refused = planned(&place, wrong);
    assert!(
        refused.code == 1 && refused.out.contains("port is reserved"),
        "{refused:?}"
    );
    let after = place.kubectl(&["get", "tpp", "orders", "-o", "json"]);
    assert_eq!(version(&before), version(&after), "reading changes nothing");
    // What is written keeps what this release does not know.
    place.plugin(&["approve", "orders", "--yes"]).good();
    place.plugin(&["suspend", "orders"]).good();
    let object: Value =
        serde_json::from_str(&place.kubectl(&["get", "tpp", "orders", "-o", "json"])).unwrap();
    assert_eq!(
        object["metadata"]["annotations"][APPROVE],
        "00112233aabbccdd"
    );
    assert_eq!(object["spec"]["moonPhases"], json!([{"start": "02:00"}]));
    assert_eq!(object["spec"]["managementPolicy"], "Auto");
    assert_eq!(object["status"]["plan"]["risk"], json!({"level": 3}));
}
