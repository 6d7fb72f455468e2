//! Commands of the docs, run as somebody types them.
//!
//! Relies on bash, and on kubectl and Helm as the other stories do.

use std::{path::Path, process::Output};

use taurus_controlplane::ControlPlane;
use tempfile::NamedTempFile;

use super::{
    plane,
    tools::{root, tool},
};

/// The blocks of commands of a page.
pub fn blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
}

/// A kubeconfig of an administrator in which this namespace is the one that is meant where none is named.
pub fn kubeconfig(plane: &ControlPlane, namespace: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::copy(plane.kubeconfig(), file.path()).unwrap();
    let path = format!("--kubeconfig={}", file.path().display());
    let set = [
        "config",
        "set-context",
        "--current",
        &format!("--namespace={namespace}"),
        &path,
    ];
    assert!(plane::kubectl(plane, &set).status.success());
    file
}

/// Runs commands from the root of the repository.
pub async fn run(plane: &ControlPlane, commands: &str, kubeconfig: &NamedTempFile) -> Output {
    run_in(root(), plane, commands, kubeconfig).await
}

/// Runs commands from a folder, such as one with copies that they may change.
pub async fn run_in(
    folder: &Path,
    plane: &ControlPlane,
    commands: &str,
    kubeconfig: &NamedTempFile,
) -> Output {
    let (kubectl, helm) = (plane.kubectl(), tool("helm"));
    let folders = [kubectl, &helm].map(|program| program.parent().unwrap().display().to_string());
    let path = std::env::var("PATH").unwrap_or_default();
    let home = tempfile::tempdir().unwrap();
    tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", commands])
        .env("PATH", format!("{}:{path}", folders.join(":")))
        .env("KUBECONFIG", kubeconfig.path())
        .env("HELM_CONFIG_HOME", home.path())
        .env("HELM_CACHE_HOME", home.path())
        .env("HELM_DATA_HOME", home.path())
        .current_dir(folder)
        .output()
        .await
        .unwrap()
}
