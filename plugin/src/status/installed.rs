//! The operator that is installed: its release and its leader, as far as the caller may see them.
//!
//! Promises that nothing of it is needed: what can't be read is told, and the rest is shown all the same.

use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::PodSpec};
use kube::{Api, api::ListParams};
use serde::Serialize;

use super::calendar::{self, Seen};
use crate::{
    cluster::Cluster,
    format::{age, tame},
};

/// Name of the operator's Deployment and Lease, as they are installed without Helm.
const NAME: &str = "taurus-port-operator";

/// The label of all its objects, however they are called: a release of Helm calls them after itself.
const LABEL: &str = "app.kubernetes.io/part-of=taurus-port-operator";

/// The label that names the release of what is installed: an image by its digest alone names none.
const VERSION: &str = "app.kubernetes.io/version";

/// The flag that names its Lease, and the variable that does where there is no flag.
const LEASE: (&str, &str) = ("--lease-name", "TAURUS_LEASE_NAME");

/// What is known of the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Installed {
    namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    image: Found,
    leader: Found,
    calendar: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewed: Option<Timestamp>,
}

/// A value, or why there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Found {
    /// It is so.
    Is(String),
    /// There is none.
    #[default]
    Absent,
    /// It may not be read, or there was no answer.
    Unseen,
}

impl Installed {
    /// Looks, by requests for single objects.
    pub async fn look(cluster: &Cluster, namespace: &str, now: Timestamp) -> Self {
        let deployments: Api<Deployment> = Api::namespaced(cluster.client(), namespace);
        let leases: Api<Lease> = Api::namespaced(cluster.client(), namespace);
        let deployment = find(&deployments).await;
        let found = deployment.as_ref().ok().and_then(Option::as_ref);
        let calendar = async {
            match found {
                Some(deployment) => Seen::look(cluster, namespace, deployment, now).await,
                None => Seen::None,
            }
        };
        let lease = found.map_or_else(|| NAME.to_owned(), lease_of);
        let (calendar, lease) = futures::join!(calendar, leases.get_opt(&lease));
        let version = found.and_then(version_of);
        let image = match deployment {
            Ok(deployment) => deployment
                .and_then(image_of)
                .map_or(Found::Absent, Found::Is),
            Err(_) => Found::Unseen,
        };
        let (leader, renewed) = match lease {
            Ok(lease) => {
                let spec = lease.and_then(|lease| lease.spec).unwrap_or_default();
                let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
                let renewed = spec.renew_time.map(|time| time.0);
                (holder.map_or(Found::Absent, Found::Is), renewed)
            }
            Err(_) => (Found::Unseen, None),
        };
        Self {
            namespace: namespace.to_owned(),
            version,
            image,
            leader,
            calendar,
            renewed,
        }
    }

    /// The windows and freezes of its calendar, for people.
    pub fn calendar(&self) -> Vec<String> {
        self.calendar.lines()
    }

    /// For people, in a line.
    pub fn line(&self, now: Timestamp) -> String {
        let image = match (&self.image, &self.version) {
            (Found::Is(image), Some(version)) => {
                format!("{}, image {}", tame(version), tame(image))
            }
            (Found::Is(image), None) => format!("image {}", tame(image)),
            (Found::Absent, _) => format!("no Deployment {NAME} in {}", self.namespace),
            (Found::Unseen, _) => format!("not visible in {}", self.namespace),
        };
        let leader = match &self.leader {
            Found::Is(leader) => {
                let renewed = self
                    .renewed
                    .map(|then| format!(", seen {} ago", age(then, now)));
                format!("{}{}", tame(leader), renewed.unwrap_or_default())
            }
            Found::Absent => "none".to_owned(),
            Found::Unseen => "not visible".to_owned(),
        };
        format!("operator: {image}; leader: {leader}")
    }
}

async fn find(deployments: &Api<Deployment>) -> Result<Option<Deployment>, kube::Error> {
    if let Some(found) = deployments.get_opt(NAME).await? {
        return Ok(Some(found));
    }
    let labelled = ListParams::default().labels(LABEL);
    let listed = deployments.list(&labelled).await?;
    Ok(listed.items.into_iter().find(runs_it))
}

/// Whether a Deployment runs the operator, and not something beside it.
fn runs_it(deployment: &Deployment) -> bool {
    pods_of(deployment).and_then(calendar::operator).is_some()
}

fn pods_of(deployment: &Deployment) -> Option<&PodSpec> {
    deployment.spec.as_ref()?.template.spec.as_ref()
}

fn lease_of(deployment: &Deployment) -> String {
    let named = pods_of(deployment).and_then(|pods| calendar::setting(pods, LEASE.0, LEASE.1));
    named.unwrap_or_else(|| NAME.to_owned())
}

fn version_of(deployment: &Deployment) -> Option<String> {
    let labels = deployment.metadata.labels.as_ref()?;
    labels.get(VERSION).filter(|it| !it.is_empty()).cloned()
}

fn image_of(deployment: Deployment) -> Option<String> {
    let pods = deployment.spec?.template.spec?;
    calendar::operator(&pods)?.image.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn deployment(container: &Value) -> Deployment {
        let labels = json!({"a": "b"});
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [container]}});
        let spec = json!({"selector": {"matchLabels": labels}, "template": template});
        let deployment = json!({"metadata": {"name": "ports"}, "spec": spec});
        serde_json::from_value(deployment).unwrap()
    }

    #[test]
    fn a_release_of_another_name_is_known_by_its_container() {
        let plain = deployment(&json!({"name": "operator", "image": "i:1"}));
        assert!(runs_it(&plain));
        assert_eq!(lease_of(&plain), NAME);
        assert_eq!(version_of(&plain), None);
        assert_eq!(image_of(plain).as_deref(), Some("i:1"));
        let named = json!([{"name": "TAURUS_LEASE_NAME", "value": "ports"}]);
        let named = deployment(&json!({"name": "operator", "env": named}));
        assert_eq!(lease_of(&named), "ports");
        let other = deployment(&json!({"name": "exporter", "image": "e:1"}));
        assert!(!runs_it(&other));
    }

    #[test]
    fn the_release_is_told_before_an_image_that_names_none() {
        let mut labelled = deployment(&json!({"name": "operator", "image": "i@sha256:1"}));
        let labels = labelled.metadata.labels.get_or_insert_default();
        labels.insert(VERSION.to_owned(), "0.1.0".to_owned());
        let now = Timestamp::UNIX_EPOCH;
        let line = |version: Option<String>| {
            let installed = Installed {
                version,
                image: Found::Is("i@sha256:1".to_owned()),
                ..Installed::default()
            };
            installed.line(now)
        };
        assert_eq!(
            line(version_of(&labelled)),
            "operator: 0.1.0, image i@sha256:1; leader: none"
        );
        assert_eq!(line(None), "operator: image i@sha256:1; leader: none");
    }
}
