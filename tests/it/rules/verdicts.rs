//! What GitOps tools have to take every version of every resource for.
//!
//! kstatus and Argo CD know nothing of ports. They may call a resource done only where its status tells of the generation
//! that is there, and what a status that tells so has to be true of, the other rules hold.

use kube::ResourceExt as _;
use taurus_port_operator::crd::TaurusProxyPort;

use super::Version;
use crate::world::{
    condition, is_ready, reason,
    verdicts::{Health, Kstatus, Verdict},
};

/// Reasons that Argo CD shows as suspended.
const SUSPENDED: [&str; 4] = [
    "Suspended",
    "WaitingForWindow",
    "ChangeFreeze",
    "WaitingForApproval",
];

/// Checks the verdicts on versions, in the order in which a watch delivered them. The resource called `done` ended well.
pub fn of_verdicts(versions: &[Version], verdicts: &[Verdict], done: &str) {
    let wrong = wrong_verdicts(versions, verdicts);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut of_it = versions
        .iter()
        .zip(verdicts)
        .filter(|(version, _)| version.object.name_any() == done);
    let last = of_it.next_back().map(|(_, verdict)| verdict);
    assert!(
        last.is_some_and(|verdict| verdict.kstatus.status == Kstatus::Current
            && verdict.health() == Health::Healthy),
        "who waits for {done} sees the end of it: {last:?}"
    );
}

/// The verdicts that are not as expected, in a text each.
pub fn wrong_verdicts(versions: &[Version], verdicts: &[Verdict]) -> Vec<String> {
    assert_eq!(versions.len(), verdicts.len(), "one for each version");
    let pairs = versions.iter().zip(verdicts);
    pairs
        .filter_map(|(version, verdict)| wrong(&version.object, verdict))
        .collect()
}

/// What is wrong with a verdict.
fn wrong(object: &TaurusProxyPort, verdict: &Verdict) -> Option<String> {
    let (kstatus, health) = expected(object);
    let right = verdict.health() == health
        && kstatus.is_none_or(|kstatus| verdict.kstatus.status == kstatus);
    let wanted = || format!("expected {kstatus:?}, {health:?}; {verdict:?}: {object:#?}");
    (!right).then(wanted)
}

/// Where an older definition gives no status by default, kstatus takes an object for done of which nobody has said anything yet.
fn expected(object: &TaurusProxyPort) -> (Option<Kstatus>, Health) {
    if object.metadata.deletion_timestamp.is_some() {
        return (Some(Kstatus::Terminating), Health::Progressing);
    }
    let Some(status) = object.status.as_ref() else {
        return (None, Health::Progressing);
    };
    let said = !status.conditions.is_empty() || status.observed_generation.is_some();
    let current = status.observed_generation == object.metadata.generation;
    let (kstatus, health) = if current && condition(object, "Stalled") == "True" {
        (Kstatus::Failed, Health::Degraded)
    } else if is_ready(object) {
        (Kstatus::Current, Health::Healthy)
    } else if current && SUSPENDED.contains(&reason(object)) {
        (Kstatus::InProgress, Health::Suspended)
    } else {
        (Kstatus::InProgress, Health::Progressing)
    };
    (said.then_some(kstatus), health)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use taurus_sim::sample;

    use super::*;
    use crate::world::{NEIGHBOUR, verdicts::Said};

    /// A version of the neighbour with these conditions True, of generation 2 as far as `judged`.
    fn version(conditions: &[(&str, &str)], judged: i64) -> Version {
        let conditions: Vec<Value> = conditions
            .iter()
            .map(|(kind, reason)| {
                json!({"type": kind, "status": "True", "reason": reason, "message": "", "observedGeneration": judged,
                    "lastTransitionTime": "2026-01-01T12:00:00Z"})
            })
            .collect();
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
            "metadata": {"name": NEIGHBOUR, "namespace": "b", "uid": "c", "generation": 2},
            "spec": {"region": "xx-sim-1", "projectID": sample::PROJECT, "instanceID": sample::INSTANCE,
                "proxyID": sample::PROXY, "port": 3307},
            "status": {"observedGeneration": judged, "conditions": conditions},
        });
        Version {
            object: serde_json::from_value(object).unwrap(),
            deleted: false,
            listed: Vec::new(),
        }
    }

    fn holds(history: &[(&Version, Kstatus, Health)]) -> bool {
        let versions: Vec<Version> = history
            .iter()
            .map(|(version, ..)| (*version).clone())
            .collect();
        let said = |kstatus, health| Verdict {
            kstatus: Said {
                status: kstatus,
                message: String::new(),
            },
            argocd: Some(Said {
                status: health,
                message: String::new(),
            }),
            wave: 0,
        };
        let verdicts: Vec<Verdict> = history
            .iter()
            .map(|(_, kstatus, health)| said(*kstatus, *health))
            .collect();
        std::panic::catch_unwind(|| of_verdicts(&versions, &verdicts, NEIGHBOUR)).is_ok()
    }

    #[test]
    fn the_checker_passes_what_is_right_and_sees_each_breach() {
        let settled = version(&[("Ready", "Settled")], 2);
        let done = (&settled, Kstatus::Current, Health::Healthy);
        let stalled = version(&[("Stalled", "JobFailed")], 2);
        let waiting = version(&[("Reconciling", "Suspended")], 2);
        let working = version(&[("Reconciling", "JobRunning")], 2);
        let late = version(&[("Ready", "Settled")], 1);
        let right = [
            (&stalled, Kstatus::Failed, Health::Degraded),
            (&waiting, Kstatus::InProgress, Health::Suspended),
            (&working, Kstatus::InProgress, Health::Progressing),
            (&late, Kstatus::InProgress, Health::Progressing),
            done,
        ];
        assert!(holds(&right));
        assert!(!holds(&right[..4]), "the neighbour is not done");
        for (version, kstatus, health) in right {
            for wrong in [
                Kstatus::Current,
                Kstatus::InProgress,
                Kstatus::Failed,
                Kstatus::Unknown,
            ] {
                assert_eq!(
                    holds(&[(version, wrong, health), done]),
                    wrong == kstatus,
                    "{wrong:?}"
                );
            }
            for wrong in [
                Health::Healthy,
                Health::Progressing,
                Health::Suspended,
                Health::Degraded,
            ] {
                assert_eq!(
                    holds(&[(version, kstatus, wrong), done]),
                    wrong == health,
                    "{wrong:?}"
                );
            }
        }
    }
}
