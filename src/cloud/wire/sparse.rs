//! JSON of which only the fields are kept that are used.
//!
//! The rest, of a task list most of it, is passed over: it has to follow the grammar, may hold half a code or a number without
//! bounds, and costs no memory. What is kept is as it would be in the whole, and of fields that are there twice it is the last.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads a text of JSON and keeps, wherever they are, only the fields with these names.
pub(super) fn read(text: &str, fields: &[&str]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Keeping(fields).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A value of which these fields are kept.
#[derive(Clone, Copy)]
struct Keeping<'f>(&'f [&'f str]);

/// The name of a field; nothing if it is none of these.
struct Name<'f>(&'f [&'f str]);

impl<'de> DeserializeSeed<'de> for Keeping<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keeping<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(value) = all.next_element_seed(self)? {
            kept.push(value);
        }
        Ok(kept.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Value, A::Error> {
        let mut kept = Map::new();
        while let Some(name) = all.next_key_seed(Name(self.0))? {
            match name {
                Some(name) => drop(kept.insert(name.to_owned(), all.next_value_seed(self)?)),
                None => drop(all.next_value::<IgnoredAny>()?),
            }
        }
        Ok(kept.into())
    }
}

impl<'de, 'f> DeserializeSeed<'de> for Name<'f> {
    type Value = Option<&'f str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'f> Visitor<'_> for Name<'f> {
    type Value = Option<&'f str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|kept| **kept == name).copied())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_as_it_was_and_the_rest_is_not_there() {
        let text = r#"{"a": [{"b": 1, "c": {"a": 2}}, null, -3, 1.5, true, "x\n", {"a": {"b": []}}], "b": {"d": 1}, "d": [{}]}"#;
        let kept = json!({"a": [{"b": 1}, null, -3, 1.5, true, "x\n", {"a": {"b": []}}], "b": {}});
        assert_eq!(read(text, &["a", "b"]).unwrap(), kept);
        let all = ["a", "b", "c", "d"];
        assert_eq!(
            read(text, &all).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn of_fields_that_are_there_twice_the_last_counts() {
        assert_eq!(
            read(r#"{"a": 1, "b": 2, "a": 3}"#, &["a"]).unwrap(),
            json!({"a": 3})
        );
    }

    #[test]
    fn what_is_no_json_is_an_error_wherever_that_shows() {
        for text in [
            "",
            "{",
            r#"{"a": 1} x"#,
            r#"{"b": [1,]}"#,
            r#"{"b": "x}"#,
            r#"{"b" 1}"#,
            r#"{"a": 1,}"#,
        ] {
            assert!(read(text, &["a"]).is_err(), "{text}");
        }
    }
}
