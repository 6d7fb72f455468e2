//! The commands of `docs/install.md` and `docs/upgrade.md`, as they stand there, one block after the other.

use super::manifests::unwarned;
use crate::{
    pages::Page,
    world::{
        plane,
        shell::{blocks, kubeconfig, run},
    },
};

/// A page and a chapter of it.
type Chapter = (&'static str, &'static str);

const INSTALL: &str = "docs/install.md";
const UPGRADE: &str = "docs/upgrade.md";

/// The way of a release of Helm.
const BY_HELM: [Chapter; 4] = [
    (INSTALL, "With Helm"),
    (UPGRADE, "Upgrade: Helm"),
    (UPGRADE, "Roll back: Helm"),
    (UPGRADE, "Remove it: Helm"),
];

/// The way of what kustomize makes.
const BY_KUSTOMIZE: [Chapter; 6] = [
    (INSTALL, "With kustomize"),
    (UPGRADE, "Upgrade: kustomize"),
    (UPGRADE, "Roll back: kustomize"),
    (INSTALL, "A single namespace"),
    (INSTALL, "Policies"),
    (UPGRADE, "Remove it: kustomize"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_commands_work_one_chapter_after_the_other() {
    let plane = plane::empty().await;
    let kubeconfig = kubeconfig(plane, "default");
    let chapters = || BY_HELM.iter().chain(&BY_KUSTOMIZE);
    for (page, chapter) in chapters() {
        let page = Page::read(*page);
        let text = page.section(2, chapter);
        assert!(blocks(text).count() > 0, "{chapter} has commands");
        for block in blocks(text) {
            unwarned(run(plane, block, &kubeconfig).await);
        }
    }
    for path in [INSTALL, UPGRADE] {
        let page = Page::read(path);
        for heading in page.headings(2) {
            let tried = chapters().any(|chapter| *chapter == (path, heading));
            let commands = blocks(page.section(2, heading)).count();
            assert!(tried || commands == 0, "{path}: {heading} is not tried");
        }
    }
}
