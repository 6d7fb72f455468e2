//! Keeps what is known of Secrets in use up to date: by a watch of their metadata where the cluster allows that, and by
//! reading them again and again where it doesn't.
//!
//! Promises to ask before it watches, so that an operator without the right meets no refusal, and to notice when the right
//! comes later. The watch is of metadata: the API server sends no data of Secrets, and what is not in use is dropped at once. One that
//! has gone deaf is begun anew.

use std::{pin::pin, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::watcher::{self, Event},
};

use crate::{
    clock::Clock,
    controller::{
        accounts::Accounts,
        listening::Listening,
        secrets::Source,
        watching::{is_forbidden, may},
    },
    pace::Pace,
};

/// So many Secrets are read at once.
const AT_ONCE: usize = 4;

/// What the keeper works with.
pub struct Keeper<'a> {
    /// Reads Secrets, and knows which are in use.
    pub accounts: &'a Accounts,
    /// The cluster.
    pub client: Client,
    /// The only namespace to look at; all where there is none.
    pub namespace: Option<String>,
    /// The clocks.
    pub clock: Clock,
    /// The durations.
    pub pace: &'a Pace,
}

impl Keeper<'_> {
    /// Never ends by itself.
    pub async fn keep(self) {
        tokio::join!(self.watch(), self.sweep());
    }

    /// Reads anew what would soon be out of date.
    async fn sweep(&self) {
        loop {
            pause(self.pace.secret_check).await;
            let uptime = self.clock.now().uptime;
            let due = self.accounts.due(uptime, self.pace.secret_check);
            self.read(due).await;
        }
    }

    async fn read(&self, sources: Vec<Source>) {
        let reading = stream::iter(sources).for_each_concurrent(AT_ONCE, async |source| {
            if let Err(error) = self.accounts.reread(&source, self.clock.now()).await {
                // It stays out of date: the next sweep or the next resource that needs it tries again.
                tracing::debug!(?source, %error, "not read");
            }
        });
        reading.await;
    }

    async fn watch(&self) {
        let mut said = None;
        loop {
            let namespace = self.namespace.as_deref();
            let allowed = may::<Secret>(&self.client, namespace, &["list", "watch"]).await;
            if said.replace(allowed) != Some(allowed) {
                say(allowed, self.pace.secret_sweep);
            }
            if allowed {
                self.follow().await;
                self.accounts.book().unwatched();
            }
            pause(self.pace.watch_retry).await;
        }
    }

    /// Follows the watch until it is forbidden.
    async fn follow(&self) {
        let (client, namespace) = (self.client.clone(), self.namespace.as_deref());
        let all = watcher::Config::default();
        let secrets =
            Listening::<PartialObjectMeta<Secret>>::beside(client, namespace, all, self.clock);
        let mut events = pin!(secrets.events().map_ok(named));
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if matches!(event, Event::InitDone) {
                        tracing::debug!("the metadata of all Secrets was read");
                    }
                    let changed = self.accounts.book().take(event);
                    self.read(changed).await;
                }
                Err(error) if is_forbidden(&error) => return,
                Err(error) => {
                    self.accounts.book().unwatched();
                    tracing::warn!(%error, "the watch of Secrets failed; it is restarted");
                }
            }
        }
    }
}

fn say(allowed: bool, sweep: Duration) {
    if allowed {
        tracing::info!("the metadata of Secrets is watched: a changed one is noticed at once");
    } else {
        tracing::info!(
            ?sweep,
            "Secrets may not be listed and watched: those in use are read again and again"
        );
    }
}

/// All that is kept of a Secret's metadata.
fn named(event: Event<PartialObjectMeta<Secret>>) -> Event<(Source, Option<String>)> {
    let of = |secret: PartialObjectMeta<Secret>| {
        let version = secret.resource_version();
        let source = Source::Secret {
            namespace: secret.namespace().unwrap_or_default(),
            name: secret.name_any(),
        };
        (source, version)
    };
    match event {
        Event::Init => Event::Init,
        Event::InitApply(secret) => Event::InitApply(of(secret)),
        Event::InitDone => Event::InitDone,
        Event::Apply(secret) => Event::Apply(of(secret)),
        Event::Delete(secret) => Event::Delete(of(secret)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is waited for here belongs to no resource that could be requeued"
)]
async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}
