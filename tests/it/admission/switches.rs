//! `managementPolicy`, `suspend`, `probe` and `preflight`.

use serde_json::json;

use super::{
    judge::{Judge, each},
    written::Written,
};

#[taurus_needs::test]
async fn other_policies_are_refused_with_those_that_there_are() {
    let judge = Judge::new().await;
    let words = [
        "Sometimes",
        "enforce",
        "OBSERVE",
        "applyOnChange",
        "\"Observe \"",
        "\"\"",
        "true",
        "1",
    ];
    judge
        .keep_refusals("policies", &each("managementPolicy", &words))
        .await;
    for word in ["Enforce", "ApplyOnChange", "Observe"] {
        let written = Written::good().with("managementPolicy", word);
        assert_eq!(
            judge.stored(&written).await["managementPolicy"],
            json!(word)
        );
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["managementPolicy"], json!(word));
    }
}

#[taurus_needs::test]
async fn other_probes_are_refused_with_those_that_there_are() {
    let judge = Judge::new().await;
    let words = ["never", "report", "\"Report \"", "\"\"", "true", "1"];
    judge.keep_refusals("probes", &each("probe", &words)).await;
    for word in ["Never", "Report", "Require"] {
        let written = Written::good().with("probe", word);
        assert_eq!(judge.stored(&written).await["probe"], json!(word));
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["probe"], json!(word));
    }
    let absent = judge.stored(&Written::good()).await;
    assert_eq!(absent.get("probe"), None);
}

#[taurus_needs::test]
async fn other_preflights_are_refused_with_those_that_there_are() {
    let judge = Judge::new().await;
    let words = ["Off", "require", "\"\"", "true"];
    judge
        .keep_refusals("preflights", &each("preflight", &words))
        .await;
    for word in ["Report", "Require"] {
        let written = Written::good().with("preflight", word);
        assert_eq!(judge.stored(&written).await["preflight"], json!(word));
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["preflight"], json!(word));
    }
    let absent = judge.stored(&Written::good()).await;
    assert_eq!(absent.get("preflight"), None);
}

#[taurus_needs::test]
async fn only_a_boolean_suspends() {
    let judge = Judge::new().await;
    let words = ["\"true\"", "\"yes\"", "1", "[]", "True!"];
    judge
        .keep_refusals("suspend", &each("suspend", &words))
        .await;
    // What the reader of YAML takes for a boolean is one.
    for (word, read) in [
        ("true", true),
        ("True", true),
        ("yes", true),
        ("on", true),
        ("false", false),
        ("no", false),
    ] {
        let written = Written::good().with("suspend", word);
        assert_eq!(
            judge.stored(&written).await["suspend"],
            json!(read),
            "{word}"
        );
        let changed = judge.stored_as_change(&written).await;
        assert_eq!(changed["suspend"], json!(read), "{word}");
    }
}
