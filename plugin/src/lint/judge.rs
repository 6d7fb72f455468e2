//! What the API server would say of one object: its unknown fields, its schema and its rules.
//!
//! Where the API server ends at the first of these that finds something, all is told at once. Promises that what is told beyond it is
//! what it would say next: a rule is run only on what has the shape that the rule relies on.

use serde_json::Value;
use taurus_port_operator::{
    crd::{self, GROUP, TaurusProxyPort},
    desired,
    model::Port,
    place::endpoints,
};

use super::{fault::Fault, metadata, rules::Rules, schema::Schema, yaml};
use crate::failure::Failure;

/// The version of the API that the definition has.
pub const VERSION: &str = "v1alpha1";

/// The kind.
pub const KIND: &str = "TaurusProxyPort";

/// What is said of a field that the definition does not have.
pub const UNKNOWN: &str = "unknown field";

/// The definition, ready to be run.
pub struct Judge {
    schema: Schema,
    rules: Rules,
}

impl Judge {
    /// Compiles the definition of this release.
    pub fn new() -> Result<Self, Failure> {
        let unusable =
            |why: String| Failure::Output(format!("the definition can't be used: {why}"));
        let text = crd::printed::yaml(&crd::definition());
        let text = text.map_err(|error| unusable(error.to_string()))?;
        let documents = yaml::documents(&text).map_err(|error| unusable(error.to_string()))?;
        let schema = "/spec/versions/0/schema/openAPIV3Schema";
        let tree = documents
            .first()
            .and_then(|document| document.value.pointer(schema))
            .ok_or_else(|| unusable("it has no schema".to_owned()))?
            .clone();
        let rules = Rules::new(&tree)?;
        Ok(Self {
            schema: Schema::new(tree)?,
            rules,
        })
    }

    /// How many rules are run.
    pub fn rules(&self) -> usize {
        self.rules.count()
    }

    /// What the API server would refuse of an object, as a change of `before` where that is given.
    pub fn faults(&self, object: &Value, before: Option<&Value>) -> Vec<Fault> {
        let version = object.get("apiVersion").and_then(Value::as_str);
        if version != Some(&format!("{GROUP}/{VERSION}")) {
            return vec![Fault::of(
                "apiVersion",
                format!("no such version: it must be {GROUP}/{VERSION}"),
            )];
        }
        if object.get("kind").and_then(Value::as_str) != Some(KIND) {
            let message = format!("{GROUP} has no such kind: it must be {KIND}");
            return vec![Fault::of("kind", message)];
        }
        let mut faults = self.unknown(object);
        let object = stored(object);
        let verdict = self.schema.run(&object);
        faults.extend(verdict.faults);
        faults.extend(metadata::faults(&object));
        let before = before.map(stored);
        let except = &verdict.misshapen;
        self.rules
            .run(&object, before.as_ref(), "", except, &mut faults);
        faults.sort();
        faults.dedup();
        faults
    }

    /// Fields that nobody knows; kubectl lets the API server refuse them.
    fn unknown(&self, object: &Value) -> Vec<Fault> {
        let mut fields = self.schema.unknown_fields(object);
        fields.extend(metadata::unknown(object));
        let fault = |field: String| Fault {
            message: UNKNOWN.to_owned(),
            field,
        };
        fields.into_iter().map(fault).collect()
    }
}

/// Whether an object is meant to be one of ours: it has our kind or our group, and what else it has may be misspelt.
pub fn is_ours(object: &Value) -> bool {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let group = text("apiVersion").and_then(|version| version.split_once('/'));
    text("kind") == Some(KIND) || group.is_some_and(|(group, _)| group == GROUP)
}

/// What is taken, and may not be what is wanted.
pub fn warnings(object: &Value) -> Vec<Fault> {
    let mut warnings = Vec::new();
    let port = object.pointer("/spec/port").and_then(Value::as_i64);
    if port
        .and_then(|port| Port::new(port).ok())
        .is_some_and(Port::is_doubtful)
    {
        warnings.push(Fault::of(
            "spec.port",
            "the vendor's guide calls this port reserved; the service may refuse it",
        ));
    }
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let unknown = text("/spec/region").filter(|region| endpoints::service_of(region).is_err());
    if let Some(region) = unknown.filter(|_| text("/spec/endpoint").is_none()) {
        let message = format!(
            "{region} is not in the operator's table of regions: set spec.endpoint, or nothing can be called"
        );
        warnings.push(Fault::of("spec.region", message));
    }
    if let Some(spec) = object.get("spec") {
        let mut empty = Vec::new();
        nulls(spec, "spec", &mut empty);
        warnings.extend(empty.into_iter().map(|field| {
            Fault::of(
                &field,
                "it has no value: the API server drops it, and it counts as absent",
            )
        }));
    }
    let approved = text("/spec/approvedPlan").is_some_and(|plan| !plan.is_empty());
    if approved && text("/spec/approval") != Some("Manual") {
        let message =
            "it does nothing, since spec.approval is not Manual: changes start without an approval";
        warnings.push(Fault::of("spec.approvedPlan", message));
    }
    warnings
}

/// What the API server takes and the operator can't act on, such as a time zone that nobody knows: nothing would ever start.
pub fn refused_by_the_operator(object: &Value) -> Option<Fault> {
    let fault = refusal_of_the_operator(object)?;
    Some(Fault::of(
        "spec",
        format!("the operator will refuse it: {fault}"),
    ))
}

/// Why the operator starts nothing for it, though the API server takes it.
fn refusal_of_the_operator(object: &Value) -> Option<String> {
    let object = serde_json::from_value::<TaurusProxyPort>(stored(object)).ok()?;
    match desired::read(&object) {
        Err(fault) => Some(fault.to_string()),
        Ok(desired) => desired.timing?.fault,
    }
}

/// As the API server keeps it: without a status, and without fields that are null.
fn stored(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    forget_nulls(&mut object);
    object
}

/// Takes fields that are null away, as the API server does.
pub fn forget_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(forget_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_nulls),
        _ => {}
    }
}

/// The fields that are there and null.
fn nulls(value: &Value, place: &str, found: &mut Vec<String>) {
    match value {
        Value::Null => found.push(place.to_owned()),
        Value::Object(fields) => {
            for (name, value) in fields {
                nulls(value, &format!("{place}.{name}"), found);
            }
        }
        Value::Array(items) => {
            // The API server refuses a null that stands in a list itself.
            for (index, value) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
                nulls(value, &format!("{place}[{index}]"), found);
            }
        }
        _ => {}
    }
}
