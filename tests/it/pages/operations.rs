//! `docs/operations.md` has a heading for each reason and for each alert, under which somebody finds what to do.

use std::collections::BTreeSet;

use serde_json::Value;
use strum::IntoEnumIterator as _;
use taurus_port_operator::model::Reason;

use super::Page;
use crate::world::tools::root;

/// Where the alert rules are, as a custom resource or as a plain file of Prometheus.
const MONITORING: &str = "deploy/monitoring";

/// Who looks something up wants to read no more than this, in lines.
const LONGEST: usize = 24;

#[test]
fn each_reason_has_its_heading_and_a_short_text() {
    let page = Page::read("docs/operations.md");
    let reasons = page.section(2, "Reasons");
    let of_page: Vec<&str> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let of_code: Vec<&str> = Reason::iter().map(Reason::name).collect();
    assert_eq!(of_page, of_code, "in the order of the code");
    for reason in of_code {
        let text = page.section(3, reason);
        let count = text.lines().filter(|line| !line.trim().is_empty()).count();
        assert!((1..=LONGEST).contains(&count), "{reason}: {count} lines");
    }
}

#[test]
fn each_alert_has_its_heading_and_no_other_is_told_of() {
    let page = Page::read("docs/operations.md");
    let headings = page.headings(3).into_iter();
    let told: BTreeSet<String> = headings
        .filter_map(|heading| heading.strip_prefix("Alert: "))
        .map(str::to_owned)
        .collect();
    assert!(
        told.iter().all(|name| name.starts_with("Taurus")),
        "{told:?}"
    );
    assert_eq!(told, alerts().unwrap_or(told.clone()));
}

/// The names of the alerts of all files of rules; nothing where there are no rules.
fn alerts() -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in root().join(MONITORING).read_dir().ok()? {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
            for document in &documents {
                collect(document, &mut names);
            }
        }
    }
    Some(names)
}

fn collect(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            // A rule, not a test of one.
            if let (Some(Value::String(alert)), true) =
                (fields.get("alert"), fields.contains_key("expr"))
            {
                names.insert(alert.clone());
            }
            fields.values().for_each(|it| collect(it, names));
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, names)),
        _ => {}
    }
}
