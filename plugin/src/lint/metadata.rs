//! What kubectl and the API server say of `metadata`, which no definition describes: types, names, labels, annotations, owners.
//!
//! Promises that a field of the wrong type is told once, by its type, and that what else is told of it is what the API server says.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::fault::Fault;

/// The longest name of an object, and prefix of a key.
const LONGEST_NAME: usize = 253;

/// The longest namespace, label, and name in a key.
const LONGEST_LABEL: usize = 63;

/// So many bytes keys and values of all annotations may have together.
const MOST_OF_ANNOTATIONS: usize = 256 * 1024;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
     with an alphanumeric character";

/// What a field of `metadata` has to be.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Time,
    Whole,
    Texts,
    Objects,
    TextByKey,
}

/// The fields of `metadata`.
const FIELDS: [(&str, Kind); 15] = [
    ("annotations", Kind::TextByKey),
    ("creationTimestamp", Kind::Time),
    ("deletionGracePeriodSeconds", Kind::Whole),
    ("deletionTimestamp", Kind::Time),
    ("finalizers", Kind::Texts),
    ("generateName", Kind::Text),
    ("generation", Kind::Whole),
    ("labels", Kind::TextByKey),
    ("managedFields", Kind::Objects),
    ("name", Kind::Text),
    ("namespace", Kind::Text),
    ("ownerReferences", Kind::Objects),
    ("resourceVersion", Kind::Text),
    ("selfLink", Kind::Text),
    ("uid", Kind::Text),
];

/// The fields of an owner, and whether each is a text that has to be there; the others are booleans.
const OWNER: [(&str, bool); 6] = [
    ("apiVersion", true),
    ("kind", true),
    ("name", true),
    ("uid", true),
    ("blockOwnerDeletion", false),
    ("controller", false),
];

/// Fields that nobody knows.
pub fn unknown(object: &Value) -> Vec<String> {
    let Some(metadata) = object.get("metadata").and_then(Value::as_object) else {
        return Vec::new();
    };
    let is_known = |name: &str| FIELDS.iter().any(|(known, _)| *known == name);
    let strange = metadata.keys().filter(|name| !is_known(name));
    let mut found: Vec<String> = strange.map(|name| format!("metadata.{name}")).collect();
    for (place, owner) in items(metadata, "ownerReferences").enumerate() {
        let fields = owner.as_object().into_iter().flat_map(Map::keys);
        let strange = fields.filter(|name| !OWNER.iter().any(|(known, _)| known == name));
        found.extend(strange.map(|name| format!("metadata.ownerReferences[{place}].{name}")));
    }
    found
}

/// What is wrong with what is known. Nulls are taken out before.
pub fn faults(object: &Value) -> Vec<Fault> {
    let nothing = Map::new();
    let metadata = match object.get("metadata") {
        None | Some(Value::Null) => &nothing,
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return vec![of_type("metadata", other, "object")],
    };
    let mut faults = Vec::new();
    for (name, kind) in FIELDS {
        if let Some(value) = metadata.get(name) {
            kind.check(&format!("metadata.{name}"), value, &mut faults);
        }
    }
    names(metadata, &mut faults);
    for (key, value) in pairs(metadata, "labels") {
        let mut told = qualified(key, "label key");
        told.extend(label(value));
        faults.extend(
            told.into_iter()
                .map(|told| Fault::of("metadata.labels", told)),
        );
    }
    let mut size = 0;
    for (key, value) in pairs(metadata, "annotations") {
        size += key.len() + value.len();
        // As the API server does: upper case is taken in the prefix of an annotation.
        let told = qualified(&key.to_lowercase(), "annotation key");
        faults.extend(
            told.into_iter()
                .map(|told| Fault::of("metadata.annotations", told)),
        );
    }
    if size > MOST_OF_ANNOTATIONS {
        let told = format!("Too long: may not be more than {MOST_OF_ANNOTATIONS} bytes");
        faults.push(Fault::of("metadata.annotations", told));
    }
    for finalizer in items(metadata, "finalizers").filter_map(Value::as_str) {
        let told = qualified(finalizer, "finalizer");
        faults.extend(
            told.into_iter()
                .map(|told| Fault::of("metadata.finalizers", told)),
        );
    }
    owners(metadata, &mut faults);
    faults
}

impl Kind {
    fn check(self, field: &str, value: &Value, faults: &mut Vec<Fault>) {
        let mut require = |is_good: bool, place: &str, value: &Value, wanted: &str| {
            if !is_good {
                faults.push(of_type(place, value, wanted));
            }
        };
        match self {
            Self::Text => require(value.is_string(), field, value, "string"),
            Self::Whole => require(value.is_i64(), field, value, "integer"),
            Self::Time => require(
                value.as_str().is_some_and(is_time),
                field,
                value,
                "string, and a time such as 2026-01-31T12:00:00Z",
            ),
            Self::Texts => match value.as_array() {
                Some(items) => items
                    .iter()
                    .for_each(|item| require(item.is_string(), field, item, "string")),
                None => require(false, field, value, "array"),
            },
            Self::Objects => match value.as_array() {
                Some(items) => items
                    .iter()
                    .for_each(|item| require(item.is_object(), field, item, "object")),
                None => require(false, field, value, "array"),
            },
            Self::TextByKey => match value.as_object() {
                Some(fields) => fields.values().for_each(|value| {
                    require(value.is_string(), field, value, "string, in quotes");
                }),
                None => require(false, field, value, "object"),
            },
        }
    }
}

fn of_type(field: &str, value: &Value, wanted: &str) -> Fault {
    let told = format!("Invalid value: {value}: {field} must be of type {wanted}");
    Fault::of(field, told)
}

/// RFC 3339, of which the parser takes more forms than the API server.
fn is_time(text: &str) -> bool {
    text.as_bytes().get(10) == Some(&b'T') && text.parse::<Timestamp>().is_ok()
}

fn items<'m>(metadata: &'m Map<String, Value>, name: &str) -> impl Iterator<Item = &'m Value> {
    let list = metadata.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// The keys whose values are texts, as all should be.
fn pairs<'m>(
    metadata: &'m Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'m str, &'m str)> {
    let fields = metadata.get(name).and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn names(metadata: &Map<String, Value>, faults: &mut Vec<Fault>) {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let invalid = |value: &str, told: &str| format!("Invalid value: {value:?}: {told}");
    let made = text("generateName").filter(|prefix| !prefix.is_empty());
    if let Some(prefix) = made {
        // What is added ends it well.
        let stem = match prefix.strip_suffix('-') {
            Some(stem) => format!("{stem}a"),
            None => prefix.to_owned(),
        };
        if !is_subdomain(&stem) {
            faults.push(Fault::of(
                "metadata.generateName",
                invalid(prefix, SUBDOMAIN),
            ));
        }
    }
    match (metadata.get("name"), text("name").unwrap_or_default()) {
        // Its type was told.
        (Some(name), _) if !name.is_string() => {}
        (_, "") if made.is_some() => {}
        (_, "") => {
            let told = "Required value: name or generateName is required";
            faults.push(Fault::of("metadata.name", told));
        }
        (_, name) if name.len() > LONGEST_NAME => {
            let told = format!("must be no more than {LONGEST_NAME} bytes");
            faults.push(Fault::of("metadata.name", invalid(name, &told)));
        }
        (_, name) if !is_subdomain(name) => {
            faults.push(Fault::of("metadata.name", invalid(name, SUBDOMAIN)));
        }
        _ => {}
    }
    let namespace = text("namespace").filter(|namespace| !namespace.is_empty());
    if let Some(namespace) = namespace.filter(|name| !is_label(name) || name.len() > LONGEST_LABEL)
    {
        let told = format!(
            "no namespace has such a name: it is at most {LONGEST_LABEL} lower case alphanumeric characters or '-', and starts and ends with \
             an alphanumeric character"
        );
        faults.push(Fault::of("metadata.namespace", invalid(namespace, &told)));
    }
}

/// A part of a name of DNS, of any length.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = text.bytes().all(|byte| plain(byte) || byte == b'-');
    inner && text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain)
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

/// Letters, digits, `-`, `_` and `.`, with letters or digits at both ends.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    let inner = text
        .bytes()
        .all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'));
    inner && text.bytes().next().is_some_and(plain) && text.bytes().last().is_some_and(plain)
}

/// What is wrong with a key that may have a prefix, such as `example.com/team`.
fn qualified(key: &str, noun: &str) -> Vec<String> {
    const RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let (prefix, name) = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            let told =
                format!("a valid {noun} {RULE}, with an optional DNS subdomain prefix and '/'");
            return vec![format!("Invalid value: {key:?}: {told}")];
        }
    };
    let mut told = Vec::new();
    match prefix {
        Some("") => told.push("prefix part must be non-empty".to_owned()),
        Some(prefix) if prefix.len() > LONGEST_NAME => {
            told.push(format!(
                "prefix part must be no more than {LONGEST_NAME} bytes"
            ));
        }
        Some(prefix) if !is_subdomain(prefix) => told.push(format!("prefix part {SUBDOMAIN}")),
        _ => {}
    }
    match name {
        "" => told.push("name part must be non-empty".to_owned()),
        name if name.len() > LONGEST_LABEL => {
            told.push(format!(
                "name part must be no more than {LONGEST_LABEL} bytes"
            ));
        }
        name if !is_word(name) => told.push(format!("name part {RULE}")),
        _ => {}
    }
    let told = told.into_iter();
    told.map(|told| format!("Invalid value: {key:?}: {told}"))
        .collect()
}

/// What is wrong with the value of a label.
fn label(value: &str) -> Option<String> {
    let told = if value.len() > LONGEST_LABEL {
        format!("must be no more than {LONGEST_LABEL} bytes")
    } else if value.is_empty() || is_word(value) {
        return None;
    } else {
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
         alphanumeric character"
            .to_owned()
    };
    Some(format!("Invalid value: {value:?}: {told}"))
}

fn owners(metadata: &Map<String, Value>, faults: &mut Vec<Fault>) {
    let mut controllers = 0;
    for (place, owner) in items(metadata, "ownerReferences").enumerate() {
        let Some(owner) = owner.as_object() else {
            continue;
        };
        let whole = format!("metadata.ownerReferences[{place}]");
        for (name, is_text) in OWNER {
            let field = format!("{whole}.{name}");
            match (owner.get(name), is_text) {
                (Some(Value::String(text)), true) if !text.is_empty() => {}
                (None | Some(Value::String(_)), true) => {
                    faults.push(Fault::of(&field, "Required value: must not be empty"));
                }
                (Some(other), true) => faults.push(of_type(&field, other, "string")),
                (None | Some(Value::Bool(_)), false) => {}
                (Some(other), false) => faults.push(of_type(&field, other, "boolean")),
            }
        }
        let text = |name: &str| owner.get(name).and_then(Value::as_str).unwrap_or_default();
        let version = text("apiVersion");
        if version.split('/').count() > 2 {
            let told =
                format!("Invalid value: {version:?}: must be <group>/<version> or <version>");
            faults.push(Fault::of(&format!("{whole}.apiVersion"), told));
        }
        if version == "v1" && text("kind") == "Event" {
            let told = "Invalid value: /v1, Kind=Event is disallowed from being an owner";
            faults.push(Fault::of(&whole, told));
        }
        controllers += usize::from(owner.get("controller") == Some(&Value::Bool(true)));
    }
    if controllers > 1 {
        let told = "Invalid value: only one reference can have controller set to true";
        faults.push(Fault::of("metadata.ownerReferences", told));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The fields that are at fault in the metadata of a resource with a name.
    fn fields(more: &Value) -> Vec<String> {
        let mut object = json!({"metadata": {"name": "orders"}});
        for (name, value) in more.as_object().unwrap() {
            object["metadata"][name] = value.clone();
        }
        let mut fields: Vec<String> = unknown(&object);
        fields.extend(faults(&object).into_iter().map(|fault| fault.field));
        fields
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        for good in [
            json!({"labels": {"a": "", "A_b.c": "x", "example.com/team": "B-1_2.c"}}),
            json!({"annotations": {"Example.com/A": "any text\n", "a": "x".repeat(MOST_OF_ANNOTATIONS - 14 - 9)}}),
            json!({"namespace": ""}),
            json!({"namespace": "shop-1", "finalizers": ["a", "a/b"], "generation": 3, "resourceVersion": "3", "uid": "abc"}),
            json!({"creationTimestamp": "2026-01-01T00:00:00+02:00", "generateName": "orders-", "managedFields": [{"manager": "a"}]}),
            json!({"ownerReferences": [{"apiVersion": "a/v1", "kind": "A", "name": "b", "uid": "u", "controller": true}]}),
        ] {
            assert_eq!(fields(&good), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn what_it_refuses_is_a_fault_of_the_same_field() {
        let long = |count: usize| "b".repeat(count);
        let owner =
            json!({"apiVersion": "v1", "kind": "A", "name": "b", "uid": "u", "controller": true});
        for (bad, field) in [
            (json!({"annotations": {"a": 1}}), "annotations"),
            (json!({"annotations": "x"}), "annotations"),
            (json!({"annotations": {"a b": "c"}}), "annotations"),
            (
                json!({"annotations": {"a": "x".repeat(MOST_OF_ANNOTATIONS)}}),
                "annotations",
            ),
            (json!({"labels": {"a": true}}), "labels"),
            (json!({"labels": ["a"]}), "labels"),
            (json!({"labels": {"-a": "b"}}), "labels"),
            (json!({"labels": {"a/b/c": "d"}}), "labels"),
            (json!({"labels": {"X.com/a": "b"}}), "labels"),
            (json!({"labels": {"/a": "b"}}), "labels"),
            (json!({"labels": {"a/": "b"}}), "labels"),
            (json!({"labels": {"": "b"}}), "labels"),
            (json!({"labels": {"a": "b c"}}), "labels"),
            (json!({"labels": {"a": long(64)}}), "labels"),
            (json!({"labels": {long(64): "c"}}), "labels"),
            (
                json!({"labels": {format!("{}/c", long(254)): "c"}}),
                "labels",
            ),
            (json!({"namespace": "Shop_X"}), "namespace"),
            (json!({"namespace": "shop.a"}), "namespace"),
            (json!({"namespace": long(64)}), "namespace"),
            (json!({"namespace": 12}), "namespace"),
            (json!({"name": 12}), "name"),
            (json!({"name": "Orders"}), "name"),
            (json!({"generateName": "Orders"}), "generateName"),
            (json!({"uid": 1}), "uid"),
            (json!({"resourceVersion": 3}), "resourceVersion"),
            (json!({"generation": 1.5}), "generation"),
            (
                json!({"creationTimestamp": "yesterday"}),
                "creationTimestamp",
            ),
            (
                json!({"creationTimestamp": "2026-01-01 00:00:00Z"}),
                "creationTimestamp",
            ),
            (json!({"deletionTimestamp": 12}), "deletionTimestamp"),
            (json!({"finalizers": [1]}), "finalizers"),
            (json!({"finalizers": ["a b/c"]}), "finalizers"),
            (json!({"managedFields": "x"}), "managedFields"),
            (json!({"ownerReferences": {}}), "ownerReferences"),
            (json!({"ownerReferences": ["a"]}), "ownerReferences"),
            (
                json!({"ownerReferences": [owner, owner]}),
                "ownerReferences",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "b"}]}),
                "ownerReferences[0].uid",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "a/b/c", "kind": "A", "name": "b", "uid": "u"}]}),
                "ownerReferences[0].apiVersion",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "b", "uid": 1}]}),
                "ownerReferences[0].uid",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "v1", "kind": "A", "name": "b", "uid": "u", "x": 1}]}),
                "ownerReferences[0].x",
            ),
            (
                json!({"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "b", "uid": "u"}]}),
                "ownerReferences[0]",
            ),
            (json!({"label": {}}), "label"),
        ] {
            assert_eq!(fields(&bad), [format!("metadata.{field}")], "{bad}");
        }
        let whole = faults(&json!({"metadata": "orders"}));
        assert_eq!(whole[0].field, "metadata");
        assert_eq!(faults(&json!({}))[0].field, "metadata.name");
    }
}
