//! The status of a resource as the model keeps it: small, hashable, with ages in place of times.
//!
//! Promises to become the real status and back without losing anything that a decision rests on; texts and the times of
//! conditions are left out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use taurus_port_operator::{
    crd::{
        ChangeRecord, Corrections, FailureCause, FailureRecord, LastChange, Outcome, Phase,
        TaurusProxyPortStatus,
    },
    model::{ChangeId, JobId, Reason},
    plan::record::Change,
};

use crate::clock;

/// UID of the one object.
pub const UID: &str = "uid-1";

/// A status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Paper {
    pub vetted: bool,
    pub generation: Option<u8>,
    pub ready: Option<(Truth, Reason)>,
    pub port: Option<u16>,
    pub applied: Option<u16>,
    pub plan: Option<Plan>,
    pub change: Option<Intent>,
    pub last: Option<Last>,
    pub failures: Vec<Failure>,
    pub corrections: Vec<i8>,
}

/// What a condition may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    True,
    False,
    Unknown,
}

/// A change that is due and waits for its moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    pub id: u8,
    pub from: u16,
    pub to: u16,
    pub made: i8,
}

/// A change on record. Its job has the number of the change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Intent {
    pub id: u8,
    pub from: u16,
    pub to: u16,
    pub generation: u8,
    pub phase: Phase,
    pub attempt: u8,
    pub job: bool,
    pub intended: i8,
    /// The plan that it was decided on with, which is not on record any more.
    pub plan: Option<Plan>,
}

/// How the last change ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Last {
    pub id: u8,
    /// The port before, and how long ago it ended: while lists may lag behind it.
    from: u16,
    finished: i8,
    pub job: bool,
    pub outcome: Outcome,
}

/// Attempts at a port that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    pub port: u16,
    pub failed: u8,
    pub void: u8,
    pub last: i8,
    pub cause: FailureCause,
    pub superseded: bool,
}

/// The id of a change, as the operator knows it.
pub fn change_id(id: u8) -> ChangeId {
    ChangeId::from_bits(id.into())
}

/// The number of a change.
pub fn number(id: &str) -> u8 {
    u8::from_str_radix(id, 16).unwrap()
}

/// The job of a change.
pub fn job_id(id: u8) -> JobId {
    JobId::parse(&format!("job-{id}")).unwrap()
}

/// The number of the change of a job.
pub fn job_number(id: &JobId) -> u8 {
    let number = id.as_str().strip_prefix("job-").unwrap();
    number.parse().unwrap()
}

/// Ticks for which a list may lag behind the end of a change.
#[expect(clippy::cast_possible_wrap, reason = "it is small")]
const LAG: i8 = clock::LAG as i8;

impl Paper {
    pub fn of(status: &TaurusProxyPortStatus) -> Self {
        let ready = status.conditions.iter().find(|one| one.type_ == "Ready");
        Self {
            vetted: status.subject_uid.is_some(),
            generation: status.observed_generation.map(small),
            ready: ready.map(|ready| (Truth::of(&ready.status), ready.reason.parse().unwrap())),
            port: status.port.map(small),
            applied: status.applied_port.map(small),
            // What it stands for is known to whoever writes it.
            plan: None,
            change: status.change.as_ref().map(Intent::of),
            last: status.last_change.as_ref().map(|last| Last {
                id: number(&last.id),
                from: small(last.from_port),
                finished: clock::wall_age(last.finished_at.0).min(LAG),
                job: last.job_id.is_some(),
                outcome: last.outcome,
            }),
            failures: status.failures.iter().map(Failure::of).collect(),
            corrections: status
                .corrections
                .iter()
                .flat_map(|corrections| &corrections.times)
                .map(|time| clock::wall_age(time.0))
                .collect(),
        }
    }

    pub fn status(&self) -> TaurusProxyPortStatus {
        let times: Vec<Time> = self.corrections.iter().copied().map(time).collect();
        TaurusProxyPortStatus {
            observed_generation: self.generation.map(i64::from),
            subject_uid: self.vetted.then(|| UID.to_owned()),
            port: self.port.map(i32::from),
            applied_port: self.applied.map(i32::from),
            change: self.change.as_ref().map(Intent::stored),
            last_change: self.last.as_ref().map(Last::stored),
            failures: self.failures.iter().map(Failure::stored).collect(),
            corrections: (!times.is_empty()).then_some(Corrections { times }),
            conditions: self.conditions(),
            ..TaurusProxyPortStatus::default()
        }
    }

    fn conditions(&self) -> Vec<Condition> {
        let ready = self.ready.map(|(truth, reason)| Condition {
            type_: "Ready".to_owned(),
            status: format!("{truth:?}"),
            reason: reason.to_string(),
            message: String::new(),
            last_transition_time: time(0),
            observed_generation: self.generation.map(i64::from),
        });
        ready.into_iter().collect()
    }

    /// Time passes by the wall clock, or it jumps.
    pub fn shift(&mut self, by: i8) {
        if let Some(change) = &mut self.change {
            change.shift(by);
        }
        if let Some(last) = &mut self.last {
            clock::shift(&mut last.finished, by);
            last.finished = last.finished.min(LAG);
        }
        if let Some(plan) = &mut self.plan {
            clock::shift(&mut plan.made, by);
        }
        for failure in &mut self.failures {
            clock::shift(&mut failure.last, by);
        }
        for age in &mut self.corrections {
            clock::shift(age, by);
        }
    }

    /// Visits the numbers of the changes in it.
    pub fn ids(&mut self, visit: &mut impl FnMut(&mut u8)) {
        if let Some(change) = &mut self.change {
            visit(&mut change.id);
        }
        if let Some(last) = &mut self.last {
            visit(&mut last.id);
        }
    }
}

impl Truth {
    fn of(word: &str) -> Self {
        match word {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

impl Intent {
    pub fn of(stored: &ChangeRecord) -> Self {
        Self {
            id: number(&stored.id),
            from: small(stored.from_port),
            to: small(stored.to_port),
            generation: small(stored.generation),
            phase: stored.phase,
            attempt: small(stored.attempt),
            job: stored.job_id.is_some(),
            intended: clock::wall_age(stored.intended_at.0),
            plan: None,
        }
    }

    /// Time passes by the wall clock, or it jumps.
    pub fn shift(&mut self, by: i8) {
        clock::shift(&mut self.intended, by);
        if let Some(plan) = &mut self.plan {
            clock::shift(&mut plan.made, by);
        }
    }

    pub fn change(&self) -> Change {
        Change::of(&self.stored()).unwrap()
    }

    fn stored(&self) -> ChangeRecord {
        ChangeRecord {
            id: change_id(self.id).as_str().to_owned(),
            // For people alone.
            plan: None,
            from_port: self.from.into(),
            to_port: self.to.into(),
            generation: self.generation.into(),
            phase: self.phase,
            attempt: self.attempt.into(),
            job_id: self.job.then(|| job_id(self.id).as_str().to_owned()),
            intended_at: time(self.intended),
            submitted_at: self.job.then(|| time(self.intended)),
        }
    }
}

impl Last {
    fn stored(&self) -> LastChange {
        LastChange {
            id: change_id(self.id).as_str().to_owned(),
            from_port: self.from.into(),
            to_port: 0,
            job_id: self.job.then(|| job_id(self.id).as_str().to_owned()),
            outcome: self.outcome,
            started_at: time(self.finished),
            finished_at: time(self.finished),
            message: None,
        }
    }
}

impl Failure {
    fn of(stored: &FailureRecord) -> Self {
        Self {
            port: small(stored.port),
            failed: small(stored.failed),
            void: small(stored.void),
            last: clock::wall_age(stored.last_at.0),
            cause: stored.cause,
            superseded: stored.superseded == Some(true),
        }
    }

    fn stored(&self) -> FailureRecord {
        FailureRecord {
            port: self.port.into(),
            failed: self.failed.into(),
            void: self.void.into(),
            last_at: time(self.last),
            cause: self.cause,
            superseded: self.superseded.then_some(true),
            message: None,
        }
    }
}

fn time(age: i8) -> Time {
    Time(clock::wall(age))
}

/// A number that the model keeps small.
fn small<T: std::fmt::Debug>(number: impl TryInto<T, Error: std::fmt::Debug>) -> T {
    number.try_into().unwrap()
}
