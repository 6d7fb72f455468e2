//! The schemas: what they take, and that they refuse everything else.

use std::collections::BTreeMap;

use boon::{Compiler, SchemaIndex, Schemas as Compiled};
use serde_json::{Value, json};

use super::documents;

/// All schemas, ready to be used.
pub struct Schemas {
    compiled: Compiled,
    by_name: BTreeMap<String, SchemaIndex>,
}

impl Schemas {
    pub fn load() -> Self {
        let mut compiled = Compiled::new();
        let mut reader = Compiler::new();
        let by_name = documents::schemas().into_iter().map(|name| {
            let at = format!("https://schemas.invalid/{name}.json");
            reader.add_resource(&at, documents::schema(&name)).unwrap();
            let index = reader.compile(&at, &mut compiled);
            (name, index.unwrap_or_else(|error| panic!("{error:#}")))
        });
        let by_name = by_name.collect();
        Self { compiled, by_name }
    }

    /// Whether a value fits; if not, where and why.
    pub fn check(&self, name: &str, value: &Value) -> Result<(), String> {
        let index = self.by_name[name];
        let checked = self.compiled.validate(value, index);
        checked.map_err(|error| error.to_string())
    }
}

/// Fixtures that differ from what is documented, as the schemas' descriptions say, and where.
const KNOWN_DISAGREEMENTS: [(&str, &str); 8] = [
    ("proxies-odd-types", "/proxy_list/0/proxy/vcpus"),
    ("change-nothing-null", "/job_id"),
    ("job-null", "/job"),
    ("error-nested", ""),
    ("error-code-message", ""),
    ("error-camel", ""),
    ("error-front", ""),
    ("error-in-message", ""),
];

#[test]
fn fixtures_fit_their_schemas_but_for_the_known_disagreements() {
    let schemas = Schemas::load();
    for name in documents::fixtures() {
        let checked = schemas.check(documents::kind(&name), &documents::json(&name));
        let known = KNOWN_DISAGREEMENTS
            .iter()
            .find(|(fixture, _)| *fixture == name);
        match (known, checked) {
            (Some((_, place)), Err(why)) => assert!(why.contains(place), "{name}: {why}"),
            (None, Err(why)) if name == "error-list" => assert!(why.contains("array"), "{why}"),
            (known, checked) => assert!(known.is_none() && checked.is_ok(), "{name}: {checked:?}"),
        }
    }
}

#[test]
fn every_schema_says_what_it_is_and_has_a_fixture() {
    let kinds: Vec<String> = documents::fixtures()
        .iter()
        .map(|name| documents::kind(name).to_owned())
        .collect();
    for name in documents::schemas() {
        assert!(kinds.contains(&name), "{name}");
        let schema = documents::schema(&name);
        for field in ["title", "description", "$schema"] {
            assert!(schema[field].is_string(), "{name}: {field}");
        }
    }
}

/// A schema that takes anything would prove nothing: every field of every fixture is put wrong once.
#[test]
fn a_field_of_another_type_and_a_field_that_nobody_knows_are_refused() {
    let schemas = Schemas::load();
    for name in documents::fixtures() {
        let (kind, whole) = (documents::kind(&name), documents::json(&name));
        if schemas.check(kind, &whole).is_err() {
            continue;
        }
        for place in places(&whole, "") {
            let mut wrong = whole.clone();
            let field = wrong.pointer_mut(&place).unwrap();
            *field = if field.is_boolean() {
                json!("yes")
            } else {
                json!(true)
            };
            assert!(
                schemas.check(kind, &wrong).is_err(),
                "{name} {place}: {wrong}"
            );

            let mut more = whole.clone();
            if let Some(Value::Object(fields)) = more.pointer_mut(&place) {
                // What a job works on is an object of the job's own.
                let open = place.ends_with("/entities");
                fields.insert("a_field_of_nobody".to_owned(), json!("x"));
                assert_eq!(schemas.check(kind, &more).is_ok(), open, "{name} {place}");
            }
        }
    }
}

#[test]
fn ranges_words_and_mandatory_fields_are_part_of_the_schemas() {
    let schemas = Schemas::load();
    for (name, place, wrong) in [
        ("change-request", "/port", json!(1024)),
        ("change-request", "/port", json!(65535)),
        ("change-request", "/port", json!(5343)),
        ("change-request", "/port", json!(3306.5)),
        ("proxies", "/proxy_list/0/proxy/port", json!(65536)),
        (
            "proxies",
            "/proxy_list/0/proxy/pool_id",
            json!("4d1f0a77in07"),
        ),
        ("proxies", "/proxy_list/0/proxy/route_mode", json!(3)),
        (
            "proxies",
            "/proxy_list/0/proxy/transaction_split",
            json!("on"),
        ),
        (
            "proxies",
            "/proxy_list/0/proxy/nodes/0/frozen_flag",
            json!(3),
        ),
        ("job-running", "/job/status", json!("running")),
        ("job-running", "/job/process", json!("140%")),
        (
            "job-running",
            "/job/created",
            json!("2026-05-20T09:30:11+08:00"),
        ),
        ("tasks", "/jobs/0/instance_status", json!("ACTIVE")),
        ("tasks", "/total_count", json!(-1)),
        ("token", "/token/expires_at", json!("2026-05-21T01:30:11Z")),
        ("error-service", "/error_code", json!("DBS.2000")),
        ("error-gateway", "/error_code", json!("DBS.0308")),
        ("error-keystone", "/error/code", json!(200)),
    ] {
        let mut value = documents::json(name);
        *value.pointer_mut(place).unwrap() = wrong;
        let checked = schemas.check(documents::kind(name), &value);
        assert!(checked.is_err(), "{name} {place}: {value}");
    }
    for (name, parent, field) in [
        ("change-request", "", "port"),
        ("proxies", "", "proxy_list"),
        ("proxies", "/proxy_list/0/proxy", "pool_id"),
        ("proxies", "/proxy_list/0/proxy", "port"),
        ("job-running", "/job", "status"),
        ("tasks", "/jobs/0", "job_id"),
        ("tasks", "", "jobs"),
        ("instance", "/instance", "status"),
        ("token", "/token", "expires_at"),
        ("token-request", "/auth/identity/password/user", "password"),
        ("error-service", "", "error_code"),
        ("error-keystone", "/error", "code"),
    ] {
        let mut value = documents::json(name);
        let fields = value.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        assert!(fields.remove(field).is_some(), "{name} {parent}/{field}");
        let checked = schemas.check(documents::kind(name), &value);
        assert!(checked.is_err(), "{name} without {parent}/{field}");
    }
}

/// Every place below the root, as JSON pointers.
fn places(value: &Value, at: &str) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, inner)| (format!("{at}/{name}"), inner))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(number, inner)| (format!("{at}/{number}"), inner))
            .collect(),
        _ => Vec::new(),
    };
    inner
        .into_iter()
        .flat_map(|(place, inner)| {
            let below = places(inner, &place);
            std::iter::once(place).chain(below)
        })
        .collect()
}
