//! The status of a resource that can't be decoded: only what says so is set, and all else stays to the letter, but for the UID where no
//! change is on record: it manages its proxy no longer, and another resource may by the time that it can be read again.
//!
//! Pure. What stands there may be anything, so it is never taken apart further than to its conditions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Map, Value, json};

use crate::{
    crd::TaurusProxyPortStatus,
    model::{Moment, Reason},
    plan::{
        message::Message,
        summary::{conditions, holding},
    },
};

/// The conditions that are ours: what they said of the resource as it was before can't be judged any more.
const OURS: [&str; 5] = [
    "Ready",
    "Reconciling",
    "Stalled",
    "PortInSync",
    "JobSucceeded",
];

/// What is said, and the status that says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The whole status.
    pub status: Value,
    /// The reason.
    pub reason: Reason,
    /// The text for people.
    pub message: String,
}

/// The status that says of a resource of this `generation` that it can't be decoded for this `fault`, which names the field;
/// nothing where `old` says so already.
pub fn status(old: Option<&Value>, generation: i64, fault: &str, now: Moment) -> Option<Told> {
    let reason = Reason::SpecInvalid;
    let message = Message::plain(format!(
        "{fault}; correct the field: until then nothing is done for this resource"
    ));
    let mut status = match old {
        Some(Value::Object(status)) => status.clone(),
        _ => Map::new(),
    };
    let before = match status.get("conditions") {
        Some(Value::Array(conditions)) => conditions.clone(),
        _ => Vec::new(),
    };
    let (ours, others): (Vec<Value>, Vec<Value>) = before.iter().cloned().partition(is_ours);
    let said = TaurusProxyPortStatus {
        conditions: ours.iter().filter_map(readable).collect(),
        ..TaurusProxyPortStatus::default()
    };
    let new = conditions(
        Some(&said),
        holding(reason, message.clone()),
        generation,
        now,
    );
    let has_change = status.get("change").is_some_and(|change| !change.is_null());
    let lets_go = !has_change && status.remove("subjectUID").is_some();
    let says_so = !lets_go
        && ours.len() == new.len()
        && said.conditions.len() == new.len()
        && new.iter().all(|new| said.conditions.contains(new))
        && status.get("observedGeneration") == Some(&json!(generation));
    if says_so {
        return None;
    }
    let all: Vec<Value> = others
        .into_iter()
        .chain(new.iter().map(|new| json!(new)))
        .collect();
    status.insert("conditions".to_owned(), Value::Array(all));
    status.insert("observedGeneration".to_owned(), json!(generation));
    Some(Told {
        status: Value::Object(status),
        reason,
        message: message.to_string(),
    })
}

fn is_ours(condition: &Value) -> bool {
    let kind = condition.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| OURS.contains(&kind))
}

fn readable(condition: &Value) -> Option<Condition> {
    serde_json::from_value(condition.clone()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::jiff::Timestamp;

    use super::*;

    const FAULT: &str = "spec.port can't be read: invalid value";

    fn at(second: i64) -> Moment {
        Moment::new(Timestamp::from_second(second).unwrap(), Duration::ZERO)
    }

    fn condition<'s>(status: &'s Value, kind: &str) -> Option<&'s Value> {
        let all = status["conditions"].as_array().unwrap();
        all.iter().find(|condition| condition["type"] == kind)
    }

    #[test]
    fn a06_the_fault_is_told_once_and_all_else_stays() {
        let foreign = json!({
            "type": "example.com/Audited", "status": "True", "reason": "Fine", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "more": 7
        });
        let ready = json!({
            "type": "Ready", "status": "True", "reason": "Settled", "message": "the proxy listens on port 3307",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 3
        });
        let old = json!({
            "observedGeneration": 3, "port": 3307, "change": {"id": "c1", "toPort": "odd"},
            "conditions": [ready, foreign.clone(), {"type": "PortInSync", "status": "True"}]
        });
        let told = status(Some(&old), 4, FAULT, at(1_800_000_000)).unwrap();
        assert_eq!(told.reason, Reason::SpecInvalid);
        assert!(told.message.starts_with(FAULT), "{}", told.message);
        let new = told.status;
        assert_eq!(new["observedGeneration"], 4);
        assert_eq!(
            (&new["port"], &new["change"]),
            (&old["port"], &old["change"])
        );
        assert_eq!(condition(&new, "example.com/Audited"), Some(&foreign));
        assert_eq!(condition(&new, "PortInSync"), None);
        for (kind, value) in [("Ready", "False"), ("Stalled", "True")] {
            let condition = condition(&new, kind).unwrap();
            assert_eq!(condition["status"], value, "{kind}");
            assert_eq!(condition["reason"], "SpecInvalid", "{kind}");
            assert_eq!(condition["observedGeneration"], 4, "{kind}");
            assert_eq!(condition["lastTransitionTime"], "2027-01-15T08:00:00Z");
        }
        assert_eq!(
            status(Some(&new), 4, FAULT, at(1_900_000_000)),
            None,
            "one write only"
        );
        let again = status(Some(&new), 5, FAULT, at(1_900_000_000))
            .unwrap()
            .status;
        let stalled = condition(&again, "Stalled").unwrap();
        assert_eq!(stalled["lastTransitionTime"], "2027-01-15T08:00:00Z");
    }

    #[test]
    fn a06_whatever_stands_there_the_fault_is_told() {
        for old in [
            None,
            Some(json!(7)),
            Some(json!({"conditions": "none"})),
            Some(json!({"conditions": [null, {"type": "Ready"}, {"type": "Ready", "status": 7}]})),
        ] {
            let told = status(old.as_ref(), 1, FAULT, at(0)).unwrap().status;
            assert_eq!(condition(&told, "Stalled").unwrap()["status"], "True");
            assert_eq!(status(Some(&told), 1, FAULT, at(1)), None, "{old:?}");
        }
    }
}
