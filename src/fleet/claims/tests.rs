//! Who owns a proxy that several resources name.

use serde_json::{Value, json};

use super::*;

const HEX: &str = "0123456789abcdef0123456789abcdef";

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

fn subject(object: &TaurusProxyPort) -> Subject {
    read::read(object).unwrap().subject
}

fn note(claims: &Claims, object: &TaurusProxyPort, uptime: Duration) {
    let uid = Uid::from(object.uid().unwrap().as_str());
    let name = ResourceName::new(&object.namespace().unwrap(), &object.name_any());
    claims.note(object, &uid, &name, uptime);
}

const PATIENCE: Duration = Duration::from_mins(2);

fn standing(claims: &Claims, object: &TaurusProxyPort, second: u64) -> Standing {
    let uptime = Duration::from_secs(second);
    claims.standing(&subject(object), object, uptime, PATIENCE)
}

fn at(second: u64) -> Duration {
    Duration::from_secs(second)
}

#[test]
fn the_oldest_that_can_see_the_proxy_owns_it() {
    let claims = Claims::default();
    let old = object("b", 100, |_| ());
    let young = object("a", 200, |value| {
        value["spec"]["proxyID"] = json!(format!("{}po01", HEX.to_uppercase()));
    });
    note(&claims, &young, at(0));
    assert_eq!(standing(&claims, &young, 0), Standing::Owner);
    note(&claims, &old, at(0));
    claims.looked("b", true);
    assert_eq!(
        standing(&claims, &young, 500),
        Standing::Claimed,
        "letter case does not matter"
    );
    assert_eq!(standing(&claims, &old, 0), Standing::Owner);
    claims.looked("b", false);
    assert_eq!(
        standing(&claims, &young, 500),
        Standing::Claimed,
        "revoked credentials end nothing"
    );
}

#[test]
fn an_older_one_is_waited_for_until_it_was_tried_or_the_process_is_two_minutes_old() {
    let claims = Claims::default();
    let (old, young) = (object("b", 100, |_| ()), object("a", 200, |_| ()));
    note(&claims, &old, at(0));
    note(&claims, &young, at(0));
    assert_eq!(standing(&claims, &young, 30), Standing::Open(at(90)));
    assert_eq!(standing(&claims, &young, 120), Standing::Owner);
    claims.looked("b", false);
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
    note(&claims, &young, at(0));
    let with = |uid: &str| {
        object("b", 100, |value| {
            value["status"] = json!({"subjectUID": uid, "port": 3306});
        })
    };
    note(&claims, &with("x"), at(0));
    assert_eq!(standing(&claims, &young, 500), Standing::Owner);
    note(&claims, &with("b"), at(0));
    assert_eq!(standing(&claims, &young, 500), Standing::Claimed);
}

#[test]
fn the_two_minutes_begin_when_the_older_one_is_first_heard_of() {
    // By a process that is no longer young: it may have waited for long, or both have just been made.
    let claims = Claims::default();
    let (old, young) = (object("old", 1, |_| ()), object("young", 2, |_| ()));
    note(&claims, &young, at(5000));
    note(&claims, &old, at(5000));
    let waits = standing(&claims, &young, 5030);
    assert_eq!(waits, Standing::Open(at(90)));
    note(&claims, &old, at(5060));
    assert_eq!(
        standing(&claims, &young, 5090),
        Standing::Open(at(30)),
        "an edit prolongs nothing"
    );
    assert_eq!(standing(&claims, &young, 5120), Standing::Owner);
}

#[test]
fn who_is_gone_is_waited_for_but_not_by_a_resource_of_the_same_name() {
    let claims = Claims::default();
    let (old, young) = (object("b", 100, |_| ()), object("a", 200, |_| ()));
    note(&claims, &old, at(0));
    note(&claims, &young, at(0));
    claims.looked("b", true);
    claims.forget("b", at(1000));
    assert_eq!(standing(&claims, &young, 1030), Standing::Open(at(90)));
    let again = object("c", 300, |value| value["metadata"]["name"] = json!("b"));
    assert_eq!(standing(&claims, &again, 1030), Standing::Owner);
    assert_eq!(standing(&claims, &young, 1120), Standing::Owner);
}

#[test]
fn who_only_observes_claims_nothing_and_who_turns_to_it_lets_go() {
    let claims = Claims::default();
    let observing = || {
        object("b", 100, |value| {
            value["spec"]["managementPolicy"] = json!("Observe");
        })
    };
    let young = object("a", 200, |_| ());
    note(&claims, &observing(), at(0));
    claims.looked("b", true);
    note(&claims, &young, at(0));
    assert_eq!(standing(&claims, &young, 500), Standing::Owner);
    note(&claims, &object("b", 100, |_| ()), at(500));
    assert_eq!(standing(&claims, &young, 500), Standing::Claimed);
    note(&claims, &observing(), at(600));
    assert_eq!(standing(&claims, &young, 600), Standing::Open(PATIENCE));
}

#[test]
fn abandoned_jobs_are_known_by_instance() {
    let claims = Claims::default();
    let one = object("a", 100, |value| {
        value["metadata"]["annotations"] = json!({crate::crd::ABANDON_JOB: "job-9"});
    });
    let instance = subject(&one).instance;
    note(&claims, &one, at(0));
    assert_eq!(claims.abandoned(&instance).len(), 1);
    note(&claims, &object("a", 100, |_| ()), at(0));
    assert!(claims.abandoned(&instance).is_empty());
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
    note(&claims, &with("z", '2'), at(0));
    assert!(!claims.share(&instance));
    note(&claims, &one, at(0));
    note(&claims, &one, at(1));
    assert!(!claims.share(&instance));
    note(&claims, &other, at(0));
    assert!(claims.share(&instance));
    claims.forget("a", at(2));
    assert!(!claims.share(&instance));
}
