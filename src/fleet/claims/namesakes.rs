//! The resources of a namespace that publish something for a proxy of the same id, wherever they say that this proxy is.
//!
//! What is published carries the id alone: who has it may be any of these. Promises that a resource counts for as long as it exists and
//! wishes for something, whatever else its spec says.

use std::collections::{BTreeSet, HashMap};

use crate::{
    crd::TaurusProxyPort,
    model::{Mark, ResourceName, Uid},
};

/// Those that publish something; of all others nothing is kept.
#[derive(Debug, Default)]
pub(super) struct Namesakes {
    /// What stands for namespace and proxy, and the name, by UID.
    of: HashMap<Uid, (Mark, ResourceName)>,
    by_mark: BTreeSet<(Mark, Uid)>,
}

impl Namesakes {
    /// Takes in a resource as it now stands.
    pub(super) fn note(&mut self, object: &TaurusProxyPort, uid: &Uid, name: &ResourceName) {
        self.remove(uid);
        let spec = &object.spec;
        if spec.service.is_some() || spec.config_map.is_some() {
            let mark = mark(name.namespace(), &spec.proxy_id);
            self.of.insert(uid.clone(), (mark, name.clone()));
            self.by_mark.insert((mark, uid.clone()));
        }
    }

    /// Forgets a resource.
    pub(super) fn remove(&mut self, uid: &str) {
        if let Some((uid, (mark, _))) = self.of.remove_entry(uid) {
            self.by_mark.remove(&(mark, uid));
        }
    }

    /// Those of a namespace for proxies of this id.
    pub(super) fn all<'a>(
        &'a self,
        namespace: &'a str,
        proxy: &str,
    ) -> impl Iterator<Item = (&'a Uid, &'a ResourceName)> {
        let mark = mark(namespace, proxy);
        let from_there = self.by_mark.range((mark, Uid::from(""))..);
        let same = from_there.take_while(move |(other, _)| *other == mark);
        let named = same.filter_map(|(_, uid)| Some((uid, &self.of.get(uid)?.1)));
        named.filter(move |(_, name)| name.namespace() == namespace)
    }
}

/// Stands for a proxy's id in a namespace, in any letter case.
fn mark(namespace: &str, proxy: &str) -> Mark {
    Mark::of(&(namespace, proxy.trim().to_ascii_lowercase()))
}
