//! Who waits for a permit, and whose turn is next.
//!
//! Promises turns among namespaces, and the longest wait first within one: a namespace with hundreds of waiting resources
//! does not hold up one with a single one. Who was called and doesn't come within its time loses its place.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use crate::model::InstanceId;

/// A resource that asks for a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// Its UID.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One that waits.
#[derive(Debug, Clone)]
pub(super) struct Waiter {
    pub(super) asker: Asker,
    pub(super) instance: InstanceId,
}

/// The waiting resources.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    /// The namespaces with waiting resources, the one whose turn is next first.
    turns: VecDeque<String>,
    /// By namespace, in the order of their arrival.
    waiting: HashMap<String, BTreeMap<u64, Waiter>>,
    /// Where each stands, by UID.
    places: HashMap<String, (String, u64)>,
    /// Those who were called, by UID: the uptime until which they may come, and their instance.
    called: BTreeMap<String, (Duration, InstanceId)>,
}

impl Queue {
    /// Queues up. Who waits already keeps its place; who was called waits on.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        let uid = waiter.asker.uid.clone();
        self.called.remove(&uid);
        if self.places.contains_key(&uid) {
            return;
        }
        let namespace = waiter.asker.namespace.clone();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let own = self.waiting.entry(namespace.clone()).or_default();
        if own.is_empty() {
            self.turns.push_back(namespace.clone());
        }
        own.insert(number, waiter);
        self.places.insert(uid, (namespace, number));
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, uid: &str) {
        self.called.remove(uid);
        let Some((namespace, number)) = self.places.remove(uid) else {
            return;
        };
        if let Some(own) = self.waiting.get_mut(&namespace) {
            own.remove(&number);
            if own.is_empty() {
                self.waiting.remove(&namespace);
                self.turns.retain(|other| *other != namespace);
            }
        }
    }

    /// Calls the next of those that are `eligible`, who may come until this uptime.
    pub(super) fn call(
        &mut self,
        until: Duration,
        eligible: impl Fn(&Waiter) -> bool,
    ) -> Option<Asker> {
        let (turn, waiter) = self
            .turns
            .iter()
            .enumerate()
            .find_map(|(turn, namespace)| {
                let mut own = self.waiting.get(namespace)?.values();
                let waiter = own.find(|waiter| !self.is_spoken_for(waiter) && eligible(waiter))?;
                Some((turn, waiter.clone()))
            })?;
        if let Some(namespace) = self.turns.remove(turn) {
            self.turns.push_back(namespace);
        }
        let uid = waiter.asker.uid.clone();
        self.called.insert(uid, (until, waiter.instance));
        Some(waiter.asker)
    }

    /// Drops those who were called and did not come.
    pub(super) fn expire(&mut self, uptime: Duration) {
        let late = |(until, _): &(Duration, InstanceId)| *until <= uptime;
        let late = self.called.iter().filter(|(_, call)| late(call));
        let late: Vec<String> = late.map(|(uid, _)| uid.clone()).collect();
        for uid in late {
            self.leave(&uid);
        }
    }

    /// Whether it is this one's turn.
    pub(super) fn is_called(&self, uid: &str) -> bool {
        self.called.contains_key(uid)
    }

    /// How many were called and have not come yet.
    pub(super) fn called(&self) -> usize {
        self.called.len()
    }

    /// When the first of those who were called loses its place.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.called.values().map(|(until, _)| *until).min()
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn is_spoken_for(&self, waiter: &Waiter) -> bool {
        let mut called = self.called.iter();
        called.any(|(uid, (_, instance))| *uid == waiter.asker.uid || *instance == waiter.instance)
    }
}
