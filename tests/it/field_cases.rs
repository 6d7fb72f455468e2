//! The tables of field cases in the docs are those of the tests.

mod found;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::docs::held;

const HEAD: &str = "# Field cases\n\nThis page lists faults that users of other operators and clients have reported, and the tests that show that this operator survives \
    them.\nA case is here only if tests cover it completely. `make docs` writes these tables from the names of the tests.\n\n\
    A: controller and its runtime. B: asynchronous operations and the truth of the status. C: GitOps and the Kubernetes API.\n\
    D: data from Git and Secrets. E: the cloud's API. F: metrics, events, security. G: shapes of manifests.\n\n\
    | case | what holds | test |\n|---|---|---|\n";

const FOUND: &str = "\n## Faults that were found here\n\nThis list has faults that people and programs found when they tried to break this operator, and the tests that guard against \
    them now.\nH: under hostile circumstances. R: by schedules and fleets. N: by people who used it for the first time. T: in a comparison with clients of \
    the\nreal service. The other letters are those of the table above.\n";

/// Names of tests and of modules of tests that begin with the id of a case, with the file that each stands in.
fn cases(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            cases(&path, found);
            continue;
        }
        let is_code = path.extension().is_some_and(|it| it == "rs" || it == "py");
        let text = if is_code {
            fs::read_to_string(&path).unwrap()
        } else {
            String::new()
        };
        let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
        for line in text.lines() {
            let line = line.trim();
            let name = line
                .strip_prefix("async fn ")
                .or_else(|| line.strip_prefix("fn "))
                .or_else(|| line.strip_prefix("def test_"))
                .unwrap_or(line);
            let end = name.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
            let name = end.map_or(name, |end| &name[..end]);
            if is_case(name) {
                found.insert(name.to_owned(), file.display().to_string());
            }
        }
    }
}

/// A letter, one or two digits, perhaps another letter, and words.
fn is_case(name: &str) -> bool {
    let (id, words) = name.split_once('_').unwrap_or_default();
    let digits = id.get(1..).unwrap_or_default();
    let number = digits.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
    id.starts_with(|letter| ('a'..='h').contains(&letter) || ['n', 'r', 't'].contains(&letter))
        && number.bytes().all(|it| it.is_ascii_digit())
        && (1..=2).contains(&number.len())
        && (2..=3).contains(&digits.len())
        && digits.len() - number.len() <= 1
        && words.len() > 6
}

/// Whether a test is that of a case that others reported.
fn is_reported(name: &str) -> bool {
    name.starts_with(|letter| ('a'..='g').contains(&letter)) && name.find('_') == Some(3)
}

#[test]
fn ids_of_cases_are_told_from_other_names() {
    for name in [
        "a01_a_watch_is_read",
        "r04b_a_job_is_told",
        "f4c_a_slow_cloud",
        "h17_nothing_waits",
    ] {
        assert!(is_case(name), "{name}");
    }
    for name in [
        "a_watch_is_read_anew",
        "h264_is_no_case",
        "b1_too_short",
        "x01_is_no_case",
        "t01",
        "f_4c_is_none",
    ] {
        assert!(!is_case(name), "{name}");
    }
}

/// The tests of this project.
fn tests() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    for folder in ["tests", "src"] {
        cases(&root.join(folder), &mut found);
    }
    found
}

#[test]
fn the_table_of_field_cases_is_that_of_the_tests() {
    let tests = tests();
    let mut page = HEAD.to_owned();
    let reported = tests.iter().filter(|(name, _)| is_reported(name));
    let mut count = 0;
    for (name, file) in reported {
        let (id, sentence) = name.split_at(3);
        let sentence = sentence.replace('_', " ");
        writeln!(
            page,
            "| {} | {} | `{name}` in `{file}` |",
            id.to_uppercase(),
            sentence.trim()
        )
        .unwrap();
        count += 1;
    }
    assert!(count > 50, "{count}");
    page.push_str(FOUND);
    for (heading, rows) in found::chapters() {
        write!(
            page,
            "\n### {heading}\n\n| case | what holds | tests |\n|---|---|---|\n"
        )
        .unwrap();
        for row in rows {
            let shown = tests.iter().filter(|(name, _)| row.is_shown_by(name));
            let shown: Vec<String> = shown
                .map(|(name, file)| format!("`{name}` in `{file}`"))
                .collect();
            let shown = if shown.is_empty() {
                "not yet".to_owned()
            } else {
                shown.join("; ")
            };
            writeln!(page, "| {} | {} | {shown} |", row.ids.join(", "), row.holds).unwrap();
        }
    }
    held(Path::new("docs/field-cases.md"), &page);
}

#[test]
fn each_fault_that_was_found_has_a_test_or_is_said_to_have_none_yet() {
    let tests = tests();
    let rows = found::chapters().into_iter().flat_map(|(_, rows)| rows);
    let mut known = Vec::new();
    for row in rows {
        let shown = tests.keys().any(|name| row.is_shown_by(name));
        let open = row.ids.iter().any(|id| found::NOT_YET.contains(id));
        assert!(shown || open, "{} has no test", row.ids.join(", "));
        known.extend(row.ids);
    }
    for id in found::NOT_YET {
        assert!(known.contains(id), "{id} is no row");
    }
    // A test under an id of these letters is that of a row.
    let mine = |name: &&String| name.starts_with(['h', 'n', 'r', 't']);
    for name in tests.keys().filter(mine) {
        let id = name.split('_').next().unwrap();
        assert!(
            known.iter().any(|it| it.eq_ignore_ascii_case(id)),
            "{name} is of no row"
        );
    }
}
