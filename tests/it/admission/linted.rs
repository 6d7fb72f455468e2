//! The plugin's `lint` beside the API server: the same verdict, and the same fields; more of them where the API server said that it
//! looked no further.

use std::collections::BTreeSet;

use taurus_port_plugin::lint::{self, Source, judge::Judge, yaml};

/// Compares what `lint` says of a document with what kubectl printed: nothing where it was taken.
pub fn agrees(case: &str, document: &str, refused: Option<&str>) {
    let source = Source {
        name: case.to_owned(),
        text: document.to_owned(),
    };
    let report = lint::check(&[source]).unwrap();
    // What the API server takes and the operator refuses is a fault as well, of which the API server can't know.
    let faults = report.faults.into_iter();
    let linted = faults.filter(|fault| !fault.message.starts_with("the operator will refuse it"));
    compare(case, &linted.map(|fault| fault.field).collect(), refused);
}

/// The same of a change from one document to another.
pub fn agrees_on_change(case: &str, from: &str, to: &str, refused: Option<&str>) {
    let [from, to] = [from, to].map(|text| yaml::documents(text).unwrap().remove(0).value);
    let faults = Judge::new().unwrap().faults(&to, Some(&from));
    let linted = faults.into_iter().map(|fault| fault.field);
    compare(case, &linted.collect(), refused);
}

/// Whether `lint` finds a fault in a document, such as one that is no YAML, whose field nobody names.
pub fn refuses(document: &str) -> bool {
    let source = Source {
        name: String::new(),
        text: document.to_owned(),
    };
    !lint::check(&[source]).unwrap().faults.is_empty()
}

fn compare(case: &str, linted: &BTreeSet<String>, refused: Option<&str>) {
    let told = fields(refused);
    assert!(
        refused.is_none() || !linted.is_empty(),
        "{case}: {refused:?}"
    );
    if refused.is_some_and(is_undecodable) {
        // A place in a list is not told by who can't read what stands there.
        let linted: BTreeSet<String> = linted.iter().map(|field| without_places(field)).collect();
        assert!(
            linted.is_superset(&told),
            "{case}: {linted:?} of {refused:?}"
        );
    } else if refused.is_some_and(looked_no_further) {
        assert!(
            linted.is_superset(&told),
            "{case}: {linted:?} of {refused:?}"
        );
    } else {
        assert_eq!(*linted, told, "{case}: {refused:?}");
    }
}

/// Whether the API server ended at unknown fields, or ran no rule.
fn looked_no_further(refusal: &str) -> bool {
    refusal.contains("unknown field \"")
        || refusal.contains("some validation rules were not checked")
}

/// Whether kubectl ended where it could not read a field.
fn is_undecodable(refusal: &str) -> bool {
    refusal.contains("unable to decode")
}

fn without_places(field: &str) -> String {
    let parts = field.split('[');
    parts
        .map(|part| part.split_once(']').map_or(part, |(_, rest)| rest))
        .collect()
}

/// The fields that a text of the API server is about.
fn fields(text: Option<&str>) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for line in text.into_iter().flat_map(str::lines) {
        let unknown = line.split("unknown field \"").skip(1);
        fields.extend(unknown.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        // As kubectl names a field by its type in Go, such as `ObjectMeta.metadata.labels`.
        let undecodable = line.split_once("Go struct field ");
        let undecodable = undecodable.and_then(|(_, rest)| rest.split_once(" of type"));
        let undecodable = undecodable.and_then(|(field, _)| field.split_once('.'));
        fields.extend(undecodable.map(|(_, field)| field.to_owned()));
        if line.contains("the namespace from the provided object") {
            fields.insert("metadata.namespace".to_owned());
        }
        let fault = match line.trim_start().strip_prefix("* ") {
            Some(fault) => Some(fault),
            None => line.split_once(" is invalid: ").map(|(_, fault)| fault),
        };
        let field = fault.and_then(|fault| fault.split_once(": "));
        fields.extend(field.map(|(field, _)| field.to_owned()));
    }
    // Said where no rule was run.
    fields.remove("<nil>");
    fields
}

#[test]
fn fields_are_found_in_each_form_of_a_refusal() {
    for (text, found) in [
        (None, &[][..]),
        (
            Some("The X \"orders\" is invalid: spec.port: Invalid value: 1: no"),
            &["spec.port"],
        ),
        (
            Some(
                "The X \"orders\" is invalid: \n* spec.a: Required value\n* <nil>: Invalid value: null: some",
            ),
            &["spec.a"],
        ),
        (
            Some("strict decoding error: unknown field \"spec.a\", unknown field \"spec.b\""),
            &["spec.a", "spec.b"],
        ),
        (
            Some(
                "error: unable to decode \"a.yaml\": json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            &["metadata.labels"],
        ),
    ] {
        let found: BTreeSet<String> = found.iter().map(|field| (*field).to_owned()).collect();
        assert_eq!(fields(text), found, "{text:?}");
    }
    assert_eq!(without_places("a.b[0].c[12]"), "a.b.c");
}
