//! The API server: what is installed in it, and its own count of what it was asked for.

use std::{path::Path, time::Duration};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ListParams, PostParams},
};

use crate::{Result, fleet};

/// How often it is looked whether a definition is served.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Installs the definition and waits until it is served.
pub async fn install(client: &Client, definition: &Path) -> Result<()> {
    let text = std::fs::read_to_string(definition)
        .map_err(|error| format!("{}: {error}", definition.display()))?;
    let definition: CustomResourceDefinition = serde_saphyr::from_str(&text)?;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    definitions
        .create(&PostParams::default(), &definition)
        .await?;
    let resources = fleet::api(client, "default");
    let served = async {
        while resources.list(&ListParams::default()).await.is_err() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served).await?;
    Ok(())
}

/// Requests that were answered so far, and succeeded or not.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    /// Of the status of our resources.
    pub status: f64,
    /// New and repeated events.
    pub events: f64,
}

impl Writes {
    /// As the API server's metrics have them.
    pub async fn so_far(client: &Client) -> Result<Self> {
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let text = client.request_text(request).await?;
        let sum = |resource: &str, subresource: &str| {
            let requests = text
                .lines()
                .filter(|line| line.starts_with("apiserver_request_total{"))
                .filter(|line| line.contains(&format!("resource=\"{resource}\"")))
                .filter(|line| line.contains(&format!("subresource=\"{subresource}\"")))
                .filter(|line| {
                    ["POST", "PUT", "PATCH", "APPLY"]
                        .iter()
                        .any(|verb| line.contains(&format!("verb=\"{verb}\"")))
                });
            requests
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum()
        };
        Ok(Self {
            status: sum("taurusproxyports", "status"),
            events: sum("events", ""),
        })
    }
}
