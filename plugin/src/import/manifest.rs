//! From a proxy to its manifest.

use serde_json::{Map, Value, json};
use taurus_port_operator::crd::GROUP;

use super::Found;
use crate::{failure::Failure, format};

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
}

/// The manifest of a proxy with this port.
pub fn manifest_of(found: &Found, port: u16, settings: &Settings) -> Result<Manifest, Failure> {
    let name = name_of(found);
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), json!(name));
    if let Some(namespace) = &settings.namespace {
        metadata.insert("namespace".to_owned(), json!(namespace));
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
    let comment = format::tame(&format!(
        "# proxy {:?} of instance {:?}, read as {}",
        found.name, found.instance_name, found.status
    ));
    let text = format!("{comment}\n{}", format::yaml(&object)?);
    Ok(Manifest { name, object, text })
}

/// A name that follows from the proxy alone: its own name, as far as Kubernetes takes it, and the beginning of its id.
fn name_of(found: &Found) -> String {
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
    let name = if name.is_empty() { "proxy" } else { name };
    let id = found.proxy.to_lowercase();
    format!("{name}-{}", id.get(..SHORT).unwrap_or(&id))
}

/// The same with the whole id, where two proxies have the same beginning.
pub fn with_whole_id(mut found: Manifest, proxy: &str) -> Result<Manifest, Failure> {
    let name = format!(
        "{}{}",
        found.name,
        proxy.to_lowercase().get(SHORT..).unwrap_or_default()
    );
    let comment = found.text.lines().next().unwrap_or_default().to_owned();
    if let Some(metadata) = found.object.pointer_mut("/metadata/name") {
        *metadata = json!(name);
    }
    found.text = format!("{comment}\n{}", format::yaml(&found.object)?);
    Ok(Manifest { name, ..found })
}
