//! A resource as it stands on the API server, whichever release of the operator wrote it.
//!
//! Promises to refuse nothing: a word that this release does not know is shown as it is, and a field of another type as JSON.

mod lean;
pub mod owners;

use jiff::Timestamp;
use kube::{ResourceExt as _, api::DynamicObject};
use serde::{Serialize, Serializer};
use serde_json::Value;
use taurus_port_operator::{
    crd::UNOBSERVED,
    model::{Class, Reason},
};

use crate::format::tame;
pub use lean::Lean;

/// How a resource stands, in the order in which people want to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum State {
    /// A person has to act.
    Stalled,
    /// The operator has not said anything yet, or nothing that is known here.
    Unknown,
    /// It works or waits, and goes on by itself.
    Reconciling,
    /// In order.
    Ready,
}

impl State {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stalled => "Stalled",
            Self::Unknown => "Unknown",
            Self::Reconciling => "Reconciling",
            Self::Ready => "Ready",
        }
    }
}

/// A change that is due and waits for its moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// The id of its plan.
    pub id: String,
    /// What it waits for.
    pub waits_for: Vec<String>,
    /// When it may start at the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Due {
    fn of(data: &Value) -> Option<Self> {
        let plan = data.pointer("/status/plan")?;
        let words = plan.get("waitsFor").and_then(Value::as_array);
        let words = words.into_iter().flatten();
        Some(Self {
            id: text_at(plan, "/id")?,
            waits_for: words.filter_map(|word| text_at(word, "")).collect(),
            not_before: time_at(plan, "/notBefore"),
        })
    }
}

/// A resource in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// The wanted port.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "port")]
    pub wanted: Option<String>,
    /// The port last read.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "port")]
    pub actual: Option<String>,
    /// The port that a change in progress sets.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "port")]
    pub changing_to: Option<String>,
    /// The operator's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it is in this state; its reason may be newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// What the operator says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the operator may do.
    pub policy: String,
    /// Whether no change may start.
    pub suspended: bool,
    /// Whether the spec was edited since the operator looked.
    pub edited: bool,
    /// The change that is due and waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Due>,
    /// Address of the proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The instance.
    #[serde(rename = "instanceID", skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Summary {
    /// Reads an object.
    pub fn of(object: &DynamicObject) -> Self {
        let name = (object.namespace().unwrap_or_default(), object.name_any());
        Self::read(name, object.metadata.generation, &object.data)
    }

    /// Reads what is kept of an object of a long list.
    pub fn of_lean(object: &Lean) -> Self {
        let data = &object.0;
        let text = |pointer: &str| text_at(data, pointer).unwrap_or_default();
        let generation = data.pointer("/metadata/generation").and_then(Value::as_i64);
        let name = (text("/metadata/namespace"), text("/metadata/name"));
        Self::read(name, generation, data)
    }

    fn read((namespace, name): (String, String), generation: Option<i64>, data: &Value) -> Self {
        let main = main_condition(data);
        let ready = condition(data, "Ready");
        let said = main.or(ready);
        let state = state_of(main);
        let observed = data
            .pointer("/status/observedGeneration")
            .and_then(Value::as_i64)
            .filter(|generation| *generation != UNOBSERVED);
        Self {
            namespace,
            name,
            state,
            wanted: text_at(data, "/spec/port"),
            actual: text_at(data, "/status/port"),
            changing_to: text_at(data, "/status/change/toPort"),
            reason: said.and_then(|said| text_at(said, "/reason")),
            since: said.and_then(|said| time_at(said, "/lastTransitionTime")),
            message: said.and_then(|said| text_at(said, "/message")),
            policy: text_at(data, "/spec/managementPolicy").unwrap_or_else(|| "Enforce".to_owned()),
            suspended: data.pointer("/spec/suspend") == Some(&Value::Bool(true)),
            edited: observed.is_some() && observed < generation,
            plan: Due::of(data),
            address: text_at(data, "/status/address"),
            instance: text_at(data, "/spec/instanceID"),
        }
    }

    /// Whether the port last read is another one than the wanted one.
    pub fn differs(&self) -> bool {
        self.actual.is_some() && self.actual != self.wanted
    }

    /// Whether nobody has to look at it: settled, with the wanted port, and free to change.
    pub fn is_in_order(&self) -> bool {
        self.state == State::Ready && !self.suspended && !self.differs()
    }

    /// What comes first in a list.
    pub fn rank(&self) -> (State, bool, &str, &str) {
        let settled = self.is_in_order();
        (self.state, settled, &self.namespace, &self.name)
    }

    /// The advice for its reason, where this release knows the reason and a person can do something.
    pub fn advice(&self) -> Option<&'static str> {
        let reason: Reason = self.reason.as_deref()?.parse().ok()?;
        reason.advice()
    }
}

/// A port as a number, as everywhere for programs; what another release has written in its place as it is.
fn port<P, S: Serializer>(port: &P, serializer: S) -> Result<S::Ok, S::Error>
where
    for<'p> &'p P: IntoIterator<Item = &'p String>,
{
    let Some(text) = port.into_iter().next() else {
        return serializer.serialize_none();
    };
    match text.parse::<u16>() {
        Ok(number) => serializer.serialize_u16(number),
        Err(_) => serializer.serialize_str(text),
    }
}

/// The condition of the three that is True.
fn main_condition(data: &Value) -> Option<&Value> {
    let is_main = |condition: &&Value| {
        let kind = condition.get("type").and_then(Value::as_str);
        matches!(kind, Some("Ready" | "Reconciling" | "Stalled"))
            && condition.get("status").and_then(Value::as_str) == Some("True")
    };
    conditions(data).find(is_main)
}

fn state_of(main: Option<&Value>) -> State {
    let kind = main
        .and_then(|main| main.get("type"))
        .and_then(Value::as_str);
    match kind {
        Some("Ready") => State::Ready,
        Some("Reconciling") => State::Reconciling,
        Some("Stalled") => State::Stalled,
        _ => State::Unknown,
    }
}

/// The conditions of an object.
pub fn conditions(data: &Value) -> impl Iterator<Item = &Value> {
    let list = data.pointer("/status/conditions").and_then(Value::as_array);
    list.into_iter().flatten()
}

/// A condition by its type.
pub fn condition<'a>(data: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions(data).find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
}

/// The value of an annotation, without blanks around it.
pub fn annotated(object: &DynamicObject, name: &str) -> Option<String> {
    let annotations = object.metadata.annotations.as_ref()?;
    Some(annotations.get(name)?.trim().to_owned())
}

/// What stands there, as text; nothing where there is nothing, or null.
pub fn text_at(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(tame(text)),
        other => Some(tame(&other.to_string())),
    }
}

/// A time that stands there.
pub fn time_at(value: &Value, pointer: &str) -> Option<Timestamp> {
    value.pointer(pointer)?.as_str()?.parse().ok()
}

/// When the last look was asked for that the operator has made: it has looked then or later. Nothing where the status does not tell, as
/// where the request was no time.
pub fn looked_after(object: &Value) -> Option<Timestamp> {
    time_at(object, "/status/lastHandledRequest")
}

/// What a word of the operator means, where this release knows it.
pub fn meaning(reason: &str) -> Option<(Class, String)> {
    let reason: Reason = reason.parse().ok()?;
    Some((reason.class(), reason.meaning()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::kind;

    fn object(data: Value) -> DynamicObject {
        let mut object = DynamicObject::new("orders", &kind())
            .within("shop")
            .data(data);
        object.metadata.generation = Some(3);
        object
    }

    #[test]
    fn an_object_without_a_status_is_unknown() {
        let summary = Summary::of(&object(json!({"spec": {"port": 3307}})));
        assert_eq!(summary.state, State::Unknown);
        assert_eq!(
            (summary.wanted.as_deref(), summary.actual),
            (Some("3307"), None)
        );
        assert_eq!(summary.policy, "Enforce");
        // So it is shown until the operator has looked: nobody has edited it since.
        let default = json!({"spec": {"port": 3307}, "status": {"observedGeneration": -1}});
        let default = Summary::of(&object(default));
        assert_eq!((default.state, default.edited), (State::Unknown, false));
    }

    #[test]
    fn words_of_a_later_release_are_shown_and_not_refused() {
        let summary = Summary::of(&object(json!({
            "spec": {"port": {"wanted": 3307}, "managementPolicy": "Auto"},
            "status": {
                "observedGeneration": 2, "port": "3306", "change": 7,
                "conditions": [
                    {"type": "Paused", "status": "True", "reason": "Night"},
                    {"type": "Reconciling", "status": "True", "reason": "WaitingForMoon", "message": "soon",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"},
                ],
            },
        })));
        assert_eq!(summary.state, State::Reconciling);
        assert_eq!(summary.reason.as_deref(), Some("WaitingForMoon"));
        assert_eq!(summary.wanted.as_deref(), Some(r#"{"wanted":3307}"#));
        assert_eq!(summary.policy, "Auto");
        assert!(summary.edited && summary.advice().is_none());
        assert!(summary.since.is_some());
    }

    #[test]
    fn ports_are_numbers_for_programs_and_other_words_are_kept() {
        let data = json!({"spec": {"port": 3307}, "status": {"port": "none"}});
        let printed = serde_json::to_value(Summary::of(&object(data))).unwrap();
        assert_eq!(
            (&printed["wanted"], &printed["actual"]),
            (&json!(3307), &json!("none"))
        );
        assert_eq!(printed.get("changingTo"), None);
    }

    #[test]
    fn what_a_person_has_to_do_comes_with_the_reason() {
        let summary = Summary::of(&object(json!({"status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "PortRejected"},
            {"type": "Stalled", "status": "True", "reason": "PortRejected", "message": "m"},
        ]}})));
        assert_eq!(summary.state, State::Stalled);
        assert_eq!(summary.advice(), Some("set another port"));
    }
}
