//! The resources in the orders in which they are looked for: by proxy, by instance, by UID.
//!
//! Nearly every proxy and many an instance have one resource: what they have is found in one order of all.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;

use super::{
    Opening, Other, Standing,
    entry::{Entry, Proof},
    namesakes::Namesakes,
    standing::{Late, View, judge},
};
use crate::{
    model::{InstanceId, ResourceName, Uid},
    place::key::{Place, ProxyKey},
};

/// How long the end of an owner is remembered that is not made anew; nobody waits for longer than minutes.
const LATE_KEPT: Duration = Duration::from_hours(1);

/// A proxy, and when a resource for it was created.
type Contender = (Arc<ProxyKey>, Timestamp, Uid);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) entries: HashMap<Uid, Box<Entry>>,
    /// Who contends for which proxy, the oldest first.
    contenders: BTreeSet<Contender>,
    late: HashMap<Arc<ProxyKey>, Late>,
    /// By what stands for an instance: few others have the same.
    instances: BTreeSet<(u64, Uid)>,
    /// Places are few.
    places: HashSet<Arc<Place>>,
    pub(super) namesakes: Namesakes,
}

impl Directory {
    /// How a resource stands to its proxy. Whoever is found to be its owner, and has seen it, stays that: at once, or from when that is
    /// on record where others could not see the proxy.
    pub(super) fn standing(
        &mut self,
        uid: &str,
        in_place: Option<u16>,
        uptime: Duration,
        patience: Duration,
    ) -> Standing {
        let Some(own) = self.entries.get(uid) else {
            // It is gone, or nothing was heard of it yet.
            return Standing::Open(patience);
        };
        let key = Arc::clone(&own.key);
        let all: Vec<(&Uid, &Entry)> = self.contenders_for(&key).collect();
        let older = all
            .iter()
            .take_while(|(other, entry)| (entry.created, &***other) < (own.created, uid))
            .count();
        let others: Vec<&Entry> = all
            .iter()
            .filter(|(other, _)| ***other != *uid)
            .map(|(_, entry)| *entry)
            .collect();
        let view = View {
            late: self.late.get(&key),
            in_place,
            uptime,
            patience,
        };
        let standing = judge(own, &others, older, view);
        // One that can't see the proxy now may have managed it before this process began, and may see it again before anything is
        // known of this one.
        let is_settled = own.managed() || others.iter().all(|other| other.proof != Proof::Failed);
        let is_own_end = view.late.is_some_and(|late| late.name == own.name);
        if standing == Standing::Owner && own.contends && own.proof == Proof::Given && !is_own_end {
            // Its time is over, also where somebody else can't see the proxy.
            self.late.remove(&key);
        }
        if standing == Standing::Owner
            && is_settled
            && let Some(own) = self.entries.get_mut(uid)
            && own.contends
            && own.proof == Proof::Given
            && !std::mem::replace(&mut own.owns, true)
        {
            self.late.remove(&key);
        }
        standing
    }

    /// For whom a resource waits whose standing is open.
    pub(super) fn opening(&self, uid: &str, uptime: Duration, patience: Duration) -> Opening {
        let Some(own) = self.entries.get(uid) else {
            return Opening::default();
        };
        let namespace = own.name.namespace();
        let late = self.late.get(&own.key);
        if let Some(late) = late.filter(|late| uptime.saturating_sub(late.at) < patience) {
            return Opening::Gone(Other::of(&late.name, namespace));
        }
        let mut rivals = self.contenders_for(&own.key);
        let unchecked = rivals.find(|(other, rival)| {
            ***other != *uid && matches!(rival.proof, Proof::Open | Proof::Unclear(_))
        });
        unchecked.map_or(Opening::Before, |(_, rival)| {
            Opening::Unchecked(Other::of(&rival.name, namespace))
        })
    }

    /// Who contends for a proxy, the oldest first.
    pub(super) fn contenders_for<'a>(
        &'a self,
        key: &'a Arc<ProxyKey>,
    ) -> impl Iterator<Item = (&'a Uid, &'a Entry)> {
        contenders_for(&self.contenders, &self.entries, key)
    }

    /// The resources on an instance.
    pub(super) fn on_instance<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> impl Iterator<Item = &'a Entry> {
        let mark = mark(instance);
        let from_there = self.instances.range((mark, Uid::from(""))..);
        let on_it = from_there.take_while(move |(other, _)| *other == mark);
        let entries = on_it.filter_map(|(_, uid)| self.entries.get(uid));
        let entries = entries.map(|entry| &**entry);
        entries.filter(move |entry| entry.instance == *instance)
    }

    /// The proxy that a resource manages, with its name: by what this process has seen, else by what is on record.
    pub(super) fn owned_by(&self, uid: &str) -> Option<(Arc<ProxyKey>, ResourceName)> {
        let entry = self.entries.get(uid)?;
        let owned = || (Arc::clone(&entry.key), entry.name.clone());
        if entry.owns {
            return Some(owned());
        }
        let late = self.late.get(&entry.key);
        if entry.contends && late.is_some_and(|late| late.name == entry.name) {
            return Some(owned());
        }
        if self.has_owner(&entry.key) || late.is_some() || !entry.managed() {
            return None;
        }
        let mut contenders = self.contenders_for(&entry.key);
        // Of several on record nobody knows which one it is.
        let alone = contenders.all(|(other, entry)| **other == *uid || !entry.managed());
        alone.then(owned)
    }

    /// Whether somebody is known to manage a proxy.
    pub(super) fn has_owner(&self, key: &Arc<ProxyKey>) -> bool {
        self.contenders_for(key).any(|(_, entry)| entry.owns)
    }

    /// The credentials of a resource show its proxy for the first time: rivals that could not see it begin anew with it, since theirs may
    /// have come back together. Not where somebody manages the proxy.
    pub(super) fn let_rivals_try_again(&mut self, uid: &str, uptime: Duration) {
        let Some(own) = self.entries.get(uid) else {
            return;
        };
        let key = Arc::clone(&own.key);
        if own.proof == Proof::Given || self.has_owner(&key) {
            return;
        }
        let failed: Vec<Uid> = self
            .contenders_for(&key)
            .filter(|(other, one)| ***other != *uid && one.proof == Proof::Failed)
            .map(|(one, _)| one.clone())
            .collect();
        if failed.is_empty() {
            return;
        }
        for rival in failed {
            if let Some(rival) = self.entries.get_mut(&rival) {
                rival.proof = Proof::Open;
                rival.since = uptime;
            }
        }
        if let Some(own) = self.entries.get_mut(uid) {
            own.since = uptime;
        }
    }

    /// Whether who owned a proxy no longer contends for it since less than `patience`.
    pub(super) fn any_is_late(&self, uptime: Duration, patience: Duration) -> bool {
        let mut late = self.late.values();
        late.any(|late| uptime.saturating_sub(late.at) < patience)
    }

    /// Notes that who owned a proxy no longer contends for it.
    pub(super) fn note_end(
        &mut self,
        before: Option<(Arc<ProxyKey>, ResourceName)>,
        uid: &str,
        uptime: Duration,
    ) {
        let contenders = &self.contenders;
        let entries = &self.entries;
        self.late.retain(|key, late| {
            let is_back = || {
                let mut there = contenders_for(contenders, entries, key);
                there.any(|(_, entry)| entry.name == late.name)
            };
            uptime.saturating_sub(late.at) < LATE_KEPT || is_back()
        });
        let Some((key, name)) = before else {
            return;
        };
        let entry = self.entries.get(uid);
        if !entry.is_some_and(|entry| entry.contends && entry.key == key) {
            self.late.insert(key, Late { at: uptime, name });
        }
    }

    /// A key that shares its place with all others there.
    pub(super) fn shared(&mut self, mut key: ProxyKey) -> Arc<ProxyKey> {
        if let Some(place) = self.places.get(&key.place) {
            key.place = Arc::clone(place);
        } else {
            self.places.retain(|place| Arc::strong_count(place) > 1);
            self.places.insert(Arc::clone(&key.place));
        }
        Arc::new(key)
    }

    pub(super) fn insert(&mut self, uid: &Uid, entry: Entry) {
        if entry.contends {
            self.contenders
                .insert((Arc::clone(&entry.key), entry.created, uid.clone()));
        }
        self.instances.insert((mark(&entry.instance), uid.clone()));
        self.entries.insert(uid.clone(), Box::new(entry));
    }

    pub(super) fn remove(&mut self, uid: &str) -> Option<Box<Entry>> {
        let (uid, entry) = self.entries.remove_entry(uid)?;
        let contender = (Arc::clone(&entry.key), entry.created, uid.clone());
        self.contenders.remove(&contender);
        self.instances.remove(&(mark(&entry.instance), uid));
        Some(entry)
    }
}

fn contenders_for<'a>(
    contenders: &'a BTreeSet<Contender>,
    entries: &'a HashMap<Uid, Box<Entry>>,
    key: &'a Arc<ProxyKey>,
) -> impl Iterator<Item = (&'a Uid, &'a Entry)> {
    let first = (Arc::clone(key), Timestamp::MIN, Uid::from(""));
    let contenders = contenders.range(first..);
    let contenders = contenders.take_while(move |(other, _, _)| other == key);
    contenders.filter_map(|(_, _, uid)| Some((uid, &**entries.get(uid)?)))
}

/// Stands for an instance.
fn mark(instance: &InstanceId) -> u64 {
    let mut hasher = DefaultHasher::new();
    instance.hash(&mut hasher);
    hasher.finish()
}
