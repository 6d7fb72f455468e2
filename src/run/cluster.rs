//! The cluster: how it is found, and whether it is ready for the operator.
//!
//! What is missing there may come later (the API server restarts, the CRD is installed after the operator), so it is waited
//! for and said, not a reason to end.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable as _};
use http::{HeaderValue, header::USER_AGENT};
use kube::{Api, Client, Config, api::ListParams};

use super::{counted, token};
use crate::{
    clock::Clock, crd::TaurusProxyPort, health::readiness::Readiness, telemetry::metrics::Metrics,
};

const AGENT: &str = concat!("taurus-port-operator/", env!("CARGO_PKG_VERSION"));
/// An API server is near; a connection that takes longer won't come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The client repeats what the API server puts off, for minutes: nobody here waits for that long.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// Below what the kubelet waits for a probe's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(10);

/// The cluster that the operator works for.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    address: String,
    namespace: Option<String>,
}

/// What stands in the way.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Nothing tells which cluster.
    #[error(
        "no cluster is configured: set KUBECONFIG to a file that names one, or run in a pod with a ServiceAccount ({0})"
    )]
    Unconfigured(String),
    /// What tells which cluster can't be used.
    #[error("the configuration of the cluster can't be used: {0}")]
    Configuration(String),
    /// The kind of the resources is unknown there.
    #[error(
        "the CRD taurusproxyports.taurusdb.huaweicloud.com is not installed: kubectl apply -k crds"
    )]
    NotInstalled,
    /// It is there, and the operator may not read it.
    #[error(
        "the operator may not list TaurusProxyPorts; grant it the rules of deploy/base/rbac.yaml, or for a single namespace those of \
         deploy/overlays/single-namespace ({0})"
    )]
    Forbidden(String),
    /// The API server does not know who asks.
    #[error("the API server does not accept the operator's credentials ({0})")]
    Unauthorized(String),
    /// There is no answer, or none that helps.
    #[error("the Kubernetes API server can't be reached: {0}")]
    Unreachable(String),
}

impl Cluster {
    /// The cluster of KUBECONFIG or `~/.kube/config`, else the one that the pod runs in. Nothing is sent yet.
    pub async fn infer(namespace: Option<String>, clock: Clock) -> Result<Self, ClusterError> {
        let mut config = Config::infer()
            .await
            .map_err(|error| ClusterError::Unconfigured(with_causes(&error)))?;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config
            .headers
            .push((USER_AGENT, HeaderValue::from_static(AGENT)));
        // There is no read timeout: it would cut idle watches. Each call is bounded where it is made.
        if config.proxy_url.take().is_some() {
            tracing::warn!(
                "the API server is called directly: the proxy of the kubeconfig or of HTTPS_PROXY is not used for it"
            );
        }
        let address = config.cluster_url.to_string();
        let token_file = config.auth_info.token_file.take();
        // A token that stands in the kubeconfig itself goes before one in a file.
        let token_file = token_file.filter(|_| config.auth_info.token.is_none());
        let mut client = Client::try_from(config)
            .map_err(|error| ClusterError::Configuration(with_causes(&error)))?;
        if let Some(path) = token_file {
            client = token::client(client, path.into(), clock);
        }
        Ok(Self {
            client,
            address,
            namespace,
        })
    }

    /// The same with requests that are counted.
    #[must_use]
    pub fn counted(self, metrics: Arc<Metrics>, clock: Clock) -> Self {
        Self {
            client: counted::client(self.client, metrics, clock),
            ..self
        }
    }

    /// The client of its API.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Where its API is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The only namespace to look at.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// Waits until resources can be listed, and says meanwhile what is missing. Never gives up.
    pub async fn wait(&self, readiness: &Readiness) -> Result<(), ClusterError> {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .with_jitter()
            .without_max_times();
        (|| self.look(LOOK_TIMEOUT))
            .retry(backoff)
            .notify(|obstacle, delay| {
                tracing::warn!(retry_after = ?delay, "not ready: {obstacle}");
                readiness.missing(obstacle.to_string());
            })
            .await
    }

    /// Whether the API server answers at all, were it with a refusal.
    pub async fn answers(self) -> bool {
        !matches!(
            self.look(ANSWER_TIMEOUT).await,
            Err(ClusterError::Unreachable(_))
        )
    }

    async fn look(&self, patience: Duration) -> Result<(), ClusterError> {
        let api: Api<TaurusProxyPort> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let one = ListParams::default().limit(1);
        // Metadata is enough: one resource that can't be decoded is no reason to wait.
        match tokio::time::timeout(patience, api.list_metadata(&one)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(obstacle(error)),
            Err(_) => Err(ClusterError::Unreachable(format!(
                "no answer within {} s",
                patience.as_secs()
            ))),
        }
    }
}

fn obstacle(error: kube::Error) -> ClusterError {
    match error {
        // By the code: for a group that it does not know, the API server answers without a reason.
        kube::Error::Api(status) if status.code == 404 => ClusterError::NotInstalled,
        kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden(status.message),
        kube::Error::Api(status) if status.code == 401 => {
            ClusterError::Unauthorized(status.message)
        }
        error => ClusterError::Unreachable(with_causes(&error)),
    }
}

/// The error and what brought it about, each said once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            // Writing to a String can't fail.
            let _ = write!(text, ": {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
