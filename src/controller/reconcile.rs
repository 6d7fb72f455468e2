//! One reconcile: read, look, plan, act, settle, report.
//!
//! Relies on kube's controller for there being only one reconcile of a resource at a time. Promises at most one write to
//! the cloud, and a status write only if something differs. `Err` means that Kubernetes itself failed.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;

use crate::{
    cloud::{Cloud, CloudError, Meaning},
    controller::{
        act::{self, Bench, Outcome},
        context::Context,
        events,
        journal::JournalError,
        look::{Depth, Viewpoint, look},
        memory::Memory,
        read::{self, Desired},
    },
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    model::Moment,
    plan::{
        self, Decision, backoff,
        facts::{Facts, Observed, Seen, Trouble},
        record::{Change, Record},
        settle,
        step::{Cause, Order, Progress, Step},
        summary,
    },
};

/// How often a reconcile starts over on a fresh view before it leaves it to the next one.
const MOST_VIEWS: u32 = 3;

/// Reconciles `delivered` and says when to look again; nothing if only a change of the resource calls for it.
pub async fn reconcile(
    context: &Context,
    delivered: &TaurusProxyPort,
    memory: &mut Memory,
) -> Result<Option<Duration>, JournalError> {
    let mut object = memory.freshest(delivered);
    let mut fetch = memory.take_doubt();
    for _ in 0..MOST_VIEWS {
        if fetch {
            let Some(fresh) = context.journal.fetch(&object).await? else {
                return Ok(None);
            };
            memory.replaced(&object, &fresh);
            object = fresh;
        }
        match Box::pin(Pass::new(context, memory, &mut object).run()).await {
            Err(JournalError::Conflict) => fetch = true,
            Err(JournalError::Gone) => return Ok(None),
            result => return result,
        }
    }
    Err(JournalError::Conflict)
}

/// One attempt on one view of the object.
struct Pass<'a> {
    context: &'a Context,
    memory: &'a mut Memory,
    object: &'a mut TaurusProxyPort,
}

/// What was seen, and what follows.
struct Finding {
    observed: Observed,
    decision: Decision,
    looked_at: Moment,
}

impl<'a> Pass<'a> {
    fn new(context: &'a Context, memory: &'a mut Memory, object: &'a mut TaurusProxyPort) -> Self {
        Self {
            context,
            memory,
            object,
        }
    }

    async fn run(mut self) -> Result<Option<Duration>, JournalError> {
        let desired = match read::read(self.object) {
            Ok(desired) => desired,
            Err(fault) => {
                let status =
                    summary::invalid(self.object, fault.to_string(), self.context.clock.now());
                self.write(status).await?;
                return Ok(None);
            }
        };
        let record = Record::of(self.object);
        if desired.deleting && record.change.is_none() {
            return Ok(None);
        }
        self.memory.session.meet(&record, self.context.clock.now());
        self.hold_instance(&desired, &record);
        self.acknowledge(&desired, &record).await?;
        let namespace = self.object.namespace().unwrap_or_default();
        let cloud = self
            .context
            .accounts
            .cloud(&namespace, &desired, self.context.clock.now())
            .await?;
        let mut finding = self.find(&desired, &cloud, Depth::Usual).await?;
        if finding.decision.step == Step::LookAtTasks {
            finding = self.look_closer(&desired, &cloud).await?;
        }
        if let (Step::Change(order), Ok(cloud)) = (finding.decision.step.clone(), &cloud) {
            finding = self.act(&desired, cloud, order, finding).await?;
        }
        self.finish(&desired, finding).await
    }

    /// A change on record holds its instance, also one from before this process.
    fn hold_instance(&mut self, desired: &Desired, record: &Record) {
        if record.change.is_none() {
            self.memory.permit = None;
        } else if self.memory.permit.is_none() {
            self.memory.permit = self.context.permits.acquire(&desired.subject.instance);
        }
    }

    /// An object about which nothing was said yet is told apart from one that is done, at once.
    async fn acknowledge(
        &mut self,
        desired: &Desired,
        record: &Record,
    ) -> Result<(), JournalError> {
        let says_ready = self
            .object
            .status
            .iter()
            .flat_map(|status| &status.conditions);
        let silent = !says_ready
            .clone()
            .any(|condition| condition.type_ == "Ready");
        let unproven = !record.vetted
            && says_ready
                .clone()
                .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if !(silent || unproven) {
            return Ok(());
        }
        let step = Step::Hold(Cause::Newcomer, Duration::ZERO);
        let decision = Decision {
            record: record.clone(),
            session: self.memory.session.clone(),
            step,
        };
        let status = self.status(desired, &Observed::default(), &decision);
        self.write(status).await
    }

    /// Looks and decides; a new generation is acknowledged if that takes long.
    async fn find(
        &mut self,
        desired: &Desired,
        cloud: &Result<Arc<dyn Cloud>, Trouble>,
        depth: Depth,
    ) -> Result<Finding, JournalError> {
        let looked_at = self.context.clock.now();
        let record = Record::of(self.object);
        let mut session = self.memory.session.clone();
        session.turn_to(record.change.as_ref(), looked_at);
        let abandoned = self.context.claims.abandoned(&desired.subject.instance);
        let pace = &self.context.pace;
        let from = Viewpoint {
            cloud: cloud.clone(),
            desired,
            record: &record,
            session: &session,
            abandoned: &abandoned,
            pace,
            now: looked_at,
        };
        let mut looking = std::pin::pin!(look(&from, depth));
        let soon = tokio::time::timeout(pace.interim_after, &mut looking)
            .await
            .ok();
        if soon.is_none() && record.generation != Some(desired.generation) {
            self.report_interim(desired, &record).await?;
        }
        let mut observed = match soon {
            Some(observed) => observed,
            None => looking.await,
        };
        self.add_fleet(desired, &record, &mut observed);
        let record = Record::of(self.object);
        let decision = self.decide(desired, &record, &observed);
        Ok(Finding {
            observed,
            decision,
            looked_at,
        })
    }

    async fn report_interim(
        &mut self,
        desired: &Desired,
        record: &Record,
    ) -> Result<(), JournalError> {
        let same_port = record.ready && record.port == Some(desired.port.get());
        let step = if same_port {
            Step::Keep(Duration::ZERO)
        } else {
            Step::Hold(Cause::Looking, Duration::ZERO)
        };
        let decision = Decision {
            record: record.clone(),
            session: self.memory.session.clone(),
            step,
        };
        let status = self.status(desired, &Observed::default(), &decision);
        self.write(status).await
    }

    /// The permit is taken before the task list is read: one look serves who held it before.
    async fn look_closer(
        &mut self,
        desired: &Desired,
        cloud: &Result<Arc<dyn Cloud>, Trouble>,
    ) -> Result<Finding, JournalError> {
        let record = Record::of(self.object);
        if record.change.is_none() && self.memory.permit.is_none() {
            self.memory.permit = self.context.permits.acquire(&desired.subject.instance);
        }
        let finding = self.find(desired, cloud, Depth::Tasks).await?;
        Ok(finding)
    }

    fn add_fleet(&self, desired: &Desired, record: &Record, observed: &mut Observed) {
        let uid = self.object.uid().unwrap_or_default();
        observed.claimed_by_older = self.context.claims.has_older(&desired.subject, &uid);
        let others = self
            .context
            .claims
            .is_changing(&desired.subject.instance, &uid);
        let tasks_read = observed.tasks != Seen::NotRead;
        let refused = record.change.is_none() && tasks_read && self.memory.permit.is_none();
        observed.instance_taken = others || refused;
        observed.record_pruned = self.memory.record_pruned == Some(desired.generation);
    }

    fn decide(&mut self, desired: &Desired, record: &Record, observed: &Observed) -> Decision {
        let decision = plan::decide(&self.facts(desired, record, observed));
        self.memory.session = decision.session.clone();
        decision
    }

    fn facts<'f>(
        &'f self,
        desired: &'f Desired,
        record: &'f Record,
        observed: &'f Observed,
    ) -> Facts<'f> {
        let now = self.context.clock.now();
        Facts {
            desired,
            record,
            observed,
            session: &self.memory.session,
            now,
            leading_for: now.elapsed(self.context.leading_since),
            pace: &self.context.pace,
            resync: self.context.resync,
        }
    }

    async fn act(
        &mut self,
        desired: &Desired,
        cloud: &Arc<dyn Cloud>,
        order: Order,
        finding: Finding,
    ) -> Result<Finding, JournalError> {
        let Some(permit) = self.memory.permit.take() else {
            return Err(JournalError::Conflict);
        };
        let change = act::intended(&order, desired, self.context.clock.now());
        let object = self.object.clone();
        let objection = || self.context.objection(&object, desired);
        let status = |object: &TaurusProxyPort, change: &Change| {
            let record = Record {
                change: Some(change.clone()),
                ..finding.decision.record.clone()
            };
            let decision = Decision {
                record,
                ..finding.decision.clone()
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
                self.memory.record_pruned = Some(desired.generation);
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
            Outcome::Accepted(_) => {
                let step = Step::Change(Order {
                    from: change.from,
                    to: desired.port,
                    attempt: change.attempt,
                });
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
                tracing::warn!(change = %change.id, %error, "whether the change was begun is not known");
            }
            Outcome::Refused(error) | Outcome::NotSent(error) => {
                record.change = None;
                self.refuse(&mut record, change.to, error, now);
            }
            Outcome::Withdrawn(why) => {
                tracing::info!(change = %change.id, why, "the change was withdrawn");
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

    async fn finish(
        &mut self,
        desired: &Desired,
        finding: Finding,
    ) -> Result<Option<Duration>, JournalError> {
        let Finding {
            observed, decision, ..
        } = finding;
        let status = self.status(desired, &observed, &decision);
        self.write(status).await?;
        if decision.record.change.is_none() {
            self.memory.permit = None;
        }
        self.memory.failures = 0;
        let delay = match decision.step {
            Step::Rest => self.context.resync,
            Step::Keep(delay) | Step::Hold(_, delay) => delay.min(self.context.resync),
            Step::Change(_) | Step::LookAtTasks | Step::Advance(_) => self.context.pace.poll_first,
        };
        Ok(Some(Context::jittered(delay)))
    }

    fn status(
        &self,
        desired: &Desired,
        observed: &Observed,
        decision: &Decision,
    ) -> TaurusProxyPortStatus {
        summary::status(
            self.object,
            desired,
            observed,
            decision,
            self.context.clock.now(),
        )
    }

    /// A change has ended where what is written no longer holds it. One that was refused leaves no end on record, but
    /// perhaps that of an earlier one.
    fn count_end(&self, written: &TaurusProxyPort) {
        let Some(change) = Record::of(self.object).change else {
            return;
        };
        let now = Record::of(written);
        if now.change.is_none_or(|other| other.id != change.id) {
            let last = now.last.filter(|last| last.id == change.id.as_str());
            self.context.meter.change_ended(last.as_ref());
        }
    }

    /// An own write was shown by the API server: whoever counts hears of it, and people of a transition.
    fn replaced(&mut self, written: TaurusProxyPort) {
        self.count_end(&written);
        events::transition(self.context, self.object, &written);
        self.memory.replaced(self.object, &written);
        *self.object = written;
        self.count_resource();
    }

    fn count_resource(&self) {
        if let Some(status) = &self.object.status {
            self.context.meter.resource(self.object, status);
        }
    }

    /// Writes the status if it differs, and tells people of a transition.
    async fn write(&mut self, status: TaurusProxyPortStatus) -> Result<(), JournalError> {
        match self.context.journal.report(self.object, status).await {
            Ok(None) => {
                self.count_resource();
                Ok(())
            }
            Ok(Some(written)) => {
                self.replaced(written);
                Ok(())
            }
            Err(error) => {
                self.memory.doubt();
                Err(error)
            }
        }
    }
}
