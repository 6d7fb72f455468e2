//! What the roster makes of events.

use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::*;
use crate::seats::Lane;

fn resource(name: &str, uid: &str, change: impl FnOnce(&mut Value)) -> Guarded {
    let mut object = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
        "metadata": {"name": name, "namespace": "shop", "uid": uid, "generation": 1},
        "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307}
    });
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn object(name: &str) -> Guarded {
    resource(name, name, |_| ())
}

/// What follows from an event: the UIDs of those that are noted, of those that are gone, and the names of those that call.
fn take(roster: &Roster, event: Event<Guarded>) -> [Vec<String>; 3] {
    let news = roster.take(event);
    let [mut noted, mut gone] = [const { Vec::new() }; 2];
    for change in news.changes {
        match change {
            Change::Noted(uid, name, object) => {
                let found = roster.get(&name).expect("the roster has it already");
                for uids in [found.uid(), object.uid()] {
                    assert_eq!(uids.as_deref(), Some(&*uid));
                }
                noted.push(uid.to_string());
            }
            Change::Gone(uid, _, last) => {
                assert!(last.is_none_or(|last| last.uid().as_deref() == Some(&*uid)));
                gone.push(uid.to_string());
            }
        }
    }
    let calls = news.calls.iter().map(|call| call.name.name().to_owned());
    [noted, gone, calls.collect()]
}

/// As [`take`], of several events: what follows from all of them.
fn take_all(roster: &Roster, events: impl IntoIterator<Item = Event<Guarded>>) -> [Vec<String>; 3] {
    let mut all = [const { Vec::new() }; 3];
    for event in events {
        for (all, more) in all.iter_mut().zip(take(roster, event)) {
            all.extend(more);
        }
    }
    all
}

#[test]
fn a_list_calls_when_it_is_whole() {
    let roster = Roster::default();
    let nothing: [Vec<String>; 3] = Default::default();
    assert_eq!(take(&roster, Event::Init), nothing);
    let [noted, gone, calls] = take(&roster, Event::InitApply(object("a")));
    assert_eq!((noted, gone, calls), (vec!["a".to_owned()], vec![], vec![]));
    assert_eq!(
        take(&roster, Event::InitDone),
        [vec![], vec![], vec!["a".to_owned()]]
    );
}

#[test]
fn what_a_new_list_lacks_is_gone_and_what_it_holds_unchanged_does_not_call() {
    let roster = Roster::default();
    let events = [
        Event::Init,
        Event::InitApply(object("a")),
        Event::InitApply(object("b")),
        Event::InitDone,
        Event::Apply(object("c")),
    ];
    let [_, gone, calls] = take_all(&roster, events);
    assert_eq!((gone, calls.concat()), (vec![], "abc".to_owned()));
    let changed = resource("b", "b", |object| {
        object["metadata"]["generation"] = json!(2);
    });
    let events = [
        Event::Init,
        Event::InitApply(object("a")),
        Event::InitApply(changed),
        Event::InitDone,
    ];
    let [_, gone, calls] = take_all(&roster, events);
    assert_eq!(
        (gone.concat(), calls.concat()),
        ("c".to_owned(), "cb".to_owned()),
        "a turn of one that is gone has to end"
    );
    assert!(roster.get(&ResourceName::new("shop", "c")).is_none());
}

#[test]
fn who_called_in_a_list_that_was_given_up_calls_in_the_next_one() {
    let roster = Roster::default();
    let events = [
        Event::Init,
        Event::InitApply(object("a")),
        Event::Init,
        Event::InitApply(object("a")),
        Event::InitDone,
    ];
    assert_eq!(take_all(&roster, events)[2], ["a"]);
}

#[test]
fn a_resource_is_gone_when_its_successor_is_there() {
    let roster = Roster::default();
    let successor = || resource("a", "b", |_| ());
    let [_, gone, calls] = take_all(
        &roster,
        [Event::Apply(object("a")), Event::Apply(successor())],
    );
    assert_eq!(
        (gone.concat(), calls.concat()),
        ("a".to_owned(), "aa".to_owned())
    );
    let late = take(&roster, Event::Delete(object("a")));
    assert_eq!(late[1], ["a"]);
    let found = roster.get(&ResourceName::new("shop", "a")).unwrap();
    assert_eq!(found.uid().as_deref(), Some("b"), "its successor stays");
    assert_eq!(take(&roster, Event::Delete(successor()))[1], ["b"]);
    assert!(take_all(&roster, [Event::Init, Event::InitDone])[1].is_empty());
}

#[test]
fn only_what_people_change_calls() {
    let roster = Roster::default();
    let calls = |change: fn(&mut Value)| {
        let event = Event::Apply(resource("a", "a", change));
        !take(&roster, event)[2].is_empty()
    };
    assert!(calls(|_| ()), "it is new");
    assert!(!calls(|object| object["status"] = json!({"port": 3306})));
    assert!(!calls(
        |object| object["metadata"]["labels"] = json!({"a": "b"})
    ));
    assert!(!calls(
        |object| object["metadata"]["annotations"] = json!({"example.com/seen": "now"})
    ));
    assert!(!calls(|object| {
        object["metadata"]["annotations"] = json!({"taurusdb.huaweicloud.com/note": "now"});
    }));
    for name in ASKED_WITH {
        let annotated = resource("a", "a", |object| {
            object["metadata"]["annotations"] = json!({name: "now"});
        });
        assert_eq!(take(&roster, Event::Apply(annotated))[2], ["a"], "{name}");
    }
    assert!(calls(|_| ()), "the annotation was taken away");
    assert!(calls(|object| object["metadata"]["generation"] = json!(2)));
    assert!(calls(|object| {
        object["metadata"]["generation"] = json!(2);
        object["metadata"]["deletionTimestamp"] = json!("2026-03-02T16:40:05Z");
    }));
}

#[test]
fn n01_what_people_change_goes_first_and_what_is_new_does_not() {
    let roster = Roster::default();
    let lane = |event| roster.take(event).calls.first().map(|call| call.lane);
    let edited = || {
        resource("a", "a", |object| {
            object["metadata"]["generation"] = json!(2);
        })
    };
    assert_eq!(lane(Event::Apply(object("a"))), Some(Lane::Usual));
    assert_eq!(lane(Event::Apply(edited())), Some(Lane::People));
    assert_eq!(lane(Event::Apply(edited())), None);
    let suspended = |generation: i64| {
        resource("a", "a", |object| {
            object["metadata"]["generation"] = json!(generation);
            object["spec"]["suspend"] = json!(true);
        })
    };
    assert_eq!(lane(Event::Apply(suspended(3))), Some(Lane::Stop));
    assert_eq!(lane(Event::Apply(suspended(4))), Some(Lane::People));
    let deleted = resource("a", "a", |object| {
        object["metadata"]["generation"] = json!(4);
        object["metadata"]["deletionTimestamp"] = json!("2026-03-02T16:40:05Z");
        object["spec"]["suspend"] = json!(true);
    });
    assert_eq!(lane(Event::Apply(deleted)), Some(Lane::Stop));
    assert_eq!(lane(Event::Delete(suspended(4))), Some(Lane::Stop));
    assert_eq!(lane(Event::Delete(edited())), None);
}

#[test]
fn n01_resources_of_a_namespace_that_name_the_same_credentials_are_a_group() {
    let roster = Roster::default();
    let group = |name: &str, secret: &str, namespace: &str| {
        let object = resource(name, name, |object| {
            object["spec"]["credentialsRef"] = json!({"name": secret});
            object["metadata"]["namespace"] = json!(namespace);
        });
        roster.take(Event::Apply(object));
        roster.group(&ResourceName::new(namespace, name))
    };
    let one = group("a", "keys", "shop");
    assert_eq!(group("b", "keys", "shop"), one);
    assert_ne!(group("c", "others", "shop"), one);
    assert_ne!(group("d", "keys", "bank"), one);
    assert_eq!(group("e", "others", "shop").namespace, one.namespace);
    assert_ne!(group("f", "keys", "bank").namespace, one.namespace);
}

#[test]
fn of_one_that_cannot_be_decoded_is_kept_what_there_is() {
    let roster = Roster::default();
    let broken = resource("a", "a", |object| object["spec"]["port"] = json!("a port"));
    assert!(broken.0.is_err());
    let [noted, _, calls] = take(&roster, Event::Apply(broken));
    assert_eq!(
        (noted.concat(), calls.concat()),
        ("a".to_owned(), "a".to_owned())
    );
    let found = roster.get(&ResourceName::new("shop", "a")).unwrap();
    assert!(found.0.is_err_and(|broken| broken.error.contains("a port")));
}
