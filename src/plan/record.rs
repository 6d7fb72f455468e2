//! What is on record about a resource: its status, as far as decisions rest on it, in proven types.
//!
//! Promises that of a status that was written for another object, or for a later generation than there is, nothing counts
//! that a change could rest on: it was restored from a backup or written by hand, and its change may be anybody's.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::ResourceExt as _;

use crate::{
    crd::{
        ChangeRecord, FailureRecord, HistoryEntry, LastChange, Phase, PlanRecord, TaurusProxyPort,
        TaurusProxyPortStatus, UNOBSERVED,
    },
    model::{ChangeId, JobId, Reason},
    plan::{history, message},
};

/// By so much the clock of whoever has written a status may have been behind that of the API server. An operator whose clock is off by
/// as much can't read the cloud, which refuses it, and so says Ready of nothing.
const SKEW: Duration = Duration::from_mins(15);

/// What is on record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// Whether it is known that no change from before this object is still at work: only then `subjectUID` is written. Not known
    /// of a resource that only observes its proxy, or waits for another one that manages it.
    pub vetted: bool,
    /// Whether the status was written for another object, for a later generation than there is, or with a change that
    /// can't have been ours.
    pub restored: bool,
    /// The generation that the status judges; nothing where there is no status of this object.
    pub generation: Option<i64>,
    /// Whether the status says Ready, and was written for this very object as far as is known.
    pub ready: bool,
    /// Whether the status says Ready, perhaps of an object that a backup was made of.
    pub says_ready: bool,
    /// The reason that the status gives for Ready.
    pub reason: Option<Reason>,
    /// Until when what the reason says is waited for, where the message tells.
    pub told_until: Option<Timestamp>,
    /// The port last read while no change was in progress.
    pub port: Option<u16>,
    /// The last wanted port that was seen in place.
    pub applied: Option<u16>,
    /// The change that is due and waits for its moment.
    pub plan: Option<PlanRecord>,
    /// The change in progress.
    pub change: Option<Change>,
    /// Whether a change of which this process knows that nothing is at work has to be taken from the record before the next one.
    pub spent: bool,
    /// How the last change ended.
    pub last: Option<LastChange>,
    /// The last changes that ended, newest first.
    pub history: Vec<HistoryEntry>,
    /// Attempts that did not succeed.
    pub failures: Vec<FailureRecord>,
    /// When drift was put right.
    pub corrections: Vec<Timestamp>,
    /// The request that was last handled.
    pub handled_request: Option<String>,
}

/// A change in progress, as it is on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// The id of the plan that it carries out, for people.
    pub plan: Option<String>,
    /// The port before.
    pub from: u16,
    /// The port that is asked for.
    pub to: u16,
    /// The generation that asked for it.
    pub generation: i64,
    /// How far it has come.
    pub phase: Phase,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The job, once the cloud has named it.
    pub job: Option<JobId>,
    /// When the intent was recorded.
    pub intended_at: Timestamp,
    /// When the cloud accepted it.
    pub submitted_at: Option<Timestamp>,
}

impl Record {
    /// Whether a person asks for a look that was not made yet.
    pub fn is_asked_by(&self, request: Option<&str>) -> bool {
        request.is_some() && request != self.handled_request.as_deref()
    }

    /// Whether the status says that it waits for another resource that manages its proxy, or may do so. Only who has seen the
    /// proxy is told so.
    pub fn waits(&self) -> bool {
        self.reason.is_some_and(|reason| {
            matches!(
                reason,
                Reason::ProxyClaimed | Reason::ProxyContested | Reason::TakingOver
            )
        })
    }

    /// The times on which decisions rest.
    pub fn times(&self) -> impl Iterator<Item = Timestamp> {
        let change = self.change.iter();
        let change =
            change.flat_map(|change| [Some(change.intended_at), change.submitted_at].into_iter());
        let last = self.last.iter().map(|last| last.finished_at.0);
        let failures = self.failures.iter().map(|failure| failure.last_at.0);
        let corrections = self.corrections.iter().copied();
        change
            .flatten()
            .chain(last)
            .chain(failures)
            .chain(corrections)
    }

    /// Reads an object's status.
    pub fn of(object: &TaurusProxyPort) -> Self {
        let Some(status) = &object.status else {
            return Self::default();
        };
        let uid = object.uid();
        let foreign = status.subject_uid.is_some() && status.subject_uid != uid;
        let ahead = status.observed_generation > object.metadata.generation;
        let stored = status.change.as_ref();
        let unreadable = stored.is_some_and(|change| Change::of(change).is_none());
        let restored = foreign || ahead || unreadable;
        let vetted = status.subject_uid.is_some() && !restored;
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Ready");
        let says_ready = !restored && ready.is_some_and(|ready| ready.status == "True");
        Self {
            vetted,
            restored,
            // The default of the definition is no record.
            generation: status
                .observed_generation
                .filter(|generation| !restored && *generation != UNOBSERVED),
            ready: says_ready && ready.is_some_and(|ready| is_own_word(ready, object)),
            says_ready,
            reason: ready.and_then(|condition| condition.reason.parse().ok()),
            told_until: ready.and_then(|condition| message::told_until(&condition.message)),
            port: status.port.and_then(|port| u16::try_from(port).ok()),
            applied: status
                .applied_port
                .and_then(|port| u16::try_from(port).ok()),
            plan: status.plan.clone().filter(|_| !restored),
            // Without a UID nobody has vouched for the change: it is from a manifest or from a restored backup.
            change: status
                .change
                .as_ref()
                .filter(|_| vetted)
                .and_then(Change::of),
            spent: false,
            last: status.last_change.clone(),
            history: history::read(status),
            failures: Some(status.failures.clone())
                .filter(|_| !restored)
                .unwrap_or_default(),
            corrections: Some(corrections(status))
                .filter(|_| !restored)
                .unwrap_or_default(),
            handled_request: status.last_handled_request.clone(),
        }
    }
}

/// Whether Ready was said of this very object, as far as the object itself tells. Asked is what keeps the Ready of a restored backup from
/// standing while nobody has seen the proxy of the object that was made of it.
///
/// The UID in the status tells, where there is one; the status of an object that is only observed has none. A process that has said Ready
/// itself knows by that, whatever the times are: see [`Session::complete`](super::session::Session::complete). Before it has, there are only
/// times to go by, and they are of two machines: when the operator said Ready, and when the API server made the object. So they are a
/// verdict only where they differ by more than [`SKEW`], which leaves two errors, neither of which lasts longer than until a list is read.
/// The Ready of a backup stands for up to three resyncs if it had become true less than [`SKEW`] before the object was made anew, and no
/// list can be read since. And an own Ready becomes Unknown too soon if the clocks differ by more, as where that of the API server is
/// wrong, and the first list of a new process fails.
fn is_own_word(ready: &Condition, object: &TaurusProxyPort) -> bool {
    let status = object.status.as_ref();
    let names_it = status.is_some_and(|status| status.subject_uid.is_some());
    let created = object.creation_timestamp();
    let by_then = ready.last_transition_time.0.saturating_add(SKEW);
    let by_then = by_then.unwrap_or(Timestamp::MAX);
    names_it || created.is_none_or(|created| by_then >= created.0)
}

impl Change {
    /// Reads a stored change. One that can't have been written by us (a port that is none) is none.
    pub fn of(stored: &ChangeRecord) -> Option<Self> {
        Some(Self {
            id: ChangeId::recorded(&stored.id),
            plan: stored.plan.clone(),
            from: u16::try_from(stored.from_port).ok()?,
            to: u16::try_from(stored.to_port).ok()?,
            generation: stored.generation,
            phase: stored.phase,
            attempt: u32::try_from(stored.attempt).unwrap_or(1),
            job: stored.job_id.as_deref().and_then(JobId::parse),
            intended_at: stored.intended_at.0,
            submitted_at: stored.submitted_at.as_ref().map(|time| time.0),
        })
    }

    /// The change as it is stored.
    pub fn stored(&self) -> ChangeRecord {
        use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
        ChangeRecord {
            id: self.id.as_str().to_owned(),
            plan: self.plan.clone(),
            from_port: self.from.into(),
            to_port: self.to.into(),
            generation: self.generation,
            phase: self.phase,
            attempt: i32::try_from(self.attempt).unwrap_or(i32::MAX),
            job_id: self.job.as_ref().map(|job| job.as_str().to_owned()),
            intended_at: Time(self.intended_at),
            submitted_at: self.submitted_at.map(Time),
        }
    }
}

fn corrections(status: &TaurusProxyPortStatus) -> Vec<Timestamp> {
    let times = status
        .corrections
        .iter()
        .flat_map(|corrections| &corrections.times);
    times.map(|time| time.0).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::{session::Session, step::Step};

    fn record(status: &Value) -> Record {
        let object = json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
            "kind": "TaurusProxyPort",
            "metadata": {"name": "orders", "namespace": "shop", "generation": 3, "uid": "uid-1"},
            "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307},
            "status": status
        });
        Record::of(&serde_json::from_value(object).unwrap())
    }

    fn change() -> Value {
        json!({
            "id": "c1", "fromPort": 3306, "toPort": 3307, "generation": 3, "phase": "Submitted", "attempt": 1,
            "jobID": "job-1", "intendedAt": "2026-03-02T16:40:05Z"
        })
    }

    #[test]
    fn a_status_of_this_object_is_read_whole() {
        let ready = json!([{
            "type": "Ready", "status": "True", "reason": "Settled", "message": "",
            "lastTransitionTime": "2026-03-02T16:40:05Z"
        }]);
        let record = record(&json!({
            "subjectUID": "uid-1", "observedGeneration": 3, "port": 3306, "change": change(), "conditions": ready
        }));
        assert!(record.vetted && record.ready);
        assert_eq!(record.reason, Some(Reason::Settled));
        assert_eq!(
            record
                .change
                .as_ref()
                .unwrap()
                .job
                .as_ref()
                .unwrap()
                .as_str(),
            "job-1"
        );
        assert_eq!(
            Change::of(&record.change.as_ref().unwrap().stored()),
            record.change
        );
    }

    /// Of one that only observes its proxy, and was Ready by the operator's clock at 16:40:05.
    #[test]
    fn h16_what_was_said_of_one_that_only_observes_long_before_it_was_made_is_of_a_backup() {
        let read = |created: &str| {
            let object = json!({
                "apiVersion": "taurusdb.huaweicloud.com/v1alpha1",
                "kind": "TaurusProxyPort",
                "metadata": {
                    "name": "orders", "namespace": "shop", "generation": 1, "uid": "uid-1", "creationTimestamp": created
                },
                "spec": {"projectID": "", "instanceID": "", "proxyID": "", "port": 3307},
                "status": {"observedGeneration": 1, "port": 3306, "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Observed", "message": "",
                    "lastTransitionTime": "2026-03-02T16:40:05Z"
                }]}
            });
            Record::of(&serde_json::from_value(object).unwrap())
        };
        for (created, is_own) in [
            ("2026-03-02T10:40:05Z", true),
            ("2026-03-02T16:40:05Z", true),
            // The operator's clock is behind that of the API server.
            ("2026-03-02T16:40:07Z", true),
            ("2026-03-02T16:55:05Z", true),
            ("2026-03-02T16:55:06Z", false),
        ] {
            let record = read(created);
            assert_eq!(record.ready, is_own, "{created}");
            assert!(record.says_ready, "{created}");
            // Who has said so itself knows, by whatever clocks.
            let mut session = Session::default();
            assert_eq!(session.complete(read(created)).ready, is_own, "{created}");
            session.note_word(&Step::Keep(Duration::ZERO));
            assert_eq!(session.complete(read(created)).ready, is_own, "{created}");
            session.note_word(&Step::Rest);
            assert!(session.complete(read(created)).ready, "{created}");
        }
    }

    #[test]
    fn of_a_status_of_another_object_or_of_the_future_no_change_and_no_attempt_counts() {
        let ready = json!([{
            "type": "Ready", "status": "True", "reason": "Settled", "message": "",
            "lastTransitionTime": "2026-03-02T16:40:05Z"
        }]);
        let failures = json!([{
            "port": 3307, "failed": 4, "void": 0, "lastAt": "2026-03-02T16:40:05Z", "cause": "JobFailed"
        }]);
        for (uid, generation) in [("uid-2", 3), ("uid-1", 4)] {
            let record = record(&json!({
                "subjectUID": uid, "observedGeneration": generation, "change": change(), "conditions": ready,
                "failures": failures, "corrections": {"times": ["2026-03-02T16:40:05Z"]}, "appliedPort": 3306
            }));
            assert!(record.restored && !record.vetted && !record.ready);
            let mut session = Session::default();
            session.note_word(&Step::Rest);
            assert!(!session.complete(record.clone()).ready);
            assert_eq!((record.generation, record.change), (None, None));
            assert!(record.failures.is_empty() && record.corrections.is_empty());
            assert_eq!(
                record.applied,
                Some(3306),
                "who leaves drift alone still does"
            );
        }
    }

    #[test]
    fn the_default_of_the_definition_is_no_record() {
        let read = record(&json!({ "observedGeneration": UNOBSERVED }));
        assert_eq!(read, Record::default());
        // Nor does it take anything from what is one.
        let mut written =
            json!({"subjectUID": "uid-1", "observedGeneration": 3, "change": change()});
        let mut known = record(&written);
        assert!(known.change.is_some());
        written["observedGeneration"] = json!(UNOBSERVED);
        known.generation = None;
        assert_eq!(record(&written), known);
    }

    #[test]
    fn a_change_that_nobody_vouched_for_is_none() {
        assert_eq!(record(&json!({"change": change()})).change, None);
        assert_eq!(record(&json!({})), Record::default());
    }
}
