//! What stays as it was first, and what may be changed.

use serde_json::{Value, json};
use taurus_sim::sample;

use super::{
    judge::{Judge, NAME, printed},
    written::Written,
};
use crate::kept::{kept, table};

#[taurus_needs::test]
async fn what_says_which_proxy_is_meant_can_not_be_set_changed_or_unset() {
    let judge = Judge::new().await;
    let region = Written::good;
    let both = || region().with("endpoint", "https://host");
    let endpoint = || both().without("region");
    let table_of = [
        ("region set", endpoint(), both()),
        (
            "region changed",
            region(),
            region().with("region", "cn-north-4"),
        ),
        ("region unset", both(), endpoint()),
        ("region exchanged for endpoint", region(), endpoint()),
        ("endpoint set", region(), both()),
        (
            "endpoint changed",
            both(),
            both().with("endpoint", "https://host:443"),
        ),
        (
            "endpoint changed in case",
            both(),
            both().with("endpoint", "https://HOST"),
        ),
        ("endpoint unset", both(), region()),
        (
            "projectID changed",
            region(),
            region().with("projectID", &"a".repeat(32)),
        ),
        (
            "projectID changed in case",
            region(),
            region().with("projectID", &sample::PROJECT.to_uppercase()),
        ),
        ("projectID unset", region(), region().without("projectID")),
        (
            "instanceID changed",
            region(),
            region().with("instanceID", sample::OTHER_INSTANCE),
        ),
        ("instanceID unset", region(), region().without("instanceID")),
        (
            "proxyID changed",
            region(),
            region().with("proxyID", sample::OTHER_PROXY),
        ),
        ("proxyID unset", region(), region().without("proxyID")),
        (
            "all changed",
            region(),
            region()
                .with("region", "cn-north-4")
                .with("projectID", &"a".repeat(32))
                .with("instanceID", sample::OTHER_INSTANCE)
                .with("proxyID", sample::OTHER_PROXY),
        ),
    ];
    let mut rows = Vec::new();
    for (case, from, to) in &table_of {
        let said = judge.refusal_of_change(case, from, to).await;
        rows.push(((*case).to_owned(), said));
    }
    kept("immutable", &table(&rows), &[]);
}

#[taurus_needs::test]
async fn everything_else_can_be_set_changed_and_unset() {
    let judge = Judge::new().await;
    let apply = |written: &Written| -> Value {
        let arguments = ["apply", "-o", "json", "-f"];
        let applied = printed(&judge.kubectl(&arguments, &written.document(NAME, None)));
        let applied = applied.unwrap_or_else(|error| panic!("{written:?}: {error}"));
        serde_json::from_str(&applied).unwrap()
    };
    apply(&Written::good());
    for (field, first, second) in [
        (
            "iamEndpoint",
            json!("https://iam"),
            json!("https://iam:8443"),
        ),
        ("managementPolicy", json!("Observe"), json!("Enforce")),
        ("suspend", json!(true), json!(false)),
        ("changeTimeout", json!("1m"), json!("24h")),
        (
            "credentialsRef",
            json!({"name": "one"}),
            json!({"name": "two"}),
        ),
        ("port", json!(3308), json!(3309)),
    ] {
        for value in [first, second] {
            let applied = apply(&Written::good().with(field, &value.to_string()));
            assert_eq!(applied["spec"][field], value);
        }
        if field != "port" {
            let applied = apply(&Written::good().without(field));
            assert_eq!(applied["spec"].get(field), None, "{field}");
        }
    }
}
