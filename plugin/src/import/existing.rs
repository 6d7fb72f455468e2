//! What is there already: the proxies that resources of the cluster name, and the names that are in use in the namespace and in the folder.
//!
//! Promises that a proxy which the folder holds keeps its name and its file, and that no name is given to a second proxy.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use kube::api::DynamicObject;

use crate::{
    cluster::Cluster,
    failure::Failure,
    lint::{self, duplicates::proxy_of, judge::is_ours},
    resource::text_at,
};

/// Which resources of the cluster were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Looked {
    /// None.
    #[default]
    Nowhere,
    /// Those of this namespace; the others may not be listed.
    In(String),
    /// All.
    Everywhere,
}

/// A manifest of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The name of its resource.
    pub name: String,
    /// Where it stands.
    pub file: PathBuf,
}

/// What is there.
#[derive(Debug, Clone, Default)]
pub struct Existing {
    /// Which resources of the cluster it is about.
    pub looked: Looked,
    managed: BTreeSet<String>,
    /// The proxies of each name; nothing stands for one that can't be told.
    names: BTreeMap<String, BTreeSet<Option<String>>>,
    /// The manifests of proxies in the folder.
    kept: BTreeMap<String, Kept>,
}

impl Existing {
    /// What the cluster holds: all of it where that may be listed, else what one namespace holds.
    pub async fn of_cluster(cluster: &Cluster) -> Result<Self, Failure> {
        if let Ok(existing) = Self::listed(&cluster.clone().on_all_namespaces()).await {
            return Ok(existing);
        }
        Self::listed(cluster).await.map_err(|failure| {
            Failure::Usage(format!(
                "{failure}\nWhat is managed already is not known: give --no-cluster to import all that exists"
            ))
        })
    }

    async fn listed(cluster: &Cluster) -> Result<Self, Failure> {
        let mut existing = Self {
            looked: if cluster.everywhere() {
                Looked::Everywhere
            } else {
                Looked::In(cluster.namespace().to_owned())
            },
            ..Self::default()
        };
        let take = |object: DynamicObject| {
            let proxy = proxy_of(&object.data);
            let is_here = object.metadata.namespace.as_deref() == Some(cluster.namespace());
            if let Some(name) = object.metadata.name.filter(|_| is_here) {
                existing.name(name, proxy.clone());
            }
            existing.managed.extend(proxy);
        };
        cluster.each(None, take).await?;
        Ok(existing)
    }

    /// Adds what the manifests of a folder hold, if there is one.
    pub fn read_folder(&mut self, folder: &Path) -> Result<(), Failure> {
        if !folder.exists() {
            return Ok(());
        }
        let (sources, unread) = lint::read(&[folder.to_owned()], &mut io::empty())?;
        if let Some(fault) = unread.first() {
            // A name that it holds could be given twice.
            let what = format!(
                "{} can't be looked through: {}",
                folder.display(),
                fault.file
            );
            return Err(Failure::file(what, io::Error::other(fault.message.clone())));
        }
        for source in sources {
            let (manifests, _) = lint::manifests(&source);
            for manifest in manifests.iter().filter(|one| is_ours(&one.value)) {
                let Some(name) = text_at(&manifest.value, "/metadata/name") else {
                    continue;
                };
                let proxy = proxy_of(&manifest.value);
                if let Some(proxy) = proxy.clone() {
                    self.kept.entry(proxy).or_insert_with(|| Kept {
                        name: name.clone(),
                        file: PathBuf::from(&source.name),
                    });
                }
                self.name(name, proxy);
            }
        }
        Ok(())
    }

    fn name(&mut self, name: String, proxy: Option<String>) {
        self.names.entry(name).or_default().insert(proxy);
    }

    /// Counts a proxy as managed.
    #[cfg(test)]
    pub fn manage(&mut self, name: &str, proxy: &str) {
        self.managed.insert(proxy.to_owned());
        self.name(name.to_owned(), Some(proxy.to_owned()));
    }

    /// Whether a resource of the cluster names the proxy.
    pub fn is_managed(&self, proxy: &str) -> bool {
        self.managed.contains(proxy)
    }

    /// Whether a name is in use for another proxy.
    pub fn is_of_another(&self, name: &str, proxy: &str) -> bool {
        let mut holders = self.names.get(name).into_iter().flatten();
        holders.any(|holder| holder.as_deref() != Some(proxy))
    }

    /// The manifest of the folder for a proxy.
    pub fn kept(&self, proxy: &str) -> Option<&Kept> {
        self.kept.get(proxy)
    }
}
