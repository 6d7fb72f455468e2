//! The act of a pass: one change, and what its outcome makes of the record.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use super::{Finding, Pass};
use crate::{
    cloud::{Cloud, CloudError, Meaning},
    controller::{
        act::{self, Acted, Bench, Outcome},
        events,
        journal::JournalError,
        saving,
    },
    crd::{APPLY_NOW, PlanRecord, TaurusProxyPort},
    desired::Desired,
    model::{ChangeId, Class, JobId, Moment},
    pace::Pace,
    permits::Asker,
    plan::{
        self, Decision, backoff,
        facts::{Observed, Trouble},
        probing, protocol,
        record::{Change, Record},
        session::UnsavedJob,
        settle,
        step::{Cause, Order, Progress, Step},
        summary::{self, Reach},
        timing::Wishes,
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
            return Ok(blocked(trouble, self.context.pace.secret_check, finding));
        }
        if !self.is_definition_good().await? {
            return Err(JournalError::Conflict);
        }
        let Some(permit) = self.memory.permit.take() else {
            return Err(JournalError::Conflict);
        };
        let id = ChangeId::from_bits(self.context.chance.bits());
        let plan = finding.decision.record.plan.as_ref();
        let change = act::intended(id, &order, desired, plan, self.context.clock.now());
        let object = self.object.clone();
        let pace = &self.context.pace;
        let instance = self.memory.instance_window.clone();
        let instance = instance.as_deref();
        let objection = || {
            let context = self.context;
            context.objection(&object, desired, order.from, plan, instance)
        };
        let words = self.published_words(desired);
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
            let now = self.context.clock.now();
            let status = summary::status(object, desired, &finding.observed, &decision, now);
            let status = summary::published(status, &words, now);
            let reach = Reach {
                mode: desired.probe,
                said: probing::begun(change),
                generation: desired.generation,
            };
            summary::reachable(status, &reach, now)
        };
        let bench = Bench {
            cloud,
            journal: &self.context.journal,
            clock: &self.context.clock,
            pace: &self.context.pace,
            objection: &objection,
            status: &status,
        };
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
        if may_be_at_work(&result) {
            // From now on it is known, whatever a definition hides of it.
            self.memory.complete(&mut written);
            self.replaced(written);
        } else {
            if may_be_on_record(&result) {
                let plan = plan.filter(|_| leaves_plan(&result)).cloned();
                self.memory.session.spend(&change.id, plan);
            }
            // People hear of no change that is not made.
            self.replaced_in_silence(written);
        }
        match result {
            Ok(Acted {
                outcome,
                on_record,
                unsaved,
            }) => {
                if let Some(on_record) = on_record {
                    self.count_edit(&outcome, on_record);
                    // Watched since it was acknowledged, and not since it was planned: the request left after that.
                    self.memory.session.turn_to(Some(&change), on_record);
                }
                if let (Some(error), Outcome::Accepted(job)) = (unsaved, &outcome) {
                    self.save_later(&change, job, &error);
                }
                Ok(self.settle(desired, outcome, &change, finding))
            }
            Err(JournalError::Pruned) => {
                self.definition_is_outdated(desired.generation);
                Err(JournalError::Conflict)
            }
            Err(error) => {
                self.memory.doubt();
                Err(error)
            }
        }
    }

    /// Counts how long the request took to leave after the edit that asks for it.
    fn count_edit(&mut self, outcome: &Outcome, on_record: Moment) {
        if act::has_left(outcome)
            && let Some(edited) = self.memory.send_edit()
        {
            let took = on_record.elapsed(edited.at);
            self.context.meter.edit_sent(edited.was_held, took);
        }
    }

    /// Whether the installed definition keeps all of the record: asked before a change, unless it was seen a short while ago.
    async fn is_definition_good(&mut self) -> Result<bool, JournalError> {
        let now = self.context.clock.now();
        let definition = &self.context.definition;
        if definition.is_known(now, self.context.resync) {
            return Ok(true);
        }
        match self
            .context
            .journal
            .is_definition_whole(self.object)
            .await?
        {
            Some(true) => definition.was_whole(now),
            Some(false) => {
                let generation = self.object.metadata.generation.unwrap_or_default();
                self.definition_is_outdated(generation);
                return Ok(false);
            }
            None => {}
        }
        Ok(true)
    }

    /// The definition dropped something of the record: no change is begun until it keeps all of it.
    pub(super) fn definition_is_outdated(&mut self, generation: i64) {
        self.context
            .definition
            .is_outdated(self.context.clock.now());
        self.memory.record_pruned = Some(Box::new(generation));
    }

    /// Only another definition makes another spec of the same generation: one without some field of it hides that field.
    pub(super) fn meet_definition(&mut self, desired: &Desired) {
        let known = self.memory.timed.take();
        if known.is_none() && desired.timing.is_none() {
            return;
        }
        let now = (desired.generation, Wishes::of(self.object));
        if known.is_some_and(|known| known.0 == now.0 && known.1 != now.1) {
            let now = self.context.clock.now();
            self.context.definition.may_be_another(now);
        }
        self.memory.timed = desired.timing.is_some().then(|| Box::new(now));
    }

    /// A definition that dropped something may have been put right since.
    pub(super) async fn look_at_definition(&mut self) -> Result<(), JournalError> {
        if self.memory.record_pruned.is_none() {
            return Ok(());
        }
        let asked = self.context.clock.now();
        match self
            .context
            .journal
            .is_definition_whole(self.object)
            .await?
        {
            Some(true) => {
                self.context.definition.was_whole(asked);
                self.memory.record_pruned = None;
            }
            Some(false) => {
                let generation = self.object.metadata.generation.unwrap_or_default();
                self.definition_is_outdated(generation);
            }
            // The API server does not tell: another generation is tried.
            None => {}
        }
        Ok(())
    }

    /// The job is not on record yet: it is followed from memory, and put on record by a task of its own.
    fn save_later(&mut self, change: &Change, job: &JobId, error: &JournalError) {
        tracing::warn!(
            namespace = self.object.namespace(), name = self.object.name_any(), change = %change.id, %job, %error,
            "the job id is not on record yet"
        );
        let accepted = self.context.clock.now().wall;
        self.memory.session.unsaved = Some(Box::new(UnsavedJob {
            change: change.id.clone(),
            job: job.clone(),
            accepted,
        }));
        self.memory.doubt();
        if matches!(error, JournalError::Pruned) {
            let generation = self.object.metadata.generation.unwrap_or_default();
            self.definition_is_outdated(generation);
        }
        saving::save(self.context, self.object, change, job, accepted);
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
        let mut record = self.record();
        self.context.meter.change_answered(&outcome);
        let plan = finding.decision.record.plan.as_ref();
        if may_be_used_again(&outcome) {
            record.plan = plan.cloned();
        } else {
            self.memory.session.use_plan(plan);
            let began = match outcome {
                Outcome::Accepted(_) => Some("was begun"),
                Outcome::Unknown(_) => Some("may have been begun"),
                _ => None,
            };
            if let Some(began) = began {
                self.survey_begun(desired, change, &finding.observed);
                self.tell_of_group(desired, change, &finding.observed);
                self.tell_of_haste(
                    desired,
                    plan,
                    &finding.observed,
                    (began, change.intended_at),
                );
            }
        }
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
                let step = protocol::nothing_to_do(now, &self.context.pace);
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
                let error = CloudError::local(Meaning::Withdrawn, why);
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

    /// What became of the annotation by which a person wanted this change now. It counts where it has made a difference.
    fn tell_of_haste(
        &self,
        desired: &Desired,
        plan: Option<&PlanRecord>,
        observed: &Observed,
        (began, at): (&str, Timestamp),
    ) {
        let timing = desired.timing.as_deref();
        let (Some(plan), Some(terms)) = (plan, observed.terms.as_deref()) else {
            return;
        };
        if timing.and_then(|timing| timing.apply_now.as_ref()) != Some(&plan.id) {
            return;
        }
        let hours = &terms.hours;
        let made_a_difference = hours.next(at, terms.takes) != Some(at);
        if made_a_difference {
            self.context.meter.applied_now();
        }
        let how = if made_a_difference {
            "because of applyNow: no maintenance window with enough time left was open"
        } else if hours.windows.is_empty() {
            "without need of applyNow: no maintenance windows are set for it"
        } else {
            "without need of applyNow: its maintenance window was open"
        };
        let text = format!(
            "plan {} (port {} to {}) {began} {how}; the annotation {APPLY_NOW} is used up",
            plan.id, plan.from_port, plan.to_port
        );
        let about = self.object.object_ref(&());
        events::publish(self.context, about, Class::Reconciling, "AppliedNow", &text);
    }

    pub(super) fn refuse(
        &mut self,
        record: &mut Record,
        port: u16,
        error: CloudError,
        now: Moment,
    ) {
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

/// Whether a plan still stands after an outcome, and an approval of it: nothing has left, or the cloud has said in its own words that it
/// has begun nothing. Only where it refuses the port itself there is nothing more to approve.
fn may_be_used_again(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::NotSent(_) | Outcome::Withdrawn(_) => true,
        Outcome::Refused(error) => error.meaning != Meaning::Rejected,
        Outcome::Accepted(_) | Outcome::NothingToDo | Outcome::Unknown(_) => false,
    }
}

/// What follows when a job was accepted; said with the job id, so that it takes no write of its own.
fn following(job: JobId, pace: &Pace) -> Step {
    Step::Hold(Cause::JobRunning(job, None), pace.poll_first)
}

/// Nothing begins with a credential that is good for following a job only.
fn blocked(trouble: Trouble, wait: Duration, finding: Finding) -> Finding {
    let decision = Decision {
        step: Step::Hold(Cause::Blocked(trouble, None), wait),
        ..finding.decision
    };
    Finding {
        decision,
        ..finding
    }
}

/// Whether the plan of a change that was not made still stands.
fn leaves_plan(result: &Result<Acted, JournalError>) -> bool {
    let of = |acted: &Acted| may_be_used_again(&acted.outcome);
    result.as_ref().map_or(true, of)
}

/// Whether the intent of a change may be on record, or be put there late.
fn may_be_on_record(result: &Result<Acted, JournalError>) -> bool {
    result
        .as_ref()
        .map_or(true, |acted| acted.on_record.is_some())
}

/// Whether something of a change may be at work in the cloud: where its request left, and was not refused.
fn may_be_at_work(result: &Result<Acted, JournalError>) -> bool {
    matches!(
        result,
        Ok(Acted {
            outcome: Outcome::Accepted(_) | Outcome::NothingToDo | Outcome::Unknown(_),
            ..
        })
    )
}
