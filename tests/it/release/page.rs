//! The commands of `docs/releases.md` that check a release, as they stand there.

use std::{
    path::Path,
    process::{Command, Output},
};

use super::{made::Source, registry::Registry};
use crate::{
    pages::Page,
    world::{
        shell::blocks,
        tools::{found, printed, refusal, tool},
    },
};

/// The page, and its chapter for those who have the files.
pub const PAGE: &str = "docs/releases.md";
pub const CHAPTER: &str = "Check a release";

/// Types a block in the folder with the files.
pub fn types(dist: &Path, block: &str) -> Output {
    let mut tools = ["helm", "oras"].map(tool).to_vec();
    tools.extend(found("tests/gitops/build", "cosign"));
    let mut folders: Vec<_> = tools.iter().filter_map(|it| it.parent()).collect();
    let path = std::env::var("PATH").unwrap();
    folders.extend(path.split(':').map(Path::new));
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", block])
        .env("PATH", std::env::join_paths(folders).unwrap())
        .current_dir(dist)
        .output()
        .unwrap()
}

#[taurus_needs::test]
fn the_documented_checks_pass_for_a_release_and_fail_for_a_changed_one() {
    let registry = Registry::start();
    let source = Source::new();
    let dist = source.released(&registry.address);
    printed(registry.take(&source));
    let page = Page::read(PAGE);
    let chapter: Vec<_> = blocks(page.section(2, CHAPTER)).collect();
    let [sums, provenance, manifests, places] = chapter[..] else {
        panic!("{chapter:?}");
    };
    printed(types(&dist, sums));
    let said = printed(types(&dist, provenance));
    assert!(said.contains(&source.commit), "{said}");
    printed(types(&dist, manifests));
    let said = printed(types(&dist, places));
    let bill = "application/vnd.cyclonedx+json";
    assert_eq!(said.matches(bill).count(), 2, "{said}");

    // Another file, and then checksums of it that the provenance doesn't know.
    std::fs::write(dist.join("crds.yaml"), "").unwrap();
    refusal(&types(&dist, sums));
    let anew = "sha256sum -- $(cut -d ' ' -f 3 SHA256SUMS) > new && mv new SHA256SUMS";
    printed(types(&dist, anew));
    printed(types(&dist, sums));
    let said = refusal(&types(&dist, provenance));
    assert!(said.contains("crds.yaml is another file"), "{said}");
}
