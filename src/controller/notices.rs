//! What people are told once of a new resource, beside the transitions of its state.
//!
//! Promises to tell it with the first status that is written for the resource, and never again.

use kube::Resource as _;

use crate::{
    controller::{context::Context, events},
    crd::TaurusProxyPort,
    model::Class,
};

/// The reason of the event that says what a missing `managementPolicy` means.
const POLICY_NOT_SET: &str = "PolicyNotSet";

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
    let is_first = before.status.is_none() && after.status.is_some();
    if !is_first || after.spec.management_policy.is_some() {
        return None;
    }
    Some(format!(
        "spec.managementPolicy is not set, which means Enforce: where the proxy listens on another port than {}, it is moved there, and \
         that cuts its connections. Set Observe to look only, or Enforce to say that this is meant",
        after.spec.port
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
        // Once, and not to who has said it.
        assert!(of_missing_policy(&object(None, seen()), &object(None, seen())).is_none());
        assert!(of_missing_policy(&object(None, None), &object(None, None)).is_none());
        for policy in ["Enforce", "Observe", "ApplyOnChange"] {
            let [before, after] = [None, seen()].map(|status| object(Some(policy), status));
            assert!(of_missing_policy(&before, &after).is_none(), "{policy}");
        }
    }
}
