//! Who waits for a permit, and whose turn is next.
//!
//! Promises turns among namespaces, and the longest wait first within one: a namespace with hundreds of waiting resources
//! does not hold up one with a single one. Who was called and doesn't come within its time loses its place. Who waits for an
//! instance that is not free is looked at again only once it may be: relies on being told of that by [`Queue::freed`].

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    time::Duration,
};

use crate::place::InstanceKey;

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
    pub(super) instance: InstanceKey,
}

/// Where one stands: its namespace, and its number within it.
type Place = (String, u64);

/// The waiting resources.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    /// The namespaces with waiting resources, the one whose turn is next first.
    turns: VecDeque<String>,
    waiting: HashMap<String, Waiting>,
    /// Where each stands, by UID.
    places: HashMap<String, Place>,
    /// Those for whom an instance was not free, by the instance.
    parked: HashMap<InstanceKey, BTreeSet<Place>>,
    called: Called,
}

/// The waiting resources of a namespace, in the order of their arrival.
#[derive(Debug, Default)]
struct Waiting {
    all: BTreeMap<u64, Waiter>,
    /// Those of them that may be called, as far as is known.
    eligible: BTreeSet<u64>,
}

/// Those who were called and have not come yet.
#[derive(Debug, Default)]
struct Called {
    /// By UID: the uptime until which each may come, and its instance.
    of: HashMap<String, (Duration, InstanceKey)>,
    /// When their times are over, the first in front.
    ends: BTreeSet<(Duration, String)>,
    instances: HashSet<InstanceKey>,
}

impl Queue {
    /// Queues up. Who waits already keeps its place; who was called waits on.
    pub(super) fn wait(&mut self, waiter: Waiter) {
        let uid = waiter.asker.uid.clone();
        self.uncall(&uid);
        if self.places.contains_key(&uid) {
            return;
        }
        let namespace = waiter.asker.namespace.clone();
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let own = self.waiting.entry(namespace.clone()).or_default();
        if own.all.is_empty() {
            self.turns.push_back(namespace.clone());
        }
        own.all.insert(number, waiter);
        own.eligible.insert(number);
        self.places.insert(uid, (namespace, number));
    }

    /// Waits no longer.
    pub(super) fn leave(&mut self, uid: &str) {
        self.uncall(uid);
        let Some(place) = self.places.remove(uid) else {
            return;
        };
        let (namespace, number) = &place;
        let Some(own) = self.waiting.get_mut(namespace) else {
            return;
        };
        own.eligible.remove(number);
        let waiter = own.all.remove(number);
        if own.all.is_empty() {
            self.waiting.remove(namespace);
            self.turns.retain(|other| other != namespace);
        }
        if let Some(waiter) = waiter
            && let Some(parked) = self.parked.get_mut(&waiter.instance)
        {
            parked.remove(&place);
            if parked.is_empty() {
                self.parked.remove(&waiter.instance);
            }
        }
    }

    /// An instance may be free now, for one or another.
    pub(super) fn freed(&mut self, instance: &InstanceKey) {
        for (namespace, number) in self.parked.remove(instance).unwrap_or_default() {
            if let Some(own) = self.waiting.get_mut(&namespace) {
                own.eligible.insert(number);
            }
        }
    }

    /// Calls the next of those for whom their instance `is_free`, who may come until this uptime.
    pub(super) fn call(
        &mut self,
        until: Duration,
        is_free: impl Fn(&Waiter) -> bool,
    ) -> Option<Asker> {
        let (turn, waiter) = (0..self.turns.len()).find_map(|turn| {
            let waiter = self.next_of(turn, &is_free)?;
            Some((turn, waiter))
        })?;
        if let Some(namespace) = self.turns.remove(turn) {
            self.turns.push_back(namespace);
        }
        self.called.insert(&waiter, until);
        Some(waiter.asker)
    }

    /// The first of the namespace with this turn who may be called; those before it are parked, and so is it itself.
    fn next_of(&mut self, turn: usize, is_free: &impl Fn(&Waiter) -> bool) -> Option<Waiter> {
        let namespace = self.turns.get(turn)?;
        let own = self.waiting.get_mut(namespace)?;
        while let Some(number) = own.eligible.pop_first() {
            let waiter = own.all.get(&number)?;
            // Whoever is called has its instance for itself until it has come, or its time is over.
            let parked = self.parked.entry(waiter.instance.clone()).or_default();
            let is_first = !self.called.has_one_on(&waiter.instance);
            parked.insert((namespace.clone(), number));
            if is_first && is_free(waiter) {
                return Some(waiter.clone());
            }
        }
        None
    }

    /// Drops those who were called and did not come.
    pub(super) fn expire(&mut self, uptime: Duration) {
        while let Some(uid) = self.called.late(uptime) {
            self.leave(&uid);
        }
    }

    /// Whether it is this one's turn.
    pub(super) fn is_called(&self, uid: &str) -> bool {
        self.called.of.contains_key(uid)
    }

    /// How many were called and have not come yet.
    pub(super) fn called(&self) -> usize {
        self.called.of.len()
    }

    /// When the first of those who were called loses its place.
    pub(super) fn next_expiry(&self) -> Option<Duration> {
        self.called.ends.first().map(|(until, _)| *until)
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn uncall(&mut self, uid: &str) {
        if let Some(instance) = self.called.remove(uid) {
            self.freed(&instance);
        }
    }
}

impl Called {
    fn insert(&mut self, waiter: &Waiter, until: Duration) {
        let (uid, instance) = (&waiter.asker.uid, &waiter.instance);
        self.of.insert(uid.clone(), (until, instance.clone()));
        self.ends.insert((until, uid.clone()));
        self.instances.insert(instance.clone());
    }

    /// Takes one out, and gives its instance.
    fn remove(&mut self, uid: &str) -> Option<InstanceKey> {
        let (until, instance) = self.of.remove(uid)?;
        self.ends.remove(&(until, uid.to_owned()));
        self.instances.remove(&instance);
        Some(instance)
    }

    fn has_one_on(&self, instance: &InstanceKey) -> bool {
        self.instances.contains(instance)
    }

    /// One whose time is over by this uptime.
    fn late(&self, uptime: Duration) -> Option<String> {
        let (until, uid) = self.ends.first()?;
        (*until <= uptime).then(|| uid.clone())
    }
}
