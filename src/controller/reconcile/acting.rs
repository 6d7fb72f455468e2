//! The act of a pass: one change, and what its outcome makes of the record.

use std::sync::Arc;

use super::{Finding, Pass};
use crate::{
    cloud::{Cloud, CloudError, Meaning},
    controller::{
        act::{self, Bench, Outcome},
        journal::JournalError,
        read::Desired,
    },
    crd::TaurusProxyPort,
    fleet::permits::Asker,
    model::{ChangeId, JobId, Moment},
    pace::Pace,
    plan::{
        self, Decision, backoff,
        record::{Change, Record},
        settle,
        step::{Cause, Order, Progress, Step},
        summary,
    },
};

impl Pass<'_> {
    /// Makes the change that was ordered, if nothing has come between.
    pub(super) async fn act(
        &mut self,
        desired: &Desired,
        cloud: &Arc<dyn Cloud>,
        order: Order,
        finding: Finding,
    ) -> Result<Finding, JournalError> {
        if let Some(trouble) = self.withdrawn.take() {
            let step = Step::Hold(Cause::Blocked(trouble), self.context.pace.secret_check);
            let decision = Decision {
                step,
                ..finding.decision
            };
            return Ok(Finding {
                decision,
                ..finding
            });
        }
        let Some(permit) = self.memory.permit.take() else {
            return Err(JournalError::Conflict);
        };
        let id = ChangeId::from_bits(self.context.chance.bits());
        let change = act::intended(id, &order, desired, self.context.clock.now());
        let object = self.object.clone();
        let pace = &self.context.pace;
        let objection = || self.context.objection(&object, desired, order.from);
        let status = |object: &TaurusProxyPort, change: &Change| {
            let record = Record {
                change: Some(change.clone()),
                ..finding.decision.record.clone()
            };
            let step = change
                .job
                .clone()
                .map_or_else(|| finding.decision.step.clone(), |job| following(job, pace));
            let decision = Decision {
                record,
                session: finding.decision.session.clone(),
                step,
            };
            summary::status(
                object,
                desired,
                &finding.observed,
                &decision,
                self.context.clock.now(),
            )
        };
        let bench = Bench {
            cloud,
            journal: &self.context.journal,
            clock: &self.context.clock,
            pace: &self.context.pace,
            objection: &objection,
            status: &status,
        };
        self.memory
            .session
            .turn_to(Some(&change), self.context.clock.now());
        let mut written = self.object.clone();
        let result = act::change(
            &bench,
            &mut written,
            desired,
            &change,
            &permit,
            finding.looked_at,
        )
        .await;
        self.memory.permit = Some(permit);
        self.replaced(written);
        match result {
            Ok(outcome) => Ok(self.settle(desired, outcome, &change, finding)),
            Err(JournalError::Pruned) => {
                self.watch_what_is_on_record();
                self.memory.record_pruned = Some(Box::new(desired.generation));
                Err(JournalError::Conflict)
            }
            Err(error) => {
                // A change that was taken from the record after it was sent stays watched: it is at work.
                if !matches!(error, JournalError::Superseded) {
                    self.watch_what_is_on_record();
                }
                self.memory.doubt();
                Err(error)
            }
        }
    }

    /// The change that was intended did not come about.
    fn watch_what_is_on_record(&mut self) {
        let record = Record::of(self.object);
        let now = self.context.clock.now();
        self.memory.session.turn_to(record.change.as_ref(), now);
    }

    /// What the outcome makes of the record, and what follows from that.
    fn settle(
        &mut self,
        desired: &Desired,
        outcome: Outcome,
        change: &Change,
        finding: Finding,
    ) -> Finding {
        let now = self.context.clock.now();
        let mut record = Record::of(self.object);
        self.context.meter.change_answered(&outcome);
        match outcome {
            Outcome::Accepted(job) => {
                self.memory.session.accepted();
                let step = following(job, &self.context.pace);
                let decision = Decision {
                    record,
                    session: self.memory.session.clone(),
                    step,
                };
                return Finding {
                    decision,
                    ..finding
                };
            }
            Outcome::NothingToDo => {
                record = settle::advance(record, Progress::JobDone, now);
                let step = Step::Hold(Cause::Verifying, self.context.pace.poll_first);
                let decision = Decision {
                    record,
                    session: self.memory.session.clone(),
                    step,
                };
                return Finding {
                    decision,
                    ..finding
                };
            }
            Outcome::Unknown(error) => {
                let Asker {
                    namespace, name, ..
                } = self.asker();
                tracing::warn!(namespace, name, change = %change.id, %error, "whether the change was begun is not known");
            }
            Outcome::Refused(error) | Outcome::NotSent(error) => {
                record.change = None;
                self.refuse(&mut record, change.to, error, now);
            }
            Outcome::Withdrawn(why) => {
                let Asker {
                    namespace, name, ..
                } = self.asker();
                tracing::info!(namespace, name, change = %change.id, why, "the change was withdrawn");
                record.change = None;
                let error = CloudError::local(Meaning::Transient, format!("withdrawn: {why}"));
                self.refuse(&mut record, change.to, error, now);
            }
        }
        if record.change.is_none() {
            self.memory.permit = None;
        }
        self.memory.session.turn_to(record.change.as_ref(), now);
        // What was seen stands; it is not taken in twice.
        let decision = plan::decide_again(&self.facts(desired, &record, &finding.observed));
        Finding {
            decision,
            ..finding
        }
    }

    fn refuse(&mut self, record: &mut Record, port: u16, error: CloudError, now: Moment) {
        let before = self
            .memory
            .session
            .refusal
            .as_ref()
            .filter(|refusal| refusal.port == port);
        let count = before.map_or(1, |refusal| refusal.count.saturating_add(1));
        let wait = backoff::after_error(&error, count, &self.context.pace);
        if error.meaning == Meaning::Rejected {
            settle::rejected(record, port, error.to_string(), now);
        }
        self.memory.session.refused(error, port, count, wait, now);
    }
}

/// What follows when a job was accepted; said with the job id, so that it takes no write of its own.
fn following(job: JobId, pace: &Pace) -> Step {
    Step::Hold(Cause::JobRunning(job, None), pace.poll_first)
}
