//! Kubeconfigs, in JSON, which is YAML too.

use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use crate::{Error, certificates::Certificates};

/// For an administrator.
pub(crate) fn with_certificate(url: &str, certificates: &Certificates) -> String {
    let (certificate, key) = &certificates.admin;
    let user =
        json!({"client-certificate-data": base64(certificate), "client-key-data": base64(key)});
    text(url, &certificates.authority, &user)
}

/// For whoever holds a token.
pub(crate) fn with_token(url: &str, ca: &str, token: &str) -> String {
    text(url, ca, &json!({"token": token}))
}

/// The client's configuration, for this server and no proxy of the environment.
pub(crate) async fn config(text: &str) -> Result<Config, Error> {
    let kubeconfig = Kubeconfig::from_yaml(text)?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    Ok(config)
}

fn text(url: &str, ca: &str, user: &Value) -> String {
    let value = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": url, "certificate-authority-data": base64(ca)}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user", "namespace": "default"}}],
        "current-context": "local"
    });
    format!("{value:#}\n")
}

fn base64(text: &str) -> String {
    // ByteString is written as base64, as the Kubernetes API has it.
    let encoded =
        serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap_or_default();
    encoded.as_str().unwrap_or_default().to_owned()
}
