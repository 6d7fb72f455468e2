//! The permits that were given, and what they count for.
//!
//! Promises that no question takes longer the more of them there are.

use std::collections::HashMap;

use crate::place::InstanceKey;

/// What is known of a permit that was given.
#[derive(Debug)]
struct Holder {
    uid: String,
    /// Whether it counts among the changes under way.
    has_share: bool,
    /// Whether its change counts among those of the hour already; until then room is kept for it.
    is_begun: bool,
    /// Whether its resource was deleted.
    is_deleted: bool,
}

/// The permits that were given, one an instance at most.
#[derive(Debug, Default)]
pub(super) struct Holders {
    of: HashMap<InstanceKey, Holder>,
    /// How many each resource holds.
    by_uid: HashMap<String, usize>,
    shares: usize,
    coming: usize,
    /// How many of the shares are of resources that were deleted.
    of_deleted: usize,
}

impl Holders {
    /// Gives the permit of an instance; whoever holds it already holds it anew.
    pub(super) fn hold(&mut self, uid: &str, instance: &InstanceKey, is_begun: bool) {
        self.release(instance);
        let holder = Holder {
            uid: uid.to_owned(),
            has_share: true,
            is_begun,
            is_deleted: false,
        };
        self.shares += 1;
        self.coming += usize::from(!is_begun);
        *self.by_uid.entry(uid.to_owned()).or_default() += 1;
        self.of.insert(instance.clone(), holder);
    }

    /// Takes a permit back, and says whose it was.
    pub(super) fn release(&mut self, instance: &InstanceKey) -> Option<String> {
        let holder = self.of.remove(instance)?;
        self.shares -= usize::from(holder.has_share);
        self.of_deleted -= usize::from(holder.has_share && holder.is_deleted);
        self.coming -= usize::from(!holder.is_begun);
        if let Some(count) = self.by_uid.get_mut(&holder.uid) {
            *count -= 1;
            if *count == 0 {
                self.by_uid.remove(&holder.uid);
            }
        }
        Some(holder.uid)
    }

    /// Who holds an instance.
    pub(super) fn of(&self, instance: &InstanceKey) -> Option<&str> {
        self.of.get(instance).map(|holder| holder.uid.as_str())
    }

    /// Whether the resource whose permit an instance has was deleted.
    pub(super) fn is_of_deleted(&self, instance: &InstanceKey) -> bool {
        let holder = self.of.get(instance);
        holder.is_some_and(|holder| holder.is_deleted)
    }

    /// Whether a resource holds any.
    pub(super) fn has(&self, uid: &str) -> bool {
        self.by_uid.contains_key(uid)
    }

    /// The change of an instance was begun; whether it was not before.
    pub(super) fn begin(&mut self, instance: &InstanceKey) -> bool {
        let holder = self.of.get_mut(instance);
        let begins = holder.is_some_and(|holder| !std::mem::replace(&mut holder.is_begun, true));
        self.coming -= usize::from(begins);
        begins
    }

    /// Whether the change of an instance was begun.
    pub(super) fn is_begun(&self, instance: &InstanceKey) -> bool {
        self.of.get(instance).is_some_and(|holder| holder.is_begun)
    }

    /// Whether the change of an instance counts among those under way.
    pub(super) fn count(&mut self, instance: &InstanceKey, under_way: bool) {
        if let Some(holder) = self.of.get_mut(instance) {
            self.shares -= usize::from(holder.has_share);
            self.shares += usize::from(under_way);
            if holder.is_deleted {
                self.of_deleted -= usize::from(holder.has_share);
                self.of_deleted += usize::from(under_way);
            }
            holder.has_share = under_way;
        }
    }

    /// A resource was deleted; the changes that it holds permits for go on.
    pub(super) fn deleted(&mut self, uid: &str) {
        if !self.has(uid) {
            return;
        }
        for holder in self.of.values_mut().filter(|holder| holder.uid == uid) {
            let news = holder.has_share && !holder.is_deleted;
            holder.is_deleted = true;
            self.of_deleted += usize::from(news);
        }
    }

    /// How many of those that count among the changes under way are of resources that were deleted.
    pub(super) fn shares_of_deleted(&self) -> usize {
        self.of_deleted
    }

    /// Whether no change of theirs has begun.
    pub(super) fn none_begun(&self) -> bool {
        self.coming == self.of.len()
    }

    /// How many count among the changes under way.
    pub(super) fn shares(&self) -> usize {
        self.shares
    }

    /// Of how many the change was not begun yet.
    pub(super) fn coming(&self) -> usize {
        self.coming
    }
}
