//! What in the cluster a change touches, for several resources: each namespace is read once.
//!
//! Relies on the operator's own reader and judge (`preflight`). Promises that a right that is missing is told, and that nothing else is
//! missing for it.

use std::collections::{BTreeMap, BTreeSet};

use taurus_port_operator::preflight::{
    self, Found, Move, Touched,
    reader::{self, Scope},
};

use crate::cluster::Cluster;

/// What was read, by namespace.
#[derive(Default)]
pub struct Surrounding {
    namespaces: BTreeMap<String, Found>,
    unseen: BTreeSet<String>,
}

impl Surrounding {
    /// Reads a namespace, once.
    pub async fn look(&mut self, cluster: &Cluster, namespace: &str) {
        if self.namespaces.contains_key(namespace) {
            return;
        }
        let (found, unread) = reader::read(&cluster.client(), namespace, Scope::Everything).await;
        let unseen = unread
            .into_iter()
            .map(|unread| format!("{} of {namespace}: {}", unread.what, unread.said));
        self.unseen.extend(unseen);
        self.namespaces.insert(namespace.to_owned(), found);
    }

    /// What could not be read.
    pub fn unseen(&self) -> Vec<String> {
        self.unseen.iter().cloned().collect()
    }

    /// What a move touches.
    pub fn touched(&self, moved: &Move) -> Vec<Touched> {
        let found = self.namespaces.get(&moved.namespace);
        found.map_or_else(Vec::new, |found| preflight::touched(found, moved))
    }
}
