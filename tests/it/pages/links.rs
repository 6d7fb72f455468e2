//! Each relative link of a page leads to a file, and each anchor to a heading.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::Page;
use crate::world::tools::root;

/// The page that leads to all others, by role.
const MAP: &str = "docs/README.md";

/// The anchor that a heading has where pages are shown.
fn anchor(heading: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter);
    let letters = heading.chars().filter(kept);
    letters.collect::<String>().to_lowercase().replace(' ', "-")
}

/// All anchors of a page; of equal ones the second is numbered, and so on.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let each = page.headings(0).into_iter().map(|heading| {
        let anchor = anchor(heading);
        let count = seen.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 {
            anchor
        } else {
            format!("{anchor}-{}", *count - 1)
        }
    });
    each.collect()
}

/// The targets of the links of a page. What stands between backticks is code.
fn links(page: &Page) -> Vec<String> {
    let mut links = Vec::new();
    for line in page.prose() {
        let line: String = line.split('`').step_by(2).collect();
        let targets = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        links.extend(targets.map(str::to_owned));
    }
    links
}

#[test]
fn each_link_of_each_page_leads_somewhere() {
    let mut count = 0;
    let mut broken = Vec::new();
    let template = Path::new("docs/adr/template.md");
    for page in Page::all().iter().filter(|page| page.path != template) {
        let folder = page.path.parent().unwrap();
        for link in links(page) {
            if link.starts_with("https://") {
                continue;
            }
            count += 1;
            let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() {
                page.path.clone()
            } else {
                folder.join(file)
            };
            let there = root().join(&target).exists()
                && (wanted.is_empty()
                    || anchors(&Page::read(&target)).iter().any(|it| it == wanted));
            if !there {
                broken.push(format!("{}: {link}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(count > 100, "{count}");
}

/// The pages that a page leads to, by their paths from the root.
fn leads_to(page: &Page) -> BTreeSet<PathBuf> {
    let folder = page.path.parent().unwrap();
    let files = links(page).into_iter().filter_map(|link| {
        let file = link.split('#').next().unwrap_or_default();
        (!file.is_empty() && !link.starts_with("https://")).then(|| plain(&folder.join(file)))
    });
    files.collect()
}

/// A path without steps to the folder above.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(plain.pop(), "{} leaves the repository", path.display());
            }
            part => plain.push(part),
        }
    }
    plain
}

#[test]
fn each_page_of_the_docs_can_be_reached_from_the_front_page_by_way_of_the_map_at_most() {
    let front = leads_to(&Page::read("README.md"));
    assert!(
        front.contains(Path::new(MAP)),
        "the front page leads to the map"
    );
    let of_map = leads_to(&Page::read(MAP));
    for page in Page::all() {
        let lists = ["docs/adr/", "README.md", "CHANGELOG.md"];
        if lists
            .iter()
            .any(|list| page.path.to_str().unwrap().starts_with(list))
        {
            continue;
        }
        let found = front.contains(&page.path) || of_map.contains(&page.path);
        assert!(found, "no link leads to {}", page.path.display());
    }
}

#[test]
fn anchors_are_those_that_pages_are_shown_with() {
    assert_eq!(anchor("Remove it: kustomize"), "remove-it-kustomize");
    assert_eq!(
        anchor("Alert: TaurusOperatorNotLeading"),
        "alert-taurusoperatornotleading"
    );
    assert_eq!(anchor("`spec` and what's not"), "spec-and-whats-not");
    let text = "# A b\n## A b\n```\n# no heading\n```\n".to_owned();
    let page = Page {
        path: "x.md".into(),
        text,
    };
    assert_eq!(anchors(&page), ["a-b", "a-b-1"]);
}

/// Names between backticks that are long enough to be those of tests, of a page.
fn tests_named(page: &Page) -> Vec<&str> {
    let words = page
        .prose()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_name = |word: &&str| {
        word.matches('_').count() > 4
            && word
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '_')
    };
    words.filter(is_name).collect()
}

/// Adds the Rust files of a folder, and of all below it.
fn add_code(folder: &Path, code: &mut String) {
    for path in folder.read_dir().unwrap().map(|file| file.unwrap().path()) {
        if path.is_dir() {
            add_code(&path, code);
        } else if path.extension().is_some_and(|it| it == "rs") {
            code.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn each_test_that_the_page_on_security_names_is_there() {
    let page = Page::read("docs/security.md");
    let named = tests_named(&page);
    assert!(named.len() > 20, "{named:?}");
    let mut code = String::new();
    for folder in ["src", "tests/it"] {
        add_code(&root().join(folder), &mut code);
    }
    for name in named {
        let there = [format!("fn {name}("), format!("    {name}: ")];
        assert!(there.iter().any(|it| code.contains(it)), "{name}");
    }
}
