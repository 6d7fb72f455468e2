//! Where the binaries are: `KUBEBUILDER_ASSETS`, the convention of the field, or the cache that `build` fills.

use std::path::{Path, PathBuf};

use crate::Error;

/// The programs, by the names that the convention gives them.
const PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// The release that is started where `KUBERNETES` names no other, by its short name.
const DEFAULT: &str = "1.37";

/// A folder that holds all programs.
#[derive(Debug)]
pub(crate) struct Assets {
    folder: PathBuf,
}

impl Assets {
    /// Finds them, or says what is missing where.
    pub(crate) fn find() -> Result<Self, Error> {
        Self::check(set("KUBEBUILDER_ASSETS").map_or_else(cached, PathBuf::from))
    }

    fn check(folder: PathBuf) -> Result<Self, Error> {
        let missing: Vec<&str> = PROGRAMS
            .into_iter()
            .filter(|program| !folder.join(program).is_file())
            .collect();
        if missing.is_empty() {
            Ok(Self { folder })
        } else {
            Err(Error::Assets {
                folder,
                missing: missing.join(", "),
            })
        }
    }

    pub(crate) fn etcd(&self) -> PathBuf {
        self.folder.join("etcd")
    }

    pub(crate) fn apiserver(&self) -> PathBuf {
        self.folder.join("kube-apiserver")
    }

    pub(crate) fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }
}

/// The folder that `build` fills; it is keyed by the whole release, which the pinned module names.
fn cached() -> PathBuf {
    let cache = set("TAURUS_CACHE").map_or_else(
        || {
            let base = set("XDG_CACHE_HOME").map_or_else(
                || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache"),
                PathBuf::from,
            );
            base.join("taurus-port-operator")
        },
        PathBuf::from,
    );
    let short = set("KUBERNETES").unwrap_or_else(|| DEFAULT.to_owned());
    let module = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("v{short}"))
        .join("go.mod");
    let text = std::fs::read_to_string(module).unwrap_or_default();
    let release = release(&text).unwrap_or("unknown");
    cache.join("controlplane").join(release)
}

/// The release of Kubernetes that a module requires.
fn release(module: &str) -> Option<&str> {
    module.lines().find_map(|line| {
        line.trim()
            .trim_start_matches("require ")
            .strip_prefix("k8s.io/kubernetes ")
    })
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_that_of_the_pinned_module() {
        assert_eq!(release(include_str!("../v1.37/go.mod")), Some("v1.37.2"));
        assert_eq!(release(include_str!("../v1.34/go.mod")), Some("v1.34.4"));
        assert_eq!(
            release("module x\nrequire k8s.io/kubernetes v1.34.4\n"),
            Some("v1.34.4")
        );
    }

    #[test]
    fn what_is_missing_is_named_with_the_ways_out() {
        let empty = tempfile::tempdir().unwrap();
        std::fs::write(empty.path().join("etcd"), "").unwrap();
        let text = Assets::check(empty.path().to_owned())
            .unwrap_err()
            .to_string();
        assert!(
            text.starts_with("kube-apiserver, kubectl not found"),
            "{text}"
        );
        assert!(
            text.contains("make control-plane") && text.contains("KUBEBUILDER_ASSETS"),
            "{text}"
        );
    }
}
