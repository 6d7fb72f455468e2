//! A watch of all resources, as a user's tools have it: when an edit was delivered, and when it was Ready.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt as _,
    api::DynamicObject,
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{Result, fleet};

/// What was seen of the latest generation of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    generation: i64,
    /// When it was delivered.
    pub delivered: Timestamp,
    /// When it was Ready.
    pub ready: Option<Timestamp>,
}

/// The watch; it ends when this is dropped.
pub struct Observer {
    seen: Arc<Mutex<HashMap<String, Seen>>>,
    watch: JoinHandle<()>,
}

impl Observer {
    pub fn start(client: &Client) -> Self {
        let seen = Arc::new(Mutex::new(HashMap::new()));
        let noting = Arc::clone(&seen);
        let resources = Api::all_with(client.clone(), &fleet::kind());
        let watch = watcher(resources, watcher::Config::default())
            .default_backoff()
            .applied_objects()
            .for_each(move |object| {
                if let Ok(object) = object {
                    note(&mut lock(&noting), &object);
                }
                std::future::ready(())
            });
        Self {
            seen,
            watch: tokio::spawn(watch.map(|()| ())),
        }
    }

    /// What was seen of a resource.
    pub fn of(&self, name: &str) -> Option<Seen> {
        lock(&self.seen).get(name).copied()
    }

    /// Waits until `count` resources are Ready of which the latest generation is at least this.
    pub async fn until_ready(&self, count: usize, generation: i64, within: Duration) -> Result<()> {
        let ready = || {
            let seen = lock(&self.seen);
            let ready = |seen: &&Seen| seen.ready.is_some() && seen.generation >= generation;
            seen.values().filter(ready).count()
        };
        let until = async {
            while ready() < count {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(within, until).await;
        in_time.map_err(|_| format!("{} of {count} are Ready after {within:?}", ready()).into())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn note(seen: &mut HashMap<String, Seen>, object: &DynamicObject) {
    let now = Timestamp::now();
    let generation = object.metadata.generation.unwrap_or_default();
    let first = Seen {
        generation,
        delivered: now,
        ready: None,
    };
    let seen = seen.entry(object.name_any()).or_insert(first);
    if seen.generation < generation {
        *seen = first;
    }
    if seen.ready.is_none() && is_ready(object, generation) {
        seen.ready = Some(now);
    }
}

fn is_ready(object: &DynamicObject, generation: i64) -> bool {
    let Some(status) = object.data.get("status") else {
        return false;
    };
    let conditions = status.get("conditions").and_then(Value::as_array);
    let judged = status.get("observedGeneration").and_then(Value::as_i64);
    judged == Some(generation)
        && conditions.into_iter().flatten().any(|condition| {
            let is =
                |key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
            is("type", "Ready") && is("status", "True")
        })
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
