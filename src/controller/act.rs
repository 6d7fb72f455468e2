//! Fourth stage: at most one write to the cloud, with its intent on record before and its job id after.
//!
//! Nothing happens between the last check and the request, which are one call of the line, and nothing between the answer and
//! the first try to record the job id.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;

use crate::{
    clock::Clock,
    cloud::{
        Acknowledged, ChangeAnswer, Cloud, CloudError, LastCheck, Meaning, last_check::Objection,
    },
    controller::journal::{Journal, JournalError, Target},
    crd::{Phase, PlanRecord, TaurusProxyPort, TaurusProxyPortStatus},
    desired::{self, Desired},
    model::{ChangeId, JobId, Moment},
    pace::Pace,
    permits::Permit,
    plan::{
        record::{Change, Record},
        settle,
        step::Order,
    },
    seats::{aside, called_again},
};

/// What became of an order.
#[derive(Debug)]
pub enum Outcome {
    /// The cloud works on it.
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

/// What was done about an order.
#[derive(Debug)]
pub struct Acted {
    /// What became of it.
    pub outcome: Outcome,
    /// When the API server had acknowledged the intent; nothing where none is on record.
    pub on_record: Option<Moment>,
    /// Why the job is not on record yet, where the cloud has named one.
    pub unsaved: Option<JournalError>,
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
    pub objection: &'a Objection<'a>,
    /// The status that says of a change on record what there is to say.
    pub status: &'a (dyn Fn(&TaurusProxyPort, &Change) -> TaurusProxyPortStatus + Send + Sync),
}

/// Whether a request left, as far as is known: right after the intent was acknowledged.
pub fn has_left(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Accepted(_) | Outcome::NothingToDo | Outcome::Refused(_) | Outcome::Unknown(_) => {
            true
        }
        Outcome::NotSent(_) | Outcome::Withdrawn(_) => false,
    }
}

/// The change that an order asks for, not yet on record.
pub fn intended(
    id: ChangeId,
    order: &Order,
    desired: &Desired,
    plan: Option<&PlanRecord>,
    now: Moment,
) -> Change {
    Change {
        id,
        plan: plan.map(|plan| plan.id.clone()),
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

/// How often an intent is written, where others write the resource meanwhile and nothing changes that the order rests on.
const MOST_VIEWS: u32 = 3;

/// For how long the look must still be good when the connection is open: a record that is sure to be withdrawn is not written.
const LEFT_FOR_THE_INTENT: Duration = Duration::from_secs(1);

/// Said where a connection opened too late for what was seen.
const OPENED_LATE: &str = "opening the connection for the change, together with the reads before it, took longer than what was seen is good \
    for: the cloud or the network to it is slow; it is tried again; if this lasts, check the network to the cloud";

/// Carries out an order. `object` is what it was decided on, and becomes what was last written; `looked_at` is when the look
/// that it rests on began.
pub async fn change(
    bench: &Bench<'_>,
    object: &mut TaurusProxyPort,
    desired: &Desired,
    change: &Change,
    permit: &Permit,
    looked_at: Moment,
) -> Result<Acted, JournalError> {
    // Before the intent: so an unreachable cloud costs no write, and the request can follow the proof at once.
    // Nor is an opening waited for that people have stopped.
    let line = tokio::select! {
        biased;
        line = aside(bench.cloud.open_line()) => line,
        () = called_again() => return Err(JournalError::Interrupted),
    };
    let line = match line {
        Ok(line) => line,
        Err(error) => return Ok(Acted::without_intent(Outcome::NotSent(error))),
    };
    if leaves_too_little(bench.clock.now(), looked_at, bench.pace) {
        let error = CloudError::local(Meaning::Slow, OPENED_LATE);
        return Ok(Acted::without_intent(Outcome::NotSent(error)));
    }
    let Ok(port) = crate::model::Port::new(change.to.into()) else {
        let error = CloudError::local(
            Meaning::Rejected,
            "the port is not one that may be asked for",
        );
        return Ok(Acted::without_intent(Outcome::NotSent(error)));
    };
    let target = Target {
        instance: &desired.subject.instance,
        proxy: &desired.subject.proxy,
        port,
    };
    let proof = bench.intend(object, change, target).await?;
    let on_record = Some(bench.clock.now());
    let Some(proof) = proof else {
        return Ok(Acted {
            outcome: Outcome::Withdrawn("the resource was changed"),
            on_record,
            unsaved: None,
        });
    };
    tracing::info!(
        namespace = object.namespace(), name = object.name_any(), change = %change.id,
        from = change.from, to = change.to, "asking the cloud for the change"
    );
    // The line of log may have taken its time: what is checked is checked by the line, right before the first byte.
    let check = LastCheck::new(*bench.clock, bench.pace, &proof, looked_at, bench.objection);
    let answer = aside(line.change_port(proof, permit, check)).await;
    let outcome = match answer {
        ChangeAnswer::Accepted(job) => Outcome::Accepted(job),
        ChangeAnswer::NothingToDo => Outcome::NothingToDo,
        ChangeAnswer::Refused(error) => Outcome::Refused(error),
        ChangeAnswer::NotSent(error) => Outcome::NotSent(error),
        ChangeAnswer::Withdrawn(why) => Outcome::Withdrawn(why),
        ChangeAnswer::Unknown(error) => Outcome::Unknown(error),
    };
    if matches!(
        outcome,
        Outcome::Accepted(_) | Outcome::NothingToDo | Outcome::Unknown(_)
    ) {
        permit.begun();
    }
    let unsaved = match &outcome {
        Outcome::Accepted(job) => bench.record(object, change, job).await.err(),
        _ => None,
    };
    Ok(Acted {
        outcome,
        on_record,
        unsaved,
    })
}

impl Acted {
    fn without_intent(outcome: Outcome) -> Self {
        Self {
            outcome,
            on_record: None,
            unsaved: None,
        }
    }
}

impl Bench<'_> {
    /// Puts the intent on record. Where others have written the resource meanwhile, it is tried again at once, unless what the
    /// order rests on has changed.
    async fn intend(
        &self,
        object: &mut TaurusProxyPort,
        change: &Change,
        target: Target<'_>,
    ) -> Result<Option<Acknowledged>, JournalError> {
        for _ in 1..MOST_VIEWS {
            match self.try_to_intend(object, change, target).await {
                Err(JournalError::Conflict) => {
                    let fresh = self.journal.fetch(object).await?;
                    let fresh = fresh.ok_or(JournalError::Gone)?;
                    if !is_same_ground(object, &fresh) {
                        return Err(JournalError::Conflict);
                    }
                    *object = fresh;
                }
                result => return result,
            }
        }
        self.try_to_intend(object, change, target).await
    }

    async fn try_to_intend(
        &self,
        object: &mut TaurusProxyPort,
        change: &Change,
        target: Target<'_>,
    ) -> Result<Option<Acknowledged>, JournalError> {
        let status = (self.status)(object, change);
        let (written, proof) = self.journal.intend(object, status, change, target).await?;
        *object = written;
        Ok(proof)
    }

    /// Tries once to put the job on record.
    async fn record(
        &self,
        object: &mut TaurusProxyPort,
        change: &Change,
        job: &JobId,
    ) -> Result<(), JournalError> {
        let _unsaved = self.journal.unsaved();
        let now = self.clock.now();
        let with_job = settle::submitted(change.clone(), job.clone(), now.wall);
        let status = (self.status)(object, &with_job);
        *object = self.journal.job(object, status).await?;
        Ok(())
    }
}

/// Whether two versions of a resource differ in nothing that a decision rests on.
pub(super) fn is_same_ground(before: &TaurusProxyPort, after: &TaurusProxyPort) -> bool {
    let wishes = |object: &TaurusProxyPort| desired::read(object).ok();
    wishes(before) == wishes(after) && Record::of(before) == Record::of(after)
}

/// Whether a look that began then is too old to be followed by an intent and a request. A wall clock that was set says nothing of the
/// cloud; the last check takes it for a pause.
fn leaves_too_little(now: Moment, looked_at: Moment, pace: &Pace) -> bool {
    let age = now.elapsed(looked_at.uptime);
    age.saturating_add(LEFT_FOR_THE_INTENT) > pace.look_good_for
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn no_intent_is_written_that_could_only_be_withdrawn() {
        let at = |wall: i64, uptime: u64| {
            let wall = Timestamp::from_second(1_800_000_000 + wall).unwrap();
            Moment::new(wall, Duration::from_secs(uptime))
        };
        let late = |wall, uptime| leaves_too_little(at(wall, uptime), at(0, 100), &Pace::real());
        assert!(!late(29, 129));
        assert!(late(29, 130), "a connection of 24 s after reads of 6 s");
        assert!(!late(3600, 110), "the wall clock was set ahead");
        assert!(!late(-3600, 110), "the wall clock was set back");
    }
}
