//! The table of field cases in the docs is that of the tests.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::docs::held;

const HEAD: &str = "# Field cases\n\nFaults that users of other operators and clients have reported, and the tests that show that this one survives them. \
    A case\nis here only if the whole of it is tested. `make docs` writes this table from the names of the tests.\n\n\
    A: controller and its runtime. B: asynchronous operations and the truth of the status. C: GitOps and the Kubernetes API.\n\
    D: data from Git and Secrets. E: the cloud's API. F: figures, events, security. G: shapes of manifests.\n\n\
    | case | what holds | test |\n|---|---|---|\n";

/// Names of tests and of modules of tests that begin with the id of a case, with the file that each stands in.
fn cases(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            cases(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
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

fn is_case(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() > 10
        && (b'a'..=b'g').contains(&bytes[0])
        && bytes[1].is_ascii_digit()
        && bytes[2].is_ascii_digit()
        && bytes[3] == b'_'
}

#[test]
fn the_table_of_field_cases_is_that_of_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    cases(&root.join("tests"), &mut found);
    assert!(found.len() > 50, "{found:?}");
    let mut table = HEAD.to_owned();
    for (name, file) in &found {
        let (id, sentence) = name.split_at(3);
        let sentence = sentence.replace('_', " ");
        writeln!(
            table,
            "| {} | {} | `{name}` in `{file}` |",
            id.to_uppercase(),
            sentence.trim()
        )
        .unwrap();
    }
    held(Path::new("docs/field-cases.md"), &table);
}
