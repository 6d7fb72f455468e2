//! Hears of edits of what is published, so that they are put right within seconds.
//!
//! A watch of the metadata of what carries this operator's label, where the cluster allows that; without the right, all is put right at
//! the next look. Promises that what others give its label costs little memory; to ask before it watches, so that an operator without
//! the right meets no refusal; that own writes call for nothing; that a watch which has gone deaf is begun anew, and what happened
//! meanwhile is heard of then; and that a turn which an edit alone has called for is known as one, since it needs no look at the cloud.

use std::{
    collections::{HashMap, HashSet},
    fmt::Debug,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::{
    Stream, StreamExt as _,
    channel::mpsc::{self, UnboundedReceiver, UnboundedSender},
    stream,
};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Client, Resource as _, ResourceExt as _,
    core::{NamespaceResourceScope, PartialObjectMeta},
    runtime::watcher::{self, Event},
};

use crate::{
    clock,
    controller::{
        context::Context,
        listening::Listening,
        watching::{is_forbidden, may},
    },
    model::{Mark, ResourceName},
    publish::{
        contest::Sides,
        standing::is_resource,
        wanted::{MANAGED_BY, MANAGER, PROXY, SLICE_MANAGED_BY},
    },
};

mod known;

use known::{Known, News, Shown};

/// So many events are taken in at once.
const AT_ONCE: usize = 1024;

/// So many owners of an object are looked at: what the operator has made has one.
const MOST_OWNERS: usize = 4;

/// The resources whose objects somebody has edited or deleted, and those that something else calls.
#[derive(Debug)]
pub(super) struct Disturbed {
    noted: Mutex<Noted>,
    call: UnboundedSender<ResourceName>,
    /// Until somebody listens.
    calls: Mutex<Option<UnboundedReceiver<ResourceName>>>,
}

#[derive(Debug, Default)]
struct Noted {
    edited: HashMap<ResourceName, Sides>,
    called: HashSet<ResourceName>,
}

/// What has called for a turn; nothing where its time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Calls {
    /// Something on these sides of what is published was edited or deleted.
    pub(super) by_edit: Sides,
    /// Anything else has called.
    pub(super) otherwise: bool,
}

impl Default for Disturbed {
    fn default() -> Self {
        let (call, calls) = mpsc::unbounded();
        Self {
            noted: Mutex::default(),
            call,
            calls: Mutex::new(Some(calls)),
        }
    }
}

impl Disturbed {
    /// Something of this resource was edited: it is called.
    fn note(&self, name: ResourceName, sides: Sides) {
        self.lock()
            .edited
            .entry(name.clone())
            .or_default()
            .take_in(sides);
        // Nobody listens any longer once the controller ends.
        let _ = self.call.unbounded_send(name);
    }

    /// Something else calls this resource.
    pub(super) fn called(&self, name: &ResourceName) {
        self.lock().called.insert(name.clone());
    }

    /// What has called for the turn of a resource that begins now.
    pub(super) fn take(&self, name: &ResourceName) -> Calls {
        let mut noted = self.lock();
        Calls {
            by_edit: noted.edited.remove(name).unwrap_or_default(),
            otherwise: noted.called.remove(name),
        }
    }

    /// The resources that edits call, for the one who attends to them.
    pub(super) fn calls(&self) -> impl Stream<Item = ResourceName> + Send + use<> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        stream::iter(calls.take()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
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
        let own = watcher::Config::default().labels(&format!("{label}={MANAGER}"));
        let (client, namespace) = (self.client.clone(), self.namespace.as_deref());
        let objects =
            Listening::<PartialObjectMeta<K>>::beside(client, namespace, own, context.clock);
        let mut known = Known::default();
        let mut events = pin!(objects.events().ready_chunks(AT_ONCE));
        while let Some(chunk) = events.next().await {
            // An own write may be heard of before its answer has come.
            clock::pause(context.pace.poll_first).await;
            for event in chunk {
                match event {
                    Ok(event) => {
                        for news in known.take(shown(event)) {
                            tell(context, news, Sides::of(&K::kind(&())));
                        }
                    }
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

/// All that is kept of an object's metadata.
fn shown<K>(event: Event<PartialObjectMeta<K>>) -> Event<Shown>
where
    K: kube::Resource<DynamicType = ()>,
{
    let mark = |text: Option<&str>| Mark::of(text.unwrap_or_default());
    let of = |object: PartialObjectMeta<K>| {
        let namespace = object.namespace().unwrap_or_default();
        let owners = object.owner_references().iter();
        let owners = owners.filter(|owner| is_resource(owner));
        let owners = owners.take(MOST_OWNERS);
        let owners = owners.map(|owner| {
            (
                ResourceName::new(&namespace, &owner.name),
                Mark::of(&owner.uid),
            )
        });
        let owners: Vec<_> = owners.collect();
        let proxy = object.labels().get(PROXY).filter(|_| owners.is_empty());
        let proxy = proxy.map(|proxy| (namespace.clone(), proxy.clone()));
        Shown {
            uid: mark(object.meta().uid.as_deref()),
            version: mark(object.meta().resource_version.as_deref()),
            owners,
            proxy,
        }
    };
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(of(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(of(object)),
        Event::Delete(object) => Event::Delete(of(object)),
    }
}

/// Calls those who have an object that was edited or deleted, or had it, unless they did it themselves; of one that nobody has had,
/// those who publish for the proxy of its label.
fn tell(context: &Context, news: News, sides: Sides) {
    let mut marks = news.marks.iter();
    if marks.any(|mark| context.publications.has_written(*mark)) {
        return;
    }
    for (name, uid) in news.owners {
        let there = context.roster.uid(&name);
        let Some(there) = there.filter(|there| Mark::of(there) == uid) else {
            continue;
        };
        // Its first look has not been, and publishes anew; or it has, and what was edited before the watch began is heard of only now.
        if !news.is_first || context.memories.has_published(&there) {
            context.published.note(name, sides);
        }
    }
    if let Some((namespace, proxy)) = news.proxy.filter(|_| !news.is_first) {
        for name in context.claims.publishing(&namespace, &proxy, "") {
            context.published.note(name, sides);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc, time::Duration};

    use futures::FutureExt as _;
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a8_a_turn_that_an_edit_alone_has_called_for_is_known_as_one() {
        let disturbed = Disturbed::default();
        let [one, other] = ["one", "other"].map(|name| ResourceName::new("shop", name));
        let mut calls = pin!(disturbed.calls());
        let (service, map) = (Sides::of("EndpointSlice"), Sides::of("ConfigMap"));
        disturbed.note(one.clone(), service);
        assert_eq!(calls.next().now_or_never(), Some(Some(one.clone())));
        disturbed.called(&other);
        assert_eq!(
            calls.next().now_or_never(),
            None,
            "that one is called elsewhere"
        );
        let by = |by_edit, otherwise| Calls { by_edit, otherwise };
        assert_eq!(disturbed.take(&one), by(service, false));
        let none = Sides::default();
        assert_eq!(disturbed.take(&one), by(none, false), "its time has come");
        disturbed.note(other.clone(), map);
        assert_eq!(disturbed.take(&other), by(map, true));
        disturbed.note(one.clone(), service);
        disturbed.note(one.clone(), map);
        let both = Sides {
            service: true,
            config_map: true,
        };
        assert_eq!(disturbed.take(&one), by(both, false));
    }

    fn labelled(name: &str, owners: &Value) -> PartialObjectMeta<ConfigMap> {
        let metadata = json!({
            "name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", "ownerReferences": owners,
        });
        let of = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn of_the_owners_of_an_object_few_are_kept_and_no_others_than_resources() {
        let owner = |kind: &str| json!({"apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": kind, "name": "orders", "uid": "u"});
        let owners = |owners: Value| match shown(Event::Apply(labelled("db", &owners))) {
            Event::Apply(shown) => shown.owners.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(owners(json!([owner("TaurusProxyPort")])), 1);
        assert_eq!(owners(json!([owner("Deployment")])), 0);
        let many = vec![owner("TaurusProxyPort"); 5000];
        assert_eq!(owners(many.into()), MOST_OWNERS);
    }

    #[tokio::test(start_paused = true)]
    async fn what_carries_the_label_is_listed_in_small_pages() {
        // 25 objects, each with as many annotations as the API server takes.
        let asked = Arc::new(Mutex::new(Vec::new()));
        let asking = Arc::clone(&asked);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let asking = Arc::clone(&asking);
            async move {
                let number = |name: &str| {
                    let mut parts = query.split('&');
                    parts.find_map(|part| part.strip_prefix(name)?.parse::<usize>().ok())
                };
                if query.contains("watch=true") {
                    std::future::pending::<()>().await;
                }
                let limit = number("limit=").unwrap_or(usize::MAX);
                let from = number("continue=").unwrap_or_default();
                let until = from.saturating_add(limit).min(25);
                let items: Vec<Value> = (from..until)
                    .map(|at| {
                        let name = format!("map-{at}");
                        let annotations = json!({"a": "x".repeat(250 << 10)});
                        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {
                            "name": name, "namespace": "shop", "uid": name, "resourceVersion": "1", "annotations": annotations,
                        }})
                    })
                    .collect();
                let token = (until < 25).then(|| until.to_string());
                let metadata = json!({"resourceVersion": "7", "continue": token});
                let list = json!({
                    "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": metadata, "items": items,
                });
                let text = list.to_string().into_bytes();
                let mut asked = asking.lock().unwrap();
                asked.push((limit, text.len()));
                drop(asked);
                Ok::<_, Infallible>(http::Response::new(Body::from(text)))
            }
        });
        let client = Client::new(service, "shop");
        let objects = Listening::<PartialObjectMeta<ConfigMap>>::beside(
            client,
            None,
            watcher::Config::default(),
            Clock::start(),
        );
        let mut events = pin!(objects.events());
        let mut listed = 0;
        let listing = async {
            while let Some(event) = events.next().await {
                match event.unwrap() {
                    Event::InitApply(_) => listed += 1,
                    Event::InitDone => break,
                    _ => {}
                }
            }
        };
        let patience = Duration::from_secs(30);
        tokio::time::timeout(patience, listing).await.unwrap();
        assert_eq!(listed, 25);
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 3);
        for (limit, length) in &*asked {
            assert_eq!(*limit, 10);
            assert!(*length < 3 << 20, "{length}");
        }
    }
}
