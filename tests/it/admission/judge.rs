//! The API server as a judge, asked in each way in which a resource can reach it.

use std::process::{Command, Output};

use http::Method;
use kube::{Api, ResourceExt as _, api::DeleteParams};
use serde_json::Value;
use taurus_port_operator::crd::TaurusProxyPort;

use super::{linted, written::Written};
use crate::{
    kept::{kept, table},
    world::plane::{self, Plane},
};

/// The name that every resource of these tests has; one that stands already is called [`STANDING`].
pub const NAME: &str = "orders";

/// A good resource that was there before.
const STANDING: &str = "standing";

/// A namespace of a real API server.
pub struct Judge {
    plane: Plane,
    namespace: String,
    api: Api<TaurusProxyPort>,
}

impl Judge {
    /// One with a good resource in place.
    pub async fn new() -> Self {
        let plane = plane::shared().await;
        let client = plane.client().await.unwrap();
        let namespace = plane::new_namespace(&client).await;
        let api = Api::namespaced(client, &namespace);
        let judge = Self {
            plane,
            namespace,
            api,
        };
        judge.stand(&Written::good()).await;
        judge
    }

    /// Puts a resource where changes can be made to it.
    async fn stand(&self, written: &Written) {
        let document = written.document(STANDING, None);
        self.send(Method::POST, None, &document, false)
            .await
            .unwrap();
    }

    /// Keeps what kubectl prints of each of these, all of which are refused.
    pub async fn keep_refusals(&self, name: &str, cases: &[(String, Written)]) {
        let mut rows = Vec::new();
        for (case, written) in cases {
            rows.push((case.clone(), self.refusal(case, written).await));
        }
        kept(name, &table(&rows), &[]);
    }

    /// What kubectl prints of a resource that is refused: alike as a new one and as a change of one that stands, in
    /// earnest and as a dry run; and nothing of it is stored.
    async fn refusal(&self, case: &str, written: &Written) -> String {
        let create = ["create", "--dry-run=server", "-f"];
        let refused = self.kubectl(&create, &written.document(NAME, None));
        let printed = printed(&refused).expect_err(case);
        linted::agrees(case, &written.document(NAME, None), Some(&printed));
        let version = self.version().await;
        for dry_run in [true, false] {
            let new = written.document(NAME, None);
            let change = written.document(STANDING, Some(&version));
            let new = self.send(Method::POST, None, &new, dry_run).await;
            let put = self.send(Method::PUT, Some(STANDING), &change, dry_run);
            let (new, change) = (new.expect_err(case), put.await.expect_err(case));
            for cause in &new {
                assert!(printed.contains(cause), "{case}: {cause} in {printed}");
                assert!(change.contains(cause), "{case}: {cause} in {change:?}");
            }
        }
        assert_eq!(self.version().await, version, "{case}: nothing was changed");
        let none = self.api.get_opt(NAME).await.unwrap();
        assert!(none.is_none(), "{case}: nothing was stored");
        in_order(&printed)
    }

    /// The spec as it is stored of a resource that is taken: alike by dry runs and in earnest.
    pub async fn stored(&self, written: &Written) -> Value {
        let document = written.document(NAME, None);
        linted::agrees(&format!("{written:?}"), &document, None);
        let create = ["create", "--dry-run=server", "-o", "json", "-f"];
        let printed = printed(&self.kubectl(&create, &document));
        let printed = printed.unwrap_or_else(|error| panic!("{written:?}: {error}"));
        let by_kubectl: Value = serde_json::from_str(&printed).unwrap();
        let spec = by_kubectl["spec"].clone();
        for dry_run in [true, false] {
            let sent = self.send(Method::POST, None, &document, dry_run).await;
            assert_eq!(sent.unwrap()["spec"], spec, "{written:?}");
        }
        self.delete().await;
        spec
    }

    /// The same of a change of a good resource.
    pub async fn stored_as_change(&self, written: &Written) -> Value {
        let first = Written::good().document(NAME, None);
        let first = self.send(Method::POST, None, &first, false).await.unwrap();
        let version = first["metadata"]["resourceVersion"].as_str().unwrap();
        let change = written.document(NAME, Some(version));
        let before = Written::good().document(NAME, None);
        linted::agrees_on_change(&format!("{written:?}"), &before, &change, None);
        let mut specs = Vec::new();
        for dry_run in [true, false] {
            let sent = self.send(Method::PUT, Some(NAME), &change, dry_run).await;
            specs.push(sent.unwrap()["spec"].clone());
        }
        self.delete().await;
        assert_eq!(specs[0], specs[1], "{written:?}");
        specs.remove(0)
    }

    /// What kubectl prints of a change from one resource to another that is refused: alike by client-side and server-side
    /// apply, in earnest and as a dry run.
    pub async fn refusal_of_change(&self, case: &str, from: &Written, to: &Written) -> String {
        let (old, new) = (from.document(NAME, None), to.document(NAME, None));
        let mut texts = Vec::new();
        for side in ["--server-side=false", "--server-side"] {
            let applied = printed(&self.kubectl(&["apply", side, "-f"], &old));
            applied.unwrap_or_else(|error| panic!("{case}: {error}"));
            let before = self.api.get(NAME).await.unwrap();
            for dry_run in ["--dry-run=server", "--dry-run=none"] {
                let refused = self.kubectl(&["apply", side, dry_run, "-f"], &new);
                texts.push(in_order(&printed(&refused).expect_err(case)));
            }
            let after = self.api.get(NAME).await.unwrap();
            assert_eq!(after.spec, before.spec, "{case}: nothing was changed");
            assert_eq!(after.metadata.generation, Some(1), "{case}");
            self.delete().await;
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{case}: the same in all ways: {texts:#?}");
        let text = texts.remove(0);
        linted::agrees_on_change(case, &old, &new, Some(&text));
        text
    }

    /// Runs kubectl on a document, in this namespace.
    pub fn kubectl(&self, arguments: &[&str], document: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        let file = format!("{NAME}.yaml");
        std::fs::write(folder.path().join(&file), document).unwrap();
        Command::new(self.plane.kubectl())
            .env("KUBECONFIG", self.plane.kubeconfig())
            .current_dir(folder.path())
            .args(["-n", &self.namespace])
            .args(arguments)
            .arg(file)
            .output()
            .unwrap()
    }

    /// Deletes what [`NAME`] names.
    pub async fn delete(&self) {
        self.api
            .delete(NAME, &DeleteParams::default())
            .await
            .unwrap();
    }

    async fn version(&self) -> String {
        let standing = self.api.get(STANDING).await.unwrap();
        standing.resource_version().unwrap()
    }

    /// Sends a document as it is, in YAML: our own types could not even hold some of them. Gives the object as it was
    /// answered, or why not: a text for each field at fault.
    async fn send(
        &self,
        method: Method,
        name: Option<&str>,
        document: &str,
        dry_run: bool,
    ) -> Result<Value, Vec<String>> {
        let place = name.map_or_else(String::new, |name| format!("/{name}"));
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let url = self.api.resource_url();
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{url}{place}?fieldValidation=Strict{dry_run}"))
            .header("Content-Type", "application/yaml")
            .body(document.as_bytes().to_vec())
            .unwrap();
        let sent = self.api.clone().into_client().request(request).await;
        sent.map_err(|error| match error {
            kube::Error::Api(status) => {
                let causes = status.details.map(|details| details.causes);
                let causes = causes.unwrap_or_default().into_iter();
                let causes: Vec<String> = causes.map(|cause| cause.message).collect();
                if causes.is_empty() {
                    vec![status.message]
                } else {
                    causes
                }
            }
            other => panic!("no answer of the API server: {other}"),
        })
    }
}

/// What a program printed, as what it did is good or not.
pub fn printed(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// How the messages of our own rules begin, wherever one stands in a line of kubectl's.
const OUR_RULES: [&str; 12] = [
    ": audience must ",
    ": changeTimeout must ",
    ": endpoint must ",
    ": iamEndpoint must ",
    ": idpID must ",
    ": instanceID must ",
    ": name must ",
    ": port is reserved ",
    ": projectID must ",
    ": proxyID must ",
    ": region must ",
    ": serviceAccountName must ",
];

/// A line that newer servers add for numbers with a fraction or of more than 64 bits, and that names no field.
const ADDED: &str = "Checked value must be of type integer";

/// The same text on every Kubernetes. Faults come in any order, here by field, with those that have none last. Where a
/// rule of ours is broken, newer servers show the value and older ones its type; one line only newer servers add.
pub fn in_order(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains(ADDED));
    let lines: Vec<String> = lines.map(without_value).collect();
    let lines = lines.iter().map(String::as_str);
    let (mut faults, others): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.starts_with("* "));
    faults.sort_by_key(|line| (line.starts_with("* <nil>"), *line));
    match (&others[..], &faults[..]) {
        // As kubectl writes a single fault.
        ([head], [fault]) => format!("{}{}", head, fault.trim_start_matches("* ")),
        _ => [others, faults].concat().join("\n"),
    }
}

fn without_value(line: &str) -> String {
    const VALUE: &str = "Invalid value: ";
    let rule = OUR_RULES.iter().find_map(|rule| line.find(rule));
    match line.find(VALUE).zip(rule) {
        Some((value, rule)) => format!("{}{VALUE}[value]{}", &line[..value], &line[rule..]),
        None => line.to_owned(),
    }
}

/// A case for each of some values of a field, under what is written.
pub fn each(field: &str, values: &[&str]) -> Vec<(String, Written)> {
    let case = |value: &&str| {
        let written = Written::good().with(field, value);
        (format!("{field}: {value}"), written)
    };
    values.iter().map(case).collect()
}
