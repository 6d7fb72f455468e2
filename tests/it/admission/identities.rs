//! ServiceAccounts in place of Secrets.

use serde_json::json;

use super::{judge::Judge, written::Written};
use crate::world::{plane, tools::printed};

/// A resource with this identity.
fn with(identity: &str) -> Written {
    Written::good()
        .without("credentialsRef")
        .with("workloadIdentity", identity)
}

#[taurus_needs::test]
async fn identities_that_can_not_be_are_refused_by_their_fields() {
    let identities = [
        "{serviceAccountName: Ports, idpID: cce, audience: iam}",
        "{serviceAccountName: other/ports, idpID: cce, audience: iam}",
        "{serviceAccountName: ports, idpID: \"\", audience: iam}",
        "{serviceAccountName: ports, idpID: \"c\\r\\nX-Auth-Token: t\", audience: iam}",
        "{serviceAccountName: ports, idpID: cce, audience: \"two words\"}",
        "{serviceAccountName: ports, idpID: cce, audience: näher}",
        "{serviceAccountName: ports, idpID: cce}",
        "{serviceAccountName: ports, audience: iam}",
        "{idpID: cce, audience: iam}",
        "{}",
        "ports",
        "{serviceAccountName: ports, idpID: cce, audience: iam, namespace: other}",
    ];
    let cases = identities.map(|form| (format!("workloadIdentity: {form}"), with(form)));
    Judge::new().await.keep_refusals("identities", &cases).await;
}

#[taurus_needs::test]
async fn a_resource_has_a_secret_or_an_identity_and_not_both() {
    let judge = Judge::new().await;
    let identity =
        "{serviceAccountName: taurus-ports, idpID: cce_1, audience: https://iam.example.com}";
    let both = with(identity).with("credentialsRef", "{name: keys}");
    let cases = [("both".to_owned(), both)];
    judge.keep_refusals("identities-rules", &cases).await;

    let placed = with(identity).with("endpoint", "https://host");
    for written in [with(identity), placed] {
        let spec = judge.stored(&written).await;
        let stored = json!({
            "serviceAccountName": "taurus-ports", "idpID": "cce_1", "audience": "https://iam.example.com",
        });
        assert_eq!(spec["workloadIdentity"], stored);
    }
    // A Secret can be changed for an identity at any time.
    let changed = judge.stored_as_change(&with(identity)).await;
    assert_eq!(changed.get("credentialsRef"), None);
}

#[taurus_needs::test]
async fn the_sample_is_taken_as_it_is() {
    let plane = plane::shared().await;
    let sample = "deploy/examples/workload-identity.yaml";
    let create = ["create", "--dry-run=server", "-f", sample];
    let created = printed(plane::kubectl(&plane, &create));
    assert_eq!(created.lines().count(), 2, "{created}");
}
