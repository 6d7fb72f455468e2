//! The commands of `docs/install.md`, as they stand there, one block after the other.

use std::path::Path;

use crate::world::{
    plane,
    shell::{blocks, kubeconfig, run},
    tools::{printed, root},
};

const PAGE: &str = include_str!("../../../docs/install.md");

/// Runs those blocks of a chapter's, in order, that mention a program or file of an installation.
async fn follow(chapters: &[&str]) {
    let plane = plane::empty().await;
    let kubeconfig = kubeconfig(plane, "default");
    for chapter in chapters {
        let (_, text) = PAGE.split_once(&format!("\n## {chapter}\n")).expect(chapter);
        let text = text.split("\n## ").next().unwrap();
        let mut commands = 0;
        for block in blocks(text) {
            let output = run(plane, block, &kubeconfig).await;
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains("arning"), "{chapter}: {block}{said}");
            printed(output);
            commands += 1;
        }
        assert!(commands > 0, "{chapter} has commands");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_for_kustomize_work() {
    follow(&["With kustomize", "Policies", "Remove it: kustomize"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_for_helm_work() {
    follow(&["With Helm", "Upgrade", "Remove it: Helm"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_for_a_single_namespace_work() {
    follow(&["A single namespace"]).await;
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let links = PAGE.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let mut files = 0;
    for link in links.filter(|link| !link.starts_with("https://")) {
        let file = link.split('#').next().unwrap();
        assert!(root().join("docs").join(Path::new(file)).exists(), "{link}");
        files += 1;
    }
    assert!(files > 3, "{files}");
}
