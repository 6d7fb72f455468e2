//! The rules that every version of every resource keeps, in every story and in every schedule.
//!
//! Their numbers are those of the contract. Relies on nothing but the types of the resource, so that both can hold them.

use std::collections::{HashMap, HashSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use serde_json::Value;
use taurus_port_operator::{
    crd::{HistoryEntry, ManagementPolicy, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    model::Reason,
};

/// The conditions of which exactly one is True.
const MAIN: [&str; 3] = ["Ready", "Reconciling", "Stalled"];

/// The longest message that a condition may have.
const LONGEST_MESSAGE: usize = 1024;

/// The most changes that a history has.
const LONGEST_HISTORY: usize = 10;

/// A version of an object.
#[derive(Debug, Clone)]
pub struct Version {
    pub object: TaurusProxyPort,
    pub deleted: bool,
    /// The ports that the cloud's lists had shown by then, of each proxy.
    pub listed: Vec<(String, u16)>,
}

/// Checks the rules over all versions, in the order in which a watch delivered them. No message may hold a secret.
pub fn of_versions(versions: &[Version], secrets: &[&str]) {
    assert!(
        !versions.is_empty(),
        "a story without a version shows nothing"
    );
    let mut last: HashMap<String, &TaurusProxyPort> = HashMap::new();
    for version in versions.iter().filter(|version| !version.deleted) {
        let object = &version.object;
        let uid = object.uid().unwrap();
        if is_restored(object) {
            // It has taken the place of what was said before: what is said next goes on from there.
            if last.get(&uid).is_some_and(|last| said(last).is_some()) {
                last.remove(&uid);
            }
            continue;
        }
        if let Some(status) = &object.status {
            of_one(object, status, version, secrets);
        }
        if let Some(before) = last.insert(uid, object) {
            of_two(before, object);
        }
    }
}

/// Whether the status was written for another object, or, where it names none, for one that was ahead of this: a tool for
/// backups brought it.
fn is_restored(object: &TaurusProxyPort) -> bool {
    let subject = object
        .status
        .as_ref()
        .and_then(|status| status.subject_uid.as_ref());
    let judged = object
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    match subject {
        Some(subject) => Some(subject) != object.metadata.uid.as_ref(),
        None => judged > object.metadata.generation,
    }
}

/// The status, where the operator has written one: the default of the definition says nothing.
fn said(object: &TaurusProxyPort) -> Option<&TaurusProxyPortStatus> {
    let status = object.status.as_ref();
    status.filter(|status| !status.is_unobserved())
}

fn of_one(
    object: &TaurusProxyPort,
    status: &TaurusProxyPortStatus,
    version: &Version,
    secrets: &[&str],
) {
    let shown = || format!("{object:#?}");
    if status.conditions.is_empty() || status.is_unobserved() {
        // Such a status is not of our writing: it came with the object, or from the definition.
        return;
    }
    let is_true =
        |kind: &str| find(status, kind).is_some_and(|condition| condition.status == "True");
    let truths = MAIN.iter().filter(|kind| is_true(kind)).count();
    assert_eq!(truths, 1, "S5: exactly one of three is True: {}", shown());
    assert!(
        find(status, "Ready").is_some(),
        "S5: Ready is always there: {}",
        shown()
    );
    for kind in ["Reconciling", "Stalled"] {
        assert!(
            find(status, kind).is_none() || is_true(kind),
            "S5: {kind} only when True: {}",
            shown()
        );
    }
    // Those with a domain before their name are others'.
    let ours = |condition: &&Condition| !condition.type_.contains('/');
    for condition in status.conditions.iter().filter(ours) {
        of_condition(condition, status, secrets, &shown);
    }
    let history = &status.history;
    let ids: HashSet<&str> = history.iter().map(|entry| entry.id.as_str()).collect();
    assert!(
        history.len() <= LONGEST_HISTORY && ids.len() == history.len(),
        "at most ten changes, none twice: {}",
        shown()
    );
    // A definition of an older release may lack the last change, or a part of it.
    let last = status.last_change.as_ref().map(|last| &last.id);
    let last = last.filter(|id| !id.is_empty());
    let is_newest = |id: &String| history.first().is_none_or(|first| first.id == *id);
    assert!(
        last.is_none_or(is_newest),
        "the newest of the history is the last change: {}",
        shown()
    );
    if is_true("Ready") && status.observed_generation == object.metadata.generation {
        of_ready(object, status, version, &shown);
    }
}

fn of_condition(
    condition: &Condition,
    status: &TaurusProxyPortStatus,
    secrets: &[&str],
    shown: &impl Fn() -> String,
) {
    assert!(
        condition.reason.parse::<Reason>().is_ok(),
        "S10: {}: {}",
        condition.reason,
        shown()
    );
    assert_eq!(
        condition.observed_generation,
        status.observed_generation,
        "S7: {}",
        shown()
    );
    let message = &condition.message;
    assert!(message.chars().count() <= LONGEST_MESSAGE, "S2: {message}");
    assert!(!message.contains(char::is_control), "S2: {message}");
    for secret in secrets {
        assert!(!message.contains(*secret), "S2: {message}");
    }
}

fn of_ready(
    object: &TaurusProxyPort,
    status: &TaurusProxyPortStatus,
    version: &Version,
    shown: &impl Fn() -> String,
) {
    assert!(
        status.change.is_none(),
        "S6: no change is in progress: {}",
        shown()
    );
    if object.spec.management_policy == Some(ManagementPolicy::Observe) {
        return;
    }
    assert_eq!(status.port, Some(object.spec.port), "S6: {}", shown());
    let wanted = u16::try_from(object.spec.port).unwrap();
    let proxy = object.spec.proxy_id.to_ascii_lowercase();
    assert!(
        version.listed.contains(&(proxy, wanted)),
        "S6: the cloud has shown the port: {}",
        shown()
    );
}

fn of_two(before: &TaurusProxyPort, after: &TaurusProxyPort) {
    let shown = || format!("{before:#?}\nthen\n{after:#?}");
    let (Some(old), Some(new)) = (said(before), said(after)) else {
        if let Some(new) = said(after) {
            assert!(
                find(new, "Ready").is_none_or(|ready| ready.status != "True"),
                "S4: Ready is not the first that is said: {}",
                shown()
            );
            let judged = new.conditions.is_empty() || new.observed_generation.is_some();
            assert!(judged, "S4: {}", shown());
        }
        return;
    };
    assert!(
        old == new || !told(old).eq(told(new)) || without_times(old) != without_times(new),
        "S1: a write that says nothing new: {}",
        shown()
    );
    assert!(
        new.observed_generation >= old.observed_generation,
        "S7: {}",
        shown()
    );
    for condition in &new.conditions {
        let Some(earlier) = find(old, &condition.type_) else {
            continue;
        };
        let moved = earlier.last_transition_time != condition.last_transition_time;
        let changed = earlier.status != condition.status;
        assert!(
            moved == changed || (changed && same_second(earlier, condition)),
            "S7: times move with statuses: {}",
            shown()
        );
    }
    of_changes(old, new, &shown);
    of_histories(&old.history, new, &shown);
}

/// One change is entered when it ends, before all others, and in the write that says so.
fn of_histories(old: &[HistoryEntry], new: &TaurusProxyPortStatus, shown: &impl Fn() -> String) {
    let same = |old: &HistoryEntry, new: &HistoryEntry| {
        let late = HistoryEntry {
            job_id: new.job_id.clone(),
            ..old.clone()
        };
        old == new || (old.job_id.is_none() && late == *new)
    };
    let goes_on = |new: &[HistoryEntry], least: usize| {
        new.len() >= least.min(old.len()) && old.iter().zip(new).all(|(old, new)| same(old, new))
    };
    let unmoved = new.history.len() == old.len() && goes_on(&new.history, old.len());
    let entered = new
        .history
        .split_first()
        .is_some_and(|(_, rest)| goes_on(rest, LONGEST_HISTORY - 1));
    // A definition of an older release has dropped all of it.
    let dropped = new.history.is_empty();
    assert!(
        unmoved || entered || dropped,
        "the history goes on: {}",
        shown()
    );
}

/// Two changes of a condition within a second have one time: it has whole seconds.
fn same_second(earlier: &Condition, later: &Condition) -> bool {
    earlier.last_transition_time == later.last_transition_time
}

fn of_changes(
    old: &TaurusProxyPortStatus,
    new: &TaurusProxyPortStatus,
    shown: &impl Fn() -> String,
) {
    let (Some(old), Some(new)) = (&old.change, &new.change) else {
        return;
    };
    assert_eq!(
        old.id,
        new.id,
        "S8: a change ends before the next one begins: {}",
        shown()
    );
    let rank = |phase: Phase| match phase {
        Phase::Intended => 0,
        Phase::Submitted => 1,
        Phase::Verifying => 2,
    };
    assert!(rank(new.phase) >= rank(old.phase), "S8: {}", shown());
    assert!(
        old.job_id.is_none() || old.job_id == new.job_id,
        "S8: a job id stays: {}",
        shown()
    );
    assert_eq!(
        (old.from_port, old.to_port),
        (new.from_port, new.to_port),
        "S8: {}",
        shown()
    );
}

fn find<'a>(status: &'a TaurusProxyPortStatus, kind: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
}

/// What the conditions say, which mostly tells two statuses apart already.
fn told(
    status: &TaurusProxyPortStatus,
) -> impl Iterator<Item = (&str, &str, &str, &str, Option<i64>)> {
    status.conditions.iter().map(|condition| {
        (
            condition.type_.as_str(),
            condition.status.as_str(),
            condition.reason.as_str(),
            condition.message.as_str(),
            condition.observed_generation,
        )
    })
}

/// The status without what only says when.
fn without_times(status: &TaurusProxyPortStatus) -> Value {
    let mut value = serde_json::to_value(status).unwrap();
    drop_times(&mut value);
    value
}

fn drop_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !(name.ends_with("Time") || name.ends_with("At")));
            fields.values_mut().for_each(drop_times);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROXY: &str = "00000000000000000000000000000001po01";

    fn object(status: &Value) -> TaurusProxyPort {
        serde_json::from_value(json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": "a", "namespace": "b", "uid": "c", "generation": 1},
            "spec": {"region": "xx-sim-1", "projectID": "", "instanceID": "",
                "proxyID": PROXY, "port": 3307},
            "status": status,
        }))
        .unwrap()
    }

    fn condition(kind: &str, status: &str, time: &str) -> Value {
        json!({"type": kind, "status": status, "reason": "Settled", "message": "", "observedGeneration": 1,
            "lastTransitionTime": time})
    }

    fn check(statuses: &[Value]) -> bool {
        let versions: Vec<Version> = statuses
            .iter()
            .map(|status| Version {
                object: object(status),
                deleted: false,
                listed: vec![(PROXY.to_owned(), 3307)],
            })
            .collect();
        std::panic::catch_unwind(|| of_versions(&versions, &[])).is_ok()
    }

    fn ready(time: &str) -> Value {
        json!({"observedGeneration": 1, "port": 3307, "conditions": [condition("Ready", "True", time)]})
    }

    fn unready(time: &str) -> Value {
        json!({"observedGeneration": 1, "conditions": [condition("Ready", "False", time),
            condition("Reconciling", "True", time)]})
    }

    const NOON: &str = "2026-01-01T12:00:00Z";
    const LATER: &str = "2026-01-01T12:00:09Z";

    #[test]
    fn the_checker_passes_what_is_right() {
        assert!(check(&[Value::Null, unready(NOON), ready(LATER)]));
    }

    #[test]
    fn a_status_from_a_backup_is_where_the_next_one_goes_on() {
        let mut restored = unready(NOON);
        restored["subjectUID"] = json!("another");
        let mut after = unready(NOON);
        after["address"] = json!("10.0.0.1");
        let history = [Value::Null, unready(LATER), restored, after.clone()];
        assert!(check(&history));
        assert!(!check(&[Value::Null, unready(LATER), after]));
        let ready_at_once = [Value::Null, history[2].clone(), ready(LATER)];
        assert!(
            !check(&ready_at_once),
            "Ready is not the first that is said"
        );
    }

    #[test]
    fn the_checker_sees_each_breach() {
        let with = |base: Value, name: &str, value: Value| {
            let mut base = base;
            base[name] = value;
            base
        };
        let change = |id: &str, phase: &str, job: Value| {
            let change = json!({"id": id, "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": phase, "attempt": 1,
                "jobID": job, "intendedAt": NOON});
            with(unready(NOON), "change", change)
        };
        let entry = |id: &str| {
            json!({"id": id, "fromPort": 3306, "toPort": 3307, "trigger": "Edit", "outcome": "Succeeded",
                "startedAt": NOON, "finishedAt": NOON})
        };
        let entered = |ids: &[&str], last: &str, time: &str| {
            let history: Vec<Value> = ids.iter().map(|id| entry(id)).collect();
            let said = with(unready(time), "lastChange", entry(last));
            with(
                with(said, "history", history.into()),
                "address",
                ids.concat().into(),
            )
        };
        assert!(check(&[
            unready(NOON),
            with(unready(NOON), "address", json!("10.0.0.1")),
        ]));
        let breaches = [
            vec![entered(&["a", "b", "a"], "a", NOON)],
            vec![entered(&["a", "b"], "b", NOON)],
            vec![entered(&["b", "a"], "b", NOON), entered(&["b"], "b", NOON)],
            vec![entered(&["a"], "a", NOON), entered(&["c", "b"], "c", NOON)],
            vec![entered(
                &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"],
                "a",
                NOON,
            )],
            vec![Value::Null, ready(NOON)],
            vec![ready(NOON), ready(LATER)],
            vec![with(ready(NOON), "port", json!(3306))],
            vec![with(
                ready(NOON),
                "change",
                change("x", "Intended", Value::Null)["change"].clone(),
            )],
            vec![with(
                unready(NOON),
                "conditions",
                json!([condition("Ready", "False", NOON)]),
            )],
            vec![with(
                unready(NOON),
                "conditions",
                json!([condition("Reconciling", "True", NOON)]),
            )],
            vec![with(
                with(ready(NOON), "subjectUID", json!("c")),
                "observedGeneration",
                json!(2),
            )],
            vec![
                unready(NOON),
                with(ready(NOON), "observedGeneration", json!(0)),
            ],
            vec![
                unready(NOON),
                with(unready(LATER), "address", json!("10.0.0.1")),
            ],
            vec![
                change("x", "Submitted", json!("j")),
                change("x", "Intended", json!("j")),
            ],
            vec![
                change("x", "Submitted", json!("j")),
                change("x", "Verifying", json!("k")),
            ],
            vec![
                change("x", "Submitted", json!("j")),
                change("y", "Submitted", json!("j")),
            ],
        ];
        for breach in &breaches {
            assert!(!check(breach), "{breach:#?}");
        }
    }
}
