//! What people are told of a resource that is no transition of its state.
//!
//! Promises to tell once what is about a new resource, with the first status that is written for it; and of drift that was put right
//! with the status that has the end of the change.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::{
        context::Context,
        events::{self, Kind, News},
    },
    crd::{ASKED_WITH, Outcome, PlanRecord, TaurusProxyPort},
    model::Class,
    plan::{drift, facts::Preflight, record::Record},
    preflight::warnings,
};

/// The reason of the event that says what a missing `managementPolicy` means.
const POLICY_NOT_SET: &str = "PolicyNotSet";

/// The reason of the event that says that a port was put right which moved without the operator.
const DRIFT_CORRECTED: &str = "DriftCorrected";

/// The reason of the event that says what a change would break in the cluster.
const PREFLIGHT: &str = "PreflightWarnings";

/// Says what the change that is planned would break, as far as the plan did not say so before.
pub(super) fn of_preflight(
    context: &Context,
    before: &TaurusProxyPort,
    after: &TaurusProxyPort,
    found: Option<&Preflight>,
) {
    if let Some(text) = found.and_then(|found| newly_found(before, after, found)) {
        preflight(context, after, &text);
    }
}

/// Says what a change would break.
pub(super) fn preflight(context: &Context, about: &TaurusProxyPort, text: &str) {
    let news = preflight_news(about.object_ref(&()), text);
    context.publisher.publish(news, context.clock.now());
}

/// What a change that was just begun breaks.
pub(super) fn preflight_begun(about: ObjectReference, (from, to): (u16, u16), found: &str) -> News {
    let text = format!("the change from port {from} to {to} was begun: {found}");
    preflight_news(about, &text)
}

/// News of which a line of the log says the same.
fn preflight_news(about: ObjectReference, text: &str) -> News {
    tracing::warn!(
        namespace = about.namespace.as_deref(),
        name = about.name.as_deref(),
        reason = PREFLIGHT,
        detail = text,
        "preflight"
    );
    News::new(about, Kind::Warning, PREFLIGHT, text)
}

/// What the plan says of the cluster, and did not say before.
fn newly_found(
    before: &TaurusProxyPort,
    after: &TaurusProxyPort,
    found: &Preflight,
) -> Option<String> {
    fn plan(object: &TaurusProxyPort) -> Option<&PlanRecord> {
        object.status.as_ref()?.plan.as_ref()
    }
    let said = plan(before).map_or(&[][..], |plan| &plan.warnings);
    let plan = plan(after)?;
    let of_cluster = |warning: &&String| found.warnings.contains(warning);
    let news = plan.warnings.iter().filter(of_cluster);
    let news: Vec<&str> = news
        .filter(|warning| !said.contains(warning))
        .map(String::as_str)
        .collect();
    let more = plan
        .warnings
        .last()
        .and_then(|last| warnings::counted(last));
    let (from, to) = (plan.from_port, plan.to_port);
    let id = &plan.id;
    (!news.is_empty()).then(|| {
        let news = warnings::joined(&news, more.unwrap_or_default());
        format!("plan {id} (port {from} to {to}): {news}")
    })
}

/// Says that a change which has just ended has put drift right: people should know that something else sets the port.
pub(super) fn of_correction(context: &Context, after: &TaurusProxyPort) {
    let Some(text) = corrected(after) else {
        return;
    };
    context.meter.drift_corrected();
    let (namespace, name) = (after.namespace(), after.name_any());
    tracing::warn!(
        namespace,
        name,
        reason = DRIFT_CORRECTED,
        detail = text,
        "drift was corrected"
    );
    let about = after.object_ref(&());
    events::publish(context, about, Class::Stalled, DRIFT_CORRECTED, &text);
}

/// What is said where the last change has put drift right: its end counts as a correction.
fn corrected(after: &TaurusProxyPort) -> Option<String> {
    let Record {
        last, corrections, ..
    } = Record::of(after);
    let last = last.filter(|last| last.outcome == Outcome::Succeeded)?;
    if corrections.last() != Some(&last.finished_at.0) {
        return None;
    }
    let (from, to) = (last.from_port, last.to_port);
    let job = last
        .job_id
        .map_or_else(String::new, |job| format!(" with job {job}"));
    Some(format!(
        "the proxy listened on port {from}, though port {to} was in place before; the operator has set port {to} again{job}, which it does \
         {} times within a day at most (so far {}): find out what sets port {from}",
        drift::MOST_A_DAY,
        corrections.len()
    ))
}

/// Says aloud what is meant where nobody has said it, when the first status of a resource was written.
pub(super) fn first_word(context: &Context, before: &TaurusProxyPort, after: &TaurusProxyPort) {
    if let Some(text) = of_missing_policy(before, after) {
        // A warning: a port may be moved that somebody only wanted to look at.
        let about = after.object_ref(&());
        events::publish(context, about, Class::Stalled, POLICY_NOT_SET, &text);
    }
}

/// A field that was mistyped is dropped by an API server that doesn't validate, and what was meant to look moves the port.
fn of_missing_policy(before: &TaurusProxyPort, after: &TaurusProxyPort) -> Option<String> {
    let is_told = |object: &TaurusProxyPort| {
        let status = object.status.as_ref();
        status.is_some_and(|status| !status.is_unobserved())
    };
    let is_first = !is_told(before) && is_told(after);
    if !is_first || after.spec.management_policy.is_some() {
        return None;
    }
    Some(format!(
        "spec.managementPolicy is not set, so Enforce applies: the operator sets port {} whenever the proxy listens on another port, and \
         each such change cuts the connections to the proxy. To only observe the proxy, set managementPolicy: Observe; to confirm that \
         changes are wanted, set managementPolicy: Enforce",
        after.spec.port
    ))
}

/// What is said of annotations for the operator that are empty: they ask for nothing.
pub(super) fn of_empty_annotations(object: &TaurusProxyPort) -> Option<String> {
    let annotations = object.annotations();
    let is_empty = |name: &&&str| {
        let value = annotations.get(**name);
        value.is_some_and(|value| value.trim().is_empty())
    };
    let empty: Vec<&str> = ASKED_WITH.iter().filter(is_empty).copied().collect();
    let names = empty.join(" and ");
    (!empty.is_empty()).then(|| {
        format!("the annotation {names} is empty, so the operator ignores it: set a value, or remove the annotation")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crd::{APPROVE, REQUESTED_AT};

    #[test]
    fn a_correction_of_drift_is_told_with_both_ports_and_an_edit_is_none() {
        let after = |outcome: &str, corrected_at: &str| {
            let status = json!({
                "subjectUID": "u", "appliedPort": 3307, "corrections": {"times": ["2026-03-01T22:41:00Z", corrected_at]},
                "lastChange": {"id": "0123456789abcdef0123456789abcdef", "fromPort": 3399, "toPort": 3307, "jobID": "job-1",
                    "outcome": outcome, "startedAt": "2026-03-02T08:40:00Z", "finishedAt": "2026-03-02T08:41:00Z"},
            });
            let mut object = object(Some("Enforce"), Some(status));
            object.metadata.uid = Some("u".to_owned());
            object
        };
        let text = corrected(&after("Succeeded", "2026-03-02T08:41:00Z")).unwrap();
        for word in ["3399", "3307", "job-1", "so far 2", "3 times"] {
            assert!(text.contains(word), "{text}");
        }
        let earlier = "2026-03-02T06:41:00Z";
        assert_eq!(corrected(&after("Succeeded", earlier)), None, "an edit");
        assert_eq!(corrected(&after("Failed", "2026-03-02T08:41:00Z")), None);
    }

    #[test]
    fn an_empty_annotation_is_named() {
        let mut resource = object(None, None);
        assert_eq!(of_empty_annotations(&resource), None);
        let annotations = [(REQUESTED_AT, " "), (APPROVE, "5f0c1d9a44e27b83")];
        let annotations = annotations.map(|(name, value)| (name.to_owned(), value.to_owned()));
        resource.metadata.annotations = Some(annotations.into());
        let text = of_empty_annotations(&resource).unwrap();
        assert!(
            text.contains(REQUESTED_AT) && !text.contains(APPROVE),
            "{text}"
        );
    }

    fn object(policy: Option<&str>, status: Option<Value>) -> TaurusProxyPort {
        let mut object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop"},
            "spec": {
                "region": "ap-southeast-1", "projectID": "0483b6b16e954cb88930a360d2c4e663",
                "instanceID": "e80a4b6f13c2457d9ab05c7712f4d3e6in07", "proxyID": "4d1f0a77c2b94e5f8a6031d7be92c405po01",
                "port": 3307,
            },
        });
        if let Some(policy) = policy {
            object["spec"]["managementPolicy"] = policy.into();
        }
        if let Some(status) = status {
            object["status"] = status;
        }
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn n11_the_first_word_about_a_resource_says_what_a_missing_policy_means() {
        let seen = || Some(json!({"observedGeneration": 1}));
        let note = of_missing_policy(&object(None, None), &object(None, seen())).unwrap();
        assert!(
            note.contains("managementPolicy") && note.contains("Enforce"),
            "{note}"
        );
        assert!(note.contains("3307") && note.contains("Observe"), "{note}");
        // The API server's default is nobody's word.
        let default = || Some(json!({"observedGeneration": -1}));
        assert_eq!(
            of_missing_policy(&object(None, default()), &object(None, seen())),
            Some(note)
        );
        // Once, and not to who has said it.
        assert!(of_missing_policy(&object(None, seen()), &object(None, seen())).is_none());
        for silent in [None, default()] {
            let [before, after] = [None, silent].map(|status| object(None, status));
            assert!(of_missing_policy(&before, &after).is_none());
        }
        for policy in ["Enforce", "Observe", "ApplyOnChange"] {
            let [before, after] = [None, seen()].map(|status| object(Some(policy), status));
            assert!(of_missing_policy(&before, &after).is_none(), "{policy}");
        }
    }
}
