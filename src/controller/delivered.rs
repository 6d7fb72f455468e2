//! What a watch has delivered, none of it before the store has it.
//!
//! A list comes in pieces, and the store takes it over when it is whole. Who looked earlier would find what stood there
//! before, perhaps an object that was deleted while the watch was down, and nobody would call for its successor again.

use std::sync::Arc;

use futures::{
    future::Either,
    stream::{self, Iter, Once},
};
use kube::{
    Resource as _,
    runtime::{
        reflector::Store,
        watcher::{Error, Event},
    },
};

use crate::controller::Guarded;

type Item = Result<Guarded, Error>;

/// A whole list, of which each object is copied when its turn comes.
type Listed = std::iter::Map<std::vec::IntoIter<Arc<Guarded>>, fn(Arc<Guarded>) -> Item>;

/// Objects that were delivered at once.
type Delivered = Either<Iter<Listed>, Once<std::future::Ready<Item>>>;

/// Makes objects of events that this store has taken in. A list is what the store holds when it is whole: it is not kept a
/// second time.
pub(super) fn in_store(
    store: Store<Guarded>,
) -> impl FnMut(Result<Event<Guarded>, Error>) -> Delivered {
    let copy: fn(Arc<Guarded>) -> Item = |object| Ok(Arc::unwrap_or_clone(object));
    let all =
        move |objects: Vec<Arc<Guarded>>| Either::Left(stream::iter(objects.into_iter().map(copy)));
    move |event| match event {
        Ok(Event::InitDone) => all(in_order(store.state())),
        Ok(Event::Init | Event::InitApply(_) | Event::Delete(_)) => all(Vec::new()),
        Ok(Event::Apply(object)) => one(Ok(object)),
        Err(error) => one(Err(error)),
    }
}

/// A store has no order; what follows from a list shall not depend on that.
pub(super) fn in_order(mut objects: Vec<Arc<Guarded>>) -> Vec<Arc<Guarded>> {
    objects.sort_by(|one, other| {
        let [one, other] = [one, other].map(|object| object.meta());
        (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name))
    });
    objects
}

fn one(item: Item) -> Delivered {
    Either::Right(stream::once(std::future::ready(item)))
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};
    use kube::{
        ResourceExt as _,
        runtime::{
            reflector,
            reflector::{ObjectRef, store},
        },
    };
    use serde_json::json;

    use super::*;

    fn object(name: &str, uid: &str) -> Guarded {
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": name, "namespace": "shop", "uid": uid},
            "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307}
        });
        Guarded(Ok(serde_json::from_value(object).unwrap()))
    }

    #[test]
    fn whoever_is_called_finds_in_the_store_what_was_delivered() {
        let (store, writer) = store();
        let events = [
            Event::Init,
            Event::InitApply(object("a", "1")),
            Event::InitDone,
            Event::Apply(object("b", "2")),
            // The watch was down: "a" is another one, and "c" is new.
            Event::Init,
            Event::InitApply(object("a", "3")),
            Event::InitApply(object("c", "4")),
            Event::InitDone,
        ];
        let events = stream::iter(events.map(Ok));
        let mut calls = Box::pin(reflector(writer, events).flat_map(in_store(store.clone())));
        let mut called = Vec::new();
        while let Some(Some(Ok(call))) = calls.next().now_or_never() {
            let reference = ObjectRef::new(&call.name_any()).within("shop");
            let found = store.get(&reference).expect("the store has it");
            assert_eq!(found.uid(), call.uid());
            called.extend(call.uid());
        }
        assert_eq!(called, ["1", "2", "3", "4"]);
    }
}
