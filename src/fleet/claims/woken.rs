//! For whom a change of one resource may change something.
//!
//! Promises that who has never seen a proxy wakes nobody who manages it: else anybody could cause calls of others.

use std::collections::BTreeSet;

use super::{
    directory::Directory,
    entry::{Entry, Proof},
};
use crate::{model::ResourceName, place::key::Place};

/// Who has to be woken.
pub type Woken = BTreeSet<ResourceName>;

impl Entry {
    /// Whether others have to know of it, beside what was `known` before.
    pub(super) fn stirs(&self, known: Option<&Self>) -> bool {
        let Some(known) = known.filter(|known| known.contends && known.key == self.key) else {
            // Somebody new is heard of once it has seen the proxy.
            return known.is_some_and(|known| known.contends)
                || (self.contends && self.proof == Proof::Given);
        };
        let shows_another = self.owns && self.shown != known.shown;
        !self.contends || (self.proof, self.port) != (known.proof, known.port) || shows_another
    }

    /// Whether its word on a job counts for resources of `namespace` in that place.
    pub(super) fn is_believed(&self, place: &Place, namespace: &str) -> bool {
        let near = self.name.namespace() == namespace;
        *self.key.place == *place && (near || self.proof == Proof::Given)
    }
}

impl Directory {
    /// Adds those who contend for the same proxy, if it makes a difference to them: who has never seen it makes none to the
    /// owner, nor does anybody else beside an owner. Only those who have seen the proxy may wait for one that has not: among those who
    /// have not, each would wake all others.
    pub(super) fn wake_rivals(&self, entry: &Entry, woken: &mut Woken) {
        if !entry.owns && self.has_owner(&entry.key) {
            return;
        }
        let counts = entry.owns || entry.proof == Proof::Given;
        let rivals = self
            .contenders_for(&entry.key)
            .filter(|(_, rival)| counts || rival.proof == Proof::Given);
        woken.extend(rivals.map(|(_, rival)| rival.name.clone()));
    }

    /// Adds those for whom the word of a resource on a job counts.
    pub(super) fn wake_those_who_hear(&self, entry: &Entry, woken: &mut Woken) {
        let there = self.on_instance(&entry.instance);
        let hear =
            there.filter(|other| entry.is_believed(&other.key.place, other.name.namespace()));
        woken.extend(hear.map(|other| other.name.clone()));
    }
}
