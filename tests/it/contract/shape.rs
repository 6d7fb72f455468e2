//! The structure of a JSON value: every place in it with the type that stands there.

use std::collections::BTreeSet;

use serde_json::Value;

/// Lines such as `proxy_list[].proxy.port: number`; values don't matter, and an empty array says nothing of its items.
pub fn of(value: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    describe(value, "", &mut lines);
    lines
}

fn describe(value: &Value, at: &str, lines: &mut BTreeSet<String>) {
    lines.insert(format!("{at}: {}", kind(value)));
    match value {
        Value::Array(items) => items
            .iter()
            .for_each(|item| describe(item, &format!("{at}[]"), lines)),
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| {
            let place = if at.is_empty() {
                name.clone()
            } else {
                format!("{at}.{name}")
            };
            describe(inner, &place, lines);
        }),
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn a_shape_tells_types_and_places_apart_and_values_not() {
    use serde_json::json;

    let shape = of(&json!({"a": [{"b": 1}, {"b": 2}], "c": null}));
    assert_eq!(
        shape,
        [
            ": object",
            "a: array",
            "a[]: object",
            "a[].b: number",
            "c: null"
        ]
        .map(str::to_owned)
        .into()
    );
    for other in [
        json!({"a": [{"b": "1"}], "c": null}),
        json!({"a": [{"b": 1}]}),
        json!({"a": [{"b": 1, "d": 1}], "c": null}),
        json!({"a": {"b": 1}, "c": null}),
    ] {
        assert_ne!(of(&other), shape, "{other}");
    }
}
