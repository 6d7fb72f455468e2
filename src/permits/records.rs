//! The changes on record, as the watch has told of them: those from before this process too, and those of resources that
//! can't be decoded.
//!
//! Promises that no question takes longer the more of them there are, but for those that nobody follows.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::{model::Moment, place::InstanceKey};

/// The least that time can pass.
const A_TICK: Duration = Duration::from_nanos(1);

/// A change on record.
#[derive(Debug)]
struct Recorded {
    id: String,
    /// Where it can be read.
    instance: Option<InstanceKey>,
    /// Uptime since which it is known.
    since: Duration,
}

/// What is no longer on record of a resource.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The change.
    pub(super) change: Option<String>,
    /// The instance.
    pub(super) instance: Option<InstanceKey>,
}

/// The changes on record, by the UID of their resource.
#[derive(Debug, Default)]
pub(super) struct Records {
    of: HashMap<String, Recorded>,
    /// Whose are on each instance; hardly ever more than one.
    on: HashMap<InstanceKey, Vec<String>>,
    /// Those that nobody follows, the oldest first.
    unheard: BTreeSet<(Duration, String)>,
}

impl Records {
    /// The change that is on record of a resource: its id, and its instance where that can be read. `is_followed` says whether
    /// the resource holds a permit. Gives what no longer is.
    pub(super) fn note(
        &mut self,
        uid: &str,
        change: Option<(&str, Option<&InstanceKey>)>,
        is_followed: bool,
        now: Moment,
    ) -> Left {
        let before = self.remove(uid);
        if let Some((id, instance)) = change {
            let same = before.as_ref().filter(|record| record.id == id);
            let record = Recorded {
                id: id.to_owned(),
                instance: instance.cloned(),
                since: same.map_or(now.uptime, |record| record.since),
            };
            if let Some(instance) = instance {
                let on = self.on.entry(instance.clone()).or_default();
                on.push(uid.to_owned());
            }
            self.of.insert(uid.to_owned(), record);
            self.follow(uid, is_followed);
        }
        let Some(before) = before else {
            return Left::default();
        };
        let (id, instance) = change.unzip();
        let other = |left: &InstanceKey| instance.flatten() != Some(left);
        Left {
            change: Some(before.id).filter(|left| id != Some(left.as_str())),
            instance: before.instance.filter(other),
        }
    }

    /// Whether the change of a resource is followed from now on.
    pub(super) fn follow(&mut self, uid: &str, is_followed: bool) {
        if let Some(record) = self.of.get(uid) {
            let entry = (record.since, uid.to_owned());
            if is_followed {
                self.unheard.remove(&entry);
            } else {
                self.unheard.insert(entry);
            }
        }
    }

    /// The instance of the change of a resource, where that can be read.
    pub(super) fn instance_of(&self, uid: &str) -> Option<&InstanceKey> {
        self.of.get(uid)?.instance.as_ref()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether another resource than `uid` has one on this instance.
    pub(super) fn has_other(&self, instance: &InstanceKey, uid: &str) -> bool {
        self.other(instance, uid).is_some()
    }

    /// Another resource than `uid` that has one on this instance.
    pub(super) fn other(&self, instance: &InstanceKey, uid: &str) -> Option<&str> {
        let mut on = self.on.get(instance)?.iter();
        on.find(|other| *other != uid).map(String::as_str)
    }

    /// How many that nobody follows are known for less than `patience`.
    pub(super) fn unheard(&self, patience: Duration, now: Moment) -> usize {
        self.younger_than(patience, now).count()
    }

    /// The uptime at which the next of them is known for so long.
    pub(super) fn ripe(&self, patience: Duration, now: Moment) -> Option<Duration> {
        let (since, _) = self.younger_than(patience, now).next()?;
        Some(since.saturating_add(patience))
    }

    fn younger_than(
        &self,
        patience: Duration,
        now: Moment,
    ) -> impl Iterator<Item = &(Duration, String)> {
        let ripe = now.uptime.checked_sub(patience);
        let first = ripe.map_or(Duration::ZERO, |ripe| ripe.saturating_add(A_TICK));
        self.unheard.range((first, String::new())..)
    }

    fn remove(&mut self, uid: &str) -> Option<Recorded> {
        let record = self.of.remove(uid)?;
        self.unheard.remove(&(record.since, uid.to_owned()));
        if let Some(instance) = &record.instance
            && let Some(on) = self.on.get_mut(instance)
        {
            on.retain(|other| other != uid);
            if on.is_empty() {
                self.on.remove(instance);
            }
        }
        Some(record)
    }
}
