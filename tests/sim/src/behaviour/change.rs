//! A change of some switches that leaves the others as they are.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Behaviour;

/// Some switches with new values, written as in [`Behaviour`]. What is in it was checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct BehaviourChange(Map<String, Value>);

impl BehaviourChange {
    /// What makes one behaviour of another, such as the default one.
    pub fn between(from: &Behaviour, to: &Behaviour) -> Self {
        let (from, mut to) = (switches(from), switches(to));
        to.retain(|name, value| from.get(name) != Some(value));
        Self(to)
    }

    /// The behaviour with these switches changed.
    #[must_use]
    pub fn over(&self, behaviour: &Behaviour) -> Behaviour {
        let mut merged = switches(behaviour);
        merged.extend(self.0.clone());
        // Each switch was read when the change was, so they can be read together.
        serde_json::from_value(Value::Object(merged)).unwrap_or_else(|_| behaviour.clone())
    }
}

impl<'de> Deserialize<'de> for BehaviourChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let change = Map::deserialize(deserializer)?;
        match serde_json::from_value::<Behaviour>(Value::Object(change.clone())) {
            Ok(_) => Ok(Self(change)),
            Err(error) => Err(D::Error::custom(error)),
        }
    }
}

fn switches(behaviour: &Behaviour) -> Map<String, Value> {
    match serde_json::to_value(behaviour) {
        Ok(Value::Object(switches)) => switches,
        _ => Map::new(), // can't be: it is a struct of plain values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, SamePort};

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let change: BehaviourChange = serde_json::from_str(r#"{"same_port": "absent"}"#).unwrap();
        let before = Behaviour {
            mode: Mode::M3,
            ..Behaviour::default()
        };
        let after = change.over(&before);
        assert_eq!((after.mode, after.same_port), (Mode::M3, SamePort::Absent));
        assert_eq!(BehaviourChange::between(&before, &after), change);
    }

    #[test]
    fn what_is_no_switch_or_no_value_of_one_is_refused() {
        for odd in [r#"{"mood": 1}"#, r#"{"same_port": "gone"}"#, "[]"] {
            assert!(
                serde_json::from_str::<BehaviourChange>(odd).is_err(),
                "{odd}"
            );
        }
    }
}
