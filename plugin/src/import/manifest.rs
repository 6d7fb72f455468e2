//! From a proxy to its manifest.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use taurus_port_operator::crd::GROUP;

use super::Found;
use crate::{failure::Failure, format};

/// What stands before the key of an instance's tag in a label.
const TAGS: &str = "tags.taurusdb.huaweicloud.com";

/// The longest value of a label, and the longest name in its key.
const LONGEST_LABEL: usize = 63;

/// So many letters of the proxy's id stand in its resource's name.
const SHORT: usize = 8;

/// The longest part of a name that comes of the proxy's own.
const LONGEST: usize = 50;

/// What all manifests of a run share.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The namespace, where they name one.
    pub namespace: Option<String>,
    /// The Secret, where they name one.
    pub secret: Option<String>,
}

/// A manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The name of the resource.
    pub name: String,
    /// The object.
    pub object: Value,
    /// The same as YAML, with a comment.
    pub text: String,
    /// The file in which the folder holds the proxy's manifest already.
    pub file: Option<PathBuf>,
}

/// The manifest of a proxy with this port, under this name.
pub fn manifest_of(
    found: &Found,
    port: u16,
    name: String,
    settings: &Settings,
) -> Result<Manifest, Failure> {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(name));
    if let Some(namespace) = &settings.namespace {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    let labels = labels(found);
    if !labels.is_empty() {
        metadata.insert("labels".to_owned(), Value::Object(labels));
    }
    let mut spec = Map::new();
    let mut add = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            spec.insert(field.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    add("region", text(&found.place.region));
    add("endpoint", text(&found.place.endpoint));
    add("iamEndpoint", text(&found.place.iam_endpoint));
    add("projectID", Some(json!(found.project)));
    add("instanceID", Some(json!(found.instance)));
    add("proxyID", Some(json!(found.proxy)));
    add("port", Some(json!(port)));
    add(
        "credentialsRef",
        settings.secret.as_ref().map(|name| json!({"name": name})),
    );
    add("managementPolicy", Some(json!("Observe")));
    let object = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "TaurusProxyPort", "metadata": metadata, "spec": spec,
    });
    // A Terraform state has no name of the instance.
    let instance = if found.instance_name.is_empty() {
        found.instance.clone()
    } else {
        format!("{:?}", found.instance_name)
    };
    let comment = format::tame(&format!(
        "# proxy {:?} of instance {instance}, read as {}",
        found.name, found.status
    ));
    let text = format!("{comment}\n{}", format::yaml(&object)?);
    Ok(Manifest {
        name,
        object,
        text,
        file: None,
    })
}

/// The tags of the instance that labels can hold.
fn labels(found: &Found) -> Map<String, Value> {
    let tags = found.tags.iter();
    let tags = tags.filter(|(key, value)| is_label(key) && (value.is_empty() || is_label(value)));
    tags.map(|(key, value)| (format!("{TAGS}/{key}"), json!(value)))
        .collect()
}

/// Whether Kubernetes takes the text for a label's value, and for the name in its key.
fn is_label(text: &str) -> bool {
    let is_end = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric());
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    text.len() <= LONGEST_LABEL
        && text.chars().all(fits)
        && is_end(text.chars().next())
        && is_end(text.chars().next_back())
}

/// A name that follows from the proxy alone: its own name, as far as Kubernetes takes it, and the beginning of its id.
pub fn name_of(found: &Found) -> String {
    let id = found.proxy.to_lowercase();
    format!("{}-{}", stem_of(found), id.get(..SHORT).unwrap_or(&id))
}

/// The same with the whole id, where the name is that of another proxy.
pub fn whole_name_of(found: &Found) -> String {
    format!("{}-{}", stem_of(found), found.proxy.to_lowercase())
}

fn stem_of(found: &Found) -> String {
    let mut name = String::new();
    for letter in found.name.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            name.push(letter);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_end_matches('-');
    let stem = if name.is_empty() { "proxy" } else { name };
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tags_that_kubernetes_takes_become_labels() {
        for (text, good) in [
            ("team", true),
            ("a.b_c-1", true),
            ("", false),
            ("-a", false),
            ("a b", false),
            ("größe", false),
            (&"x".repeat(63), true),
            (&"x".repeat(64), false),
        ] {
            assert_eq!(is_label(text), good, "{text}");
        }
    }
}
