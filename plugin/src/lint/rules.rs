//! The rules of the definition (`x-kubernetes-validations`), run as CEL.
//!
//! Relies on `cel` for the language. Durations are numbers here, of seconds: the rules only compare them. Promises to run each rule of the
//! definition, and to know when it can't: then there is no judge at all, never one that passes over a rule. A pattern is compiled
//! once, however many objects there are.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use cel::{Context, Env, ExecutionError, Program, Value as Cel, extractors::This};
use regex::Regex;
use serde_json::Value;

use super::fault::Fault;
use crate::failure::Failure;

/// So many texts are remembered of a rule.
const REMEMBERED: usize = 4096;

/// The rules of a part of the schema, and of what it holds.
pub struct Rules {
    own: Vec<Rule>,
    fields: BTreeMap<String, Rules>,
    items: Option<Box<Rules>>,
}

/// The language that the rules are written in.
struct Language {
    env: Arc<Env>,
    patterns: Arc<Patterns>,
}

/// Patterns that are compiled.
#[derive(Default)]
struct Patterns(Mutex<HashMap<String, Regex>>);

impl Patterns {
    /// Whether a text matches. A pattern that is none is an error, as on the API server.
    fn matches(&self, text: &str, pattern: &str) -> Result<bool, ExecutionError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return Ok(compiled.is_match(text));
        }
        let compiled = Regex::new(pattern);
        let compiled =
            compiled.map_err(|error| ExecutionError::function_error("matches", error))?;
        let matches = compiled.is_match(text);
        known.insert(pattern.to_owned(), compiled);
        Ok(matches)
    }
}

impl Language {
    fn new() -> Self {
        Self {
            env: Arc::new(Env::stdlib()),
            patterns: Arc::default(),
        }
    }

    /// What a rule is run in, with the functions that it may call.
    fn context(&self) -> Option<Context<'static, 'static>> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            patterns.matches(&text, &pattern)
        };
        context.add_function("matches", matches).ok()?;
        let duration = |text: Arc<String>| seconds(&text);
        context.add_function("duration", duration).ok()?;
        Some(context)
    }
}

struct Rule {
    program: Program,
    language: Arc<Language>,
    /// Whether it held for texts that it was run on. Those of many objects are the same: regions, projects, Secrets.
    known: RefCell<HashMap<String, bool>>,
    /// Whether it compares with the object before.
    compares: bool,
    message: String,
    reason: String,
    /// The field that it is told of, below that of the rule.
    below: String,
}

impl Rules {
    /// Compiles the rules of a schema.
    pub fn new(schema: &Value) -> Result<Self, Failure> {
        Self::within(schema, &Arc::new(Language::new()))
    }

    fn within(schema: &Value, language: &Arc<Language>) -> Result<Self, Failure> {
        let rules = schema
            .get("x-kubernetes-validations")
            .and_then(Value::as_array);
        let own: Result<Vec<Rule>, Failure> = rules
            .into_iter()
            .flatten()
            .map(|rule| Rule::new(rule, language))
            .collect();
        let mut fields = BTreeMap::new();
        for (name, schema) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let rules = Self::within(schema, language)?;
            if !rules.is_empty() {
                fields.insert(name.clone(), rules);
            }
        }
        let within = |name: &str| -> Result<Option<Self>, Failure> {
            let schema = schema.get(name).filter(|schema| schema.is_object());
            let rules = schema.map(|schema| Self::within(schema, language));
            let rules = rules.transpose()?;
            Ok(rules.filter(|rules| !rules.is_empty()))
        };
        if within("additionalProperties")?.is_some() {
            return Err(unusable(
                "it is about fields of any name, where none is run",
            ));
        }
        let items = within("items")?;
        Ok(Self {
            own: own?,
            fields,
            items: items.map(Box::new),
        })
    }

    fn is_empty(&self) -> bool {
        self.own.is_empty() && self.fields.is_empty() && self.items.is_none()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.own.len()
            + self.fields.values().map(Self::count).sum::<usize>()
            + self.items.as_ref().map_or(0, |items| items.count())
    }

    /// Runs them on a value at `path`. Those that compare are run where there was something before. A rule is left out where one of
    /// the fields `except` is what it is about, or within.
    pub fn run(
        &self,
        value: &Value,
        before: Option<&Value>,
        path: &str,
        except: &[String],
        faults: &mut Vec<Fault>,
    ) {
        let sees_one = except.iter().any(|field| is_within(field, path));
        let runs = |rule: &&Rule| !sees_one && (!rule.compares || before.is_some());
        for rule in self.own.iter().filter(runs) {
            if !rule.holds(value, before) {
                faults.push(rule.fault(path, value));
            }
        }
        // What was in its place before is another one: rules that compare are not run.
        if let (Some(rules), Value::Array(values)) = (&self.items, value) {
            for (place, value) in values.iter().enumerate() {
                rules.run(value, None, &format!("{path}[{place}]"), except, faults);
            }
        }
        for (name, rules) in &self.fields {
            if let Some(value) = value.get(name) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                rules.run(
                    value,
                    before.and_then(|before| before.get(name)),
                    &path,
                    except,
                    faults,
                );
            }
        }
    }
}

impl Rule {
    fn new(rule: &Value, language: &Arc<Language>) -> Result<Self, Failure> {
        let text = |name: &str| {
            rule.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let source = text("rule");
        let program =
            Program::compile(&source).map_err(|error| unusable(&format!("{source}: {error}")))?;
        let compares = program.references().has_variable("oldSelf");
        if rule.get("messageExpression").is_some() || rule.get("optionalOldSelf").is_some() {
            return Err(unusable(&format!(
                "{source}: its message or its past is an expression"
            )));
        }
        Ok(Self {
            compares,
            language: Arc::clone(language),
            known: RefCell::default(),
            message: Some(text("message"))
                .filter(|message| !message.is_empty())
                .unwrap_or_else(|| format!("failed rule: {source}")),
            reason: text("reason"),
            below: text("fieldPath"),
            program,
        })
    }

    fn holds(&self, value: &Value, before: Option<&Value>) -> bool {
        let (Value::String(text), false) = (value, self.compares) else {
            return self.is_true(value, before);
        };
        if let Some(known) = self.known.borrow().get(text) {
            return *known;
        }
        let holds = self.is_true(value, before);
        let mut known = self.known.borrow_mut();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(text.clone(), holds);
        holds
    }

    /// A rule that can't be worked out does not hold, as on the API server.
    fn is_true(&self, value: &Value, before: Option<&Value>) -> bool {
        let Some(mut context) = self.language.context() else {
            return false;
        };
        context.add_variable_from_value("self", cel_of(value));
        if let Some(before) = before {
            context.add_variable_from_value("oldSelf", cel_of(before));
        }
        matches!(self.program.execute(&context), Ok(Cel::Bool(true)))
    }

    fn fault(&self, path: &str, value: &Value) -> Fault {
        let message = &self.message;
        let message = match self.reason.as_str() {
            "FieldValueRequired" => format!("Required value: {message}"),
            "FieldValueForbidden" => format!("Forbidden: {message}"),
            "FieldValueDuplicate" => format!("Duplicate value: {value}: {message}"),
            _ => format!("Invalid value: {value}: {message}"),
        };
        Fault {
            field: format!("{path}{}", self.below),
            message,
        }
    }
}

/// Whether a field is this part of an object, or within it.
fn is_within(field: &str, part: &str) -> bool {
    let rest = field.strip_prefix(part);
    rest.is_some_and(|rest| part.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

fn unusable(why: &str) -> Failure {
    Failure::Output(format!("a rule of the definition can't be run: {why}"))
}

fn cel_of(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => number
            .as_i64()
            .map(Cel::Int)
            .or_else(|| number.as_f64().map(Cel::Float))
            .unwrap_or(Cel::Null),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(cel_of).collect())),
        Value::Object(fields) => {
            let fields: HashMap<String, Cel> = fields
                .iter()
                .map(|(name, value)| (name.clone(), cel_of(value)))
                .collect();
            fields.into()
        }
    }
}

/// A duration of whole numbers with the units h, m and s, in seconds. Others are longer than any bound, and so never taken.
fn seconds(text: &str) -> i64 {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let factor = match unit.chars().next() {
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            _ => return i64::MAX,
        };
        let Some(part) = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
        else {
            return i64::MAX;
        };
        total = total.saturating_add(part);
        rest = unit.get(1..).unwrap_or_default();
    }
    total
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(rule: &Value, value: &Value, before: Option<&Value>) -> Vec<Fault> {
        let rules = Rules::new(&json!({"x-kubernetes-validations": [rule]})).unwrap();
        let mut faults = Vec::new();
        rules.run(value, before, "spec", &[], &mut faults);
        faults
    }

    #[test]
    fn a_rule_that_fails_or_can_not_be_worked_out_is_told_at_its_field() {
        let rule = json!({"rule": "self.port > 3306", "message": "m", "fieldPath": ".port"});
        assert_eq!(faults(&rule, &json!({"port": 3307}), None), []);
        for value in [json!({"port": 3306}), json!({"port": "x"}), json!({})] {
            let found = faults(&rule, &value, None);
            assert_eq!(found.len(), 1, "{value}");
            assert_eq!(found[0].field, "spec.port");
        }
    }

    #[test]
    fn a_pattern_is_looked_for_and_one_that_is_none_holds_for_nothing() {
        for (pattern, value, count) in [
            ("b", "abc", 0),
            ("^b", "abc", 1),
            (r"^a\.c$", "a.c", 0),
            ("(", "abc", 1),
        ] {
            let text = format!("self.matches(r'{pattern}')");
            let rule = json!({"rule": text, "message": "m"});
            assert_eq!(faults(&rule, &json!(value), None).len(), count, "{pattern}");
            let rule = json!({"rule": format!("!{text}"), "message": "m"});
            let otherwise = if pattern == "(" { 1 } else { 1 - count };
            assert_eq!(
                faults(&rule, &json!(value), None).len(),
                otherwise,
                "!{pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_is_compiled_once_however_many_texts_there_are() {
        let rule =
            json!({"x-kubernetes-validations": [{"rule": "self.matches('^a')", "message": "m"}]});
        let rules = Rules::new(&rule).unwrap();
        for number in 0..100 {
            let mut faults = Vec::new();
            rules.run(&json!(format!("a{number}")), None, "spec", &[], &mut faults);
            assert_eq!(faults, []);
        }
        let compiled = rules.own[0].language.patterns.0.lock().unwrap();
        assert_eq!(compiled.len(), 1);
    }

    #[test]
    fn rules_that_compare_are_run_on_changes_alone() {
        let rule =
            json!({"rule": "self == oldSelf", "message": "m", "reason": "FieldValueForbidden"});
        assert_eq!(faults(&rule, &json!("b"), None), []);
        assert_eq!(faults(&rule, &json!("b"), Some(&json!("b"))), []);
        assert_eq!(
            faults(&rule, &json!("b"), Some(&json!("a")))[0].message,
            "Forbidden: m"
        );
    }

    #[test]
    fn each_item_of_a_list_is_judged() {
        let rule = json!({"rule": "self.matches('^a')", "message": "m"});
        let item = json!({"properties": {"name": {"x-kubernetes-validations": [rule]}}});
        let rules = Rules::new(&json!({"properties": {"list": {"items": item}}})).unwrap();
        assert_eq!(rules.count(), 1);
        let mut faults = Vec::new();
        let value = json!({"list": [{"name": "a"}, {"name": "b"}]});
        rules.run(&value, None, "spec", &[], &mut faults);
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["spec.list[1].name"]);
    }

    #[test]
    fn a_rule_is_left_out_where_what_it_sees_has_another_shape() {
        let rule = |text: &str| json!([{"rule": text, "message": text}]);
        let schema = json!({
            "x-kubernetes-validations": rule("size(self.list) > 9"),
            "properties": {
                "port": {"x-kubernetes-validations": rule("self > 3306")},
                "ports": {"x-kubernetes-validations": rule("self > 3306")},
                "list": {"items": {"x-kubernetes-validations": rule("self > 5")}}
            }
        });
        let rules = Rules::new(&schema).unwrap();
        let value = json!({"port": "x", "ports": 1, "list": [1, "y"]});
        for (except, told) in [
            (
                &[][..],
                &[
                    "spec",
                    "spec.list[0]",
                    "spec.list[1]",
                    "spec.port",
                    "spec.ports",
                ][..],
            ),
            (
                &["spec.port"],
                &["spec.list[0]", "spec.list[1]", "spec.ports"],
            ),
            (
                &["spec.list[1]"],
                &["spec.list[0]", "spec.port", "spec.ports"],
            ),
            (
                &["spec.absent"],
                &["spec.list[0]", "spec.list[1]", "spec.port", "spec.ports"],
            ),
            (
                &["status"],
                &[
                    "spec",
                    "spec.list[0]",
                    "spec.list[1]",
                    "spec.port",
                    "spec.ports",
                ],
            ),
        ] {
            let except: Vec<String> = except.iter().map(|field| (*field).to_owned()).collect();
            let mut faults = Vec::new();
            rules.run(&value, None, "spec", &except, &mut faults);
            let mut fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
            fields.sort_unstable();
            assert_eq!(fields, told, "{except:?}");
        }
    }

    #[test]
    fn durations_are_compared_as_such() {
        for (text, read) in [
            ("1m", 60),
            ("24h", 86_400),
            ("1h30m", 5400),
            ("59s0h", 59),
            ("x", i64::MAX),
            ("9999999999999999h", i64::MAX),
        ] {
            assert_eq!(seconds(text), read, "{text}");
        }
    }

    #[test]
    fn a_rule_that_is_none_or_lies_where_none_is_run_makes_no_judge() {
        for schema in [
            json!({"x-kubernetes-validations": [{"rule": "self +"}]}),
            json!({"x-kubernetes-validations": [{"rule": "true", "messageExpression": "'x'"}]}),
            json!({"additionalProperties": {"x-kubernetes-validations": [{"rule": "true"}]}}),
        ] {
            assert!(Rules::new(&schema).is_err(), "{schema}");
        }
    }
}
