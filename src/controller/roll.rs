//! The roll of the resources that exist, kept from the watch.
//!
//! A watch that begins anew delivers what there is and says nothing of what was deleted meanwhile; the roll tells. Relies on
//! being told of each event before the store takes it in: what the store still has is what there was before.

use std::{collections::HashSet, sync::Arc};

use kube::{
    ResourceExt as _,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::Event,
    },
};

use crate::{
    controller::{Guarded, delivered::in_order},
    crd::TaurusProxyPort,
};

/// What a watch event means for the fleet.
#[derive(Debug)]
pub enum Change<'event> {
    /// The resource exists, as it now stands.
    Noted(&'event Guarded),
    /// The resource is gone; as it last stood, if it could be read.
    Gone(String, Option<Box<TaurusProxyPort>>),
}

/// The roll.
pub struct Roll {
    known: Store<Guarded>,
    listed: Option<HashSet<String>>,
}

impl Roll {
    /// A roll over what is in this store.
    pub fn of(known: Store<Guarded>) -> Self {
        Self {
            known,
            listed: None,
        }
    }

    /// Takes in an event and says what it means.
    pub fn take<'event>(&mut self, event: &'event Event<Guarded>) -> Vec<Change<'event>> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(object.uid().unwrap_or_default());
                }
                vec![Change::Noted(object)]
            }
            Event::Apply(object) => {
                let gone = self.namesake(object).map(|other| gone(&other));
                gone.into_iter().chain([Change::Noted(object)]).collect()
            }
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let known = in_order(self.known.state());
                let is_listed =
                    |object: &Guarded| object.uid().is_some_and(|uid| listed.contains(&uid));
                let missing = known.iter().filter(|object| !is_listed(object));
                missing.map(|object| gone(object)).collect()
            }
            Event::Delete(object) => vec![gone(object)],
        }
    }

    /// Another resource of the same name, of which nobody has told that it is gone.
    fn namesake(&self, object: &Guarded) -> Option<Arc<Guarded>> {
        let known = self.known.get(&ObjectRef::from_obj(object))?;
        (known.uid() != object.uid()).then_some(known)
    }
}

fn gone(object: &Guarded) -> Change<'static> {
    let last = object.0.as_ref().ok().cloned().map(Box::new);
    Change::Gone(object.uid().unwrap_or_default(), last)
}

#[cfg(test)]
mod tests {
    use kube::{
        Resource as _,
        runtime::reflector::{self, store::Writer},
    };
    use serde_json::json;

    use super::*;

    fn object(uid: &str) -> Guarded {
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": uid, "namespace": "shop", "uid": uid},
            "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307}
        });
        Guarded(Ok(serde_json::from_value(object).unwrap()))
    }

    /// What an event tells of resources that are gone; the store takes it in afterwards, as in the controller.
    fn gone(roll: &mut Roll, writer: &mut Writer<Guarded>, event: &Event<Guarded>) -> Vec<String> {
        let changes = roll.take(event).into_iter();
        let gone = changes.filter_map(|change| match change {
            Change::Gone(uid, Some(_)) => Some(uid),
            Change::Gone(..) | Change::Noted(_) => None,
        });
        let mut gone: Vec<String> = gone.collect();
        writer.apply_watcher_event(event);
        gone.sort_unstable();
        gone
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let (store, mut writer) = reflector::store();
        let mut roll = Roll::of(store);
        for event in [
            Event::Init,
            Event::InitApply(object("a")),
            Event::InitApply(object("b")),
            Event::InitDone,
            Event::Apply(object("c")),
            Event::Init,
            Event::InitApply(object("b")),
        ] {
            assert!(gone(&mut roll, &mut writer, &event).is_empty());
        }
        assert_eq!(gone(&mut roll, &mut writer, &Event::InitDone), ["a", "c"]);
    }

    #[test]
    fn a_deleted_resource_is_gone_once() {
        let (store, mut writer) = reflector::store();
        let mut roll = Roll::of(store);
        assert!(gone(&mut roll, &mut writer, &Event::Apply(object("a"))).is_empty());
        assert_eq!(
            gone(&mut roll, &mut writer, &Event::Delete(object("a"))),
            ["a"]
        );
        assert!(gone(&mut roll, &mut writer, &Event::Init).is_empty());
        assert!(gone(&mut roll, &mut writer, &Event::InitDone).is_empty());
    }

    #[test]
    fn a_resource_is_gone_when_its_successor_is_there() {
        let (store, mut writer) = reflector::store();
        let mut roll = Roll::of(store);
        let mut successor = object("a");
        successor.meta_mut().uid = Some("b".to_owned());
        for event in [Event::Init, Event::InitDone, Event::Apply(object("a"))] {
            assert!(gone(&mut roll, &mut writer, &event).is_empty());
        }
        assert_eq!(
            gone(&mut roll, &mut writer, &Event::Apply(successor)),
            ["a"]
        );
    }
}
