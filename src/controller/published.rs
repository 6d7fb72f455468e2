//! Hears of edits of what is published, so that they are put right within seconds.
//!
//! A watch of the metadata of what carries this operator's label, where the cluster allows that; without the right, all is put right at
//! the next look. Promises to ask before it watches, so that an operator without the right meets no refusal, and that own writes call
//! for nothing.

use std::{
    collections::HashSet,
    fmt::Debug,
    pin::pin,
    sync::{Mutex, PoisonError},
};

use futures::StreamExt as _;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, ResourceExt as _,
    core::{NamespaceResourceScope, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};

use crate::{
    clock,
    controller::{
        context::Context,
        watching::{is_forbidden, may},
    },
    model::ResourceName,
    publish::wanted::{MANAGED_BY, MANAGER, SLICE_MANAGED_BY},
};

/// So many events are taken in at once.
const AT_ONCE: usize = 1024;

/// The resources whose objects somebody has edited or deleted.
#[derive(Debug, Default)]
pub(super) struct Disturbed(Mutex<HashSet<ResourceName>>);

impl Disturbed {
    /// Something of this resource was edited.
    fn note(&self, name: ResourceName) {
        self.lock().insert(name);
    }

    /// Whether something of it was edited since this was asked last.
    pub(super) fn take(&self, name: &ResourceName) -> bool {
        let mut all = self.lock();
        !all.is_empty() && all.remove(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<ResourceName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches what is published in a namespace, or in all. Never ends by itself.
pub(super) async fn watch(context: &Context, client: Client, namespace: Option<&str>) {
    let scope = Scope {
        client,
        namespace: namespace.map(str::to_owned),
    };
    tokio::join!(
        scope.keep::<Service>(context, MANAGED_BY),
        scope.keep::<EndpointSlice>(context, SLICE_MANAGED_BY),
        scope.keep::<ConfigMap>(context, MANAGED_BY),
    );
}

struct Scope {
    client: Client,
    namespace: Option<String>,
}

impl Scope {
    /// Watches one kind whenever that is allowed.
    async fn keep<K>(&self, context: &Context, label: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send,
        K: 'static,
    {
        loop {
            if may::<K>(&self.client, self.namespace.as_deref(), &["watch"]).await {
                self.follow::<K>(context, label).await;
            }
            clock::pause(context.pace.watch_retry).await;
        }
    }

    /// Follows the watch until it is forbidden.
    async fn follow<K>(&self, context: &Context, label: &str)
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Send,
        K: 'static,
    {
        let objects: Api<PartialObjectMeta<K>> = match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        };
        let own = watcher::Config::default().labels(&format!("{label}={MANAGER}"));
        let events = watcher(objects, own).default_backoff();
        let mut events = pin!(events.ready_chunks(AT_ONCE));
        while let Some(chunk) = events.next().await {
            // An own write may be heard of before its answer has come.
            clock::pause(context.pace.poll_first).await;
            for event in chunk {
                match event {
                    Ok(Event::Apply(object) | Event::Delete(object)) => tell(context, &object),
                    Ok(Event::Init | Event::InitApply(_) | Event::InitDone) => {}
                    Err(error) if is_forbidden(&error) => return,
                    Err(error) => {
                        let detail = K::kind(&());
                        tracing::warn!(%error, %detail, "the watch of what is published failed; it is restarted");
                    }
                }
            }
        }
    }
}

/// Wakes those who have an object that was edited or deleted, unless they did it themselves.
fn tell<K>(context: &Context, object: &PartialObjectMeta<K>)
where
    K: kube::Resource<DynamicType = ()>,
{
    let marks = [object.resource_version(), object.uid()];
    let mut marks = marks.iter().flatten();
    if marks.any(|mark| context.publications.has_written(mark)) {
        return;
    }
    let namespace = object.namespace().unwrap_or_default();
    for owner in object.owner_references() {
        let name = ResourceName::new(&namespace, &owner.name);
        if context.roster.uid(&name).as_deref() == Some(&owner.uid) {
            context.published.note(name.clone());
            context.wake([name].into());
        }
    }
}
