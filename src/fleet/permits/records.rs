//! The changes on record, as the watch has told of them: those from before this process too, and those of resources that
//! can't be decoded.

use std::{collections::HashMap, time::Duration};

use crate::model::{InstanceId, Moment};

/// A change on record.
#[derive(Debug)]
struct Recorded {
    id: String,
    /// Where it can be read.
    instance: Option<InstanceId>,
    /// Uptime since which it is known.
    since: Duration,
}

/// The changes on record, by the UID of their resource.
#[derive(Debug, Default)]
pub(super) struct Records {
    of: HashMap<String, Recorded>,
}

impl Records {
    /// The change that is on record of a resource: its id, and its instance where that can be read.
    pub(super) fn note(
        &mut self,
        uid: &str,
        change: Option<(&str, Option<&InstanceId>)>,
        now: Moment,
    ) {
        let Some((id, instance)) = change else {
            self.of.remove(uid);
            return;
        };
        let before = self.of.get(uid).filter(|record| record.id == id);
        let record = Recorded {
            id: id.to_owned(),
            instance: instance.cloned(),
            since: before.map_or(now.uptime, |record| record.since),
        };
        self.of.insert(uid.to_owned(), record);
    }

    /// Whether another resource than `uid` has one on this instance.
    pub(super) fn has_other(&self, instance: &InstanceId, uid: &str) -> bool {
        self.of
            .iter()
            .any(|(other, record)| other != uid && record.instance.as_ref() == Some(instance))
    }

    /// Resources whose change is known for less than `patience`.
    pub(super) fn younger_than(
        &self,
        patience: Duration,
        now: Moment,
    ) -> impl Iterator<Item = &str> {
        self.of
            .iter()
            .filter(move |(_, record)| now.elapsed(record.since) < patience)
            .map(|(uid, _)| uid.as_str())
    }

    /// Uptimes at which each becomes as old as `patience`.
    pub(super) fn ripe(&self, patience: Duration) -> impl Iterator<Item = Duration> {
        self.of
            .values()
            .map(move |record| record.since.saturating_add(patience))
    }
}
