//! Names: the Secret's and the resource's own.

use serde_json::json;

use super::{
    judge::{Judge, printed},
    linted,
    written::Written,
};
use crate::kept::{kept, table};

/// A resource with this reference.
fn with(reference: &str) -> Written {
    Written::good().with("credentialsRef", reference)
}

#[taurus_needs::test]
async fn references_to_what_can_be_no_secret_are_refused() {
    let long = format!("{{name: {}}}", "s".repeat(254));
    let references = [
        "{name: \"\"}",
        "{name: Keys}",
        "{name: my_keys}",
        "{name: -keys}",
        "{name: keys-}",
        "{name: .keys}",
        "{name: keys..old}",
        "{name: keys.-old}",
        "{name: other/keys}",
        "{name: ../../other/secrets/keys}",
        "{name: \"keys\\n\"}",
        "{name: keyś}",
        "{name: 7}",
        "{name: null}",
        "{}",
        "keys",
        "[keys]",
        "{name: keys, namespace: other}",
        &long,
    ];
    let cases = references.map(|form| (format!("credentialsRef: {form}"), with(form)));
    Judge::new()
        .await
        .keep_refusals("names-of-secrets", &cases)
        .await;
}

#[taurus_needs::test]
async fn references_to_what_can_be_a_secret_are_taken() {
    let judge = Judge::new().await;
    for name in ["k", "7keys", "keys.old", "a--b", &"s".repeat(253)] {
        let spec = judge.stored(&with(&format!("{{name: \"{name}\"}}"))).await;
        assert_eq!(spec["credentialsRef"], json!({"name": name}));
    }
}

#[taurus_needs::test]
async fn names_that_kubernetes_does_not_know_are_refused_in_its_words() {
    let judge = Judge::new().await;
    let mut rows = Vec::new();
    for name in [
        "Orders",
        "my_orders",
        "-orders",
        "orders.",
        &"o".repeat(254),
    ] {
        let document = Written::good().document(name, None);
        let refused = judge.kubectl(&["create", "--dry-run=server", "-f"], &document);
        let refused = printed(&refused).unwrap_err();
        linted::agrees(name, &document, Some(&refused));
        rows.push((format!("name: {name}"), refused));
    }
    kept("names", &table(&rows), &[]);
}
