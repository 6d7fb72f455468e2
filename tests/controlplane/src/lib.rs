//! A real control plane for tests and demonstrations: etcd and kube-apiserver on loopback, with certificates of their own,
//! RBAC and a service account issuer.
//!
//! Relies on the binaries that `make control-plane` builds, or on `KUBEBUILDER_ASSETS`, and on `sh` and `setpriv`.
//! Promises to be ready when [`ControlPlane::start`] returns, and to leave no process and no folder behind, also when
//! the process that started it panics or is killed. There is no kubelet and no controller manager: nothing runs pods
//! or collects garbage.

mod assets;
mod certificates;
mod kubeconfig;
pub mod needs;
mod ports;
mod servers;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, Config, api::PostParams};

use crate::{assets::Assets, certificates::Certificates, servers::Servers};

/// How long the servers may take until they are ready. It only ends what hangs: a server that gives up is noticed at once.
const READY_WITHIN: Duration = Duration::from_mins(10);

/// How often a start is tried with other ports.
const TRIES: u32 = 3;

/// What the API server logs of requests where nothing else is asked for: who patches resources.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    verbs: [patch]
    resources: [{group: taurusdb.huaweicloud.com, resources: [taurusproxyports]}]
  - level: None
";

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binaries are missing.
    #[error("{missing} not found in {}: run `make control-plane`, or set KUBEBUILDER_ASSETS to a folder that holds etcd, kube-apiserver and kubectl", folder.display())]
    Assets {
        /// Where they were looked for.
        folder: PathBuf,
        /// Which ones are missing.
        missing: String,
    },
    /// A file or a process could not be made.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The servers were not ready in time.
    #[error("the control plane was not ready within {} s; kube-apiserver said last:\n{tail}", READY_WITHIN.as_secs())]
    NotReady {
        /// The end of the log.
        tail: String,
    },
    /// The kubeconfig is not one.
    #[error("the kubeconfig can't be used: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// A request failed.
    #[error("the API server: {0}")]
    Kubernetes(#[from] kube::Error),
    /// The API server issued no token.
    #[error("the API server issued no token for ServiceAccount {0}")]
    NoToken(String),
}

impl Error {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

/// A running control plane; it ends when this is dropped.
#[derive(Debug)]
pub struct ControlPlane {
    url: String,
    ca: String,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    servers: Servers,
}

impl ControlPlane {
    /// Starts one and waits until it is ready.
    pub async fn start() -> Result<Self, Error> {
        Self::start_audited(AUDIT_POLICY).await
    }

    /// The same with another audit policy, in YAML; requests are logged in `audit.log` of the [`folder`](Self::folder).
    pub async fn start_audited(policy: &str) -> Result<Self, Error> {
        let assets = Assets::find()?;
        let mut tries = 1;
        loop {
            match Self::start_once(&assets, policy).await {
                // Between choosing a port and listening on it somebody else may have taken it.
                Err(Error::NotReady { tail })
                    if tries < TRIES && tail.contains("address already in use") =>
                {
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn start_once(assets: &Assets, policy: &str) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("taurus-controlplane-")
            .tempdir()
            .map_err(Error::system("a folder for the control plane"))?
            .keep();
        let certificates = Certificates::make()?;
        certificates
            .write(&folder)
            .map_err(Error::system("the certificates"))?;
        std::fs::write(folder.join("audit-policy.yaml"), policy)
            .map_err(Error::system("the audit policy"))?;
        let ports = ports::free::<3>().map_err(Error::system("free ports"))?;
        let servers = Servers::start(assets, &folder, ports)?;
        let url = servers.url();
        let kubeconfig = folder.join("admin.kubeconfig");
        let text = kubeconfig::with_certificate(&url, &certificates);
        std::fs::write(&kubeconfig, text).map_err(Error::system("the kubeconfig"))?;
        let ca = certificates.authority;
        let plane = Self {
            url,
            ca,
            kubectl: assets.kubectl(),
            kubeconfig,
            servers,
        };
        plane.wait_until_ready().await?;
        Ok(plane)
    }

    /// Address of the API server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its certificate authority, PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Kubeconfig of an administrator, as a file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The kubectl of the same version.
    pub fn kubectl(&self) -> &Path {
        &self.kubectl
    }

    /// The folder with logs and data; it goes with the control plane.
    pub fn folder(&self) -> &Path {
        self.servers.folder()
    }

    /// Configuration of an administrator.
    pub async fn config(&self) -> Result<Config, Error> {
        let text =
            std::fs::read_to_string(&self.kubeconfig).map_err(Error::system("the kubeconfig"))?;
        kubeconfig::config(&text).await
    }

    /// A client with all rights.
    pub async fn client(&self) -> Result<Client, Error> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A kubeconfig for a service account, with a token that the API server issues now (for an hour).
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<String, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let issued = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await?;
        let token = issued
            .status
            .map(|status| status.token)
            .filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Error::NoToken(name.to_owned()))?;
        Ok(kubeconfig::with_token(&self.url, &self.ca, &token))
    }

    /// A client with the rights of a service account.
    pub async fn service_account_client(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Client, Error> {
        let text = self.service_account_kubeconfig(namespace, name).await?;
        Ok(Client::try_from(kubeconfig::config(&text).await?)?)
    }

    async fn wait_until_ready(&self) -> Result<(), Error> {
        let config = self.config().await?;
        let polling = async {
            loop {
                if self.servers.has_ended() || is_ready(&config).await {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(READY_WITHIN, polling).await.is_ok();
        if in_time && is_ready(&config).await {
            Ok(())
        } else {
            Err(Error::NotReady {
                tail: self.servers.tail(),
            })
        }
    }
}

async fn is_ready(config: &Config) -> bool {
    let mut config = config.clone();
    config.default_retry = false;
    let Ok(client) = Client::try_from(config) else {
        return false;
    };
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
    matches!(answer, Ok(Ok(text)) if text == "ok")
}
