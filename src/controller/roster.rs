//! The roster of the resources that exist, kept from the watch, each of them packed.
//!
//! Says of each event which resources there are now, which are gone, and which call for a reconcile: those that are new, and
//! those that are deleted or whose generation or annotations for the operator are others. A list comes in pieces and calls when it
//! is whole: whoever decides on one of its resources knows of all others. What it no longer holds is gone, though nobody has told.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::{Resource as _, ResourceExt as _, runtime::watcher::Event};

use crate::{
    controller::{Guarded, Undecodable, queue::Call},
    crd::{ASKED_WITH, TaurusProxyPort},
    model::{ResourceName, Uid},
    seats::Group,
};

mod packed;

use packed::Packed;

/// What an event means for the fleet.
#[derive(Debug)]
pub(super) enum Change {
    /// The resource exists, as it now stands.
    Noted(Uid, ResourceName, Box<Guarded>),
    /// The resource is gone; as it last stood, if it could be read.
    Gone(Uid, ResourceName, Option<Box<TaurusProxyPort>>),
}

/// What follows from an event.
#[derive(Debug, Default)]
pub(super) struct News {
    /// What it means for the fleet, in this order.
    pub(super) changes: Vec<Change>,
    /// Who calls for a reconcile; who is gone does, so that a turn of it ends.
    pub(super) calls: Vec<Call>,
}

/// The resources that exist.
#[derive(Debug, Default)]
pub struct Roster {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    of: HashMap<ResourceName, Entry>,
    /// The number of the last list that was begun.
    list: u32,
    /// Who calls for a reconcile in lists of which none is whole yet.
    calls: Vec<Call>,
}

#[derive(Debug)]
struct Entry {
    uid: Uid,
    /// Whom it takes turns with.
    group: Group,
    /// The last list that held it.
    list: u32,
    /// Stands for what calls for a reconcile if it becomes another.
    called_by: u64,
    /// Why nothing new may begin for it, if so: it is suspended, or being deleted.
    stops: [bool; 2],
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    Whole(Packed),
    Undecodable(Box<Undecodable>),
}

impl Roster {
    /// A resource as it stands.
    pub fn get(&self, name: &ResourceName) -> Option<Guarded> {
        self.lock()
            .of
            .get(name)
            .and_then(|entry| entry.unpack(name))
    }

    /// The UID of a resource.
    pub(super) fn uid(&self, name: &ResourceName) -> Option<Uid> {
        self.lock().of.get(name).map(|entry| entry.uid.clone())
    }

    /// Whom a resource takes turns with: those of its namespace, and among them those that name the same credentials.
    pub(super) fn group(&self, name: &ResourceName) -> Group {
        let inner = self.lock();
        inner
            .of
            .get(name)
            .map_or_else(Group::default, |entry| entry.group)
    }

    /// Takes in an event and says what follows.
    pub(super) fn take(&self, event: Event<Guarded>) -> News {
        let mut inner = self.lock();
        match event {
            Event::Init => {
                // A list that was given up had taken in what it held: who called in it calls in the next one.
                inner.list = inner.list.wrapping_add(1);
                News::default()
            }
            Event::InitApply(object) => {
                let mut news = inner.put(object);
                inner.calls.append(&mut news.calls);
                news
            }
            Event::Apply(object) => inner.put(object),
            Event::InitDone => {
                let mut news = inner.unlisted();
                news.calls.append(&mut inner.calls);
                news
            }
            Event::Delete(object) => inner.remove(object),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn put(&mut self, object: Guarded) -> News {
        let mut changes = Vec::new();
        let name = name_of(&object);
        let uid = object.meta().uid.as_deref().unwrap_or_default();
        let (name, before) = match self.of.remove_entry(&name) {
            Some((name, before)) => (name, Some(before)),
            None => (name, None),
        };
        // Another resource of the same name, of which nobody has told that it is gone.
        let (same, other) = match before {
            Some(before) if *before.uid == *uid => (Some(before), None),
            other => (None, other),
        };
        changes.extend(other.map(|entry| entry.gone(&name)));
        let (called_by, stops) = (called_by(&object), stops(&object));
        let call = match &same {
            Some(same) if same.called_by == called_by => None,
            Some(same)
                if stops
                    .iter()
                    .zip(same.stops)
                    .any(|(now, before)| *now && !before) =>
            {
                Some(Call::to_stop(name.clone()))
            }
            Some(_) => Some(Call::of_people(name.clone())),
            None => Some(Call::usual(name.clone())),
        };
        let uid = same.map_or_else(|| Uid::from(uid), |same| same.uid);
        let entry = Entry {
            list: self.list,
            group: group_of(&object),
            called_by,
            stops,
            kept: Kept::of(&object, &name, &uid),
            uid: uid.clone(),
        };
        self.of.insert(name.clone(), entry);
        let calls = call.into_iter().collect();
        changes.push(Change::Noted(uid, name, Box::new(object)));
        News { changes, calls }
    }

    /// What the list that is whole now did not hold.
    fn unlisted(&mut self) -> News {
        let list = self.list;
        let gone = self.of.extract_if(|_, entry| entry.list != list);
        let mut gone: Vec<(ResourceName, Entry)> = gone.collect();
        // What follows from that shall not depend on the order of a hash table.
        gone.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut news = News::default();
        for (name, entry) in gone {
            news.changes.push(entry.gone(&name));
            news.calls.push(Call::to_stop(name));
        }
        news
    }

    fn remove(&mut self, object: Guarded) -> News {
        let name = name_of(&object);
        let uid = object.uid().unwrap_or_default();
        let gone = Change::Gone(
            Uid::from(uid.as_str()),
            name.clone(),
            object.0.ok().map(Box::new),
        );
        let known = self.of.get(&name).is_some_and(|entry| *entry.uid == *uid);
        if known {
            self.of.remove(&name);
        }
        News {
            changes: vec![gone],
            calls: known.then(|| Call::to_stop(name)).into_iter().collect(),
        }
    }
}

impl Entry {
    fn unpack(&self, name: &ResourceName) -> Option<Guarded> {
        match &self.kept {
            Kept::Whole(packed) => match packed.unpack(name, &self.uid) {
                Ok(object) => Some(Guarded(Ok(object))),
                Err(error) => {
                    let (namespace, name) = (name.namespace(), name.name());
                    tracing::error!(namespace, name, uid = %self.uid, %error, "what was kept of a resource can't be read");
                    None
                }
            },
            Kept::Undecodable(undecodable) => Some(Guarded(Err(undecodable.clone()))),
        }
    }

    fn gone(self, name: &ResourceName) -> Change {
        let last = self.unpack(name).and_then(|object| object.0.ok());
        Change::Gone(self.uid, name.clone(), last.map(Box::new))
    }
}

impl Kept {
    fn of(object: &Guarded, name: &ResourceName, uid: &Uid) -> Self {
        let error = match &object.0 {
            Ok(object) => match Packed::of(object, name, uid) {
                Ok(packed) => return Self::Whole(packed),
                Err(error) => error.to_string(),
            },
            Err(undecodable) => return Self::Undecodable(undecodable.clone()),
        };
        Self::Undecodable(Box::new(Undecodable {
            metadata: object.meta().clone(),
            error,
            trace: object.trace(),
        }))
    }
}

fn name_of(object: &Guarded) -> ResourceName {
    let metadata = object.meta();
    let [namespace, name] =
        [&metadata.namespace, &metadata.name].map(|part| part.as_deref().unwrap_or_default());
    ResourceName::new(namespace, name)
}

fn group_of(object: &Guarded) -> Group {
    let spec = object.0.as_ref().ok().map(|object| &object.spec);
    let credentials = spec.map(|spec| {
        let secret = spec.credentials_ref.as_ref().map(|named| &named.name);
        (secret, &spec.workload_identity)
    });
    Group {
        namespace: hashed(&object.meta().namespace),
        credentials: hashed(&credentials),
    }
}

/// Whether a resource is suspended, and whether it is being deleted.
fn stops(object: &Guarded) -> [bool; 2] {
    let is_suspended = |object: &TaurusProxyPort| object.spec.suspend == Some(true);
    [
        object.0.as_ref().is_ok_and(is_suspended),
        object.meta().deletion_timestamp.is_some(),
    ]
}

fn called_by(object: &Guarded) -> u64 {
    let metadata = object.meta();
    let is_deleted = metadata.deletion_timestamp.is_some();
    let annotations = object.annotations();
    let own = ASKED_WITH.map(|name| annotations.get(name));
    hashed(&(metadata.generation, is_deleted, own))
}

fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
