//! JSON of which only the fields are kept that are used.
//!
//! The rest, of a task list most of it, is passed over: it has to follow the grammar, may hold half a code or a number without
//! bounds, and costs no memory. What is kept is as it would be in the whole, and of fields that are there twice it is the last.
//! Texts are borrowed where they stand in the body as they are.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value as it stands in a body.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number that is not negative.
    Number(u64),
    /// A text.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Self>),
    /// An object, of which those fields are here that are kept.
    Object(Vec<(&'static str, Self)>),
    /// Something of which no field here is made: other numbers.
    Other,
}

impl Value<'_> {
    /// The field of an object.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let field = fields.iter().find(|(field, _)| *field == name);
        field.map(|(_, value)| value)
    }

    /// A text.
    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads a text of JSON and keeps, wherever they are, only the fields with these names.
pub(super) fn read<'t>(
    text: &'t str,
    fields: &'static [&'static str],
) -> Result<Value<'t>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Keeping(fields).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A value of which these fields are kept.
#[derive(Clone, Copy)]
struct Keeping(&'static [&'static str]);

/// The name of a field; nothing if it is none of these.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Keeping {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keeping {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other) // serde_json comes here with negative numbers only
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Value<'de>, A::Error> {
        let mut kept = Vec::new();
        while let Some(value) = all.next_element_seed(self)? {
            kept.push(value);
        }
        Ok(Value::List(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Value<'de>, A::Error> {
        let mut kept: Vec<(&'static str, Value<'de>)> = Vec::new();
        while let Some(name) = all.next_key_seed(Name(self.0))? {
            let Some(name) = name else {
                all.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = all.next_value_seed(self)?;
            match kept.iter_mut().find(|(before, _)| *before == name) {
                Some((_, before)) => *before = value,
                None => kept.push((name, value)),
            }
        }
        Ok(Value::Object(kept))
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static str>;

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

    /// The same value as `serde_json` has it; what no field is made of is `false`.
    fn plain(value: &Value<'_>) -> serde_json::Value {
        match value {
            Value::Null => json!(null),
            Value::Flag(flag) => json!(flag),
            Value::Number(number) => json!(number),
            Value::Text(text) => json!(text),
            Value::List(all) => all.iter().map(plain).collect(),
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.map(|(name, value)| ((*name).to_owned(), plain(value)));
                serde_json::Value::Object(fields.collect())
            }
            Value::Other => json!(false),
        }
    }

    #[test]
    fn what_is_kept_is_as_it_was_and_the_rest_is_not_there() {
        let text = r#"{"a": [{"b": 1, "c": {"a": 2}}, null, "x\n", {"a": {"b": []}}], "b": {"d": 1}, "d": [{}]}"#;
        let kept = json!({"a": [{"b": 1}, null, "x\n", {"a": {"b": []}}], "b": {}});
        assert_eq!(plain(&read(text, &["a", "b"]).unwrap()), kept);
        let whole: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(plain(&read(text, &["a", "b", "c", "d"]).unwrap()), whole);
    }

    #[test]
    fn numbers_are_whole_and_not_negative_and_the_rest_is_something_else() {
        let text = "[0, 3307, 18446744073709551615, -3, 1.5, 18446744073709551616]";
        let Value::List(all) = read(text, &[]).unwrap() else {
            panic!("no list");
        };
        let whole = [0, 3307, u64::MAX].map(Value::Number);
        assert_eq!(all[..3], whole);
        assert!(all[3..].iter().all(|value| *value == Value::Other));
    }

    #[test]
    fn a_text_is_borrowed_unless_something_in_it_is_escaped() {
        for (text, borrowed) in [(r#""plain""#, true), (r#""\u0061b""#, false)] {
            let Value::Text(read) = read(text, &[]).unwrap() else {
                panic!("no text");
            };
            assert_eq!(matches!(read, Cow::Borrowed(_)), borrowed, "{text}");
        }
    }

    #[test]
    fn of_fields_that_are_there_twice_the_last_counts() {
        let read = read(r#"{"a": 1, "b": 2, "a": 3}"#, &["a"]).unwrap();
        assert_eq!(read.get("a"), Some(&Value::Number(3)));
        assert_eq!(plain(&read), json!({"a": 3}));
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
