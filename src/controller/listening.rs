//! The watch of the resources, and its end where it has gone deaf: then it is begun anew with a list.
//!
//! A watch can be silent for three reasons. Nothing was written, and there is nothing to tell: the API server sends a bookmark each
//! minute only if versions have moved on. The connection is dead, and nobody has noticed. Or etcd was restored from a backup, so that
//! versions have run backwards, and the API server waits for one that comes in hours. Asking for the version of the collection now
//! tells them apart, and makes an API server that is well catch up with etcd and send a bookmark.
//!
//! Relies on [`watched`](super::watched) for what was received. Promises that a deaf watch is begun anew within five minutes while
//! the API server answers, that one with nothing to tell is left alone (but for one more list after what was heard last), and that
//! only what proves the watch counts as a sign of life.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api, Client,
    api::ListParams,
    runtime::{WatchStreamExt as _, watcher},
};

use crate::{
    clock::{self, Clock},
    controller::{Guarded, heartbeat::Heartbeat, watched},
    model::Moment,
};

/// How many resources are listed at once: what a page takes in memory, decoded, is what a process keeps of ten times as many.
const PAGE: u32 = 100;

/// How often it is looked whether the watch is silent.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Bookmarks come each minute: one that is silent for longer is asked after.
const ASK_AFTER: Duration = Duration::from_secs(75);

/// A watch that was owed something for this long is deaf: it was asked after, and a bookmark had a minute since to come.
const DEAF_AFTER: Duration = Duration::from_mins(3);

/// The question ends within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Event = Result<watcher::Event<Guarded>, watcher::Error>;

/// Listens to the resources.
#[derive(Clone)]
pub(super) struct Listening {
    /// Hears the watch.
    watching: Api<Guarded>,
    /// Asks beside it.
    asking: Api<Guarded>,
    heartbeat: Arc<Heartbeat>,
    clock: Clock,
}

impl Listening {
    /// To those of one namespace, or of all.
    pub(super) fn new(
        client: Client,
        namespace: Option<&str>,
        heartbeat: Arc<Heartbeat>,
        clock: Clock,
    ) -> Self {
        let heard = watched::client(client.clone(), Arc::clone(&heartbeat), clock);
        let api = |client| match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        Self {
            watching: api(heard),
            asking: api(client),
            heartbeat,
            clock,
        }
    }

    /// What is heard. Never ends.
    pub(super) fn events(self) -> impl Stream<Item = Event> + Send {
        let rounds = std::iter::once(false).chain(std::iter::repeat(true));
        stream::iter(rounds)
            .then(move |again| {
                let listening = self.clone();
                async move {
                    // Asked for before the list begins: what the list shows is at least as new. Most processes need it never.
                    let version = if again {
                        listening.version().await
                    } else {
                        None
                    };
                    let pages = watcher::Config::default().page_size(PAGE);
                    let events = watcher(listening.watching.clone(), pages).default_backoff();
                    events.take_until(Box::pin(listening.deaf(version)))
                }
            })
            .flatten()
    }

    /// Ends when the watch is deaf. `listed` is a version that the list of this watch was not older than.
    async fn deaf(self, listed: Option<u64>) {
        let (began, pieces_before) = (self.clock.now(), self.heartbeat.pieces());
        let mut silence = Silence {
            pieces: pieces_before,
            since: began,
            newest: listed,
        };
        loop {
            clock::pause(LOOK_EVERY).await;
            let now = self.clock.now();
            let pieces = self.heartbeat.pieces();
            if pieces != silence.pieces {
                silence.pieces = pieces;
                silence.since = now;
            }
            if now.elapsed(silence.since.uptime) < ASK_AFTER {
                continue;
            }
            let Some(version) = self.version().await else {
                continue;
            };
            if self.heartbeat.pieces() != silence.pieces {
                continue;
            }
            let nothing_heard = silence.pieces == pieces_before;
            match silence.judge(version, listed.filter(|_| nothing_heard), now) {
                Verdict::Quiet => {
                    silence.since = now;
                    self.heartbeat.beat(now);
                }
                Verdict::Owed => {}
                Verdict::Backwards(before) => {
                    tracing::warn!(
                        current = version,
                        newest = before,
                        "versions of the API server ran backwards, as after etcd was restored from a backup: all TaurusProxyPorts are read anew"
                    );
                    return;
                }
                Verdict::Deaf => {
                    tracing::warn!(
                        silent = now.elapsed(silence.since.uptime).as_secs(),
                        "the watch of TaurusProxyPorts is silent though the API server answers: all of them are read anew"
                    );
                    return;
                }
            }
        }
    }

    /// The version of the collection now; nothing where the API server does not answer. It is no part of the watch.
    async fn version(&self) -> Option<u64> {
        let one = ListParams::default().limit(1);
        let asked = Box::pin(self.asking.list_metadata(&one));
        let answered = tokio::time::timeout(ANSWER_WITHIN, asked).await;
        let version = answered.ok()?.ok()?.metadata.resource_version?;
        // Versions of one collection can be compared as numbers.
        version.parse().ok()
    }
}

/// A silence of the watch.
#[derive(Debug, Clone, Copy)]
struct Silence {
    /// The pieces that had been received when it began.
    pieces: u64,
    /// When it began, or when it was last proven that there was nothing to tell.
    since: Moment,
    /// The newest version that was ever told.
    newest: Option<u64>,
}

/// What follows from a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Nothing was written since the list: there is nothing to tell.
    Quiet,
    /// Something may have been written: a bookmark has to come.
    Owed,
    /// Versions have run backwards from this one.
    Backwards(u64),
    /// It had its time.
    Deaf,
}

impl Silence {
    /// Judges by the version now; `listed` where nothing was heard since the list.
    fn judge(&mut self, version: u64, listed: Option<u64>, now: Moment) -> Verdict {
        let newest = self.newest.replace(version);
        if let Some(before) = newest.filter(|before| version < *before) {
            return Verdict::Backwards(before);
        }
        if listed == Some(version) {
            return Verdict::Quiet;
        }
        if now.elapsed(self.since.uptime) >= DEAF_AFTER {
            Verdict::Deaf
        } else {
            Verdict::Owed
        }
    }
}

#[cfg(test)]
mod tests;
