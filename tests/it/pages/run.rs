//! Each block of commands (`sh`) of each page is run by a test, or is listed with the reason why none runs it.

use std::collections::BTreeMap;

use super::Page;
use crate::world::tools::root;

/// Pages of which a test runs each block, and the file of that test.
const WHOLE: [(&str, &str); 15] = [
    // Which holds that these are commands of other pages, or targets of make.
    ("README.md", "tests/it/pages/hurry.rs"),
    ("docs/adopt.md", "plugin/tests/stories/adopt.rs"),
    ("docs/audit.md", "tests/it/pages/audit.rs"),
    ("docs/coexistence.md", "tests/it/pages/coexistence.rs"),
    ("docs/credentials.md", "tests/it/pages/samples.rs"),
    ("docs/first-run.md", "plugin/tests/stories/first_run.rs"),
    ("docs/install.md", "tests/it/install/page.rs"),
    ("docs/monitoring.md", "tests/it/monitoring/component.rs"),
    ("docs/network.md", "tests/it/pages/network.rs"),
    ("docs/operations.md", "tests/it/pages/commands.rs"),
    ("docs/secrets.md", "tests/it/pages/secrets.rs"),
    ("docs/status.md", "tests/it/pages/watched.rs"),
    ("docs/templating.md", "tests/it/pages/samples.rs"),
    ("docs/uninstall.md", "tests/it/pages/uninstall.rs"),
    ("docs/windows.md", "tests/it/pages/windows.rs"),
];

/// A page, a heading of it, and how many blocks are below that, up to the next heading of any level.
type Chapter = (&'static str, &'static str, usize);

/// Chapters whose blocks a test picks, and the file of that test.
const PICKED: [(Chapter, &str); 13] = [
    (
        (
            "docs/applications.md",
            "From a port in your settings to the Service",
            1,
        ),
        "tests/it/pages/watched.rs",
    ),
    (
        ("docs/gitops.md", "Argo CD", 1),
        "tests/it/stories/gitops_docs.rs",
    ),
    (
        ("docs/gitops.md", "kubectl", 2),
        "tests/it/stories/gitops_docs.rs",
    ),
    (("docs/limits.md", "A halt", 1), "tests/it/pages/watched.rs"),
    (
        ("docs/plugin.md", "Shorter words for kubectl itself", 1),
        "tests/it/pages/kuberc.rs",
    ),
    (
        ("docs/releases.md", "Check a release", 4),
        "tests/it/release/page.rs",
    ),
    (("docs/start.md", "Use it", 3), "tests/it/pages/commands.rs"),
    (
        ("docs/upgrade.md", "Upgrade: Helm", 1),
        "tests/it/install/page.rs",
    ),
    (
        ("docs/upgrade.md", "Upgrade: kustomize", 1),
        "tests/it/install/page.rs",
    ),
    (
        ("docs/upgrade.md", "Roll back: Helm", 1),
        "tests/it/install/page.rs",
    ),
    (
        ("docs/upgrade.md", "Roll back: kustomize", 2),
        "tests/it/install/page.rs",
    ),
    (
        ("docs/upgrade.md", "Remove it: kustomize", 1),
        "tests/it/install/page.rs",
    ),
    (
        ("docs/upgrade.md", "Remove it: Helm", 2),
        "tests/it/install/page.rs",
    ),
];

/// Chapters whose blocks no test runs, and why.
const LEFT: [(Chapter, &str); 15] = [
    (("CONTRIBUTING.md", "Ask first", 1), RUNS_TESTS),
    (("CONTRIBUTING.md", "Tests", 1), RUNS_TESTS),
    (("docs/releases.md", "Which program is this?", 1), PLACES),
    (("docs/releases.md", "The image", 2), BUILDS),
    (("docs/releases.md", "What it is made of", 1), BUILDS),
    (("docs/reliability.md", "The model", 1), CAMPAIGN),
    (("docs/reliability.md", "Schedules", 1), CAMPAIGN),
    (("docs/reliability.md", "Threads", 1), RUNS_TESTS),
    (("docs/reliability.md", "Kills", 1), CAMPAIGN),
    (("docs/reliability.md", "Soak", 1), CAMPAIGN),
    (("docs/reliability.md", "Tenants", 1), RUNS_TESTS),
    (("docs/reliability.md", "Hand-over", 1), RUNS_TESTS),
    (("docs/sizing.md", "How it was measured", 1), CAMPAIGN),
    (("docs/sizing.md", "The binary", 1), BUILDS),
    (
        ("docs/start.md", "Demo", 1),
        "a process that runs until somebody ends it",
    ),
];
const RUNS_TESTS: &str = "it runs these tests";
const PLACES: &str = "it asks a published image or a cluster for the program's version";
const BUILDS: &str = "it builds the release or parts of it, which a test must not do anew";
const CAMPAIGN: &str = "it runs for minutes to hours, as a target of make";

/// How many blocks of commands are below each heading of a page that has any.
fn chapters(page: &Page) -> BTreeMap<String, usize> {
    let (mut heading, mut code) = (String::new(), false);
    let mut found = BTreeMap::new();
    for line in page.text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            code = !code;
            if code && language == "sh" {
                *found.entry(heading.clone()).or_default() += 1;
            }
        } else if !code && line.starts_with('#') {
            line.trim_start_matches('#').trim().clone_into(&mut heading);
        }
    }
    found
}

#[test]
fn each_block_of_commands_is_run_by_a_test_or_listed_with_a_reason() {
    let mut found = BTreeMap::new();
    for page in Page::all() {
        let path = page.path.display().to_string();
        if WHOLE.iter().any(|(whole, _)| *whole == path) {
            assert!(!chapters(&page).is_empty(), "{path} has no commands");
            continue;
        }
        for (heading, count) in chapters(&page) {
            found.insert((path.clone(), heading), count);
        }
    }
    let listed: BTreeMap<_, _> = PICKED
        .iter()
        .chain(&LEFT)
        .map(|((page, heading, count), _)| (((*page).to_owned(), (*heading).to_owned()), *count))
        .collect();
    assert_eq!(found, listed, "blocks that are there, and those listed");
}

#[test]
fn each_test_that_is_listed_names_its_page() {
    let picked = PICKED.iter().map(|((page, ..), test)| (*page, *test));
    for (page, test) in WHOLE.into_iter().chain(picked) {
        let text = std::fs::read_to_string(root().join(test)).expect(test);
        let name = page.trim_start_matches("docs/");
        assert!(text.contains(name), "{test} does not read {page}");
    }
}
