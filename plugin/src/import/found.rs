//! A proxy that was found, wherever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taurus_port_operator::cloud::{Instance, Proxy, ProxyStatus};

use crate::cli::ImportArguments;

/// The documented default, which every proxy has that nobody moved.
pub const DEFAULT_PORT: u16 = 3306;

/// Where the cloud's API is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The address of the service, for private clouds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The address of IAM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam_endpoint: Option<String>,
}

impl Place {
    /// The one that the command line names.
    pub fn of(arguments: &ImportArguments) -> Self {
        Self {
            region: arguments.region.clone(),
            endpoint: arguments.endpoint.clone(),
            iam_endpoint: arguments.iam_endpoint.clone(),
        }
    }
}

/// A proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Its project.
    #[serde(rename = "projectID")]
    pub project: String,
    /// Its instance.
    #[serde(rename = "instanceID")]
    pub instance: String,
    /// The name of the instance, where it was told.
    pub instance_name: String,
    /// The tags of the instance, where they were told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its id.
    #[serde(rename = "proxyID")]
    pub proxy: String,
    /// Its name, where it was told.
    pub name: String,
    /// Its state, as the cloud writes it, where it was told.
    pub status: String,
    /// Whether the operator would take it for one that a person has to look after.
    pub unhealthy: bool,
    /// Its port.
    pub port: Option<u16>,
    /// What the command line says of it that its source says otherwise: it gets no manifest then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<String>,
}

impl Found {
    /// A proxy of the cloud's list.
    pub fn of(place: &Place, project: &str, instance: &Instance, proxy: &Proxy) -> Self {
        Self {
            place: place.clone(),
            project: project.to_owned(),
            instance: instance.id.as_str().to_owned(),
            instance_name: instance.name.clone(),
            tags: instance.tags.clone(),
            proxy: proxy.id.as_str().to_owned(),
            name: proxy.name.clone(),
            status: proxy.status.word().to_owned(),
            unhealthy: matches!(proxy.status, ProxyStatus::Unhealthy(_)),
            port: proxy.port,
            contradiction: None,
        }
    }

    /// What it is called in a report.
    pub fn named(&self) -> String {
        let name = if self.name.is_empty() {
            "without a name"
        } else {
            &self.name
        };
        format!("{} ({name}) on {}", self.proxy, self.instance)
    }
}
