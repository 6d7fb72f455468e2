//! The kustomization of a folder, as a text.
//!
//! Promises that all that a kustomization holds stays to the letter: entries of `resources` come in, and only where the text that is read
//! again differs in nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::lint::yaml::{self, Document};

/// The names under which kustomize looks for it. A new one gets the first.
pub const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The first line of one that was written here.
const HEAD: &str =
    "# Written by `kubectl taurus-port import --split`; without this line it is left as it is.";

/// So many ends of lists in brackets are tried.
const MOST_BRACKETS: usize = 100;

/// A new one of these files.
pub fn fresh(files: &BTreeSet<String>) -> String {
    let lines: Vec<String> = files.iter().map(|file| format!("  - {file}\n")).collect();
    let list = if lines.is_empty() {
        " []\n".to_owned()
    } else {
        format!("\n{}", lines.concat())
    };
    format!(
        "{HEAD}\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:{list}"
    )
}

/// Whether it was written here, and nobody has said since that it is theirs.
pub fn is_ours(text: &str) -> bool {
    text.lines().next() == Some(HEAD)
}

/// Those of the files that it does not list.
pub fn unlisted(text: &str, files: &BTreeSet<String>) -> Vec<String> {
    let document = read(text);
    let listed = document
        .as_ref()
        .and_then(|document| document.value.get("resources")?.as_array());
    let listed = listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|file| file.strip_prefix("./").unwrap_or(file));
    let listed: BTreeSet<&str> = listed.collect();
    let lacking = files.iter().filter(|file| !listed.contains(file.as_str()));
    lacking.cloned().collect()
}

/// The text with these files in its list; nothing where they can't be added without a change of something else.
pub fn with(text: &str, files: &[String]) -> Option<String> {
    let before = read(text)?;
    let mut wanted = before.value.clone();
    let list = wanted
        .as_object_mut()?
        .entry("resources")
        .or_insert(json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    let list = list.as_array_mut()?;
    list.extend(files.iter().map(|file| json!(file)));
    let mut texts = in_lines(text, &before, files)
        .into_iter()
        .chain(in_brackets(text, &before, files));
    texts.find(|text| read(text).is_some_and(|after| after.value == wanted))
}

/// The one document of a text, if no key stands twice in it.
fn read(text: &str) -> Option<Document> {
    let mut documents = yaml::documents(text).ok()?;
    let document = documents.pop()?;
    (documents.is_empty() && document.twice.is_empty()).then_some(document)
}

/// With a line for each file: after the last entry and as it is indented, after the key of an empty list, or with the key at the end.
fn in_lines(text: &str, before: &Document, files: &[String]) -> Option<String> {
    let entries = before.value.get("resources").and_then(Value::as_array);
    let last = entries.and_then(|entries| entries.len().checked_sub(1));
    let path = last.map_or("resources".to_owned(), |last| format!("resources[{last}]"));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (after, indent, key) = match before.lines.get(&path) {
        Some(number) => {
            let line = lines.get(number.checked_sub(1)?)?;
            let indent = match last {
                Some(_) => line.split_once('-')?.0,
                None => "  ",
            };
            (*number, indent, String::new())
        }
        None => (lines.len(), "  ", format!("resources:{end}")),
    };
    let (head, tail) = lines.split_at_checked(after)?;
    let mut new = head.concat();
    if !new.is_empty() && !new.ends_with('\n') {
        new.push_str(end);
    }
    new.push_str(&key);
    new.extend(files.iter().map(|file| format!("{indent}- {file}{end}")));
    new.push_str(&tail.concat());
    Some(new)
}

/// With the files at the end of a list in brackets: before each bracket that may be it, after the last entry or, where a comment stands
/// between, right before the bracket.
fn in_brackets(text: &str, before: &Document, files: &[String]) -> Vec<String> {
    let key = before.lines.get("resources").copied().unwrap_or(1);
    let passed = text.split_inclusive('\n').take(key.saturating_sub(1));
    let start: usize = passed.map(str::len).sum();
    let ends = text.match_indices(']').map(|(at, _)| at);
    let ends = ends.filter(|at| *at > start).take(MOST_BRACKETS);
    let files = files.join(", ");
    let texts = ends.filter_map(|at| {
        let (head, tail) = text.split_at_checked(at)?;
        let list = head.trim_end();
        let blanks = head.strip_prefix(list)?;
        let glue = match list.chars().next_back() {
            Some('[') => "",
            Some(',') => " ",
            _ => ", ",
        };
        Some([
            format!("{list}{glue}{files}{blanks}{tail}"),
            format!("{head} {files}{tail}"),
            format!("{head}, {files}{tail}"),
        ])
    });
    texts.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MORE: [&str; 2] = ["x.yaml", "y.yaml"];

    fn more() -> Vec<String> {
        MORE.map(str::to_owned).into()
    }

    #[test]
    fn whatever_the_list_looks_like_entries_come_in_and_nothing_goes() {
        for (before, after) in [
            (
                "resources:\n  - a.yaml\n  - b.yaml\nnamespace: shop\n",
                "resources:\n  - a.yaml\n  - b.yaml\n  - x.yaml\n  - y.yaml\nnamespace: shop\n",
            ),
            (
                "# mine\nnamespace: shop\nresources: # in order\n- a.yaml # first\n# last\n- \"b.yaml\"",
                "# mine\nnamespace: shop\nresources: # in order\n- a.yaml # first\n# last\n- \"b.yaml\"\n- x.yaml\n- y.yaml\n",
            ),
            (
                "resources: [a.yaml, b.yaml] # [both]\nlabels: [{pairs: {team: shop}}]\n",
                "resources: [a.yaml, b.yaml, x.yaml, y.yaml] # [both]\nlabels: [{pairs: {team: shop}}]\n",
            ),
            (
                "resources: [\n  a.yaml, # ]\n  b.yaml,\n  ]\n",
                "resources: [\n  a.yaml, # ]\n  b.yaml, x.yaml, y.yaml\n  ]\n",
            ),
            ("resources: []\n", "resources: [x.yaml, y.yaml]\n"),
            (
                "resources:\nnamespace: shop\n",
                "resources:\n  - x.yaml\n  - y.yaml\nnamespace: shop\n",
            ),
            (
                "namespace: shop",
                "namespace: shop\nresources:\n  - x.yaml\n  - y.yaml\n",
            ),
            (
                "resources:\r\n    - a.yaml\r\nnamespace: shop\r\n",
                "resources:\r\n    - a.yaml\r\n    - x.yaml\r\n    - y.yaml\r\nnamespace: shop\r\n",
            ),
            (
                "{resources: [a.yaml], namespace: shop}\n",
                "{resources: [a.yaml, x.yaml, y.yaml], namespace: shop}\n",
            ),
        ] {
            assert_eq!(with(before, &more()).as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_can_t_be_added_to_by_itself_is_left() {
        for text in [
            "mine",
            "resources: a.yaml\n",
            "resources: &all [a.yaml]\ncomponents: *all\n",
            "resources: [a.yaml]\nresources: [b.yaml]\n",
            "resources: [a.yaml]\n---\nresources: [b.yaml]\n",
            "resources:\n  - >-\n    a.yaml\n",
            "resources: [\n",
        ] {
            assert_eq!(with(text, &more()), None, "{text}");
        }
    }

    #[test]
    fn entries_are_known_in_every_spelling() {
        let files: BTreeSet<String> = ["a.yaml", "b.yaml", "x.yaml"].map(str::to_owned).into();
        for text in [
            "resources: [./a.yaml, \"b.yaml\"]\n",
            "resources:\n- a.yaml\n- 'b.yaml'\n",
        ] {
            assert_eq!(unlisted(text, &files), ["x.yaml"], "{text}");
        }
        assert_eq!(unlisted("mine", &files).len(), 3);
        let text = fresh(&files);
        assert!(
            is_ours(&text) && unlisted(&text, &files).is_empty(),
            "{text}"
        );
        assert!(with(&fresh(&BTreeSet::new()), &more()).is_some());
        assert!(!is_ours(text.split_once('\n').unwrap().1));
    }
}
