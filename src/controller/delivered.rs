//! What a watch has delivered, none of it before the store has it.
//!
//! A list comes in pieces, and the store takes it over when it is whole. Who looked earlier would find what stood there
//! before, perhaps an object that was deleted while the watch was down, and nobody would call for its successor again.

use futures::stream;
use kube::runtime::watcher::{Error, Event};

use crate::controller::Guarded;

/// Objects that were delivered at once.
type Delivered = stream::Iter<std::vec::IntoIter<Result<Guarded, Error>>>;

/// Makes objects of events that the store has taken in.
pub(super) fn in_store() -> impl FnMut(Result<Event<Guarded>, Error>) -> Delivered {
    let mut listed = Vec::new();
    move |event| {
        let objects = match event {
            Ok(Event::Init) => {
                listed.clear();
                Vec::new()
            }
            Ok(Event::InitApply(object)) => {
                listed.push(Ok(object));
                Vec::new()
            }
            Ok(Event::InitDone) => std::mem::take(&mut listed),
            Ok(Event::Apply(object)) => vec![Ok(object)],
            Ok(Event::Delete(_)) => Vec::new(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(objects)
    }
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
        let mut calls = Box::pin(reflector(writer, events).flat_map(in_store()));
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
