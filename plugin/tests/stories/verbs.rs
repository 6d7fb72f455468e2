//! The verbs that change a resource, on the API server that judges who may set what.

use std::{sync::Arc, time::Duration};

use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;
use taurus_port_operator::crd::{ABANDON_JOB, APPLY_NOW, APPROVE, REQUESTED_AT};
use taurus_sim::sample;

use crate::plane::{Place, status};

#[taurus_needs::test]
async fn a_resource_is_suspended_and_resumed_and_nothing_is_left_behind() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let said = place.plugin(&["suspend", "orders"]).good();
    assert_eq!(
        said,
        format!(
            "{}/orders: suspended: no further change starts\n",
            place.namespace
        )
    );
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
async fn what_would_be_cut_is_resumed_by_a_yes_alone() {
    let place = Place::new().await;
    let suspended = json!({"suspend": true});
    let differs = || status("Ready", "Suspended", 3306);
    place.make("orders", suspended, differs()).await;
    for words in [&["resume", "orders"][..], &["resume", "--all"]] {
        let refused = place.plugin(words);
        assert!(
            refused.code == 1
                && refused.err.contains("from 3306 to 3307")
                && refused.err.contains("cuts the connections")
                && refused.err.contains("--yes"),
            "{refused:?}"
        );
        assert_eq!(place.get("orders").await.spec.suspend, Some(true));
    }
    let done = place.plugin(&["resume", "orders", "--yes"]).good();
    assert!(done.ends_with("/orders: resumed\n"), "{done}");
    assert_eq!(place.get("orders").await.spec.suspend, None);
    // What is at its port needs no yes, nor does what only observes.
    let other = json!({"suspend": true, "proxyID": sample::OTHER_PROXY});
    place
        .make("other", other, status("Ready", "Suspended", 3307))
        .await;
    let observed = json!({"suspend": true, "managementPolicy": "Observe"});
    place.make("observed", observed, differs()).await;
    place.plugin(&["resume", "other", "observed"]).good();
}

#[taurus_needs::test]
async fn all_of_a_namespace_where_nothing_is_there_is_a_mistake() {
    let place = Place::new().await;
    let said = format!("no resources in namespace {}", place.namespace);
    for words in [
        &["suspend", "--all", "--yes"][..],
        &["resume", "--all", "--yes"],
        &["retry", "--all", "--yes"],
        &["plan"],
        &["plan", "-o", "json"],
    ] {
        let printed = place.plugin(words);
        assert!(
            printed.code == 1 && printed.out.is_empty() && printed.err.contains(&said),
            "{words:?}: {printed:?}"
        );
    }
}

/// Answers each request for a look of these resources, as the operator does that has looked.
async fn answering(place: &Place, names: &[&str]) {
    loop {
        for name in names {
            let asked = place.get(name).await;
            let asked = asked.annotations().get(REQUESTED_AT).cloned();
            let patch = Patch::Merge(json!({"status": {"lastHandledRequest": asked}}));
            let parameters = PatchParams::default();
            let api = place.api();
            api.patch_status(name, &parameters, &patch).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_retry_that_waits_ends_when_the_operator_has_looked_and_says_where_it_has_not() {
    let place = Arc::new(Place::new().await);
    let settled = || status("Ready", "Settled", 3307);
    let other = json!({"proxyID": sample::OTHER_PROXY});
    place.make("looked", json!({}), settled()).await;
    place.make("other", other, settled()).await;
    let waited = {
        let place = Arc::clone(&place);
        move |words: &'static [&'static str]| {
            let place = Arc::clone(&place);
            let waiting = tokio::task::spawn_blocking(move || place.plugin(words));
            async move { waiting.await.unwrap() }
        }
    };
    let told = |name: &str| format!("{}/{name}: looked at (reason Settled)\n", place.namespace);
    for (words, names) in [
        (
            &["retry", "looked", "looked", "--wait", "10m"][..],
            &["looked"][..],
        ),
        (&["retry", "--all", "--wait", "10m"], &["looked", "other"]),
    ] {
        let printed = tokio::select! {
            printed = waited(words) => printed,
            () = answering(&place, names) => unreachable!("it answers for ever"),
        };
        let told: String = names.iter().map(|name| told(name)).collect();
        assert_eq!(printed.good(), told);
    }
    // Nobody answers any more; what was answered before is no answer, nor is a time that lies ahead.
    let patch = Patch::Merge(json!({"status": {"lastHandledRequest": "2999-01-01T00:00:00Z"}}));
    let parameters = PatchParams::default();
    let patched = place.api().patch_status("other", &parameters, &patch).await;
    patched.unwrap();
    let printed = waited(&["retry", "--all", "--wait", "0s"]).await;
    for name in ["looked", "other"] {
        let silent =
            format!("{name}: asked for a look, and the operator has not read the proxy within 0s");
        assert!(
            printed.code == 1 && printed.err.contains(&silent),
            "{printed:?}"
        );
    }
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
    let given = place.plugin(&["abandon-job", "orders", "--yes"]).good();
    assert!(given.contains("job job-7 is given up; "), "{given}");
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
    let asked = place.plugin(&["abandon-job", "busy", "--job", "job-8"]);
    let doubt = "the status of the resource names no such job";
    assert!(asked.code == 1 && asked.err.contains(doubt), "{asked:?}");
    let given = place.plugin(&["abandon-job", "busy", "--job", "job-8", "--yes"]);
    let given = given.good();
    assert!(
        given.contains("job job-8 is given up, though the status"),
        "{given}"
    );
    assert_eq!(place.get("busy").await.annotations()[ABANDON_JOB], "job-8");
    for job in ["", " ", "a b", "a\u{7}"] {
        let odd = place.plugin(&["abandon-job", "busy", "--job", job, "--yes"]);
        assert!(odd.code == 1 && odd.err.contains("no id"), "{odd:?}");
    }
    let none = place.plugin(&["abandon-job", "orders", "--remove"]).good();
    assert!(none.contains("nothing was changed"), "{none}");
}

#[taurus_needs::test]
async fn annotations_of_git_are_left_to_git_by_every_verb() {
    let place = Place::new().await;
    place
        .make("orders", json!({}), status("Ready", "Settled", 3307))
        .await;
    let object = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"annotations": {ABANDON_JOB: "job-1", REQUESTED_AT: "then"}},
    });
    let parameters = PatchParams::apply("kustomize-controller").force();
    let applied = place.api();
    let patch = Patch::Apply(object);
    applied.patch("orders", &parameters, &patch).await.unwrap();
    let verbs = [
        &["abandon-job", "orders", "--job", "job-2", "--yes"][..],
        &["abandon-job", "orders", "--remove"],
        &["retry", "orders"],
        &["retry", "orders", "-o", "name"],
    ];
    for verb in verbs {
        let refused = place.plugin(verb);
        assert!(
            refused.code == 1 && refused.err.contains("is set by kustomize-controller"),
            "{verb:?}: {refused:?}"
        );
        assert_eq!(refused.out, "", "{verb:?}");
    }
    let annotations = place.get("orders").await.annotations().clone();
    assert_eq!(
        (&*annotations[ABANDON_JOB], &*annotations[REQUESTED_AT]),
        ("job-1", "then")
    );
    place
        .plugin(&["retry", "orders", "--force-conflicts"])
        .good();
    let forced = ["abandon-job", "orders", "--remove", "--force-conflicts"];
    place.plugin(&forced).good();
    let annotations = place.get("orders").await.annotations().clone();
    assert_ne!(annotations[REQUESTED_AT], "then");
    assert_eq!(annotations.get(ABANDON_JOB), None);
}

/// A status in which a plan waits.
fn waiting(id: &str) -> serde_json::Value {
    let mut said = status("Reconciling", "WaitingForApproval", 3306);
    said["plan"] = json!({"id": id, "fromPort": 3306, "toPort": 3307, "madeAt": "2026-01-01T00:00:00Z",
        "notBefore": "2026-01-02T02:00:00Z", "waitsFor": ["Approval", "Window"]});
    said
}

#[taurus_needs::test]
async fn exactly_the_plan_in_force_is_approved_by_a_person_who_has_seen_it() {
    let place = Place::new().await;
    let manual = json!({"approval": "Manual"});
    place
        .make("orders", manual, waiting("00112233aabbccdd"))
        .await;
    let annotation = async |name: &str| place.get("orders").await.annotations().get(name).cloned();

    let unasked = place.plugin(&["approve", "orders"]);
    assert_eq!(unasked.code, 1);
    for part in [
        "plan 00112233aabbccdd (port 3306 to 3307); the change cuts the connections",
        "waits for   Approval and Window",
        "not before  2026-01-02T02:00:00Z",
        "--yes",
    ] {
        assert!(unasked.err.contains(part), "{part}: {unasked:?}");
    }
    let other = place.plugin(&["approve", "orders", "ffff", "--yes"]);
    assert!(
        other.code == 1
            && other
                .err
                .contains("plan ffff is not the plan in status.plan"),
        "{other:?}"
    );
    let dry = place.plugin(&["approve", "orders", "--dry-run=server"]);
    assert!(dry.good().contains("server dry run"));
    assert_eq!(annotation(APPROVE).await, None);

    let done = place.plugin(&["approve", "orders", "00112233aabbccdd", "--yes"]);
    assert_eq!(
        done.good(),
        format!(
            "{}/orders: plan 00112233aabbccdd is approved\n",
            place.namespace
        )
    );
    assert_eq!(
        annotation(APPROVE).await.as_deref(),
        Some("00112233aabbccdd")
    );
    let again = place.plugin(&["approve", "orders"]).good();
    assert!(again.contains("approved already"), "{again}");
    let version = place.get("orders").await.resource_version();

    place.plugin(&["apply-now", "orders", "--yes"]).good();
    assert_eq!(
        annotation(APPLY_NOW).await.as_deref(),
        Some("00112233aabbccdd")
    );
    assert_ne!(place.get("orders").await.resource_version(), version);
    let managers = place.get("orders").await;
    let ours = managers.managed_fields().iter();
    let mut ours = ours.filter(|entry| entry.manager.as_deref() == Some("taurus-port-plugin"));
    assert!(ours.all(|entry| entry.operation.as_deref() == Some("Update")));

    place
        .make("ready", json!({}), status("Ready", "Settled", 3307))
        .await;
    let none = place.plugin(&["approve", "ready", "--yes"]);
    assert!(
        none.code == 1 && none.err.contains("no plan waits (reason Settled)"),
        "{none:?}"
    );
}

#[taurus_needs::test]
async fn an_annotation_that_git_sets_is_left_to_git() {
    let place = Place::new().await;
    place
        .make(
            "orders",
            json!({"approval": "Manual"}),
            waiting("00112233aabbccdd"),
        )
        .await;
    let object = json!({"apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"annotations": {APPROVE: "0000000000000000"}}});
    let parameters = PatchParams::apply("kustomize-controller").force();
    place
        .api()
        .patch("orders", &parameters, &Patch::Apply(object))
        .await
        .unwrap();
    let refused = place.plugin(&["approve", "orders", "--yes"]);
    assert!(
        refused.code == 1 && refused.err.contains("kustomize-controller"),
        "{refused:?}"
    );
    let forced = ["approve", "orders", "--yes", "--force-conflicts"];
    place.plugin(&forced).good();
    let approved = place.get("orders").await.annotations()[APPROVE].clone();
    assert_eq!(approved, "00112233aabbccdd");
}

/// The sample policy, for the namespace of this story alone.
#[taurus_needs::test]
async fn who_may_not_approve_is_told_which_right_is_missing() {
    let place = Place::new().await;
    let namespace = place.namespace.as_str();
    let name = format!("taurus-approval-{namespace}");
    let text = include_str!("../../../deploy/policies/approval.yaml")
        .replace("taurus-approval", &name)
        .replace("taurus-port-approver", &format!("approver-{namespace}"))
        .replace(
            "  matchConstraints:\n",
            &format!("  matchConstraints:\n    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}\n"),
        );
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    place.kubectl(&["apply", "-f", file.path().to_str().unwrap()]);
    place
        .make(
            "orders",
            json!({"approval": "Manual"}),
            waiting("00112233aabbccdd"),
        )
        .await;
    let role = "--resource=taurusproxyports.taurusdb.huaweicloud.com";
    let account = async |name: &str, verbs: &str| {
        place.kubectl(&["create", "serviceaccount", name]);
        place.kubectl(&["create", "role", name, &format!("--verb={verbs}"), role]);
        let subject = format!("--serviceaccount={namespace}:{name}");
        place.kubectl(&[
            "create",
            "rolebinding",
            name,
            &format!("--role={name}"),
            &subject,
        ]);
        let text = place
            .plane
            .service_account_kubeconfig(namespace, name)
            .await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text.unwrap()).unwrap();
        file
    };
    let editor = account("editor", "get,list,patch,update").await;
    let approver = account("approver", "get,list,patch,update,approve").await;
    let approve = |file: &tempfile::NamedTempFile, how: &str| {
        place.plugin_with(file.path(), &["approve", "orders", how], "", &[])
    };
    // A policy counts some moments after it was made.
    let deadline = std::time::Instant::now() + crate::plane::PATIENCE;
    let refused = loop {
        let printed = approve(&editor, "--dry-run=server");
        if printed.code == 1 {
            break printed;
        }
        assert!(std::time::Instant::now() < deadline, "{printed:?}");
    };
    assert!(
        refused.err.contains("needs the verb approve")
            && refused.err.contains("(ClusterRole approver-"),
        "{refused:?}"
    );
    // What may not be looked at is told, and keeps nobody from approving.
    let done = approve(&approver, "--yes");
    assert!(done.err.contains("unseen"), "{done:?}");
    assert!(done.good().contains("is approved"));
}

#[taurus_needs::test]
async fn the_last_changes_are_listed_newest_first() {
    let place = Place::new().await;
    let entry = |id: &str, from: u16, to: u16, outcome: &str| {
        json!({"id": id, "fromPort": from, "toPort": to, "trigger": "Edit", "outcome": outcome, "jobID": format!("job-{id}"),
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"})
    };
    let mut said = status("Ready", "Settled", 3307);
    said["lastChange"] = entry("2", 3306, 3307, "Succeeded");
    said["history"] = json!([
        entry("2", 3306, 3307, "Succeeded"),
        entry("1", 3306, 3307, "Failed")
    ]);
    place.make("orders", json!({}), said).await;
    let table = place.plugin(&["history", "orders"]).good();
    let places = ["job-2", "job-1"].map(|job| table.find(job).unwrap());
    assert!(places.is_sorted(), "{table}");
    let history = place.plugin(&["history", "orders", "-o", "json"]).json();
    assert_eq!(history["history"].as_array().unwrap().len(), 2);
    assert_eq!(history["history"][1]["outcome"], "Failed");
    let one = place.plugin(&["status", "orders"]).good();
    assert!(one.contains("Failed (Edit)"), "{one}");
    // The API server takes no eleventh.
    let many: Vec<_> = (0..11)
        .map(|id| entry(&id.to_string(), 3306, 3307, "Void"))
        .collect();
    let patch = Patch::Merge(json!({"status": {"history": many}}));
    let written = place
        .api()
        .patch_status("orders", &PatchParams::default(), &patch)
        .await;
    assert!(written.unwrap_err().to_string().contains("status.history"));
}
