//! What is printed for programs, against the schemas that describe it.

use serde_json::{Value, json};

/// Whether a schema describes a value, and all fields of it: others may be added by later releases, and are described then.
pub fn describes(schema: &str, value: &Value) -> bool {
    let mut schema = serde_json::from_str(schema).unwrap();
    close(&mut schema);
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("schema.json", schema).unwrap();
    let index = compiler.compile("schema.json", &mut schemas).unwrap();
    schemas.validate(value, index).is_ok()
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
