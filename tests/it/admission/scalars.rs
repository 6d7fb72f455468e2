//! Values as YAML has them: with tags, without quotes, and as large as they come.

use super::{
    judge::{Judge, NAME, printed},
    linted,
    written::Written,
};

#[taurus_needs::test]
async fn values_are_read_by_lint_as_kubectl_reads_them() {
    let judge = Judge::new().await;
    for (field, yaml, is_good) in [
        // It looks like a number, and is too large for one.
        ("projectID", "3e961426016095402889300360020466", true),
        ("projectID", "30961420016095402889300360020466", false),
        ("projectID", "00961420016095402889300360020466", false),
        ("port", "!!int \"3307\"", true),
        ("port", "!!int 0xCEB", true),
        ("port", "!!float 3307", true),
        ("port", "3307_", true),
        ("port", "0b110011101011", true),
        ("port", "!!str 3307", false),
        ("port", "!port 3307", false),
        ("port", "! 3307", false),
        ("port", "1e400", false),
        ("port", "09", false),
        ("suspend", "!!bool \"yes\"", true),
        ("suspend", "!!null \"\"", true),
    ] {
        let case = format!("{field}: {yaml}");
        let document = Written::good().with(field, yaml).document(NAME, None);
        let create = ["create", "--dry-run=server", "-f"];
        let done = printed(&judge.kubectl(&create, &document));
        assert_eq!(done.is_ok(), is_good, "{case}: {done:?}");
        linted::agrees(&case, &document, done.err().as_deref());
    }
    for yaml in [".inf", ".nan", "!!int x"] {
        let document = Written::good().with("port", yaml).document(NAME, None);
        let create = ["create", "--dry-run=server", "-f"];
        assert!(
            printed(&judge.kubectl(&create, &document)).is_err(),
            "{yaml}"
        );
        assert!(linted::refuses(&document), "{yaml}");
    }
}
