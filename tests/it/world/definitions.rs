//! The definition of this release, and an older one.
//!
//! There was no release yet. The older one is the first that was ever committed (`tests/fixtures/definitions`), with the plan of a change:
//! under one without it this release begins none.

use serde_json::Value;

use super::tools::root;

/// Where a definition has the fields of the status.
pub const STATUS: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";

/// The older one.
pub fn first() -> Value {
    let mut first = read("tests/fixtures/definitions/first.yaml");
    let plan = present().pointer(STATUS).unwrap()["plan"].clone();
    first.pointer_mut(STATUS).unwrap()["plan"] = plan;
    first
}

/// The one of this release.
pub fn present() -> Value {
    read("crds/taurusproxyports.taurusdb.huaweicloud.com.yaml")
}

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(root().join(path)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// Takes out the selectable fields that a changed definition has no more; the API server refuses a definition with such.
pub fn select_what_is_there(definition: &mut Value) {
    let Some(Value::Array(versions)) = definition.pointer_mut("/spec/versions") else {
        return;
    };
    for version in versions {
        let schema = version["schema"]["openAPIV3Schema"].clone();
        let Some(Value::Array(selectable)) = version.get_mut("selectableFields") else {
            continue;
        };
        selectable.retain(|field| {
            let path = field["jsonPath"].as_str().unwrap_or_default();
            schema.pointer(&path.replace('.', "/properties/")).is_some()
        });
    }
}
