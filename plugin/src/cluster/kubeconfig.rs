//! Which cluster is asked, and as whom: by the command line and the kubeconfig, as kubectl reads them.
//!
//! Promises that no proxy is used for the API server, since none could be: one that kubectl would use is told of and passed over.

use std::{ffi::OsStr, io, path::Path, time::Duration};

use http::Uri;
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use taurus_port_operator::cloud::egress::Egress;

use crate::{
    cli::Global,
    failure::{Failure, with_causes},
};

/// An API server that can't be reached is told of soon.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// The variable that names kubeconfigs.
const VARIABLE: &str = "KUBECONFIG";

/// Said where a proxy is set.
const NO_PROXY: &str = "the API server is called directly: the proxy of the kubeconfig or of HTTPS_PROXY is not used for it";

/// A cluster, and what is to be said of the way to it.
pub struct Found {
    /// The cluster, and who asks.
    pub config: Config,
    /// What is passed over.
    pub note: Option<&'static str>,
}

/// The cluster that the command line and the kubeconfig name.
pub async fn find(global: &Global) -> Result<Found, Failure> {
    let unusable = |error: &dyn std::error::Error| Failure::Kubeconfig(with_causes(error));
    let read = match &global.kubeconfig {
        Some(file) => Kubeconfig::read_from(file),
        None => match of_environment(std::env::var_os(VARIABLE).as_deref()) {
            // In a pod there is none.
            Err(error) if is_missing(&error) => match Config::incluster() {
                Ok(config) => return Ok(adjusted(config, global, false)),
                Err(_) => Err(error),
            },
            read => read,
        },
    };
    let kubeconfig = read.map_err(|error| match &error {
        KubeconfigError::ReadConfig(why, file) => {
            Failure::Kubeconfig(format!("can't read {}: {why}", file.display()))
        }
        error => unusable(error),
    })?;
    if let Some(user) = unknown_user(&kubeconfig, global.user.as_deref()) {
        return Err(Failure::Kubeconfig(format!(
            "auth info {user:?} does not exist"
        )));
    }
    let options = KubeConfigOptions {
        context: global.context.clone(),
        cluster: global.cluster.clone(),
        user: global.user.clone(),
    };
    let named = proxies(&kubeconfig);
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| unusable(&error))?;
    let has_proxy = config.proxy_url.as_ref().is_some_and(|proxy| {
        let variable = |name: &str| std::env::var(name).ok();
        named.contains(proxy) || is_for(&config.cluster_url, variable)
    });
    Ok(adjusted(config, global, has_proxy))
}

/// The proxies that a kubeconfig names for clusters: `NO_PROXY` is not about these.
fn proxies(kubeconfig: &Kubeconfig) -> Vec<Uri> {
    let clusters = kubeconfig.clusters.iter();
    let named = clusters.filter_map(|named| named.cluster.as_ref()?.proxy_url.as_deref());
    named.filter_map(|proxy| proxy.parse().ok()).collect()
}

/// Whether the environment names a proxy for this server, one that can't be read included; `NO_PROXY` may except it.
fn is_for(server: &Uri, variable: impl Fn(&str) -> Option<String>) -> bool {
    Egress::new(variable).map_or(true, |egress| egress.of(server).is_some())
}

/// The files of the variable as one, those that are there; without the variable, that of the home folder.
fn of_environment(variable: Option<&OsStr>) -> Result<Kubeconfig, KubeconfigError> {
    let files = variable.into_iter().flat_map(std::env::split_paths);
    let files: Vec<_> = files.filter(|file| !file.as_os_str().is_empty()).collect();
    if files.is_empty() {
        return Kubeconfig::read();
    }
    let mut merged: Option<Kubeconfig> = None;
    let mut missing = None;
    for file in &files {
        match read(file) {
            Ok(next) => {
                merged = Some(match merged {
                    Some(merged) => merged.merge(next)?,
                    None => next,
                });
            }
            Err(error) if is_missing(&error) => missing = missing.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    merged.ok_or_else(|| missing.unwrap_or(KubeconfigError::FindPath))
}

/// A file; a context that is empty names none, so that of the next file counts.
fn read(file: &Path) -> Result<Kubeconfig, KubeconfigError> {
    let mut kubeconfig = Kubeconfig::read_from(file)?;
    let context = kubeconfig.current_context.take();
    kubeconfig.current_context = context.filter(|context| !context.is_empty());
    Ok(kubeconfig)
}

/// Whether there is no such file, as opposed to one that can't be used.
fn is_missing(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(why, _) => why.kind() == io::ErrorKind::NotFound,
        KubeconfigError::FindPath => true,
        _ => false,
    }
}

/// The user that is asked for and stands nowhere: without this, the request would be made as nobody.
fn unknown_user<'n>(kubeconfig: &Kubeconfig, user: Option<&'n str>) -> Option<&'n str> {
    let is_known = |name: &str| kubeconfig.auth_infos.iter().any(|user| user.name == name);
    user.filter(|name| !is_known(name))
}

fn adjusted(mut config: Config, global: &Global, has_proxy: bool) -> Found {
    config.connect_timeout = Some(CONNECT_WITHIN);
    if global.impersonate.is_some() {
        config.auth_info.impersonate.clone_from(&global.impersonate);
    }
    config.proxy_url = None;
    Found {
        config,
        note: has_proxy.then_some(NO_PROXY),
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs};

    use super::*;

    const FILE: &str = "\
apiVersion: v1
kind: Config
current-context: shop
contexts:
- {name: shop, context: {cluster: shop, user: alice, namespace: shop}}
clusters:
- {name: shop, cluster: {server: 'https://127.0.0.1:6443'}}
users:
- {name: alice, user: {token: t}}
";

    #[test]
    fn a_proxy_is_passed_over_and_told_of() {
        let mut config = Config::new("https://127.0.0.1:6443".parse().unwrap());
        let free = adjusted(config.clone(), &Global::default(), false);
        assert!(free.note.is_none());
        config.proxy_url = Some("http://127.0.0.1:3128".parse().unwrap());
        let found = adjusted(config, &Global::default(), true);
        assert!(found.config.proxy_url.is_none());
        assert!(found.note.unwrap().contains("HTTPS_PROXY"));
    }

    #[test]
    fn a_server_that_no_proxy_covers_has_no_proxy_of_the_environment() {
        let server = |address: &str| address.parse::<Uri>().unwrap();
        let is_told = |no_proxy: &str, proxy: &str| {
            is_for(
                &server("https://api.example.test:6443"),
                |name| match name {
                    "HTTPS_PROXY" => Some(proxy.to_owned()),
                    "NO_PROXY" => Some(no_proxy.to_owned()),
                    _ => None,
                },
            )
        };
        let proxy = "http://proxy.example.test:3128";
        assert!(is_told("", proxy));
        assert!(is_told("other.test", proxy));
        assert!(!is_told("localhost,example.test", proxy));
        assert!(!is_told("api.example.test", proxy));
        assert!(is_told("", "socks5://proxy.example.test"), "it is named");
        let with_proxy = FILE.replace("6443'", "6443', proxy-url: 'http://127.0.0.1:3128'");
        let named = proxies(&Kubeconfig::from_yaml(&with_proxy).unwrap());
        assert_eq!(named, [server("http://127.0.0.1:3128")]);
        assert!(proxies(&Kubeconfig::from_yaml(FILE).unwrap()).is_empty());
    }

    #[test]
    fn files_that_are_missing_are_passed_over_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let missing = folder.path().join("missing");
        let read = |files: &[&Path]| -> Result<Kubeconfig, KubeconfigError> {
            let variable: OsString = std::env::join_paths(files).unwrap();
            of_environment(Some(variable.as_os_str()))
        };
        let good = path("good", FILE);
        let found = read(&[&missing, &good]).unwrap();
        assert_eq!(found.current_context.as_deref(), Some("shop"));
        let without = path("without", "current-context: ''\n");
        let found = read(&[&without, &good]).unwrap();
        assert_eq!(found.current_context.as_deref(), Some("shop"));
        assert!(is_missing(&read(&[&missing]).unwrap_err()));
        let broken = path("broken", "contexts: {a: [\n");
        assert!(!is_missing(&read(&[&broken, &good]).unwrap_err()));
    }

    #[test]
    fn a_user_that_stands_nowhere_is_refused() {
        let kubeconfig = Kubeconfig::from_yaml(FILE).unwrap();
        assert_eq!(unknown_user(&kubeconfig, None), None);
        assert_eq!(unknown_user(&kubeconfig, Some("alice")), None);
        assert_eq!(unknown_user(&kubeconfig, Some("nope")), Some("nope"));
    }
}
