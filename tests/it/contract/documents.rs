//! The fixtures and the schemas, as files.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;

/// A fixture's text.
pub fn text(name: &str) -> String {
    let path = folder("api").join(format!("{name}.json"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A fixture's value.
pub fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// A schema's value.
pub fn schema(name: &str) -> Value {
    let path = folder("schema").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The names of all fixtures.
pub fn fixtures() -> BTreeSet<String> {
    names("api")
}

/// The names of all schemas.
pub fn schemas() -> BTreeSet<String> {
    names("schema")
}

/// What a fixture is: a request's whole name, else the first word of the name. Schemas have the same names.
pub fn kind(fixture: &str) -> &str {
    match fixture.split_once('-') {
        Some((kind, rest)) if rest != "request" => kind,
        _ => fixture,
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn names(of: &str) -> BTreeSet<String> {
    std::fs::read_dir(folder(of))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(
                path.extension().and_then(|end| end.to_str()),
                Some("json"),
                "{}",
                path.display()
            );
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect()
}
