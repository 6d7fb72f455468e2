//! A watch of a collection, and its end where it has gone deaf: then it is begun anew with a list. The resources are watched so, and so
//! are Secrets and what is published.
//!
//! A watch can be silent for three reasons. The API server has nothing to tell: it sends a bookmark each minute, but only if it knows
//! of versions after those that the watch began with, and where nobody lists the resources it learns of them every ten minutes.
//! The connection is dead, and nobody has noticed. Or etcd was restored from a backup, so that versions have run backwards, and a
//! watch waits for one that comes in hours. Asking for the version of the collection tells them apart, and makes an API server that is
//! well catch up with etcd. Versions move all the time: API servers renew Leases of their own. One that shows the same version for
//! minutes shows the past, as one does that was not restarted when etcd was restored.
//!
//! Relies on [`super::watched`] for what was received. Promises that a deaf watch is begun anew within five minutes while
//! the API server answers, and that neither a question of ours nor what comes from an API server that stands still counts as a sign
//! of life. Only the silence of the watch of the resources is told to others: without that one the operator is of no use, and without
//! the others, which may be forbidden, it is slower.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api, Client,
    api::ListParams,
    core::NamespaceResourceScope,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::{
    clock::{self, Clock},
    controller::{Guarded, watched},
    health::heartbeat::Heartbeat,
};

/// How many resources are listed at once: what a page takes in memory, decoded, is what a process keeps of ten times as many.
const PAGE: u32 = 100;

/// How many objects are listed at once of a kind that anybody may make: each may have as much metadata as the API server takes, about
/// 1.5 MiB, and kube's client holds a page three times.
const PAGE_OF_ANYBODY: u32 = 10;

/// How often the version of the collection is asked for.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// A watch that is silent for longer is deaf: it was asked after, and a bookmark had its minute since.
const DEAF_AFTER: Duration = Duration::from_mins(3);

/// The question ends within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Event<K> = Result<watcher::Event<K>, watcher::Error>;

/// Listens to the objects of a kind.
#[derive(Clone)]
pub(super) struct Listening<K> {
    /// Hears the watch.
    watching: Api<K>,
    /// Asks beside it.
    asking: Api<K>,
    config: watcher::Config,
    heartbeat: Arc<Heartbeat>,
    clock: Clock,
}

impl Listening<Guarded> {
    /// To the resources of one namespace, or of all; `heartbeat` is told of the watch.
    pub(super) fn to_resources(
        client: Client,
        namespace: Option<&str>,
        heartbeat: Arc<Heartbeat>,
        clock: Clock,
    ) -> Self {
        let pages = watcher::Config::default().page_size(PAGE);
        Self::new(client, namespace, pages, heartbeat, clock)
    }
}

impl<K> Listening<K>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// To the objects that `config` selects, of one namespace, or of all; nobody else is told how long their watch is silent.
    pub(super) fn beside(
        client: Client,
        namespace: Option<&str>,
        config: watcher::Config,
        clock: Clock,
    ) -> Self {
        let heartbeat = Arc::<Heartbeat>::default();
        heartbeat.beat(clock.now());
        let pages = config.page_size(PAGE_OF_ANYBODY);
        Self::new(client, namespace, pages, heartbeat, clock)
    }

    fn new(
        client: Client,
        namespace: Option<&str>,
        config: watcher::Config,
        heartbeat: Arc<Heartbeat>,
        clock: Clock,
    ) -> Self {
        let plural = K::plural(&()).into_owned();
        let heard = watched::client(client.clone(), plural, Arc::clone(&heartbeat), clock);
        let api = |client| match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        Self {
            watching: api(heard),
            asking: api(client),
            config,
            heartbeat,
            clock,
        }
    }

    /// What is heard. Never ends.
    pub(super) fn events(self) -> impl Stream<Item = Event<K>> + Send {
        let begin = move || {
            let events = watcher(self.watching.clone(), self.config.clone()).default_backoff();
            events.take_until(Box::pin(self.clone().deaf()))
        };
        stream::repeat_with(begin).flatten()
    }

    /// Ends when the watch is deaf.
    async fn deaf(self) {
        let began = self.clock.now();
        let watched = K::plural(&());
        loop {
            clock::pause(ASK_EVERY).await;
            // An API server that does not answer has no better watch to offer.
            let Some(version) = self.version().await else {
                continue;
            };
            let now = self.clock.now();
            if let Some(newest) = self.heartbeat.told(version, now) {
                tracing::warn!(
                    %watched,
                    current = version,
                    newest,
                    "versions of the API server ran backwards, as after etcd was restored from a backup: all that is watched is read \
                     anew; API servers that were not restarted since then still show the old state"
                );
                return;
            }
            let silence = self.heartbeat.silence(now);
            if silence >= DEAF_AFTER && now.elapsed(began.uptime) >= DEAF_AFTER {
                tracing::warn!(
                    %watched,
                    silent = silence.as_secs(),
                    "a watch is silent, or its API server shows an old state: all that is watched is read again"
                );
                return;
            }
        }
    }

    /// The version of the collection now; nothing where the API server does not answer. It is no part of the watch.
    async fn version(&self) -> Option<u64> {
        let one = ListParams {
            label_selector: self.config.label_selector.clone(),
            ..ListParams::default()
        };
        let one = one.limit(1);
        let asked = Box::pin(self.asking.list_metadata(&one));
        let answered = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        let version = answered.ok()?.ok()?.metadata.resource_version?;
        // Versions of one collection can be compared as numbers.
        version.parse().ok()
    }
}

#[cfg(test)]
mod tests;
