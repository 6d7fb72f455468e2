//! The control plane, and kubectl as its administrator.

use std::path::Path;

use taurus_controlplane::ControlPlane;
use tokio::process::Command;

use crate::Result;

/// A control plane.
pub struct Cluster(ControlPlane);

impl Cluster {
    pub async fn start() -> Result<Self> {
        // An error means that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self(ControlPlane::start().await?))
    }

    pub fn url(&self) -> &str {
        self.0.url()
    }

    pub fn kubeconfig(&self) -> &Path {
        self.0.kubeconfig()
    }

    pub fn kubectl_path(&self) -> &Path {
        self.0.kubectl()
    }

    /// A client of the administrator.
    pub async fn client(&self) -> Result<kube::Client> {
        Ok(self.0.client().await?)
    }

    pub fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// A file with the rights of the operator's service account, and nothing more.
    pub async fn operator_kubeconfig(&self) -> Result<std::path::PathBuf> {
        let account = ("taurus-system", "taurus-port-operator");
        let text = self
            .0
            .service_account_kubeconfig(account.0, account.1)
            .await?;
        let file = self.folder().join("operator.kubeconfig");
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// What kubectl prints.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().await?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("kubectl {}: {said}", arguments.join(" ")).into())
        }
    }

    /// What kubectl prints where it must fail.
    pub async fn refusal(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments).output().await?;
        if output.status.success() {
            return Err(format!("kubectl {} was not refused", arguments.join(" ")).into());
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.kubectl());
        command
            .env("KUBECONFIG", self.kubeconfig())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(arguments);
        command
    }
}
