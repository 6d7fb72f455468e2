//! The commands of `docs/install.md`, as they stand there, one block after the other.

use std::path::Path;

use super::manifests::unwarned;
use crate::world::{
    plane,
    shell::{blocks, kubeconfig, run},
    tools::root,
};

const PAGE: &str = include_str!("../../../docs/install.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_work_one_chapter_after_the_other() {
    let plane = plane::empty().await;
    let kubeconfig = kubeconfig(plane, "default");
    let by_helm = ["With Helm", "Upgrade", "Remove it: Helm"];
    let by_kustomize = [
        "With kustomize",
        "A single namespace",
        "Policies",
        "Remove it: kustomize",
    ];
    for chapter in by_helm.iter().chain(&by_kustomize) {
        let (_, text) = PAGE
            .split_once(&format!("\n## {chapter}\n"))
            .expect(chapter);
        let text = text.split("\n## ").next().unwrap();
        assert!(blocks(text).count() > 0, "{chapter} has commands");
        for block in blocks(text) {
            unwarned(run(plane, block, &kubeconfig).await);
        }
    }
    let chapters = by_helm.len() + by_kustomize.len();
    assert_eq!(PAGE.matches("\n## ").count(), chapters, "all are tried");
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let links = PAGE
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let mut files = 0;
    for link in links.filter(|link| !link.starts_with("https://")) {
        let file = link.split('#').next().unwrap();
        assert!(root().join("docs").join(Path::new(file)).exists(), "{link}");
        files += 1;
    }
    assert!(files > 3, "{files}");
}
