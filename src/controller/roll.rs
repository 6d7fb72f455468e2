//! The roll of the resources that exist, kept from the watch.
//!
//! A watch that begins anew delivers what there is and says nothing of what was deleted meanwhile; the roll tells.

use std::collections::{HashMap, HashSet};

use kube::{ResourceExt as _, runtime::watcher::Event};

use crate::{controller::Guarded, crd::TaurusProxyPort, fleet::permits::Trace};

/// What a watch event means for the fleet.
#[derive(Debug)]
pub enum Change {
    /// The resource exists.
    Noted {
        /// As it now stands, if it can be read.
        object: Option<Box<TaurusProxyPort>>,
        /// What is stored of its changes.
        trace: Box<Trace>,
    },
    /// The resource is gone; as it last stood, if it could be read.
    Gone(String, Option<Box<TaurusProxyPort>>),
}

/// The roll.
#[derive(Debug, Default)]
pub struct Roll {
    /// Names of the resources, to tell a deleted one from its successor of the same name.
    known: HashMap<String, Option<Box<TaurusProxyPort>>>,
    listed: Option<HashSet<String>>,
}

impl Roll {
    /// Takes in an event and says what it means.
    pub fn take(&mut self, event: &Event<Guarded>) -> Vec<Change> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let uid = object.uid().unwrap_or_default();
                if let Some(listed) = &mut self.listed {
                    listed.insert(uid.clone());
                }
                vec![self.note(uid, object)]
            }
            Event::Apply(object) => vec![self.note(object.uid().unwrap_or_default(), object)],
            Event::InitDone => {
                let listed = self.listed.take().unwrap_or_default();
                let gone: Vec<String> = self
                    .known
                    .keys()
                    .filter(|uid| !listed.contains(*uid))
                    .cloned()
                    .collect();
                gone.into_iter().map(|uid| self.strike(uid, None)).collect()
            }
            Event::Delete(object) => {
                let last = object.0.as_ref().ok().cloned().map(Box::new);
                vec![self.strike(object.uid().unwrap_or_default(), last)]
            }
        }
    }

    fn note(&mut self, uid: String, object: &Guarded) -> Change {
        let trace = Box::new(object.trace());
        let object = object.0.as_ref().ok().cloned().map(Box::new);
        self.known.insert(uid, object.clone());
        Change::Noted { object, trace }
    }

    fn strike(&mut self, uid: String, last: Option<Box<TaurusProxyPort>>) -> Change {
        let known = self.known.remove(&uid).flatten();
        Change::Gone(uid, last.or(known))
    }
}

#[cfg(test)]
mod tests {
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

    fn gone(changes: &[Change]) -> Vec<&str> {
        let gone = changes.iter().filter_map(|change| match change {
            Change::Gone(uid, Some(_)) => Some(uid.as_str()),
            Change::Gone(..) | Change::Noted { .. } => None,
        });
        gone.collect()
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let mut roll = Roll::default();
        for event in [
            Event::Init,
            Event::InitApply(object("a")),
            Event::InitApply(object("b")),
            Event::InitDone,
        ] {
            assert!(gone(&roll.take(&event)).is_empty());
        }
        roll.take(&Event::Apply(object("c")));
        roll.take(&Event::Init);
        roll.take(&Event::InitApply(object("b")));
        let changes = roll.take(&Event::InitDone);
        let mut gone = gone(&changes);
        gone.sort_unstable();
        assert_eq!(gone, ["a", "c"]);
    }

    #[test]
    fn a_deleted_resource_is_gone_once() {
        let mut roll = Roll::default();
        roll.take(&Event::Apply(object("a")));
        assert_eq!(gone(&roll.take(&Event::Delete(object("a")))), ["a"]);
        roll.take(&Event::Init);
        assert!(gone(&roll.take(&Event::InitDone)).is_empty());
    }
}
