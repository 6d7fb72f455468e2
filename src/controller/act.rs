//! Fourth stage: at most one write to the cloud, with its intent on record before and its job id after.
//!
//! Nothing happens between the acknowledgement of the intent and the request but the last checks, and nothing between the
//! answer and the record of the job id.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::{
    clock::Clock,
    cloud::{ChangeAnswer, Cloud, CloudError, Meaning},
    controller::{
        journal::{Acknowledged, Journal, JournalError, Target},
        read::Desired,
    },
    crd::{Phase, TaurusProxyPort, TaurusProxyPortStatus},
    fleet::permits::Permit,
    model::{ChangeId, JobId, Moment},
    pace::Pace,
    plan::{record::Change, step::Order},
};

/// What became of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The cloud works on it, and its job is on record.
    Accepted(JobId),
    /// The port stood there already.
    NothingToDo,
    /// The cloud refused; nothing was begun.
    Refused(CloudError),
    /// Nothing was sent.
    NotSent(CloudError),
    /// It may be at work or not.
    Unknown(CloudError),
    /// Something changed between the intent and the request: it was not sent.
    Withdrawn(&'static str),
}

/// What an order needs.
pub struct Bench<'a> {
    /// The cloud.
    pub cloud: &'a Arc<dyn Cloud>,
    /// The writer of status.
    pub journal: &'a Journal,
    /// The clocks.
    pub clock: &'a Clock,
    /// The durations.
    pub pace: &'a Pace,
    /// Tells right before the request why it must not be sent after all.
    pub objection: &'a (dyn Fn() -> Option<&'static str> + Send + Sync),
    /// The status that says of a change on record what there is to say.
    pub status: &'a (dyn Fn(&TaurusProxyPort, &Change) -> TaurusProxyPortStatus + Send + Sync),
}

/// The change that an order asks for, not yet on record.
pub fn intended(id: ChangeId, order: &Order, desired: &Desired, now: Moment) -> Change {
    Change {
        id,
        from: order.from,
        to: order.to.get(),
        generation: desired.generation,
        phase: Phase::Intended,
        attempt: order.attempt,
        job: None,
        intended_at: now.wall,
        submitted_at: None,
    }
}

/// Carries out an order. `object` is what it was decided on, and becomes what was last written; `looked_at` is when the look
/// that it rests on began.
pub async fn change(
    bench: &Bench<'_>,
    object: &mut TaurusProxyPort,
    desired: &Desired,
    change: &Change,
    permit: &Permit,
    looked_at: Moment,
) -> Result<Outcome, JournalError> {
    // Before the intent: so an unreachable cloud costs no write, and the request can follow the proof at once.
    let line = match bench.cloud.open_line().await {
        Ok(line) => line,
        Err(error) => return Ok(Outcome::NotSent(error)),
    };
    let subject = &desired.subject;
    let Ok(port) = crate::model::Port::new(change.to.into()) else {
        return Ok(Outcome::NotSent(CloudError::local(
            Meaning::Rejected,
            "the port is not one that may be asked for",
        )));
    };
    let target = Target {
        instance: &subject.instance,
        proxy: &subject.proxy,
        port,
    };
    let status = (bench.status)(object, change);
    let (written, proof) = bench.journal.intend(object, status, change, target).await?;
    *object = written;
    let Some(proof) = proof else {
        return Ok(Outcome::Withdrawn("the resource was changed"));
    };
    if let Some(why) = bench
        .too_late(&proof, looked_at)
        .or_else(|| (bench.objection)())
    {
        return Ok(Outcome::Withdrawn(why));
    }
    tracing::info!(
        namespace = object.namespace(), name = object.name_any(), change = %change.id,
        from = change.from, to = change.to, "asking the cloud for the change"
    );
    let answer = line.change_port(proof, permit).await;
    if !matches!(answer, ChangeAnswer::Refused(_) | ChangeAnswer::NotSent(_)) {
        permit.begun();
    }
    match answer {
        ChangeAnswer::Accepted(job) => {
            let with_job =
                crate::plan::settle::submitted(change.clone(), job.clone(), bench.clock.now());
            let status = (bench.status)(object, &with_job);
            *object = bench
                .journal
                .job(object.clone(), status, &change.id, &job)
                .await?;
            Ok(Outcome::Accepted(job))
        }
        ChangeAnswer::NothingToDo => Ok(Outcome::NothingToDo),
        ChangeAnswer::Refused(error) => Ok(Outcome::Refused(error)),
        ChangeAnswer::NotSent(error) => Ok(Outcome::NotSent(error)),
        ChangeAnswer::Unknown(error) => Ok(Outcome::Unknown(error)),
    }
}

impl Bench<'_> {
    /// Whether too much time has passed, by either clock: a machine may have been paused.
    fn too_late(&self, proof: &Acknowledged, looked_at: Moment) -> Option<&'static str> {
        let now = self.clock.now();
        let passed = |since: Moment| now.elapsed(since.uptime).max(now.since(since.wall));
        if passed(proof.at()) > self.pace.send_within {
            Some("the acknowledgement of the intent is too old")
        } else if passed(looked_at) > self.pace.look_good_for {
            Some("the look at the cloud is too old")
        } else {
            None
        }
    }
}
