//! Objects of a long list, of which only what a line shows is decoded: the rest is read over, and takes no memory.
//!
//! Promises that a value of another type than this release knows is kept as it is, as everywhere in the plugin.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

/// Which parts of a value are kept.
#[derive(Debug, Clone, Copy)]
enum Keep {
    /// All of it.
    Whole,
    /// Of an object these fields; of a list each entry, in the same way.
    Fields(&'static [(&'static str, Keep)]),
}

/// What a line shows.
const LINE: Keep = Keep::Fields(&[
    (
        "metadata",
        Keep::Fields(&[
            ("name", Keep::Whole),
            ("namespace", Keep::Whole),
            ("generation", Keep::Whole),
        ]),
    ),
    (
        "spec",
        Keep::Fields(&[
            ("port", Keep::Whole),
            ("managementPolicy", Keep::Whole),
            ("suspend", Keep::Whole),
            ("instanceID", Keep::Whole),
        ]),
    ),
    (
        "status",
        Keep::Fields(&[
            ("observedGeneration", Keep::Whole),
            ("port", Keep::Whole),
            ("address", Keep::Whole),
            ("change", Keep::Fields(&[("toPort", Keep::Whole)])),
            ("plan", Keep::Whole),
            (
                "conditions",
                Keep::Fields(&[
                    ("type", Keep::Whole),
                    ("status", Keep::Whole),
                    ("reason", Keep::Whole),
                    ("message", Keep::Whole),
                    ("lastTransitionTime", Keep::Whole),
                ]),
            ),
        ]),
    ),
]);

/// An object, as far as a line shows it.
#[derive(Debug, Clone)]
pub struct Lean(pub Value);

impl<'de> Deserialize<'de> for Lean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LINE.deserialize(deserializer).map(Self)
    }
}

impl<'de> DeserializeSeed<'de> for Keep {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self {
            Self::Whole => Value::deserialize(deserializer),
            Self::Fields(_) => deserializer.deserialize_any(self),
        }
    }
}

/// One of these fields, or none; no name is copied.
struct Known(&'static [(&'static str, Keep)]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Option<&'static (&'static str, Keep)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Known {
    type Value = Option<&'static (&'static str, Keep)>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name))
    }
}

impl<'de> Visitor<'de> for Keep {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let fields = match self {
            Self::Fields(fields) => fields,
            Self::Whole => &[],
        };
        let mut kept = Map::new();
        while let Some(known) = map.next_key_seed(Known(fields))? {
            match known {
                Some((known, keep)) => {
                    let value = map.next_value_seed(*keep)?;
                    kept.insert((*known).to_owned(), value);
                }
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(kept))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(value) = entries.next_element_seed(self)? {
            kept.push(value);
        }
        Ok(Value::Array(kept))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use kube::api::DynamicObject;
    use serde_json::json;

    use super::{super::Summary, *};

    fn both(object: &Value) -> [Summary; 2] {
        let whole: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let lean: Lean = serde_json::from_str(&object.to_string()).unwrap();
        [Summary::of(&whole), Summary::of_lean(&lean)]
    }

    #[test]
    fn a_line_is_the_same_as_that_of_the_whole_object() {
        let condition = json!({"type": "Ready", "status": "True", "reason": "Settled", "message": "m\u{e9}\n",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2});
        let plan = json!({"id": "p", "fromPort": 1, "toPort": 2, "waitsFor": ["Approval"], "notBefore": "2026-01-01T00:00:00Z"});
        for (spec, status) in [
            (
                json!({"port": 3307, "suspend": true, "instanceID": "i", "managementPolicy": "Observe", "region": "r"}),
                json!({"observedGeneration": 2, "port": 3306, "address": "10.0.0.7", "plan": plan,
                    "change": {"toPort": 3307, "id": "c"}, "conditions": [condition], "history": [{"id": "h"}]}),
            ),
            (
                json!({"port": {"wanted": 1}}),
                json!({"port": "x", "change": 7, "conditions": {"Ready": true}}),
            ),
            (json!(null), json!([1, -2, 1.5, null, true])),
            (
                json!("none"),
                json!({"conditions": [3, "x", null, [condition]], "plan": 9}),
            ),
        ] {
            let object = json!({"apiVersion": "a/v1", "kind": "K", "spec": spec, "status": status,
                "metadata": {"name": "orders", "namespace": "shop", "generation": 3, "managedFields": [{"manager": "m"}]}});
            let [whole, lean] = both(&object);
            assert_eq!(whole, lean);
        }
    }

    #[test]
    fn what_no_line_shows_is_not_kept() {
        let object = json!({"metadata": {"name": "a", "managedFields": [1]}, "spec": {"region": "r"}, "status": {"history": [1]}});
        let lean: Lean = serde_json::from_value(object).unwrap();
        assert_eq!(
            lean.0,
            json!({"metadata": {"name": "a"}, "spec": {}, "status": {}})
        );
    }
}
