//! Records every version of every resource of a namespace that a watch delivers, with what the cloud had been asked by then.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use futures::{StreamExt as _, future::ready};
use kube::{
    Api, Client, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use serde_json::Value;
use taurus_port_operator::crd::TaurusProxyPort;
use taurus_sim::{Control, Entry, Filter, Operation, Outcome};
use tokio::{sync::watch, task::JoinHandle};

use super::PATIENCE;
use crate::rules::Version;

/// Records until it is dropped.
pub struct Recorder {
    versions: Arc<Mutex<Vec<Version>>>,
    news: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recorder {
    /// Begins to record; what is created after this is seen from its first version.
    pub async fn start(client: Client, namespace: &str, cloud: Control) -> Self {
        let api: Api<DeserializeGuard<TaurusProxyPort>> = Api::namespaced(client, namespace);
        let versions = Arc::new(Mutex::new(Vec::<Version>::new()));
        let (told, news) = watch::channel(0);
        let (begun, beginning) = tokio::sync::oneshot::channel();
        let seen = Arc::clone(&versions);
        let mut known = HashSet::new();
        let mut lists = Lists::new(cloud);
        let task = tokio::spawn(async move {
            let mut begun = Some(begun);
            let watching = watcher::watcher(api, watcher::Config::default()).default_backoff();
            watching
                .for_each(|event| {
                    let (object, deleted) = match event {
                        Ok(Event::Apply(object) | Event::InitApply(object)) => (object, false),
                        Ok(Event::Delete(object)) => (object, true),
                        Ok(Event::InitDone) => {
                            begun.take().map(|begun| begun.send(()));
                            return ready(());
                        }
                        // A watch that breaks is begun anew; what it has shown before is not taken twice.
                        Ok(Event::Init) | Err(_) => return ready(()),
                    };
                    let Ok(mut object) = object.0 else {
                        return ready(());
                    };
                    object.metadata.managed_fields = None;
                    let version = (object.uid(), object.resource_version());
                    if deleted || known.insert(version) {
                        let listed = lists.of(&object.spec.proxy_id);
                        seen.lock().unwrap().push(Version {
                            object,
                            deleted,
                            listed,
                        });
                    }
                    told.send_modify(|count| *count += 1);
                    ready(())
                })
                .await;
        });
        beginning.await.unwrap();
        Self {
            versions,
            news,
            task,
        }
    }

    pub fn versions(&self) -> Vec<Version> {
        self.versions.lock().unwrap().clone()
    }

    /// All versions of all objects.
    pub fn objects(&self) -> Vec<TaurusProxyPort> {
        let versions = self.versions();
        versions.into_iter().map(|version| version.object).collect()
    }

    /// The versions of one object.
    pub fn versions_of(&self, name: &str) -> Vec<TaurusProxyPort> {
        let versions = self.versions();
        let of_it = versions.into_iter().map(|version| version.object);
        of_it.filter(|object| object.name_any() == name).collect()
    }

    /// Waits until the last version of an object is as `is` says.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&TaurusProxyPort) -> bool,
    ) -> TaurusProxyPort {
        let mut news = self.news.clone();
        let found = async {
            loop {
                news.mark_unchanged();
                let last = self.last(name);
                if let Some(object) = last.filter(&is) {
                    return object;
                }
                news.changed().await.expect("the recorder lives");
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, found).await;
        in_time.unwrap_or_else(|_| {
            panic!(
                "{name} did not become: {what}. It is: {:#?}",
                self.last(name)
            )
        })
    }

    fn last(&self, name: &str) -> Option<TaurusProxyPort> {
        let versions = self.versions.lock().unwrap();
        let last = versions
            .iter()
            .rev()
            .find(|version| version.object.name_any() == name)?;
        (!last.deleted).then(|| last.object.clone())
    }
}

/// Versions as a client of Kubernetes reads them.
pub fn objects(versions: &[Version]) -> Vec<Value> {
    let objects = versions.iter().map(|version| &version.object);
    objects
        .map(|object| serde_json::to_value(object).unwrap())
        .collect()
}

/// What the lists have shown so far.
pub struct Lists {
    cloud: Control,
    /// All requests up to this one have been answered and are read.
    read: u64,
    shown: HashSet<(String, u16)>,
}

impl Lists {
    pub fn new(cloud: Control) -> Self {
        Self {
            cloud,
            read: 0,
            shown: HashSet::new(),
        }
    }

    /// The ports that were shown of a proxy.
    pub fn of(&mut self, proxy: &str) -> Vec<(String, u16)> {
        let mut all_answered = true;
        for entry in self.cloud.entries(&Filter::all().since(self.read)) {
            all_answered &= entry.outcome != Outcome::Open;
            if all_answered {
                self.read = entry.number;
            }
            self.shown.extend(ports_shown(&entry));
        }
        let of_it = |(id, _): &&(String, u16)| id.eq_ignore_ascii_case(proxy);
        self.shown.iter().filter(of_it).cloned().collect()
    }
}

/// The proxies that the answer to a request shows, if that was a list, with their ports.
pub fn ports_shown(entry: &Entry) -> Vec<(String, u16)> {
    let answer = entry.answer.as_ref();
    let Some(answer) = answer.filter(|_| entry.operation == Operation::List) else {
        return Vec::new();
    };
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let rows = body["proxy_list"].as_array().cloned().unwrap_or_default();
    let pair = |row: Value| {
        let proxy = &row["proxy"];
        let port = proxy["port"].as_u64()?.try_into().ok()?;
        Some((proxy["pool_id"].as_str()?.to_owned(), port))
    };
    rows.into_iter().filter_map(pair).collect()
}
