//! Field selectors: the fields by which lists can be narrowed, and what an absent one counts as.

use std::collections::BTreeSet;

use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use taurus_port_operator::crd::{self, TaurusProxyPort};
use taurus_sim::sample;

use crate::world::plane;

/// A resource that says little, and one that says all that lists can be narrowed by.
fn resources() -> [Value; 2] {
    let head = |name: &str, spec: Value| {
        json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": name}, "spec": spec,
        })
    };
    [
        head(
            "brief",
            json!({
                "endpoint": "https://taurus.example.com", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE,
                "proxyID": sample::PROXY, "port": 3307, "credentialsRef": {"name": "keys"},
            }),
        ),
        head(
            "full",
            json!({
                "region": "ap-southeast-1", "projectID": "0".repeat(32), "instanceID": sample::OTHER_INSTANCE,
                "proxyID": sample::OTHER_PROXY, "port": 3307, "managementPolicy": "Observe",
            }),
        ),
    ]
}

fn status_of_full() -> Value {
    let at = "2026-01-01T00:00:00Z";
    json!({"status": {
        "plan": {"id": "0123456789abcdef", "fromPort": 3306, "toPort": 3307, "madeAt": at, "waitsFor": ["Approval"]},
        "change": {
            "id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": "Submitted", "attempt": 1,
            "intendedAt": at,
        },
        "lastChange": {
            "id": "b", "fromPort": 3305, "toPort": 3306, "outcome": "Failed", "startedAt": at, "finishedAt": at,
        },
    }})
}

async fn listed(api: &Api<TaurusProxyPort>, selector: &str) -> Vec<String> {
    let list = api.list(&ListParams::default().fields(selector)).await;
    list.unwrap().iter().map(ResourceExt::name_any).collect()
}

#[taurus_needs::test]
async fn lists_are_narrowed_by_each_selectable_field_and_an_absent_one_counts_as_empty() {
    let plane = plane::shared().await;
    let client = plane.client().await.unwrap();
    let namespace = plane::new_namespace(&client).await;
    let api: Api<TaurusProxyPort> = Api::namespaced(client, &namespace);
    for resource in resources() {
        let resource = serde_json::from_value(resource).unwrap();
        api.create(&PostParams::default(), &resource).await.unwrap();
    }
    let status = Patch::Merge(status_of_full());
    api.patch_status("full", &PatchParams::default(), &status)
        .await
        .unwrap();

    let zeros = "0".repeat(32);
    let values = [
        ("spec.instanceID", sample::OTHER_INSTANCE),
        ("spec.managementPolicy", "Observe"),
        ("spec.projectID", &zeros),
        ("spec.proxyID", sample::OTHER_PROXY),
        ("spec.region", "ap-southeast-1"),
        ("status.change.phase", "Submitted"),
        ("status.lastChange.outcome", "Failed"),
        ("status.plan.id", "0123456789abcdef"),
    ];
    for (field, value) in values {
        assert_eq!(listed(&api, &format!("{field}={value}")).await, ["full"]);
        assert_eq!(listed(&api, &format!("{field}!={value}")).await, ["brief"]);
        let (both, none) = (format!("{field}!="), format!("{field}="));
        if ["spec.instanceID", "spec.projectID", "spec.proxyID"].contains(&field) {
            assert_eq!(listed(&api, &both).await, ["brief", "full"], "{field}");
            assert!(listed(&api, &none).await.is_empty(), "{field}");
        } else {
            assert_eq!(listed(&api, &both).await, ["full"], "{field}");
            assert_eq!(listed(&api, &none).await, ["brief"], "{field}");
        }
    }
    // An absent policy means Enforce, and is not found by that word.
    assert!(
        listed(&api, "spec.managementPolicy=Enforce")
            .await
            .is_empty()
    );
    let running = format!(
        "spec.instanceID={},status.change.phase!=",
        sample::OTHER_INSTANCE
    );
    assert_eq!(listed(&api, &running).await, ["full"]);
    let other = ListParams::default().fields("spec.port=3307");
    let refused = api.list(&other).await.unwrap_err().to_string();
    assert!(refused.contains("field label not supported"), "{refused}");

    let definition = crd::definition();
    let fields = definition.spec.versions[0].selectable_fields.iter();
    let fields: BTreeSet<&str> = fields
        .flatten()
        .map(|field| field.json_path.trim_start_matches('.'))
        .collect();
    assert_eq!(fields, BTreeSet::from(values.map(|(field, _)| field)));
}
