//! Changes of deleted resources: that people are told what became of each.
//!
//! Counted is what the process could know that sent the change, as long as it lives. That an event is published counts as telling,
//! whatever becomes of it on its way: nothing waits for one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt as _;
use taurus_port_operator::crd::TaurusProxyPort;

use crate::{flaw::Flaw, world::World};

/// Reasons of events that tell of a change for whose job there is no resource.
const REASONS: [&str; 2] = ["ChangeOfDeleted", "JobNotRecorded"];

/// A change is followed for no longer than `changeTimeout`, and that is told within this, in milliseconds.
const TOLD_WITHIN: u64 = 2 * 3_600_000;

/// What is known of deleted resources.
#[derive(Default)]
pub struct Deleted {
    /// When each was deleted, by its UID.
    at: BTreeMap<String, u64>,
    /// Those that had a change on record, with the id of that.
    with_change: BTreeMap<String, String>,
    /// Whose change was told.
    told: BTreeSet<String>,
    /// The jobs that were told.
    jobs: BTreeSet<String>,
}

impl World {
    /// A resource was deleted.
    pub fn note_deleted(&mut self, object: &TaurusProxyPort) {
        let (now, uid) = (self.now(), object.uid().unwrap_or_default());
        self.book.deleted.at.insert(uid.clone(), now);
        let status = object.status.as_ref();
        let own = status.filter(|status| status.subject_uid.as_ref() == Some(&uid));
        if let Some(change) = own.and_then(|status| status.change.as_ref()) {
            let id = change.id.clone();
            self.book.deleted.with_change.insert(uid, id);
        }
    }

    /// A process publishes an event.
    pub fn note_published(&mut self, body: &Bytes) {
        let Ok(event) = serde_json::from_slice::<Event>(body) else {
            return;
        };
        let reason = event.reason.unwrap_or_default();
        let note = event.note.unwrap_or_default();
        if REASONS.contains(&reason.as_str()) && self.flaw != Some(Flaw::TellsNobody) {
            let deleted = &mut self.book.deleted;
            deleted
                .told
                .extend(event.regarding.and_then(|about| about.uid));
            let words = note.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let jobs = words.filter(|word| word.starts_with("job-"));
            deleted.jobs.extend(jobs.map(ToOwned::to_owned));
        }
        self.say(|| format!("event {reason}: {note}"));
    }

    /// What was not told of deleted resources, and how long ago each was deleted.
    fn untold(&self) -> Vec<(String, u64)> {
        let deleted = &self.book.deleted;
        let since = |uid: &str| {
            let at = deleted.at.get(uid).copied();
            at.map(|at| self.now().saturating_sub(at))
        };
        let of_jobs = self.untold_jobs().filter_map(|(job, uid)| {
            let told = deleted.jobs.contains(job);
            Some((job.to_owned(), since(uid).filter(|_| !told)?))
        });
        let of_changes = deleted.with_change.iter().filter_map(|(uid, id)| {
            let told = deleted.told.contains(uid) || !self.is_sender_alive(id);
            Some((format!("change {id}"), since(uid).filter(|_| !told)?))
        });
        of_jobs.chain(of_changes).collect()
    }

    /// Whether something is still going to be told of deleted resources.
    pub fn is_something_untold(&self) -> bool {
        self.untold().iter().any(|(_, ago)| *ago < TOLD_WITHIN)
    }

    /// At the end all must have been told.
    pub fn check_told(&mut self) {
        for (what, _) in self.untold() {
            self.broken(format!("nobody is told of {what} of a deleted resource"));
        }
    }
}
