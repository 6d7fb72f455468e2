//! Every version of every resource, by a watch that nothing goes wrong with.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use taurus_port_operator::crd::TaurusProxyPort;
use tokio::task::JoinHandle;

use super::{book::Book, people::STRANGER};
use crate::rules::{self, Version};

/// Records until it is dropped.
pub struct Versions {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    all: Vec<Version>,
    last: HashMap<String, TaurusProxyPort>,
    jobs: HashSet<String>,
    /// The proxies whose resources were deleted, with the time.
    deletions: Vec<(String, Timestamp)>,
    writes: usize,
}

impl Drop for Versions {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Versions {
    pub fn start(client: Client, book: Arc<Book>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let into = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let api: Api<TaurusProxyPort> = Api::all(client);
            let watching = watcher::watcher(api, watcher::Config::default()).default_backoff();
            let mut watching = std::pin::pin!(watching);
            while let Some(event) = watching.next().await {
                let (object, deleted) = match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => (object, false),
                    Ok(Event::Delete(object)) => (object, true),
                    Ok(Event::Init | Event::InitDone) | Err(_) => continue,
                };
                book.catch_up();
                into.lock().unwrap().take(object, deleted, &book);
            }
        });
        Self { seen, task }
    }

    /// How many times a status was written.
    pub fn writes(&self) -> usize {
        self.seen.lock().unwrap().writes
    }

    /// The ids of jobs that stood in any status.
    pub fn jobs(&self) -> HashSet<String> {
        self.seen.lock().unwrap().jobs.clone()
    }

    /// The proxies whose resources were deleted, with the time.
    pub fn deletions(&self) -> Vec<(String, Timestamp)> {
        self.seen.lock().unwrap().deletions.clone()
    }

    /// All of them, in the order of the watch.
    pub fn all(&self) -> Vec<Version> {
        self.seen.lock().unwrap().all.clone()
    }

    /// The rules of status that were broken, the first one of each object.
    pub fn breaches(&self, secrets: &[&str]) -> Vec<String> {
        let mut objects: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        for version in self.all() {
            let uid = version.object.uid().unwrap();
            objects.entry(uid).or_default().push(version);
        }
        let breach = |versions: Vec<Version>| {
            let checking = AssertUnwindSafe(|| rules::of_versions(&versions, secrets));
            let panic = catch_unwind(checking).err()?;
            let text = panic.downcast::<String>().map(|text| *text);
            Some(text.unwrap_or_else(|_| "a rule of status".to_owned()))
        };
        objects.into_values().filter_map(breach).collect()
    }
}

impl Seen {
    fn take(&mut self, mut object: TaurusProxyPort, deleted: bool, book: &Book) {
        object.metadata.managed_fields = None;
        let key = object.uid().unwrap();
        let before = self.last.insert(key, object.clone());
        if !deleted
            && before.as_ref().map(kube::ResourceExt::resource_version)
                == Some(object.resource_version())
        {
            // A watch that broke begins with what was there.
            return;
        }
        let old = before.and_then(|before| before.status);
        let status = object.status.as_ref();
        // The default of the definition is no write.
        let is_written = status.is_some_and(|status| !status.is_unobserved());
        self.writes += usize::from(!deleted && is_written && object.status != old);
        if let Some(status) = &object.status {
            let change = status
                .change
                .as_ref()
                .and_then(|change| change.job_id.clone());
            let last = status
                .last_change
                .as_ref()
                .and_then(|last| last.job_id.clone());
            self.jobs.extend([change, last].into_iter().flatten());
        }
        let proxy = object.spec.proxy_id.clone();
        let wanted = u16::try_from(object.spec.port).unwrap();
        if deleted && !object.name_any().starts_with(STRANGER) {
            self.deletions.push((proxy.clone(), Timestamp::now()));
        }
        let listed = book.has_listed(&proxy, wanted).then_some((proxy, wanted));
        self.all.push(Version {
            object,
            deleted,
            listed: listed.into_iter().collect(),
        });
    }
}
