//! Who owns a proxy that several resources name, who gives up jobs, and who is woken.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::*;

mod given_up;
mod properties;
mod returned;
mod woken;

const HEX: &str = "0123456789abcdef0123456789abcdef";

/// A resource of namespace shop that wants port 3307.
fn object(uid: &str, second: i64, change: impl FnOnce(&mut Value)) -> TaurusProxyPort {
    let mut value = json!({
        "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
        "kind": "TaurusProxyPort",
        "metadata": {
            "name": uid, "namespace": "shop", "uid": uid, "generation": 1,
            "creationTimestamp": Timestamp::from_second(second).unwrap().to_string()
        },
        "spec": {
            "region": "ap-southeast-3", "projectID": HEX, "instanceID": format!("{HEX}in07"),
            "proxyID": format!("{HEX}po01"), "port": 3307
        }
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

/// One that wants another port.
fn wanting(uid: &str, second: i64, port: u16) -> TaurusProxyPort {
    object(uid, second, |value| value["spec"]["port"] = json!(port))
}

/// The same in another namespace.
fn elsewhere(object: TaurusProxyPort) -> TaurusProxyPort {
    let mut object = object;
    object.metadata.namespace = Some("elsewhere".to_owned());
    object
}

/// The same with a status that says this; `judged` says whether it is known that nothing is at work from before it.
fn saying(object: TaurusProxyPort, reason: &str, judged: bool) -> TaurusProxyPort {
    let mut object = object;
    let uid = object.uid().filter(|_| judged);
    let ready = json!([{
        "type": "Ready", "status": "False", "reason": reason, "message": "",
        "lastTransitionTime": "2026-03-02T16:40:05Z"
    }]);
    let status = json!({"subjectUID": uid, "port": 3306, "conditions": ready});
    object.status = serde_json::from_value(status).unwrap();
    object
}

fn subject(object: &TaurusProxyPort) -> Subject {
    desired::read(object).unwrap().subject
}

fn name(object: &TaurusProxyPort) -> ResourceName {
    ResourceName::new(&object.namespace().unwrap(), &object.name_any())
}

fn note(claims: &Claims, object: &TaurusProxyPort, second: u64) -> Vec<String> {
    let uid = Uid::from(object.uid().unwrap().as_str());
    names(claims.note(object, &uid, &name(object), at(second)))
}

fn names(woken: Woken) -> Vec<String> {
    woken
        .into_iter()
        .map(|name| name.name().to_owned())
        .collect()
}

const PATIENCE: Duration = Duration::from_mins(2);

/// How it stands beside a proxy with port 3306.
fn standing(claims: &Claims, object: &TaurusProxyPort, second: u64) -> Standing {
    let uid = object.uid().unwrap();
    claims.standing(&uid, Some(3306), at(second), PATIENCE)
}

/// It has looked, with this success, and asks how it stands.
fn looks(claims: &Claims, object: &TaurusProxyPort, seen: bool, second: u64) -> Standing {
    claims.looked(&object.uid().unwrap(), seen, at(second));
    standing(claims, object, second)
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

fn is_claimed(standing: &Standing) -> bool {
    matches!(standing, Standing::Claimed(_))
}

#[test]
fn the_oldest_that_can_see_the_proxy_owns_it() {
    let claims = Claims::default();
    let old = object("b", 100, |_| ());
    let young = object("a", 200, |value| {
        value["spec"]["proxyID"] = json!(format!("{}po01", HEX.to_uppercase()));
    });
    note(&claims, &young, 0);
    assert_eq!(standing(&claims, &young, 0), Standing::Owner);
    note(&claims, &old, 0);
    claims.looked("b", true, at(0));
    assert!(
        is_claimed(&standing(&claims, &young, 500)),
        "letter case does not matter"
    );
    assert_eq!(standing(&claims, &old, 0), Standing::Owner);
    claims.looked("b", false, at(0));
    assert!(
        is_claimed(&looks(&claims, &young, true, 500)),
        "revoked credentials end nothing"
    );
}

#[test]
fn who_manages_a_proxy_keeps_it_though_an_older_one_turns_to_it() {
    let claims = Claims::default();
    let observing = object("b", 100, |value| {
        value["spec"]["managementPolicy"] = json!("Observe");
    });
    let young = object("a", 200, |_| ());
    note(&claims, &observing, 0);
    note(&claims, &young, 0);
    assert_eq!(looks(&claims, &observing, true, 0), Standing::Owner);
    assert_eq!(looks(&claims, &young, true, 0), Standing::Owner);
    let enforcing = object("b", 100, |_| ());
    note(&claims, &enforcing, 500);
    assert!(is_claimed(&standing(&claims, &enforcing, 500)));
    assert_eq!(standing(&claims, &young, 500), Standing::Owner);
    note(
        &claims,
        &object("a", 200, |value| {
            value["spec"]["managementPolicy"] = json!("Observe");
        }),
        600,
    );
    assert_eq!(
        standing(&claims, &enforcing, 600),
        Standing::Open(PATIENCE),
        "who turns to observing lets go"
    );
    assert_eq!(standing(&claims, &enforcing, 720), Standing::Owner);
}

#[test]
fn an_older_one_is_waited_for_until_it_was_tried_or_the_process_is_two_minutes_old() {
    let claims = Claims::default();
    let (old, young) = (object("b", 100, |_| ()), object("a", 200, |_| ()));
    note(&claims, &old, 0);
    note(&claims, &young, 0);
    assert_eq!(standing(&claims, &young, 30), Standing::Open(at(90)));
    assert_eq!(standing(&claims, &young, 120), Standing::Owner);
    claims.looked("b", false, at(0));
    assert_eq!(
        standing(&claims, &young, 30),
        Standing::Owner,
        "who can't see it claims nothing"
    );
}

#[test]
fn a_port_on_record_is_proof_only_for_the_object_that_it_was_written_for() {
    let claims = Claims::default();
    let young = object("a", 200, |_| ());
    note(&claims, &young, 0);
    let with = |uid: &str| {
        object("b", 100, |value| {
            value["status"] = json!({"subjectUID": uid, "port": 3306});
        })
    };
    note(&claims, &with("x"), 0);
    assert_eq!(standing(&claims, &young, 500), Standing::Owner);
    note(&claims, &with("b"), 0);
    assert!(is_claimed(&standing(&claims, &young, 500)));
}

#[test]
fn the_two_minutes_begin_when_the_older_one_is_first_heard_of() {
    // By a process that is no longer young: it may have waited for long, or both have just been made.
    let claims = Claims::default();
    let (old, young) = (object("old", 1, |_| ()), object("young", 2, |_| ()));
    note(&claims, &young, 5000);
    note(&claims, &old, 5000);
    let waits = standing(&claims, &young, 5030);
    assert_eq!(waits, Standing::Open(at(90)));
    note(&claims, &old, 5060);
    assert_eq!(
        standing(&claims, &young, 5090),
        Standing::Open(at(30)),
        "an edit prolongs nothing"
    );
    assert_eq!(standing(&claims, &young, 5120), Standing::Owner);
}

#[test]
fn a_rival_of_another_namespace_is_not_named() {
    let claims = Claims::default();
    let owner = object("a", 100, |_| ());
    note(&claims, &owner, 0);
    assert_eq!(looks(&claims, &owner, true, 0), Standing::Owner);
    for (rival, expected) in [
        (
            object("b", 200, |_| ()),
            Rival {
                name: Some("a".to_owned()),
                same_port: true,
            },
        ),
        (
            wanting("c", 200, 3308),
            Rival {
                name: Some("a".to_owned()),
                same_port: false,
            },
        ),
        (
            elsewhere(object("d", 200, |_| ())),
            Rival {
                name: None,
                same_port: true,
            },
        ),
    ] {
        note(&claims, &rival, 1);
        let stands = looks(&claims, &rival, true, 1);
        assert_eq!(stands, Standing::Claimed(expected.clone()));
        assert_eq!(
            expected.is_predecessor(),
            expected.name.is_some() && expected.same_port
        );
    }
}

#[test]
fn r07_a_proxy_has_one_owner_however_its_address_is_spelt() {
    let claims = Claims::default();
    let owner = object("a", 100, |_| ());
    note(&claims, &owner, 0);
    assert_eq!(looks(&claims, &owner, true, 0), Standing::Owner);
    for (number, spelt) in [
        "https://gaussdb.ap-southeast-3.myhuaweicloud.com",
        "https://gaussdb.ap-southeast-3.myhuaweicloud.com:443",
        "https://gaussdb.ap-southeast-3.myhuaweicloud.com./",
        "https://GaussDB.ap-southeast-3.myhuaweicloud.com",
    ]
    .into_iter()
    .enumerate()
    {
        let twin = object(&format!("twin-{number}"), 200, |value| {
            value["spec"]["endpoint"] = json!(spelt);
            value["spec"]["port"] = json!(3308);
        });
        note(&claims, &twin, 1);
        assert!(is_claimed(&looks(&claims, &twin, true, 1)), "{spelt}");
    }
    let other = object("other", 200, |value| {
        value["spec"]["endpoint"] = json!("https://cloud.example.test");
    });
    note(&claims, &other, 1);
    assert_eq!(looks(&claims, &other, true, 1), Standing::Owner);
}

#[test]
fn an_instance_is_shared_by_two() {
    let claims = Claims::default();
    let with = |uid: &str, instance: char| {
        object(uid, 100, |value| {
            value["spec"]["instanceID"] =
                json!(format!("{}in07", String::from(instance).repeat(32)));
        })
    };
    let [one, other] = [with("a", '1'), with("b", '1')];
    let instance = subject(&one).instance;
    note(&claims, &with("z", '2'), 0);
    assert!(!claims.share(&instance));
    note(&claims, &one, 0);
    note(&claims, &one, 1);
    assert!(!claims.share(&instance));
    note(&claims, &other, 0);
    assert!(claims.share(&instance));
    claims.forget("a", at(2));
    assert!(!claims.share(&instance));
}

#[test]
fn who_publishes_for_a_proxy_of_this_id_is_known_wherever_it_looks_for_that() {
    let claims = Claims::default();
    let publishing = |uid: &str, key: &str, other: Value| {
        object(uid, 100, |value| {
            value["spec"]["service"] = json!({"name": "orders-db"});
            value["spec"][key] = other;
        })
    };
    let own = publishing("own", "port", json!(3307));
    let proxy = own.spec.proxy_id.clone();
    let others = |claims: &Claims| names(claims.publishing("shop", &proxy, "own"));
    let project = publishing("b", "projectID", json!("a".repeat(32)));
    let instance = publishing("c", "instanceID", json!(format!("{}in07", "1".repeat(32))));
    let observer = publishing("d", "managementPolicy", json!("Observe"));
    let another = publishing("e", "proxyID", json!(format!("{}po01", "1".repeat(32))));
    let silent = wanting("f", 100, 3307);
    let far = elsewhere(publishing("g", "port", json!(3307)));
    for one in [
        &own, &project, &instance, &observer, &another, &silent, &far,
    ] {
        note(&claims, one, 0);
    }
    assert_eq!(others(&claims), ["b", "c", "d"]);
    // One whose spec can't be acted on claims no proxy, and has what it has.
    let invalid = publishing("d", "projectID", json!("no project"));
    assert!(desired::read(&invalid).is_err());
    note(&claims, &invalid, 1);
    assert_eq!(others(&claims), ["b", "c", "d"]);
    claims.forget("c", at(2));
    note(&claims, &wanting("b", 100, 3307), 2);
    assert_eq!(
        others(&claims),
        ["d"],
        "that one wishes for nothing any more"
    );
}

#[test]
fn who_waits_before_it_takes_over_is_told_for_whom() {
    let opening =
        |claims: &Claims, uid: &str, second: u64| claims.opening(uid, at(second), PATIENCE);
    let claims = Claims::default();
    let [one, other] = ["one", "other"].map(|uid| wanting(uid, 1, 3307));
    note(&claims, &one, 0);
    // Nobody else names the proxy.
    assert_eq!(opening(&claims, "one", 0), Opening::Before);
    note(&claims, &other, 0);
    let named = |name: &str| Other::Named(name.to_owned());
    assert_eq!(
        opening(&claims, "one", 0),
        Opening::Unchecked(named("other"))
    );
    looks(&claims, &other, true, 1);
    standing(&claims, &other, 400);
    claims.forget("other", at(401));
    assert_eq!(opening(&claims, "one", 402), Opening::Gone(named("other")));
    assert_eq!(opening(&claims, "one", 402 + 121), Opening::Before);
}
