//! Which Secrets are in use, by which resources, and what was read of them at last: whether they are there, and the
//! fingerprint of what they hold. Nothing else is kept of a Secret, and nothing at all of one that no resource names.
//!
//! Relies on the watch of the resources for who uses what. Promises that a reading which may be out of date is never taken
//! for a current one, and that exactly the resources that use a Secret are named when it turns out to be another.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use kube::runtime::watcher::Event;

use crate::{
    cloud::auth::fingerprint::Fingerprint,
    crd::WorkloadIdentity,
    model::{ResourceName, Uid},
};

pub mod keeper;

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// A Secret.
    Secret {
        /// Its namespace, which is that of the resource.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A ServiceAccount that the operator signs in as.
    Workload {
        /// Its namespace, which is that of the resource.
        namespace: String,
        /// Who it is, and who in IAM knows it.
        identity: Box<WorkloadIdentity>,
    },
    /// The operator's own.
    Default,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// There are no credentials, and why.
    Absent(String),
    /// There is something that is no credential, and why.
    Unfit(String),
    /// There is a credential; whether it is of use is told by whoever uses it.
    Holds(Fingerprint),
}

/// A reading with the version that it was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The `resourceVersion` of the Secret; nothing if there is none.
    pub version: Option<String>,
    /// What was read.
    pub reading: Reading,
    /// What is to be said of all else that it holds.
    pub remark: Option<Arc<str>>,
}

/// The Secrets in use.
#[derive(Debug, Default)]
pub struct Book {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    users: HashMap<Uid, (Arc<Source>, ResourceName)>,
    sources: HashMap<Arc<Source>, Kept>,
    watched: bool,
    /// How many readings were begun of any source.
    begun: u64,
    /// Sources in use that a list which is being read has shown so far.
    listed: Option<HashSet<Source>>,
}

#[derive(Debug, Default)]
struct Kept {
    users: usize,
    last: Option<(Duration, Dated)>,
    /// A change was heard of that has not been read yet.
    stale: bool,
    /// How many changes were heard of.
    heard: u64,
    /// The number of the reading that `last` is of; before there is one, that of the last which was begun before the source was in
    /// use. What an earlier reading brings is older.
    read: u64,
    /// Who reads it for all.
    gate: Arc<Gate>,
}

/// What whoever reads a source holds meanwhile: the uptime at which the last read that failed did so, and why.
pub type Gate = tokio::sync::Mutex<Option<(Duration, Arc<str>)>>;

/// What had been heard of a source when its reading began.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    heard: u64,
    /// The number of the reading; later ones have higher ones.
    number: u64,
}

/// For how long readings are good.
#[derive(Debug, Clone, Copy)]
pub struct GoodFor {
    /// While the watch tells of changes, and of ServiceAccounts that have given a token.
    pub watched: Duration,
    /// Otherwise.
    pub unwatched: Duration,
}

impl Book {
    /// A resource uses a source; nothing if it uses none.
    pub fn note(&self, uid: &Uid, resource: &ResourceName, source: Option<Source>) {
        let mut book = self.lock();
        if book.users.get(uid).map(|(source, _)| source.as_ref()) == source.as_ref() {
            return;
        }
        book.strike(uid);
        if let Some(source) = source {
            let known = book.sources.get_key_value(&source);
            let source = known.map_or_else(|| Arc::new(source), |(known, _)| Arc::clone(known));
            let begun = book.begun;
            let kept = book.sources.entry(Arc::clone(&source));
            let kept = kept.or_insert_with(|| Kept {
                read: begun,
                ..Kept::default()
            });
            kept.users += 1;
            book.users.insert(uid.clone(), (source, resource.clone()));
        }
    }

    /// A resource is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().strike(uid);
    }

    /// Whether any source in use was read to hold this.
    pub fn holds(&self, credential: Fingerprint) -> bool {
        let book = self.lock();
        let mut last = book.sources.values().filter_map(|kept| kept.last.as_ref());
        last.any(|(_, dated)| dated.reading == Reading::Holds(credential))
    }

    /// Whether a source in use was read to hold this at last.
    pub fn reads(&self, source: &Source, credential: Fingerprint) -> bool {
        let book = self.lock();
        let last = book.sources.get(source).and_then(|kept| kept.last.as_ref());
        last.is_some_and(|(_, dated)| dated.reading == Reading::Holds(credential))
    }

    /// What is to be said of what a source in use holds beside a credential.
    pub fn remark(&self, source: &Source) -> Option<Arc<str>> {
        let book = self.lock();
        let (_, dated) = book.sources.get(source)?.last.as_ref()?;
        dated.remark.clone()
    }

    /// What whoever reads a source holds meanwhile; nothing if it is not in use.
    pub fn gate(&self, source: &Source) -> Option<Arc<Gate>> {
        let book = self.lock();
        book.sources.get(source).map(|kept| Arc::clone(&kept.gate))
    }

    /// The last reading, if it is still good.
    pub fn current(&self, source: &Source, uptime: Duration, good_for: GoodFor) -> Option<Reading> {
        let book = self.lock();
        let kept = book.sources.get(source)?;
        let (at, dated) = kept.last.as_ref().filter(|_| !kept.stale)?;
        let good_for = book.good_for(source, &dated.reading, good_for);
        (uptime.saturating_sub(*at) < good_for).then(|| dated.reading.clone())
    }

    /// The sources in use whose readings will no longer be good after `ahead`, or that are stale.
    pub fn due(&self, uptime: Duration, ahead: Duration, good_for: GoodFor) -> Vec<Source> {
        let book = self.lock();
        let due = book.sources.iter().filter(|(source, kept)| {
            let Some((at, dated)) = kept.last.as_ref().filter(|_| !kept.stale) else {
                return true;
            };
            let age = uptime.saturating_sub(*at);
            age.saturating_add(ahead) >= book.good_for(source, &dated.reading, good_for)
        });
        due.map(|(source, _)| Source::clone(source)).collect()
    }

    /// A reading begins.
    pub fn begin(&self, source: &Source) -> Begun {
        let mut book = self.lock();
        book.begun += 1;
        Begun {
            heard: book.sources.get(source).map_or(0, |kept| kept.heard),
            number: book.begun,
        }
    }

    /// A reading has ended. Names the resources that have to look anew, `reader` left out: those that use the source, if it is
    /// another than it was.
    pub fn end(
        &self,
        source: &Source,
        begun: Begun,
        dated: Dated,
        uptime: Duration,
        reader: Option<&str>,
    ) -> Vec<ResourceName> {
        let mut book = self.lock();
        let Some(kept) = book.sources.get_mut(source) else {
            return Vec::new();
        };
        // Another one that was begun later has ended already: what this one brings may be older.
        if begun.number <= kept.read {
            return Vec::new();
        }
        kept.read = begun.number;
        // What was heard of meanwhile may be newer than what was read.
        kept.stale &= kept.heard != begun.heard;
        let last = kept.last.as_ref();
        let another = last.is_some_and(|(_, before)| before.reading != dated.reading);
        kept.last = Some((uptime, dated));
        if !another {
            return Vec::new();
        }
        let users = book.users.iter();
        let mut others: Vec<_> = users
            .filter(|(uid, (used, _))| **used == *source && Some(&***uid) != reader)
            .map(|(_, (_, resource))| resource.clone())
            .collect();
        // In no order of chance: what follows can be told again.
        others.sort_unstable();
        others
    }

    /// Takes in what the watch of Secrets tells, and says which sources in use have to be read anew.
    pub fn take(&self, event: Event<(Source, Option<String>)>) -> Vec<Source> {
        let mut book = self.lock();
        match event {
            Event::Init => {
                book.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply((source, version)) => {
                if book.sources.contains_key(&source)
                    && let Some(listed) = &mut book.listed
                {
                    listed.insert(source.clone());
                }
                book.hear(source, version.as_ref())
            }
            Event::Apply((source, version)) => book.hear(source, version.as_ref()),
            Event::Delete((source, _)) => book.hear(source, None),
            Event::InitDone => {
                let listed = book.listed.take().unwrap_or_default();
                book.watched = true;
                let unlisted = book.sources.keys().filter(|source| {
                    matches!(***source, Source::Secret { .. }) && !listed.contains(&***source)
                });
                let unlisted: Vec<Source> = unlisted.map(|source| Source::clone(source)).collect();
                unlisted
                    .into_iter()
                    .flat_map(|source| book.hear(source, None))
                    .collect()
            }
        }
    }

    /// The watch tells of nothing for a while.
    pub fn unwatched(&self) {
        self.lock().watched = false;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn strike(&mut self, uid: &str) {
        let Some((source, _)) = self.users.remove(uid) else {
            return;
        };
        if let Some(kept) = self.sources.get_mut(&source) {
            kept.users -= 1;
            if kept.users == 0 {
                self.sources.remove(&source);
            }
        }
    }

    fn good_for(&self, source: &Source, reading: &Reading, good_for: GoodFor) -> Duration {
        match (source, reading) {
            (Source::Secret { .. }, _) if self.watched => good_for.watched,
            // Its token is good for longer: each reading asks for a new one.
            (Source::Workload { .. }, Reading::Holds(_)) => good_for.watched,
            _ => good_for.unwatched,
        }
    }

    /// A source stands at this version; nothing if it is gone.
    fn hear(&mut self, source: Source, version: Option<&String>) -> Vec<Source> {
        let Some(kept) = self.sources.get_mut(&source) else {
            return Vec::new();
        };
        let known = kept
            .last
            .as_ref()
            .is_some_and(|(_, dated)| dated.version.as_ref() == version);
        if known && !kept.stale {
            return Vec::new();
        }
        kept.heard += 1;
        kept.stale = true;
        vec![source]
    }
}

#[cfg(test)]
mod tests;
