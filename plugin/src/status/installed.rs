//! The operator that is installed: its release and its leader, as far as the caller may see them.
//!
//! Promises that nothing of it is needed: what can't be read is told, and the rest is shown all the same.

use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease};
use kube::Api;
use serde::Serialize;

use super::calendar::Seen;
use crate::{
    cluster::Cluster,
    format::{age, tame},
};

/// Name of the operator's Deployment and Lease, as they are installed.
const NAME: &str = "taurus-port-operator";

/// What is known of the operator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Installed {
    namespace: String,
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
        let (deployment, lease) = futures::join!(deployments.get_opt(NAME), leases.get_opt(NAME));
        let calendar = match &deployment {
            Ok(Some(deployment)) => Seen::look(cluster, namespace, deployment, now).await,
            Ok(None) | Err(_) => Seen::None,
        };
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
        let image = match &self.image {
            Found::Is(image) => tame(image),
            Found::Absent => format!("no Deployment {NAME} in {}", self.namespace),
            Found::Unseen => format!("not visible in {}", self.namespace),
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

fn image_of(deployment: Deployment) -> Option<String> {
    let containers = deployment.spec?.template.spec?.containers;
    let operator = containers
        .into_iter()
        .find(|container| container.name == "operator");
    operator?.image
}
