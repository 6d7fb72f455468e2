//! The reference in the docs is what the definition and the closed set of reasons say.

use std::{fmt::Write as _, path::Path};

use strum::IntoEnumIterator as _;
use taurus_port_operator::{
    crd,
    model::{Class, Reason},
};

use crate::docs::held;

const HEAD: &str = "# Reference\n\nThe resource `TaurusProxyPort`, field by field, and every reason that its conditions can have. `make docs` writes this page \
    from the\ndefinition and from the code. How it all works together: [status.md](status.md) and [configuration.md](configuration.md).\n";

const REASONS: &str = "\n## Reasons\n\nEach reason belongs to one of the conditions `Ready`, `Reconciling` and `Stalled`; the last ones are \
    details of `PortInSync`,\n`JobSucceeded`, `ServicePublished`, `ConfigMapPublished` and `Reachable`. The reasons of `JobSucceeded` are about the last change alone. Events have the same names. Ten more are no reasons:\n`AppliedNow`, `DriftCorrected`, `PolicyNotSet`, `PreflightWarnings`, `KeysIgnored`, `AnnotationIgnored`, `JobAbandoned`, `AbandonJobIgnored`,\n`ChangeOfDeleted` and `JobNotRecorded`; see [operations.md](operations.md#look).\n\n| reason | of | meaning | what to do |\n|---|---|---|---|\n";

/// The fields below `schema`, deepest last, as rows of a table.
fn fields(schema: &serde_json::Value, path: &str, table: &mut String) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let items = &field["items"];
        let place = format!("{path}{name}{}", if items.is_null() { "" } else { "[]" });
        let needed = if required.contains(&name.as_str().into()) {
            ", required"
        } else {
            ""
        };
        let kind = field["type"].as_str().unwrap();
        let meaning = field["description"].as_str().unwrap_or_default();
        let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        writeln!(
            table,
            "| `{place}` | {kind}{needed} | {meaning} | {} |",
            rules(field)
        )
        .unwrap();
        let inner = if items.is_null() { field } else { items };
        fields(inner, &format!("{place}."), table);
    }
}

/// What the API server holds a field to, as far as it can be said in a cell.
fn rules(field: &serde_json::Value) -> String {
    let mut rules = Vec::new();
    let values = field["enum"].as_array().into_iter().flatten();
    let values: Vec<String> = values
        .map(|value| format!("`{}`", value.as_str().unwrap()))
        .collect();
    if !values.is_empty() {
        rules.push(values.join(", "));
    }
    if let (Some(least), Some(most)) = (field["minimum"].as_f64(), field["maximum"].as_f64()) {
        rules.push(format!("{least} to {most}"));
    }
    if let Some(pattern) = field["pattern"].as_str() {
        rules.push(format!("`{}`", pattern.replace('|', "\\|")));
    }
    let spoken = field["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten();
    rules.extend(spoken.map(|rule| rule["message"].as_str().unwrap().to_owned()));
    rules.join("; ")
}

fn reference() -> String {
    let definition = serde_json::to_value(crd::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let mut page = HEAD.to_owned();
    for part in ["spec", "status"] {
        write!(
            page,
            "\n## {part}\n\n| field | type | meaning | rules |\n|---|---|---|---|\n"
        )
        .unwrap();
        fields(&schema[part], "", &mut page);
        let spoken = rules(&schema[part]);
        if !spoken.is_empty() {
            write!(page, "\nOf the whole: {spoken}.\n").unwrap();
        }
    }
    page.push_str(REASONS);
    for reason in Reason::iter() {
        let class = match reason.class() {
            Class::Ready => "Ready",
            Class::Reconciling => "Reconciling",
            Class::Stalled => "Stalled",
            Class::Detail => "detail",
        };
        writeln!(
            page,
            "| `{reason}` | {class} | {} | {} |",
            reason.meaning(),
            reason.advice().unwrap_or("–")
        )
        .unwrap();
    }
    page
}

#[test]
fn the_reference_is_what_the_definition_and_the_reasons_say() {
    let page = reference();
    assert!(page.contains("| `change.jobID` | string |"), "{page}");
    assert_eq!(page.matches("| Stalled |").count(), 26);
    held(Path::new("docs/reference.md"), &page);
}
