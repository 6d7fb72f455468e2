//! `docs/openssf-baseline.md` answers each control once, counts right, and judges the workflows that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::Page;
use crate::world::tools::root;

/// The answers, in the order of the columns of the count.
const ANSWERS: [&str; 4] = ["met", "not met", "not met (host)", "not applicable"];

/// How many controls the version of the page has at each level.
const CONTROLS: [(u32, usize); 3] = [(1, 24), (2, 19), (3, 21)];

/// The cells of the rows of a text that begin like this.
fn rows<'a>(text: &'a str, begin: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    // What is escaped is no border.
    let cells = lines.map(|line| {
        line.split(" | ")
            .map(|it| it.trim_matches(|it: char| it == '|' || it == ' '))
    });
    cells.map(Iterator::collect).collect()
}

#[test]
fn the_page_on_the_baseline_answers_each_control_once_and_counts_right() {
    let page = Page::read("docs/openssf-baseline.md");
    let mut seen = BTreeSet::new();
    for (level, count) in CONTROLS {
        let mut answers = BTreeMap::<&str, usize>::new();
        let controls = rows(page.section(2, &format!("Level {level}")), "| OSPS-");
        for cells in &controls {
            let [control, asks, answer, evidence] = cells[..] else {
                panic!("four cells: {cells:?}")
            };
            assert!(seen.insert(control), "{control}");
            assert!(ANSWERS.contains(&answer), "{control}: {answer}");
            assert!(!asks.is_empty() && !evidence.is_empty(), "{control}");
            if answer == "met" {
                let linked = evidence.contains("](") || evidence.contains('`');
                assert!(linked || evidence == "The same", "{control}: {evidence}");
            }
            *answers.entry(answer).or_default() += 1;
        }
        assert_eq!(controls.len(), count, "level {level}");
        let counted = ANSWERS.map(|answer| answers.get(answer).copied().unwrap_or_default());
        let mut expected = vec![level.to_string(), count.to_string()];
        expected.extend(counted.iter().map(usize::to_string));
        let shown = rows(&page.text, &format!("| {level} |"));
        assert_eq!(shown, [expected], "level {level}");
    }
}

#[test]
fn the_controls_of_pipelines_judge_each_workflow_that_there_is() {
    let page = Page::read("docs/openssf-baseline.md");
    let mut workflows = Vec::new();
    for entry in root().join(".github/workflows").read_dir().unwrap() {
        workflows.push(entry.unwrap().file_name().into_string().unwrap());
    }
    assert!(!workflows.is_empty(), "else AC-04 is not applicable");
    assert!(!page.text.contains("no definition for a CI system"));
    for control in ["AC-04.01", "AC-04.02", "BR-01.01", "BR-01.03", "BR-01.04"] {
        let found = rows(&page.text, &format!("| OSPS-{control} "));
        let [row] = &found[..] else {
            panic!("{control}: {found:?}")
        };
        let [_, _, answer, evidence] = row[..] else {
            panic!("{row:?}")
        };
        assert_ne!(answer, "not applicable", "{control}");
        for name in &workflows {
            let link = format!("](../.github/workflows/{name})");
            assert!(evidence.contains(&link), "{control} leaves {name} out");
        }
    }
}
