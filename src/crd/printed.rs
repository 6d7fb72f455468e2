//! The definition as text: what people apply, review and diff.
//!
//! kube's derive leaves things that an API server would store differently or users would stumble over; they are mended
//! here, so that what is applied equals what is served: `nullable` on every optional field (an explicit null would be
//! stored and make rules fail), `format` beside a range (the API server's words about formats name no field), and whole
//! numbers printed as fractions.
//!
//! One thing is added: the status that a resource has before the operator has written one. Without it kstatus takes a new
//! resource for done.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::{Value, json};

use super::status::UNOBSERVED;

/// Why the definition can't be printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// It is not JSON.
    #[error("the definition can't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is not YAML.
    #[error("the definition can't be written as YAML: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// Takes `nullable` out of every schema, and `format` where a range says more; gives the status its default.
pub fn mended(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            mend(schema);
            begin_unobserved(schema);
        }
    }
    definition
}

/// The definition as a YAML document with whole numbers written as such.
pub fn yaml(definition: &CustomResourceDefinition) -> Result<String, PrintError> {
    let mut value = serde_json::to_value(definition)?;
    make_whole(&mut value);
    Ok(serde_saphyr::to_string(&value)?)
}

fn mend(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if schema.minimum.is_some() && schema.maximum.is_some() {
        schema.format = None;
    }
    for property in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        mend(property);
    }
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(items)) => mend(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(mend),
        None => {}
    }
}

/// The default stands for the whole status alone: one that somebody has written is never added to.
fn begin_unobserved(schema: &mut JSONSchemaProps) {
    let properties = schema.properties.as_mut();
    if let Some(status) = properties.and_then(|properties| properties.get_mut("status")) {
        status.default = Some(JSON(json!({ "observedGeneration": UNOBSERVED })));
    }
}

fn make_whole(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(make_whole),
        Value::Object(fields) => fields.values_mut().for_each(make_whole),
        Value::Number(number) => {
            let whole = number
                .as_f64()
                .filter(|float| float.fract() == 0.0)
                .map(|float| format!("{float:.0}"));
            if let Some(whole) = whole.and_then(|text| text.parse::<i64>().ok()) {
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
