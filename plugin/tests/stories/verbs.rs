//! The verbs that change a resource, on the API server that judges who may set what.

use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;
use taurus_port_operator::crd::{ABANDON_JOB, REQUESTED_AT};

use crate::plane::{Place, status};

#[taurus_needs::test]
async fn a_resource_is_suspended_and_resumed_and_nothing_is_left_behind() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let said = place.plugin(&["suspend", "orders"]).good();
    assert_eq!(said, format!("{}/orders: suspended\n", place.namespace));
    assert_eq!(place.get("orders").await.spec.suspend, Some(true));
    assert!(
        place
            .plugin(&["suspend", "orders"])
            .good()
            .contains("already")
    );
    place.plugin(&["resume", "orders"]).good();
    let resumed = place.get("orders").await;
    assert_eq!(resumed.spec.suspend, None);
    let managers = resumed.managed_fields().iter();
    let owners = managers.filter(|entry| {
        let fields = entry.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.pointer("/f:spec/f:suspend").is_some())
    });
    assert_eq!(owners.count(), 0, "{:?}", resumed.managed_fields());
}

#[taurus_needs::test]
async fn what_git_sets_is_left_to_git() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let by_git = |suspend: bool| {
        let object = json!({"apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort", "spec": {"suspend": suspend}});
        let parameters = PatchParams::apply("kustomize-controller").force();
        let api = place.api();
        async move {
            api.patch("orders", &parameters, &Patch::Apply(object))
                .await
                .unwrap()
        }
    };
    by_git(false).await;
    let refused = place.plugin(&["suspend", "orders"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("kustomize-controller"), "{refused:?}");
    assert_eq!(place.get("orders").await.spec.suspend, Some(false));
    place
        .plugin(&["suspend", "orders", "--force-conflicts"])
        .good();
    assert_eq!(place.get("orders").await.spec.suspend, Some(true));
    by_git(true).await;
    let refused = place.plugin(&["resume", "orders"]);
    assert!(
        refused.code == 1 && refused.err.contains("kustomize-controller"),
        "{refused:?}"
    );
    place
        .plugin(&["resume", "orders", "--force-conflicts"])
        .good();
    assert_eq!(place.get("orders").await.spec.suspend, None);
}

#[taurus_needs::test]
async fn what_may_cut_connections_needs_a_yes_and_what_does_not_needs_none() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Stalled", "JobFailed", 3306))
        .await;
    place
        .make("settled", json!({}), status("Ready", "Settled", 3307))
        .await;
    let refused = place.plugin(&["retry", "orders"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("from 3306 to 3307") && refused.err.contains("--yes"),
        "{refused:?}"
    );
    assert_eq!(
        place.get("orders").await.annotations().get(REQUESTED_AT),
        None
    );
    place.plugin(&["retry", "settled"]).good();
    place.plugin(&["retry", "--all", "--yes"]).good();
    let first = place.get("orders").await.annotations()[REQUESTED_AT].clone();
    place.plugin(&["retry", "orders", "--yes"]).good();
    assert_ne!(
        place.get("orders").await.annotations()[REQUESTED_AT],
        first,
        "each retry is a new one"
    );
    // The operator's own field is not touched.
    assert_eq!(place.get("orders").await.status.unwrap().port, Some(3306));
}

#[taurus_needs::test]
async fn a_job_is_given_up_by_its_id_and_taken_back() {
    let place = Place::new().await;
    let mut running = status("Stalled", "JobOverdue", 3306);
    running["change"] = json!({"id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": "Submitted", "attempt": 1,
        "jobID": "job-7", "intendedAt": "2026-01-01T00:00:00Z"});
    place.make("orders", json!({}), running).await;
    place
        .make("busy", json!({}), status("Reconciling", "ProxyBusy", 3306))
        .await;
    assert_eq!(
        place.plugin(&["abandon-job", "orders"]).code,
        1,
        "nobody agreed"
    );
    place.plugin(&["abandon-job", "orders", "--yes"]).good();
    assert_eq!(
        place.get("orders").await.annotations()[ABANDON_JOB],
        "job-7"
    );
    place.plugin(&["abandon-job", "orders", "--remove"]).good();
    assert_eq!(
        place.get("orders").await.annotations().get(ABANDON_JOB),
        None
    );
    let without = place.plugin(&["abandon-job", "busy", "--yes"]);
    assert!(
        without.code == 1 && without.err.contains("--job"),
        "{without:?}"
    );
    place
        .plugin(&["abandon-job", "busy", "--job", "job-8", "--yes"])
        .good();
    assert_eq!(place.get("busy").await.annotations()[ABANDON_JOB], "job-8");
}
