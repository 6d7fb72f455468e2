//! The rules of status, held over every version that is written.
//!
//! Relies on the status that it replaces for what may follow. Promises to panic with both versions where a rule is
//! broken.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::cloud::Sky;
use crate::{
    crd::{ManagementPolicy, Phase, TaurusProxyPort, TaurusProxyPortStatus},
    model::{Class, Reason},
};

/// Holds the rules over `new`, which replaces the status of `object`.
pub(super) fn written(object: &TaurusProxyPort, new: &TaurusProxyPortStatus, sky: &Sky) {
    let mut broken = Vec::new();
    one_of_three_is_true(new, &mut broken);
    reasons_are_of_the_closed_set(new, &mut broken);
    generations_agree(object, new, &mut broken);
    ready_is_proven(object, new, sky, &mut broken);
    if let Some(old) = &object.status {
        times_move_with_the_status(old, new, &mut broken);
        if is_ours(object, old) {
            changes_move_on(old, new, &mut broken);
            history_moves_with_an_end(old, new, &mut broken);
            if new.observed_generation < old.observed_generation {
                broken.push("observedGeneration decreases".to_owned());
            }
        }
    }
    let old = &object.status;
    assert!(broken.is_empty(), "{broken:#?}\nold {old:#?}\nnew {new:#?}");
}

fn is_ours(object: &TaurusProxyPort, status: &TaurusProxyPortStatus) -> bool {
    let is_port = |port: i32| u16::try_from(port).is_ok();
    let mut change = status.change.iter();
    change.all(|change| is_port(change.from_port) && is_port(change.to_port))
        && status.subject_uid.is_some()
        && status.subject_uid == object.metadata.uid
        && status.observed_generation <= object.metadata.generation
}

fn find<'a>(status: &'a TaurusProxyPortStatus, kind: &str) -> Option<&'a Condition> {
    let mut conditions = status.conditions.iter();
    conditions.find(|condition| condition.type_ == kind)
}

fn one_of_three_is_true(new: &TaurusProxyPortStatus, broken: &mut Vec<String>) {
    let three = ["Ready", "Reconciling", "Stalled"].map(|kind| find(new, kind));
    let is_true = |condition: &&Condition| condition.status == "True";
    let count = three.iter().flatten().filter(|one| is_true(one)).count();
    if count != 1 {
        broken.push(format!("{count} of Ready, Reconciling, Stalled are True"));
    }
    let [ready, others @ ..] = three;
    if ready.is_none() {
        broken.push("Ready is missing".to_owned());
    }
    if others.iter().flatten().any(|other| !is_true(other)) {
        broken.push("Reconciling or Stalled stands there without being True".to_owned());
    }
}

fn reasons_are_of_the_closed_set(new: &TaurusProxyPortStatus, broken: &mut Vec<String>) {
    for condition in &new.conditions {
        let Ok(reason) = condition.reason.parse::<Reason>() else {
            broken.push(format!("reason {} is none", condition.reason));
            continue;
        };
        let fits = match (condition.type_.as_str(), condition.status.as_str()) {
            ("Ready", "True") => reason.class() == Class::Ready,
            ("Ready", _) => matches!(reason.class(), Class::Reconciling | Class::Stalled),
            ("Reconciling", _) => reason.class() == Class::Reconciling,
            ("Stalled", _) => reason.class() == Class::Stalled,
            _ => true,
        };
        if !fits {
            broken.push(format!("{} because of {reason}", condition.type_));
        }
    }
}

fn generations_agree(
    object: &TaurusProxyPort,
    new: &TaurusProxyPortStatus,
    broken: &mut Vec<String>,
) {
    let judged = new.observed_generation;
    if judged != object.metadata.generation {
        broken.push("another generation is judged than there is".to_owned());
    }
    let mut conditions = new.conditions.iter();
    if conditions.any(|condition| condition.observed_generation != judged) {
        broken.push("conditions judge different generations".to_owned());
    }
}

fn ready_is_proven(
    object: &TaurusProxyPort,
    new: &TaurusProxyPortStatus,
    sky: &Sky,
    broken: &mut Vec<String>,
) {
    if find(new, "Ready").is_none_or(|ready| ready.status != "True") {
        return;
    }
    if new.change.is_some() {
        broken.push("Ready while a change is on record".to_owned());
    }
    let observes = object.spec.management_policy == Some(ManagementPolicy::Observe);
    if !observes && new.subject_uid != object.metadata.uid {
        broken.push("Ready though an earlier change may still be running".to_owned());
    }
    let listed = sky.state().listed;
    if !observes && listed.map(i32::from) != Some(object.spec.port) {
        broken.push(format!("Ready though the cloud listed {listed:?}"));
    }
}

fn times_move_with_the_status(
    old: &TaurusProxyPortStatus,
    new: &TaurusProxyPortStatus,
    broken: &mut Vec<String>,
) {
    for after in &new.conditions {
        let Some(before) = find(old, &after.type_) else {
            continue;
        };
        let moved = before.last_transition_time != after.last_transition_time;
        if moved && before.status == after.status {
            broken.push(format!("the time of {} moves alone", after.type_));
        }
    }
}

fn changes_move_on(
    old: &TaurusProxyPortStatus,
    new: &TaurusProxyPortStatus,
    broken: &mut Vec<String>,
) {
    let fresh = match (&old.change, &new.change) {
        (Some(before), Some(after)) if before.id == after.id => {
            if after.phase < before.phase {
                broken.push("a phase moves back".to_owned());
            }
            if before.job_id.is_some() && after.job_id != before.job_id {
                broken.push("a job id that was written does not stay".to_owned());
            }
            if (before.from_port, before.to_port) != (after.from_port, after.to_port) {
                broken.push("a change gets other ports".to_owned());
            }
            None
        }
        (before, after) => {
            let ended = new.last_change.as_ref().map(|last| &last.id);
            if let Some(before) = before
                && before.phase > Phase::Intended
                && ended != Some(&before.id)
            {
                broken.push("a change that was accepted ends without a trace".to_owned());
            }
            after.as_ref()
        }
    };
    if fresh.is_some_and(|change| change.phase != Phase::Intended || change.job_id.is_some()) {
        broken.push("a change begins without an intent".to_owned());
    }
}

/// A change is entered in the write that says how it ended: nothing is written for the history alone.
fn history_moves_with_an_end(
    old: &TaurusProxyPortStatus,
    new: &TaurusProxyPortStatus,
    broken: &mut Vec<String>,
) {
    let last = |status: &TaurusProxyPortStatus| {
        let last = status.last_change.as_ref();
        last.map(|last| (last.id.clone(), last.job_id.clone()))
    };
    let moved = old.history != new.history;
    if moved && last(old) == last(new) {
        broken.push("the history moves, and no change has ended".to_owned());
    }
    if !moved
        && old.last_change.as_ref().map(|it| &it.id) != new.last_change.as_ref().map(|it| &it.id)
    {
        broken.push("a change ends, and the history does not say so".to_owned());
    }
}
