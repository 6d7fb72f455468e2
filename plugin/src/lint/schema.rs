//! The schema of the definition, run as a JSON schema, in the words of the API server.
//!
//! Relies on `boon` for the checks. Promises to name fields as the API server does, and to tell of which fields no rule can be run.

use std::fmt::Write as _;

use boon::{Compiler, ErrorKind, SchemaIndex, Schemas, Type, ValidationError};
use serde_json::{Map, Value};

use super::fault::Fault;
use crate::failure::Failure;

/// Where the schema is known; nothing is fetched.
const PLACE: &str = "memory:definition.json";

/// A schema that is ready to be run.
pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
    tree: Value,
}

/// What a schema says of a value.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The faults.
    pub faults: Vec<Fault>,
    /// The fields whose faults keep the API server from running any rule: a rule that sees such a field can't be believed.
    pub misshapen: Vec<String>,
}

impl Schema {
    /// Compiles the schema of a definition.
    pub fn new(tree: Value) -> Result<Self, Failure> {
        let mut plain = tree.clone();
        make_plain(&mut plain);
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        let unusable = |error: boon::CompileError| {
            Failure::Output(format!("the definition's schema can't be used: {error}"))
        };
        compiler.add_resource(PLACE, plain).map_err(unusable)?;
        let index = compiler.compile(PLACE, &mut schemas).map_err(unusable)?;
        Ok(Self {
            schemas,
            index,
            tree,
        })
    }

    /// Runs it.
    pub fn run(&self, value: &Value) -> Verdict {
        let mut verdict = Verdict::default();
        if let Err(error) = self.schemas.validate(value, self.index) {
            collect(&error, value, &mut verdict);
        }
        repeated(&self.tree, value, "", &mut verdict.faults);
        verdict
    }

    /// The fields that the schema does not know, by their paths.
    pub fn unknown_fields(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        unknown(&self.tree, value, "", &mut found);
        found
    }
}

/// Takes out what is Kubernetes' own: as a keyword of JSON schemas it means nothing, or something else.
fn make_plain(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !(name.starts_with("x-kubernetes") || (name == "format" && value.is_string()))
            });
            fields.values_mut().for_each(make_plain);
        }
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        _ => {}
    }
}

fn unknown(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let keeps = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    match value {
        Value::Object(fields) if !keeps => {
            let nothing = Map::new();
            let known = schema
                .get("properties")
                .and_then(Value::as_object)
                .unwrap_or(&nothing);
            let others = schema
                .get("additionalProperties")
                .filter(|others| others.is_object());
            // The envelope of an object is known without being written there, and what its metadata holds is another's.
            let is_envelope =
                |name: &str| path.is_empty() && matches!(name, "apiVersion" | "kind" | "metadata");
            for (name, value) in fields.iter().filter(|(name, _)| !is_envelope(name)) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match known.get(name).or(others) {
                    Some(schema) => unknown(schema, value, &path, found),
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (place, item) in items.iter().enumerate() {
                    unknown(schema, item, &format!("{path}[{place}]"), found);
                }
            }
        }
        _ => {}
    }
}

/// Values that stand twice in a list that is a set, or whose keys do in one that is a map: no keyword of JSON schemas says so.
fn repeated(schema: &Value, value: &Value, path: &str, faults: &mut Vec<Fault>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let known = schema.get("properties").and_then(|known| known.get(name));
                if let Some(schema) = known {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    repeated(schema, value, &path, faults);
                }
            }
        }
        Value::Array(items) => {
            let of_item = schema.get("items").unwrap_or(&Value::Null);
            let mut met: Vec<Value> = Vec::new();
            for (place, item) in items.iter().enumerate() {
                let path = format!("{path}[{place}]");
                repeated(of_item, item, &path, faults);
                let Some(key) = key_of(schema, item) else {
                    continue;
                };
                if met.contains(&key) {
                    faults.push(Fault::of(&path, format!("Duplicate value: {key}")));
                }
                met.push(key);
            }
        }
        _ => {}
    }
}

/// What tells an item of a set or of a map from others.
fn key_of(schema: &Value, item: &Value) -> Option<Value> {
    match schema.get("x-kubernetes-list-type")?.as_str()? {
        "set" => Some(item.clone()),
        "map" => {
            let keys = schema.get("x-kubernetes-list-map-keys")?.as_array()?;
            let keys = keys.iter().filter_map(Value::as_str);
            let fields = keys.map(|key| {
                let value = item.get(key).cloned().unwrap_or_default();
                (key.to_owned(), value)
            });
            Some(Value::Object(fields.collect()))
        }
        _ => None,
    }
}

fn collect(error: &ValidationError<'_, '_>, root: &Value, verdict: &mut Verdict) {
    for cause in &error.causes {
        collect(cause, root, verdict);
    }
    let pointer = error.instance_location.to_string();
    let field = field_of(&pointer);
    let value = root.pointer(&pointer).unwrap_or(&Value::Null);
    let mut add = |field: String, message: String, blocks: bool| {
        if blocks {
            verdict.misshapen.push(field.clone());
        }
        verdict.faults.push(Fault { field, message });
    };
    let invalid = |should: String| format!("Invalid value: {value}: {field} in body {should}");
    match &error.kind {
        ErrorKind::Required { want } => {
            for name in want {
                let field = if field.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{field}.{name}")
                };
                add(field, "Required value".to_owned(), true);
            }
        }
        ErrorKind::Type { want, .. } => {
            let got = type_of(value);
            let want: Vec<&str> = want.iter().map(name_of).collect();
            let want = want.join(" or ");
            let message = format!(
                "Invalid value: \"{got}\": {field} in body must be of type {want}: \"{got}\""
            );
            add(field.clone(), message, true);
        }
        ErrorKind::Enum { want } => {
            let want: Vec<String> = want.iter().map(Value::to_string).collect();
            let message = format!(
                "Unsupported value: {value}: supported values: {}",
                want.join(", ")
            );
            add(field.clone(), message, true);
        }
        ErrorKind::MaxLength { want, .. } => {
            add(
                field.clone(),
                format!("Too long: may not be more than {want} bytes"),
                true,
            );
        }
        ErrorKind::MaxItems { got, want } => {
            add(
                field.clone(),
                format!("Too many: {got}: must have at most {want} items"),
                true,
            );
        }
        // Here the value that is told is the count.
        ErrorKind::MinItems { got, want } => {
            add(
                field.clone(),
                format!("Invalid value: {got}: {field} in body should have at least {want} items"),
                false,
            );
        }
        ErrorKind::MinLength { want, .. } => {
            add(
                field.clone(),
                invalid(format!("should be at least {want} chars long")),
                false,
            );
        }
        ErrorKind::Pattern { want, .. } => add(
            field.clone(),
            invalid(format!("should match '{want}'")),
            false,
        ),
        ErrorKind::Minimum { want, .. } => {
            add(
                field.clone(),
                invalid(format!("should be greater than or equal to {want}")),
                false,
            );
        }
        ErrorKind::Maximum { want, .. } => {
            add(
                field.clone(),
                invalid(format!("should be less than or equal to {want}")),
                false,
            );
        }
        other if error.causes.is_empty() => add(
            field.clone(),
            format!("Invalid value: {value}: {other}"),
            false,
        ),
        _ => {}
    }
}

/// `/spec/list/0/port` is `spec.list[0].port`.
fn field_of(pointer: &str) -> String {
    let mut field = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(field, "[{part}]");
        } else {
            if !field.is_empty() {
                field.push('.');
            }
            field.push_str(&part);
        }
    }
    field
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn name_of(wanted: Type) -> &'static str {
    match wanted {
        Type::Null => "null",
        Type::Boolean => "boolean",
        Type::Number => "number",
        Type::Integer => "integer",
        Type::String => "string",
        Type::Array => "array",
        Type::Object => "object",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// The keywords that [`collect`] has words for, and those that refuse nothing by themselves.
    const KNOWN: [&str; 16] = [
        "additionalProperties",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "nullable",
        "pattern",
        "properties",
        "required",
        "type",
    ];

    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        let Some(fields) = schema.as_object() else {
            return;
        };
        found.extend(fields.keys().cloned());
        let properties = fields.get("properties").and_then(Value::as_object);
        for below in properties.into_iter().flat_map(Map::values) {
            keywords(below, found);
        }
        for name in ["items", "additionalProperties"] {
            keywords(fields.get(name).unwrap_or(&Value::Null), found);
        }
    }

    #[test]
    fn each_keyword_of_the_definition_is_told_in_the_words_of_the_api_server() {
        let definition = serde_json::to_value(taurus_port_operator::crd::definition()).unwrap();
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
        let mut found = BTreeSet::new();
        keywords(definition.pointer(spec).unwrap(), &mut found);
        found.retain(|name| !name.starts_with("x-kubernetes-"));
        let without: Vec<&String> = found
            .iter()
            .filter(|name| !KNOWN.contains(&name.as_str()))
            .collect();
        assert_eq!(without, Vec::<&String>::new());
        assert!(found.contains("minItems"), "{found:?}");
        let tree = json!({"properties": {
            "list": {"type": "array", "minItems": 1}, "text": {"type": "string", "minLength": 2},
        }});
        let verdict = Schema::new(tree)
            .unwrap()
            .run(&json!({"list": [], "text": "a"}));
        let mut told: Vec<String> = verdict.faults.into_iter().map(|it| it.message).collect();
        told.sort();
        assert_eq!(
            told,
            [
                "Invalid value: \"a\": text in body should be at least 2 chars long",
                "Invalid value: 0: list in body should have at least 1 items",
            ]
        );
    }

    #[test]
    fn what_stands_twice_in_a_set_or_a_map_is_told_at_its_place() {
        let set =
            json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"});
        let map = json!({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"]});
        let tree = json!({"type": "object", "properties": {"days": set, "list": map, "free": {"type": "array"}}});
        let schema = Schema::new(tree).unwrap();
        let value = json!({"days": ["Mon", "Tue", "Mon"], "list": [{"type": "a", "b": 1}, {"type": "a"}], "free": [1, 1]});
        let verdict = schema.run(&value);
        let fields: Vec<&str> = verdict
            .faults
            .iter()
            .map(|fault| fault.field.as_str())
            .collect();
        assert_eq!(fields, ["days[2]", "list[1]"]);
        assert!(verdict.misshapen.is_empty());
    }
}
