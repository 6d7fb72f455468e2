//! What stands in `metadata`: kubectl and the API server judge it without the definition.

use super::{
    judge::{Judge, NAME, printed},
    linted,
    written::Written,
};

/// A good resource with this in its metadata.
fn with(line: &str) -> String {
    let document = Written::good().document(NAME, None);
    let name = format!("  name: {NAME}\n");
    document.replacen(&name, &format!("{name}  {line}\n"), 1)
}

#[taurus_needs::test]
async fn metadata_that_is_refused_is_refused_by_lint_for_the_same_fields() {
    let judge = Judge::new().await;
    let long = |count: usize| "b".repeat(count);
    let annotation = format!("annotations: {{a: {}}}", long(256 * 1024));
    let value = format!("labels: {{a: {}}}", long(64));
    let key = format!("labels: {{{}: a}}", long(64));
    let prefix = format!("labels: {{{}/a: a}}", long(254));
    for line in [
        "annotations: {a: 1}",
        "annotations: {a: true}",
        "annotations: x",
        "annotations: {-a: b}",
        "annotations: {a b: c}",
        "annotations: {\"\": b}",
        &annotation,
        "labels: {a: true}",
        "labels: [a]",
        "labels: {-a: b}",
        "labels: {a/b/c: d}",
        "labels: {X.com/a: b}",
        "labels: {/a: b}",
        "labels: {a/: b}",
        "labels: {a: b c}",
        "labels: {a: -b}",
        &value,
        &key,
        &prefix,
        "namespace: Shop_X",
        "namespace: 12",
        "uid: 1",
        "resourceVersion: 3",
        "generation: 1.5",
        "generateName: Orders",
        "selfLink: 1",
        "creationTimestamp: yesterday",
        "creationTimestamp: 12",
        "deletionTimestamp: x",
        "finalizers: [1]",
        "finalizers: [a b/c]",
        "managedFields: [x]",
        "ownerReferences: {}",
        "ownerReferences: [{kind: A, name: b}]",
        "ownerReferences: [{apiVersion: v1, kind: A, name: b, uid: 1}]",
        "ownerReferences: [{apiVersion: v1, kind: A, name: b, uid: u, x: 1}]",
        "ownerReferences: [{apiVersion: a/b/c, kind: A, name: b, uid: u}]",
        "ownerReferences: [{apiVersion: v1, kind: Event, name: b, uid: u}]",
        "ownerReferences: [{apiVersion: v1, kind: A, name: b, uid: u, controller: true}, {apiVersion: v1, kind: A, name: c, uid: v, controller: true}]",
    ] {
        let document = with(line);
        let refused = judge.kubectl(&["create", "--dry-run=server", "-f"], &document);
        let refused = printed(&refused).expect_err(line);
        linted::agrees(line, &document, Some(&refused));
    }
}

#[taurus_needs::test]
async fn metadata_that_is_taken_is_taken_by_lint() {
    let judge = Judge::new().await;
    for line in [
        "annotations: {a: null, Example.com/A: \"1\"}",
        "labels: {a: null, b: \"\", example.com/team: B-1_2.c}",
        "namespace: \"\"",
        "uid: abc",
        "generation: 3",
        "generateName: orders-",
        "creationTimestamp: null",
        "creationTimestamp: 2026-01-01T00:00:00+02:00",
        "finalizers: [a, a/b]",
        "ownerReferences: [{apiVersion: v1, kind: A, name: b, uid: u, controller: true}]",
    ] {
        let document = with(line);
        let taken = judge.kubectl(&["create", "--dry-run=server", "-f"], &document);
        printed(&taken).unwrap_or_else(|refused| panic!("{line}: {refused}"));
        linted::agrees(line, &document, None);
    }
}
