//! Fields that are missing, and fields that nobody knows.

use serde_json::Value;

use super::{
    judge::{Judge, NAME, printed},
    linted,
    written::Written,
};
use crate::kept::{kept, table};

#[taurus_needs::test]
async fn each_required_field_is_missed_by_its_name() {
    let fields = ["projectID", "instanceID", "proxyID", "port"];
    let mut cases: Vec<(String, Written)> = fields
        .iter()
        .map(|field| (format!("without {field}"), Written::good().without(field)))
        .collect();
    let nothing = fields
        .iter()
        .fold(Written::good(), |written, field| written.without(field));
    cases.push(("without any".to_owned(), nothing));
    let several = Written::good()
        .with("port", "1024")
        .with("proxyID", "x")
        .with("changeTimeout", "1d")
        .without("region");
    cases.push(("several at once".to_owned(), several));
    Judge::new().await.keep_refusals("missing", &cases).await;
}

#[taurus_needs::test]
async fn a_resource_without_a_spec_is_refused() {
    let judge = Judge::new().await;
    let whole = Written::good().document(NAME, None);
    let head = whole.split_once("spec:").unwrap().0;
    let mut rows = Vec::new();
    for spec in ["", "spec:\n", "spec: {}\n", "spec: orders\n"] {
        let create = ["create", "--dry-run=server", "-f"];
        let document = format!("{head}{spec}");
        let refused = printed(&judge.kubectl(&create, &document)).unwrap_err();
        linted::agrees(spec, &document, Some(&refused));
        rows.push((format!("{:?}", spec.trim_end()), refused));
    }
    kept("without-spec", &table(&rows), &[]);
}

#[taurus_needs::test]
async fn a_null_is_the_same_as_an_absent_field() {
    let judge = Judge::new().await;
    for field in [
        "credentialsRef",
        "workloadIdentity",
        "endpoint",
        "iamEndpoint",
        "managementPolicy",
        "suspend",
        "changeTimeout",
        "maintenanceWindows",
        "approval",
        "approvedPlan",
    ] {
        let absent = Written::good().without(field);
        let null = Written::good().with(field, "null");
        let stored = judge.stored(&absent).await;
        assert_eq!(judge.stored(&null).await, stored, "{field}");
        assert_eq!(judge.stored_as_change(&null).await, stored, "{field}");
    }
}

/// Fields as people misspell or invent them.
fn misspelt() -> Vec<(String, Written)> {
    [
        ("prot", "3307"),
        ("Port", "3307"),
        ("proxyId", "x"),
        ("timeout", "30m"),
        ("status", "{port: 3307}"),
    ]
    .map(|(field, yaml)| {
        (
            format!("{field}: {yaml}"),
            Written::good().with(field, yaml),
        )
    })
    .to_vec()
}

#[taurus_needs::test]
async fn unknown_fields_are_refused_where_kubectl_is_strict_as_it_is_by_itself() {
    let judge = Judge::new().await;
    judge.keep_refusals("unknown", &misspelt()).await;
}

#[taurus_needs::test]
async fn unknown_fields_are_warned_of_or_passed_over_and_never_stored() {
    let judge = Judge::new().await;
    let mut rows = Vec::new();
    for (case, written) in misspelt() {
        let document = written.document(NAME, None);
        let good = Written::good().document(NAME, None);
        let mut said = Vec::new();
        // As new, and as a change.
        for first in [None, Some(&good)] {
            for validate in ["--validate=warn", "--validate=ignore"] {
                if let Some(good) = first {
                    printed(&judge.kubectl(&["apply", "-f"], good)).unwrap();
                }
                let applied = judge.kubectl(&["apply", validate, "-o", "json", "-f"], &document);
                let stored: Value = serde_json::from_str(&printed(&applied).unwrap()).unwrap();
                let field = case.split_once(':').unwrap().0;
                assert_eq!(stored["spec"].get(field), None, "{case}");
                assert_eq!(stored["spec"]["port"], 3307, "{case}");
                said.push(String::from_utf8(applied.stderr).unwrap());
                judge.delete().await;
            }
        }
        assert_eq!(
            said[1], "",
            "{case}: nothing is said where nothing shall be"
        );
        assert_eq!(said[0], said[2], "{case}: the same of a change");
        assert_eq!(said[1], said[3], "{case}: the same of a change");
        rows.push((case, said.swap_remove(0)));
    }
    kept("unknown-warned", &table(&rows), &[]);
}
