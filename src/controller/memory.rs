//! What the process keeps of each resource between two reconciles.
//!
//! A reconcile takes the memory out and puts it back, and there is only one reconcile of a resource at a time. What was
//! deleted meanwhile is not put back but handed to whoever follows changes of deleted resources.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use crate::{
    controller::{
        meter::Followed,
        reconcile::{Kept, Probing, Surveyed},
        timing::InstanceWindow,
    },
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    fleet::directory::{Booking, Directory},
    model::{JobId, Mark, Moment, Uid},
    pace::Pace,
    permits::Permit,
    plan::{admitting::Admission, record::Record, session::Session, timing::Wishes},
};

use self::known_change::KnownChange;

mod known_change;

/// What few have at a time: where it is not there, it takes a word.
pub type Seldom<T> = Option<Box<T>>;

/// What is kept of one resource.
#[derive(Debug, Default)]
pub struct Memory {
    /// What decisions rest on.
    pub session: Session,
    /// The permit of the change on record.
    pub permit: Seldom<Permit>,
    /// What its change is followed with: for as long as this is kept, so is the credential.
    pub following: Option<Arc<Directory>>,
    /// The installed definition dropped the record of a change; asked again when the resource changes.
    pub record_pruned: Seldom<i64>,
    /// Uptime at which a resource that is not vetted was first looked at.
    pub seen_at: Seldom<Duration>,
    /// Uptime since when a list of proxies is waited for.
    pub asked_at: Seldom<Duration>,
    /// The request of a person that it is waited for.
    pub asked_for: Seldom<Mark>,
    /// The time up to which the status says that is waited, if it says one.
    pub promised: Option<Timestamp>,
    /// The time that was booked for it; given back with this.
    pub booking: Option<Booking>,
    /// Uptime at which the list of proxies was looked at last.
    pub listed_at: Option<Duration>,
    /// The jobs that were given up for it, of which people were told.
    pub told_given_up: Seldom<BTreeSet<JobId>>,
    /// The job that it gives up, where people were told that its word does not count.
    pub told_unheard: Seldom<JobId>,
    /// What people were told of annotations that ask for nothing.
    pub told_empty: Seldom<String>,
    /// What is kept of what is published for applications.
    pub publishing: Seldom<Kept>,
    /// What the change of its plan would break.
    pub surveyed: Seldom<Surveyed>,
    /// What was read of the security group of its instance, for a change that is due.
    pub admission: Seldom<Admission>,
    /// What is kept of the probes of its proxy.
    pub probing: Seldom<Probing>,
    /// Its generation and wishes, where it says something of the time of its changes.
    pub timed: Seldom<(i64, Wishes)>,
    /// What was read of the window that the cloud has for its instance.
    pub instance_window: Seldom<InstanceWindow>,
    /// Of a deleted resource: its change counts for as long as whoever follows that keeps this.
    pub counted: Seldom<Followed>,
    /// How often in a row Kubernetes failed.
    pub failures: u32,
    edited: Seldom<Edited>,
    own: Seldom<OwnWrite>,
    known: Seldom<KnownChange>,
    must_fetch: bool,
}

/// An edit, from the turn that saw it first until nothing more follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited {
    generation: i64,
    /// Uptime since when a turn was called for.
    pub at: Duration,
    /// A turn has ended since, because something has to be waited for.
    pub was_held: bool,
    /// A request has left for it.
    was_sent: bool,
}

/// The outcome of own writes that the watch has not delivered yet.
#[derive(Debug)]
struct OwnWrite {
    latest: TaurusProxyPort,
    superseded: HashSet<String>,
}

impl Memory {
    /// The object to work on: the one that the watch has delivered, or what own writes have made of it since.
    pub fn freshest(&mut self, delivered: &TaurusProxyPort) -> TaurusProxyPort {
        let version = delivered.resource_version().unwrap_or_default();
        let mut freshest = match self.own.take() {
            Some(own) if own.superseded.contains(&version) => {
                let latest = own.latest.clone();
                self.own = Some(own);
                latest
            }
            _ => delivered.clone(),
        };
        self.complete(&mut freshest);
        freshest
    }

    /// Completes the record of a change by what this process knows of it: a definition may have dropped some of it, or all.
    pub fn complete(&mut self, object: &mut TaurusProxyPort) {
        // A definition may hide all of the status.
        if self.known.is_some() {
            object.status.get_or_insert_default();
        }
        if let Some(status) = &mut object.status {
            self.known = known_change::complete(self.known.take(), status);
        }
    }

    /// This status was written, and a definition has dropped some of it.
    pub fn was_cut(&mut self, written: &TaurusProxyPortStatus) {
        let cut = |change| KnownChange::cut(change, written.subject_uid.clone());
        self.known = written.change.clone().map(cut);
    }

    /// Whether a change that this process knows was missing when the resource was read last.
    pub fn misses_change(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_missing)
    }

    /// What was missing was taken from the record by somebody, or by a write of this process.
    pub fn forget_change(&mut self) {
        self.known = None;
    }

    /// What was missing is hidden by a definition: this process keeps it.
    pub fn keep_change(&mut self, object: &mut TaurusProxyPort) {
        if let Some(known) = &mut self.known {
            known.is_hidden();
        }
        self.complete(object);
    }

    /// Whether the API server lacks some of the record of a change that this process knows.
    pub fn is_cut(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_cut)
    }

    /// Remembers that `before` was replaced by `after`, by an own write or a fresh read.
    pub fn replaced(&mut self, before: &TaurusProxyPort, after: &TaurusProxyPort) {
        let mut superseded = self
            .own
            .take()
            .map(|own| own.superseded)
            .unwrap_or_default();
        if before.resource_version() != after.resource_version() {
            superseded.extend(before.resource_version());
        }
        self.own = Some(Box::new(OwnWrite {
            latest: after.clone(),
            superseded,
        }));
    }

    /// The watch has delivered this version: an own write that made it is no longer kept.
    fn delivered(&mut self, version: &str) {
        let is_latest = |own: &mut Box<OwnWrite>| {
            own.latest.metadata.resource_version.as_deref() == Some(version)
        };
        self.own.take_if(is_latest);
    }

    /// Takes in that a resource was edited which was looked at before; a turn was called for at this uptime.
    pub fn note_edit(&mut self, object: &TaurusProxyPort, at: Duration) {
        let generation = object.metadata.generation.unwrap_or_default();
        let status = object.status.as_ref();
        let judged = status.and_then(|status| status.observed_generation);
        let is_known = |edited: &Edited| edited.generation == generation;
        if judged.is_some_and(|judged| 0 < judged && judged < generation)
            && !self.edited.as_deref().is_some_and(is_known)
        {
            self.edited = Some(Box::new(Edited {
                generation,
                at,
                was_held: false,
                was_sent: false,
            }));
        }
    }

    /// A turn ends, and no request has left for the edit.
    pub fn hold_edit(&mut self) {
        if let Some(edited) = &mut self.edited {
            edited.was_held = true;
        }
    }

    /// A request leaves for the edit; nothing where one had left before, or there is none.
    pub fn send_edit(&mut self) -> Option<Edited> {
        let edited = self.edited.as_deref_mut();
        let edited = edited.filter(|edited| !edited.was_sent)?;
        edited.was_sent = true;
        Some(*edited)
    }

    /// Nothing more follows from the edit.
    pub fn forget_edit(&mut self) {
        self.edited = None;
    }

    /// A write was refused or its outcome is unknown: the next reconcile begins with a fresh read.
    pub fn doubt(&mut self) {
        self.must_fetch = true;
    }

    /// Whether a fresh read is due; asks once.
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.must_fetch)
    }

    /// The permit of a change that was not begun: others may have it where this is dropped.
    pub fn take_unused_permit(&mut self) -> Seldom<Permit> {
        self.permit.take_if(|permit| !permit.is_begun())
    }

    /// Nobody can go on with the change on record: it keeps its instance, and others may have its share. Whether it has a permit.
    pub fn give_share_back(&self) -> bool {
        if let Some(permit) = &self.permit {
            permit.count(false);
        }
        self.permit.is_some()
    }

    /// This is on record, without a change, and none is going to be made. Says for how long a permit is still kept, as
    /// [`Self::give_permit_back`].
    pub fn stand_by(&mut self, record: &Record, now: Moment, pace: &Pace) -> Option<Duration> {
        self.session.meet(record, now);
        self.session.turn_to(None, now);
        self.following = None;
        // The calls that it has booked are for others.
        self.booking = None;
        self.give_permit_back(now, pace)
    }

    /// No change is on record: the instance is free for others, unless a change that was begun was taken from the record and may
    /// still be at work. Says for how long its permit is still kept.
    pub fn give_permit_back(&mut self, now: Moment, pace: &Pace) -> Option<Duration> {
        let left = self.session.in_doubt_for(now, pace);
        self.permit
            .take_if(|permit| left.is_none() || !permit.is_begun());
        left.filter(|_| self.permit.is_some())
    }

    /// Whether something that was sent for the resource may be at work, whose record is this where it can be read.
    pub fn may_be_at_work(&self, record: Option<&Record>, now: Moment, pace: &Pace) -> bool {
        let begun = self.permit.as_ref().is_some_and(|permit| permit.is_begun());
        let on_record = record.is_none_or(|record| record.change.is_some());
        let watched = on_record && self.session.watch.is_some();
        begun || watched || self.session.in_doubt_for(now, pace).is_some()
    }
}

/// The memories of all resources.
#[derive(Debug, Default)]
pub struct Memories {
    inner: Mutex<Shelf>,
}

/// Of each resource that exists its memory, unless it has none or a reconcile has it.
type Shelf = HashMap<Uid, Option<Box<Memory>>>;

impl Memories {
    /// A resource exists, and the watch has delivered this version of it.
    pub fn exists(&self, uid: &Uid, version: &str) {
        match self.lock().entry(uid.clone()) {
            Entry::Vacant(place) => {
                place.insert(None);
            }
            Entry::Occupied(mut place) => {
                if let Some(memory) = place.get_mut() {
                    memory.delivered(version);
                }
            }
        }
    }

    /// Whether a resource exists, as far as the watch has told.
    pub fn knows(&self, uid: &str) -> bool {
        self.lock().contains_key(uid)
    }

    /// Takes the memory of a resource out, with the UID that all share; a new one if there is none.
    pub fn take(&self, uid: &str) -> (Uid, Box<Memory>) {
        let mut stored = self.lock();
        let kept = stored.get_mut(uid).and_then(Option::take);
        let shared = stored.get_key_value(uid).map(|(shared, _)| shared.clone());
        (
            shared.unwrap_or_else(|| uid.into()),
            kept.unwrap_or_default(),
        )
    }

    /// Puts a memory back; gives it back if the resource was deleted meanwhile.
    pub fn put(&self, uid: &str, kept: Box<Memory>) -> Option<Box<Memory>> {
        match self.lock().get_mut(uid) {
            Some(place) => {
                *place = Some(kept);
                None
            }
            None => Some(kept),
        }
    }

    /// A resource was deleted; gives its memory, unless a reconcile has it.
    pub fn gone(&self, uid: &str) -> Option<Box<Memory>> {
        self.lock().remove(uid).flatten()
    }

    /// Whether this process has published something for a resource; also while a reconcile has its memory, which may have.
    pub fn has_published(&self, uid: &str) -> bool {
        let stored = self.lock();
        let Some(place) = stored.get(uid) else {
            return false;
        };
        place.as_deref().is_none_or(|memory| {
            let kept = memory.publishing.as_deref();
            kept.is_some_and(Kept::has_published)
        })
    }

    /// Counts a failure of Kubernetes itself for a resource, and says how many there were in a row. Nothing is kept of a
    /// resource that is gone.
    pub fn count_failure(&self, uid: &str) -> u32 {
        let mut stored = self.lock();
        let Some(place) = stored.get_mut(uid) else {
            return 1;
        };
        let kept = place.get_or_insert_default();
        kept.failures = kept.failures.saturating_add(1);
        kept.doubt();
        kept.failures
    }

    /// Whether the record of a resource was restored, or lost a change, so lately that what was on it may still begin or become
    /// visible. Those that a reconcile has are not looked at.
    pub fn any_in_doubt(&self, now: Moment, pace: &Pace) -> bool {
        let stored = self.lock();
        let mut kept = stored.values().flatten();
        kept.any(|memory| memory.session.in_doubt_for(now, pace).is_some())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        clock::{self, Clock},
        permits::{Asker, Permits, limits::Limits},
        place::InstanceKey,
    };

    fn version(version: &str) -> TaurusProxyPort {
        serde_json::from_value(json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "uid": "u", "resourceVersion": version},
            "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307}
        }))
        .unwrap()
    }

    fn freshest(memory: &mut Memory, delivered: &str) -> String {
        memory
            .freshest(&version(delivered))
            .resource_version()
            .unwrap()
    }

    #[test]
    fn own_writes_count_until_the_watch_has_delivered_them() {
        let mut memory = Memory::default();
        assert_eq!(freshest(&mut memory, "10"), "10");
        memory.replaced(&version("10"), &version("11"));
        memory.replaced(&version("11"), &version("12"));
        assert_eq!(freshest(&mut memory, "10"), "12");
        assert_eq!(freshest(&mut memory, "11"), "12", "the watch lags");
        assert_eq!(freshest(&mut memory, "12"), "12");
        assert_eq!(freshest(&mut memory, "13"), "13", "somebody else wrote");
        assert_eq!(
            freshest(&mut memory, "10"),
            "10",
            "what was delivered is no longer remembered"
        );
    }

    #[test]
    fn an_own_write_is_not_kept_once_the_watch_has_delivered_it() {
        let memories = Memories::default();
        memories.exists(&"u".into(), "10");
        let (_, mut memory) = memories.take("u");
        memory.replaced(&version("10"), &version("11"));
        memories.put("u", memory);
        let keeps = || memories.lock()["u"].as_ref().unwrap().own.is_some();
        memories.exists(&"u".into(), "10");
        assert!(keeps(), "the watch lags");
        memories.exists(&"u".into(), "11");
        assert!(!keeps());
    }

    #[test]
    fn an_edit_counts_from_its_first_turn_to_its_first_request() {
        let object = |generation: i64, judged: i64| -> TaurusProxyPort {
            let mut object = version("10");
            object.metadata.generation = Some(generation);
            let status = json!({"observedGeneration": judged});
            object.status = Some(serde_json::from_value(status).unwrap());
            object
        };
        let second = Duration::from_secs;
        let mut memory = Memory::default();
        for known in [object(1, -1), object(2, 2)] {
            memory.note_edit(&known, second(1));
            assert_eq!(memory.send_edit(), None, "{known:?}");
        }
        memory.note_edit(&object(3, 2), second(10));
        memory.note_edit(&object(3, 2), second(11));
        let sent = memory.send_edit().unwrap();
        assert_eq!((sent.at, sent.was_held), (second(10), false));
        memory.note_edit(&object(3, 2), second(12));
        assert_eq!(memory.send_edit(), None, "another try is no other edit");
        memory.note_edit(&object(4, 3), second(20));
        memory.hold_edit();
        memory.note_edit(&object(5, 3), second(30));
        assert!(!memory.send_edit().unwrap().was_held);
        memory.note_edit(&object(6, 3), second(40));
        memory.hold_edit();
        let sent = memory.send_edit().unwrap();
        assert_eq!((sent.at, sent.was_held), (second(40), true));
        memory.forget_edit();
        assert_eq!(memory.send_edit(), None);
    }

    #[test]
    fn failures_are_counted_only_for_what_exists() {
        let memories = Memories::default();
        memories.exists(&"u".into(), "1");
        assert_eq!([(); 3].map(|()| memories.count_failure("u")), [1, 2, 3]);
        memories.gone("u");
        assert_eq!([(); 3].map(|()| memories.count_failure("u")), [1, 1, 1]);
        assert!(
            !memories.knows("u") && memories.gone("u").is_none(),
            "nothing is kept"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_permit_is_kept_only_for_a_change_that_was_begun_and_taken_from_the_record() {
        let (pace, clock) = (Pace::real(), Clock::start());
        let permits = Permits::new(Limits::default(), &pace, clock, |_| ());
        let asker = Asker {
            uid: "u".to_owned(),
            namespace: "shop".to_owned(),
            name: "orders".to_owned(),
        };
        let instance = InstanceKey::somewhere(&format!("{}in07", "0".repeat(32)));
        let acquire = |is_begun: bool| {
            let permit = permits.acquire(&asker, &instance).unwrap();
            if is_begun {
                permit.begun();
            }
            Some(Box::new(permit))
        };
        let record = Record::default();
        for (is_begun, in_doubt, kept) in [
            (false, false, false),
            (false, true, false),
            (true, false, false),
            (true, true, true),
        ] {
            let now = clock.now();
            let mut memory = Memory {
                permit: acquire(is_begun),
                ..Memory::default()
            };
            memory.session.doubted = in_doubt.then(|| Box::new(now.uptime));
            let left = memory.stand_by(&record, now, &pace);
            assert_eq!(left, kept.then(|| pace.settle_window()));
            assert_eq!(memory.permit.is_some(), kept);
            let may_be_at_work = memory.may_be_at_work(Some(&record), now, &pace);
            assert_eq!(may_be_at_work, in_doubt);
            clock::pause(pace.settle_window()).await;
            assert_eq!(memory.stand_by(&record, clock.now(), &pace), None);
            assert!(memory.permit.is_none() && permits.is_idle());
        }
        let mut memory = Memory {
            permit: acquire(false),
            ..Memory::default()
        };
        drop(memory.take_unused_permit());
        assert!(memory.permit.is_none());
        memory.permit = acquire(true);
        drop(memory.take_unused_permit());
        assert!(memory.permit.is_some());
        assert!(memory.may_be_at_work(Some(&record), clock.now(), &pace));
    }

    #[test]
    fn the_memory_of_a_deleted_resource_is_given_away_once() {
        let memories = Memories::default();
        memories.exists(&"u".into(), "1");
        let (_, memory) = memories.take("u");
        assert!(memories.gone("u").is_none(), "a reconcile has it");
        assert!(memories.put("u", memory).is_some());
        memories.exists(&"u".into(), "1");
        assert!(memories.put("u", Box::default()).is_none());
        assert!(memories.gone("u").is_some());
        assert!(memories.gone("u").is_none());
    }
}
