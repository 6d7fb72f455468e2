//! A resource with what is kept of it, taken up for a turn.
//!
//! The watch goes on meanwhile, on another thread: it brings the roster up to date first and the memories after that. Promises
//! that a turn never sees a resource as it stood before an own write whose outcome this process has forgotten. The memory comes
//! first, so that nothing is forgotten from then on; what the roster shows after that is no older than what was forgotten before.

use kube::Resource as _;

use crate::{
    controller::{
        Guarded,
        memory::{Memories, Memory},
        roster::Roster,
    },
    model::{ResourceName, Uid},
};

/// A resource that is taken up. Its memory has to be put back.
pub(super) struct TakenUp {
    /// Its UID that all share.
    pub(super) uid: Uid,
    /// What is kept of it.
    pub(super) memory: Box<Memory>,
    /// The resource as the roster has it; nothing if it is gone by now, or another one of its name is there.
    pub(super) object: Option<Guarded>,
}

/// Takes up a resource; nothing if there is none of this name.
pub(super) fn take_up(
    roster: &Roster,
    memories: &Memories,
    name: &ResourceName,
) -> Option<TakenUp> {
    let uid = roster.uid(name)?;
    let (uid, memory) = memories.take(&uid);
    let object = roster.get(name);
    let object = object.filter(|object| object.meta().uid.as_deref().unwrap_or_default() == &*uid);
    Some(TakenUp {
        uid,
        memory,
        object,
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use kube::{ResourceExt as _, runtime::watcher::Event};
    use serde_json::json;

    use super::*;
    use crate::crd::TaurusProxyPort;

    const HEX: &str = "0123456789abcdef0123456789abcdef";

    fn object(version: u64) -> TaurusProxyPort {
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {
                "name": "orders", "namespace": "shop", "uid": "uid-1", "resourceVersion": version.to_string()
            },
            "spec": {
                "region": "ap-southeast-3", "projectID": HEX, "instanceID": format!("{HEX}in07"),
                "proxyID": format!("{HEX}po01"), "port": 3307
            }
        });
        serde_json::from_value(object).unwrap()
    }

    /// What the watch does with each version, in the order in which the controller does it.
    fn deliver(roster: &Roster, memories: &Memories, version: u64) {
        roster.take(Event::Apply(Guarded(Ok(object(version)))));
        memories.exists(&Uid::from("uid-1"), &version.to_string());
    }

    /// A turn begins at the moment at which the watch delivers what the turn before has written, on another thread.
    #[test]
    fn n01_a_turn_that_begins_while_an_own_write_is_delivered_sees_that_write() {
        const TURNS: u64 = 3_000;
        let (roster, memories) = (Roster::default(), Memories::default());
        let name = ResourceName::new("shop", "orders");
        deliver(&roster, &memories, 0);
        let (write, written) = mpsc::channel();
        thread::scope(|scope| {
            let (roster, memories) = (&roster, &memories);
            scope.spawn(move || {
                for version in written {
                    deliver(roster, memories, version);
                }
            });
            for version in 0..TURNS {
                let mut turn = take_up(roster, memories, &name).unwrap();
                let delivered = turn.object.unwrap().0.unwrap();
                let seen = turn.memory.freshest(&delivered);
                assert_eq!(seen.resource_version(), Some(version.to_string()));
                turn.memory.replaced(&seen, &object(version + 1));
                assert!(memories.put(&turn.uid, turn.memory).is_none());
                write.send(version + 1).unwrap();
            }
            drop(write);
        });
    }

    #[test]
    fn what_is_gone_or_has_another_in_its_place_is_not_taken_for_it() {
        let (roster, memories) = (Roster::default(), Memories::default());
        let name = ResourceName::new("shop", "orders");
        assert!(take_up(&roster, &memories, &name).is_none());
        deliver(&roster, &memories, 0);
        let turn = take_up(&roster, &memories, &name).unwrap();
        assert!(turn.object.is_some() && &*turn.uid == "uid-1");
    }
}
