//! The definition that the cluster has, where a manifest has what this release does not know.
//!
//! Relies on the API server to publish it (`OpenAPI` v3), which every user who is known to it may read. Promises that nothing is asked
//! for where nothing is strange, and that what the cluster's own definition does not have either stays refused.

use kube::Client;
use serde_json::{Value, json};
use taurus_port_operator::crd::GROUP;
use tokio::sync::OnceCell;

use crate::{
    cluster::Cluster,
    lint::{
        fault::Fault,
        judge::{self, KIND, VERSION},
        schema::Schema,
    },
};

/// The definition, read when it is first needed; nothing where it can't be read.
#[derive(Default)]
pub struct There(OnceCell<Option<Schema>>);

impl There {
    /// Takes out of the faults fields and words that only this release does not know; gives the fields.
    pub async fn knows(
        &self,
        cluster: &Cluster,
        manifest: &Value,
        faults: &mut Vec<Fault>,
    ) -> Vec<String> {
        if !faults.iter().any(may_be_newer) {
            return Vec::new();
        }
        let schema = self.0.get_or_init(|| read(cluster.client())).await.as_ref();
        schema.map_or_else(Vec::new, |schema| known_there(schema, manifest, faults))
    }
}

/// Whether a newer release may know what this one does not.
fn may_be_newer(fault: &Fault) -> bool {
    let is_strange =
        fault.message == judge::UNKNOWN || fault.message.starts_with("Unsupported value: ");
    is_strange && fault.field.starts_with("spec.")
}

fn known_there(schema: &Schema, manifest: &Value, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut manifest = manifest.clone();
    judge::forget_nulls(&mut manifest);
    let mut at_fault = schema.unknown_fields(&manifest);
    let verdict = schema.run(&manifest);
    at_fault.extend(verdict.faults.into_iter().map(|fault| fault.field));
    let is_known = |fault: &Fault| may_be_newer(fault) && !at_fault.contains(&fault.field);
    let known = faults.iter().filter(|fault| is_known(fault));
    let known: Vec<String> = known.map(|fault| fault.field.clone()).collect();
    faults.retain(|fault| !is_known(fault));
    known
}

async fn read(client: Client) -> Option<Schema> {
    let place = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = http::Request::get(place).body(Vec::new()).ok()?;
    let document: Value = client.request(request).await.ok()?;
    Schema::new(tree(&document)?).ok()
}

/// The schema of the spec, in a published document.
fn tree(document: &Value) -> Option<Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let is_ours = |schema: &&Value| {
        let kinds = schema.get("x-kubernetes-group-version-kind");
        let mut kinds = kinds.and_then(Value::as_array).into_iter().flatten();
        kinds.any(|kind| kind.get("kind").and_then(Value::as_str) == Some(KIND))
    };
    let spec = schemas
        .values()
        .find(is_ours)?
        .pointer("/properties/spec")?;
    Some(json!({"type": "object", "properties": {"spec": spec}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_definition_of_the_cluster_has_is_no_fault() {
        let words = json!({"type": "string", "enum": ["Enforce", "Auto"]});
        let spec = json!({"type": "object", "properties": {
            "managementPolicy": words, "moon": {"type": "string"}, "port": {"type": "integer"},
        }});
        let kinds = |kind: &str| json!([{"group": "taurusdb.huaweicloud.com", "version": "v1alpha1", "kind": kind}]);
        let document = json!({"components": {"schemas": {
            "a.List": {"x-kubernetes-group-version-kind": kinds("TaurusProxyPortList")},
            "a.One": {"properties": {"spec": spec}, "x-kubernetes-group-version-kind": kinds("TaurusProxyPort")},
        }}});
        let schema = Schema::new(tree(&document).unwrap()).unwrap();
        let manifest =
            json!({"spec": {"managementPolicy": "Auto", "moon": "full", "sun": 1, "port": null}});
        let unknown = |field: &str| Fault::of(field, judge::UNKNOWN);
        let policy = Fault::of(
            "spec.managementPolicy",
            "Unsupported value: \"Auto\": supported values: \"Enforce\"",
        );
        let port = Fault::of("spec.port", "Required value");
        let rest = [unknown("spec.sun"), port];
        let mut faults = vec![policy, unknown("spec.moon")];
        faults.extend(rest.clone());
        let known = known_there(&schema, &manifest, &mut faults);
        assert_eq!(known, ["spec.managementPolicy", "spec.moon"]);
        assert_eq!(faults, rest);
        let mut wrong = vec![unknown("spec.moon")];
        let manifest = json!({"spec": {"moon": 1}});
        assert!(known_there(&schema, &manifest, &mut wrong).is_empty());
    }
}
