//! The versions of Kubernetes that `docs/support.md` calls tested are those that tests have a control plane of.

use std::collections::BTreeSet;

use super::Page;
use crate::world::tools::root;

#[test]
fn the_tested_versions_of_kubernetes_are_those_with_a_control_plane() {
    let mut built = BTreeSet::new();
    for entry in root().join("tests/controlplane").read_dir().unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if let Some(minor) = name.strip_prefix('v') {
            let module = std::fs::read_to_string(entry.path().join("go.mod")).unwrap();
            let required = module
                .lines()
                .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
            built.insert((minor.to_owned(), required.unwrap().to_owned()));
        }
    }
    let page = Page::read("docs/support.md");
    let mut tested = BTreeSet::new();
    for line in page.section(2, "Kubernetes").lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let [_, minor, state, _] = cells[..]
            && state.starts_with("tested:")
        {
            let release = state.rsplit(' ').next().unwrap();
            tested.insert((minor.to_owned(), release.to_owned()));
        }
    }
    assert!(built.len() > 1, "{built:?}");
    assert_eq!(tested, built);
}
