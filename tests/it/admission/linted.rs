//! The plugin's `lint` beside the API server: the same verdict, the same fields, and of the spec the same words; more of them where the
//! API server said that it looked no further.
//!
//! The words about `metadata` are those of each release of Kubernetes, and are not compared; nor is how a value is written.

use std::collections::BTreeSet;

use taurus_port_plugin::lint::{self, Source, judge::Judge, yaml};

/// A field, and what is said of it.
type Said = (String, String);

/// How a message begins that repeats the value.
const VALUE: &str = "Invalid value: ";

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
    let linted: Vec<Said> = linted.map(|fault| (fault.field, fault.message)).collect();
    compare(case, &linted, refused);
}

/// The same of a change from one document to another.
pub fn agrees_on_change(case: &str, from: &str, to: &str, refused: Option<&str>) {
    let [from, to] = [from, to].map(|text| yaml::documents(text).unwrap().remove(0).value);
    let faults = Judge::new().unwrap().faults(&to, Some(&from));
    let linted = faults.into_iter();
    let linted: Vec<Said> = linted.map(|fault| (fault.field, fault.message)).collect();
    compare(case, &linted, refused);
}

/// Whether `lint` finds a fault in a document, such as one that is no YAML, whose field nobody names.
pub fn refuses(document: &str) -> bool {
    let source = Source {
        name: String::new(),
        text: document.to_owned(),
    };
    !lint::check(&[source]).unwrap().faults.is_empty()
}

fn compare(case: &str, linted: &[Said], refused: Option<&str>) {
    compare_fields(case, linted, refused);
    if let Some(refusal) = refused {
        compare_words(case, linted, refusal);
    }
}

fn compare_fields(case: &str, linted: &[Said], refused: Option<&str>) {
    let linted: BTreeSet<String> = linted.iter().map(|(field, _)| field.clone()).collect();
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
        assert_eq!(linted, told, "{case}: {refused:?}");
    }
}

/// All that the API server says of the spec, `lint` says, and nothing else where the API server looked at everything.
fn compare_words(case: &str, linted: &[Said], refusal: &str) {
    // Fractions, and numbers of more than 64 bits, are judged differently from release to release.
    let is_of_fractions = refusal.contains("\"number\"") || refusal.contains("got float64");
    if is_undecodable(refusal) || is_of_fractions {
        return;
    }
    let told = words(refusal);
    for (field, text) in &told {
        let is_said = linted
            .iter()
            .any(|(linted, message)| linted == field && says(message, text));
        assert!(
            is_said,
            "{case}: {field}: {text}, of which lint says {linted:?}"
        );
    }
    if looked_no_further(refusal) {
        return;
    }
    for (field, message) in linted.iter().filter(|(field, _)| is_of_spec(field)) {
        let is_told = told
            .iter()
            .any(|(told, text)| told == field && says(message, text));
        assert!(
            is_told,
            "{case}: lint says {field}: {message}, of {refusal}"
        );
    }
}

/// What the API server says of the fields of the spec. Of a value of another type it adds that it is none of the words that it may be.
fn words(refusal: &str) -> Vec<Said> {
    let faults = refusal.lines().filter_map(fault_in);
    let said = faults.filter_map(|fault| fault.split_once(": "));
    let said: Vec<(&str, &str)> = said.filter(|(field, _)| is_of_spec(field)).collect();
    let is_of_other_type = |field: &str| {
        let mut of_field = said.iter().filter(|(other, _)| *other == field);
        of_field.any(|(_, text)| text.contains(" must be of type "))
    };
    let told = said.iter().filter(|(field, text)| {
        !(text.starts_with("Unsupported value: ") && is_of_other_type(field))
    });
    told.map(|(field, text)| ((*field).to_owned(), (*text).to_owned()))
        .collect()
}

fn is_of_spec(field: &str) -> bool {
    field == "spec" || field.starts_with("spec.")
}

/// Whether two messages are the same but for how the value is written: in JSON, as Go does, or by its type.
fn says(message: &str, text: &str) -> bool {
    match (after_value(message), text.strip_prefix(VALUE)) {
        (Some(rest), Some(text)) => text.ends_with(rest),
        _ => message == text,
    }
}

/// What follows the value, which `lint` writes in JSON.
fn after_value(message: &str) -> Option<&str> {
    let rest = message.strip_prefix(VALUE)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
    values.next()?.ok()?;
    let rest = rest.get(values.byte_offset()..)?;
    rest.starts_with(": ").then_some(rest)
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

/// The fault that a line of a refusal tells.
fn fault_in(line: &str) -> Option<&str> {
    match line.trim_start().strip_prefix("* ") {
        Some(fault) => Some(fault),
        None => line.split_once(" is invalid: ").map(|(_, fault)| fault),
    }
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
        let field = fault_in(line).and_then(|fault| fault.split_once(": "));
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

#[test]
fn messages_are_the_same_but_for_how_the_value_is_written() {
    for (linted, told, same) in [
        ("Required value", "Required value", true),
        ("Required value", "Required value: or not", false),
        (
            "Invalid value: \"a\\u0000: b\": must fit",
            "Invalid value: \"a\\x00: b\": must fit",
            true,
        ),
        (
            "Invalid value: 1033: port is reserved",
            "Invalid value: [value]: port is reserved",
            true,
        ),
        (
            "Invalid value: {\"a\": 1}: must fit",
            "Invalid value: \"object\": must fit",
            true,
        ),
        (
            "Invalid value: []: minimum 1 items",
            "Invalid value: 0: spec.list in body should have at least 1 items",
            false,
        ),
    ] {
        assert_eq!(says(linted, told), same, "{linted} / {told}");
    }
    let refusal = "The X \"orders\" is invalid: \n* spec.a: Invalid value: \"boolean\": spec.a in body must be of type string: \"boolean\"\n\
         * spec.a: Unsupported value: true: supported values: \"A\"\n* metadata.b: Required value\n* spec.c: Unsupported value: 1: supported values: 2";
    let told = words(refusal);
    let fields: Vec<&str> = told.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["spec.a", "spec.c"]);
}
