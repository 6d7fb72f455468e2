//! YAML as kubectl reads it: its words for booleans and nothing, and its numbers, are those of YAML 1.1.
//!
//! Promises that a scalar becomes what the API server would get from kubectl, that a key that stands twice is told, and that each
//! field knows its line. Aliases and merge keys are followed; a document that grows beyond measure by them is refused.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// So many values may come of the aliases of a document; those that are written out are as many as the file is long.
const MOST_VALUES: usize = 100_000;

/// So deep a value may be.
const DEEPEST: usize = 64;

/// A document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it holds.
    pub value: Value,
    /// The line of each field, by its path, such as `spec.port` and `items[0].spec`; that of the whole has the path "".
    pub lines: BTreeMap<String, usize>,
    /// Keys that stand twice, by their path.
    pub twice: Vec<String>,
    /// Whole numbers that begin with a zero, by their path, as they are written: most are read in base 8.
    pub zeros: BTreeMap<String, String>,
}

/// Why a text is no YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct YamlFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// The documents of a text. Empty ones are left out.
pub fn documents(text: &str) -> Result<Vec<Document>, YamlFault> {
    let (documents, faults) = readable(text);
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(documents),
    }
}

/// The documents of a text that can be read, and why the others can't. As kubectl does, it goes on at the next line that begins a document.
pub fn readable(text: &str) -> (Vec<Document>, Vec<YamlFault>) {
    let (mut documents, mut faults) = (Vec::new(), Vec::new());
    let (mut rest, mut passed) = (text, 0);
    while let Err(fault) = read(rest, passed, &mut documents) {
        // The fault may be found where the next document begins already.
        let within = fault.line.saturating_sub(passed);
        let starts = rest.match_indices("\n---").map(|(at, _)| at + 1);
        let next = starts.map(|at| (at, lines_before(rest, at)));
        let next = next.into_iter().find(|(_, lines)| lines + 1 >= within);
        if faults.last() != Some(&fault) {
            faults.push(fault);
        }
        // What was read of the document before the fault, where no other one begins between them, is part of one that can't be.
        let is_of_last = |last: &Document| {
            let start = last.lines.get("").copied().unwrap_or_default();
            let mut between = rest.lines().take(within).skip(start.saturating_sub(passed));
            start > passed && !between.any(|line| line.starts_with("---"))
        };
        if documents.last().is_some_and(is_of_last) {
            documents.pop();
        }
        let Some((at, lines)) = next else {
            break;
        };
        rest = rest.get(at..).unwrap_or_default();
        passed += lines;
    }
    (documents, faults)
}

/// Reads documents until one can't be; so many lines stand before the text.
fn read(text: &str, passed: usize, documents: &mut Vec<Document>) -> Result<(), YamlFault> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        passed,
        anchors: BTreeMap::new(),
        values: 0,
    };
    while let Some((event, _)) = reader.next()? {
        match event {
            Event::DocumentStart(..) => {
                reader.anchors.clear();
                reader.values = 0;
                let mut notes = Notes::default();
                let Some((event, line)) = reader.next()? else {
                    break;
                };
                notes.lines.insert(String::new(), line);
                let value = reader.node(event, line, "", &mut notes, 0)?;
                if value != Value::Null {
                    documents.push(Document {
                        value,
                        lines: notes.lines,
                        twice: notes.twice,
                        zeros: notes.zeros,
                    });
                }
            }
            Event::StreamEnd => break,
            _ => {}
        }
    }
    Ok(())
}

#[derive(Default)]
struct Notes {
    lines: BTreeMap<String, usize>,
    twice: Vec<String>,
    zeros: BTreeMap<String, String>,
}

struct Reader<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    /// So many lines of the file stand before the text.
    passed: usize,
    anchors: BTreeMap<usize, Value>,
    values: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is about data, with its line in the file.
    fn next(&mut self) -> Result<Option<(Event<'t>, usize)>, YamlFault> {
        for event in self.parser.by_ref() {
            let (event, span) = event.map_err(|error| YamlFault {
                line: self.passed + error.marker().line(),
                why: error.info(),
            })?;
            if !matches!(event, Event::Comment(..)) {
                return Ok(Some((event, self.passed + span.start.line())));
            }
        }
        Ok(None)
    }

    fn node(
        &mut self,
        event: Event<'t>,
        line: usize,
        path: &str,
        notes: &mut Notes,
        depth: usize,
    ) -> Result<Value, YamlFault> {
        let fault = |why: &str| YamlFault {
            line,
            why: why.to_owned(),
        };
        if depth > DEEPEST {
            return Err(fault("the document is too deep"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match tag.as_deref().map(Tag::core_suffix) {
                    Some(kind) => tagged(&text, kind).ok_or_else(|| {
                        fault(&format!("{text:?} is no {}", kind.unwrap_or_default()))
                    })?,
                    None if style == ScalarStyle::Plain => {
                        let value = plain(&text).ok_or_else(|| fault("JSON has no such number"))?;
                        if value.is_number() && begins_with_zero(&text) {
                            notes.zeros.insert(path.to_owned(), text.to_string());
                        }
                        value
                    }
                    None => Value::String(text.into_owned()),
                };
                (value, anchor)
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or_else(|| fault("the alias leads to itself"))?;
                self.values += size(&value);
                if self.values > MOST_VALUES {
                    return Err(fault(
                        "the document is too large with what its aliases stand for",
                    ));
                }
                return Ok(value);
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, line) = self.within(line)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    let path = format!("{path}[{}]", items.len());
                    items.push(self.node(event, line, &path, notes, depth + 1)?);
                    notes.lines.insert(path, line);
                }
                (Value::Array(items), anchor)
            }
            Event::MappingStart(_, anchor, _) => (self.mapping(line, path, notes, depth)?, anchor),
            other => return Err(fault(&format!("unexpected {other:?}"))),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn mapping(
        &mut self,
        line: usize,
        path: &str,
        notes: &mut Notes,
        depth: usize,
    ) -> Result<Value, YamlFault> {
        let mut fields = Map::new();
        let mut merged: Vec<Value> = Vec::new();
        loop {
            let (event, at) = self.within(line)?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text.into_owned(),
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some(Value::String(text)) => text.clone(),
                    _ => return Err(not_a_key(at)),
                },
                _ => return Err(not_a_key(at)),
            };
            let place = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let (event, line) = self.within(line)?;
            let value = self.node(event, line, &place, notes, depth + 1)?;
            if key == "<<" {
                match value {
                    Value::Array(values) => merged.extend(values),
                    value => merged.push(value),
                }
            } else if fields.insert(key, value).is_some() {
                notes.twice.push(place.clone());
            }
            notes.lines.entry(place).or_insert(at);
        }
        for (key, value) in merged.into_iter().filter_map(into_fields).flatten() {
            fields.entry(key).or_insert(value);
        }
        Ok(Value::Object(fields))
    }

    fn within(&mut self, outer: usize) -> Result<(Event<'t>, usize), YamlFault> {
        self.next()?.ok_or_else(|| YamlFault {
            line: outer,
            why: "the document ends too soon".to_owned(),
        })
    }
}

fn lines_before(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    before.split(|byte| *byte == b'\n').skip(1).count()
}

fn into_fields(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

fn not_a_key(line: usize) -> YamlFault {
    YamlFault {
        line,
        why: "a key must be a text".to_owned(),
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// What a scalar without quotes is; nothing where it is a number that JSON lacks.
fn plain(text: &str) -> Option<Value> {
    Some(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF"
        | ".nan" | ".NaN" | ".NAN" => return None,
        text if begins_a_number(text) => return number(text),
        text => Value::String(text.to_owned()),
    })
}

/// What a scalar with a tag is, in quotes or without; nothing where it is not of that kind. A tag that YAML does not know makes a text.
fn tagged(text: &str, kind: Option<&str>) -> Option<Value> {
    let value = match kind {
        Some("bool" | "float" | "int" | "null") => plain(text)?,
        _ => return Some(Value::String(text.to_owned())),
    };
    let fits = match kind {
        Some("bool") => value.is_boolean(),
        Some("float") => value.is_number(),
        Some("int") => value.is_number() && whole(&text.replace('_', "")).is_some(),
        _ => value.is_null(),
    };
    fits.then_some(value)
}

/// Whether it is a whole number with a zero before its other figures, which people read in base 10.
fn begins_with_zero(text: &str) -> bool {
    let figures = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_figure = |letter: char| letter.is_ascii_digit() || letter == '_';
    figures.len() > 1 && figures.starts_with('0') && figures.chars().all(is_figure)
}

fn begins_a_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.'))
}

/// A number in one of the bases, or a text after all.
fn number(text: &str) -> Option<Value> {
    let digits = text.replace('_', "");
    if let Some(whole) = whole(&digits) {
        return Some(match (i64::try_from(whole), u64::try_from(whole)) {
            (Ok(number), _) => Value::from(number),
            (_, Ok(number)) => Value::from(number),
            _ => fraction(&digits)?,
        });
    }
    // One that is too large for a number is a text, such as an id that looks like 3e961426.
    let number = is_decimal(&digits).then(|| fraction(&digits)).flatten();
    Some(number.unwrap_or_else(|| Value::String(text.to_owned())))
}

fn fraction(digits: &str) -> Option<Value> {
    let number = digits.parse::<f64>().ok().and_then(Number::from_f64)?;
    // As JSON that holds a whole number: the API server reads 3306.0 as 3306.
    let whole = number
        .as_f64()
        .filter(|float| float.fract() == 0.0 && float.abs() < 9e15);
    let whole = whole.and_then(|float| format!("{float:.0}").parse::<i64>().ok());
    Some(whole.map_or(Value::Number(number), Value::from))
}

fn whole(digits: &str) -> Option<i128> {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, digits.strip_prefix('+').unwrap_or(digits)),
    };
    let lower = magnitude.to_ascii_lowercase();
    let (base, figures) = if let Some(figures) = lower.strip_prefix("0x") {
        (16, figures)
    } else if let Some(figures) = lower.strip_prefix("0b") {
        (2, figures)
    } else if let Some(figures) = lower.strip_prefix("0o") {
        (8, figures)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..)?)
    } else {
        (10, lower.as_str())
    };
    let plain = figures.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = i128::from_str_radix(figures, base).ok().filter(|_| plain)?;
    Some(sign * value)
}

/// Digits, perhaps a point, perhaps an exponent.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => {
            (is_digits(whole) || whole.is_empty())
                && (is_digits(part) || (part.is_empty() && !whole.is_empty()))
        }
        None => is_digits(mantissa),
    };
    let is_exponent = exponent
        .is_none_or(|exponent| is_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)));
    is_mantissa && is_exponent
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        documents(text).unwrap().remove(0).value
    }

    #[test]
    fn numbers_that_begin_with_a_zero_are_noted() {
        let text = "a: 03306\nb: {c: [-007, 0]}\nd: 0o17\ne: '03306'\nf: 0.5\ng: 03306x\nh: 3306\n";
        let read = documents(text).unwrap().remove(0);
        let zeros: Vec<(&str, &str)> = read
            .zeros
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(zeros, [("a", "03306"), ("b.c[0]", "-007")]);
    }

    #[test]
    fn scalars_are_what_kubectl_makes_of_them() {
        for (text, read) in [
            ("3306", json!(3306)),
            ("03306", json!(1734)),
            ("0o3306", json!(1734)),
            ("0xCEA", json!(3306)),
            ("0b110011101010", json!(3306)),
            ("3_306", json!(3306)),
            ("+3306", json!(3306)),
            ("3306.0", json!(3306)),
            ("3.306e3", json!(3306)),
            ("3307.5", json!(3307.5)),
            ("18446744073709554923", json!(1.844_674_407_370_955_6e19)),
            ("9223372036854775808", json!(9_223_372_036_854_775_808_u64)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("~", json!(null)),
            ("55:06", json!("55:06")),
            ("3307/tcp", json!("3307/tcp")),
            ("\"3306\"", json!("3306")),
            ("'yes'", json!("yes")),
            ("!!str 3306", json!("3306")),
            ("True!", json!("True!")),
            ("-keys", json!("-keys")),
            (".keys", json!(".keys")),
            ("0x", json!("0x")),
            ("1e400x", json!("1e400x")),
            ("1e400", json!("1e400")),
            (
                "3e961426016095402889300360020466",
                json!("3e961426016095402889300360020466"),
            ),
            ("!!int \"3307\"", json!(3307)),
            ("!!int 0xCEB", json!(3307)),
            ("!!float \"3307.5\"", json!(3307.5)),
            ("!!bool \"yes\"", json!(true)),
            ("!!null \"\"", json!(null)),
            ("!port 3307", json!("3307")),
            ("! 3307", json!("3307")),
        ] {
            assert_eq!(value(&format!("v: {text}"))["v"], read, "{text}");
        }
        for text in [".inf", "-.Inf", ".nan", "!!int x", "!!bool 1", "!!null x"] {
            assert_eq!(
                documents(&format!("a: 1\nv: {text}")).unwrap_err().line,
                2,
                "{text}"
            );
        }
    }

    #[test]
    fn each_field_has_its_line_and_a_key_that_stands_twice_is_told() {
        let text =
            "# first\n---\nspec:\n  port: 1\n  list:\n  - name: a\n  port: 2\n---\n---\nb: 1\n";
        let found = documents(text).unwrap();
        assert_eq!(found.len(), 2, "an empty document is none");
        assert_eq!(found[0].lines["spec.port"], 4);
        assert_eq!(found[0].lines["spec.list[0].name"], 6);
        assert_eq!(found[0].twice, ["spec.port"]);
        assert_eq!(found[1].lines["b"], 10);
    }

    #[test]
    fn after_a_document_that_can_not_be_read_the_next_one_is() {
        for broken in [
            "b: [1\n",
            "b: \"x\n",
            "  b: 1\n a: 2\n",
            "b: 1\nb\n",
            "a: *none\n",
        ] {
            let text = format!("a: 1\n---\n{broken}---\nc: 1\n--- \n{broken}---\nd: 1\n");
            let (found, faults) = readable(&text);
            let found: Vec<&Value> = found.iter().map(|document| &document.value).collect();
            assert_eq!(
                found,
                [&json!({"a": 1}), &json!({"c": 1}), &json!({"d": 1})],
                "{broken:?}"
            );
            let long = broken.lines().count();
            let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
            // A fault may be seen at the line that begins the next document.
            let near = |line: usize, first: usize| (first..=first + long).contains(&line);
            assert!(
                lines.len() == 2 && near(lines[0], 3) && near(lines[1], 5 + long),
                "{broken:?}: {faults:?}"
            );
        }
        let (found, faults) = readable("a: 1\n---\nb: [1\n");
        assert_eq!((found.len(), faults.len()), (1, 1));
        let (_, faults) = readable("--- {a: [\n--- {b: [\n---\nc: 1\n");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        let text = "base: &base {port: 3307, region: r}\nspec:\n  <<: *base\n  port: 3308\nid: &id x\nother: *id\n";
        let read = value(text);
        assert_eq!(read["spec"], json!({"port": 3308, "region": "r"}));
        assert_eq!(read["other"], json!("x"));
    }

    #[test]
    fn what_grows_beyond_measure_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text = format!("{text}a{level}: &a{level} [{before}]\n");
        }
        assert!(documents(&text).unwrap_err().why.contains("too large"));
        let long = format!("[{}]", "1, ".repeat(2 * MOST_VALUES));
        assert!(documents(&long).is_ok(), "a long list is no fault");
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(documents(&deep).is_err());
    }

    #[test]
    fn json_is_yaml() {
        assert_eq!(
            value("{\"a\": [1, \"b\", null], \"c\": {\"d\": true}}"),
            json!({"a": [1, "b", null], "c": {"d": true}})
        );
    }
}
