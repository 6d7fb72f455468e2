//! The look of a pass, at the cloud and at the rest of the fleet, and the decision that rests on it.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;

use super::{Finding, Pass};
use crate::{
    cloud::Cloud,
    controller::{
        journal::JournalError,
        look::{Depth, Viewpoint, look},
        read::Desired,
    },
    fleet::{claims::Standing, limits::Refusal},
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen, Trouble},
        record::Record,
        step::{Cause, Step},
    },
};

impl Pass<'_> {
    /// Looks and decides; a new generation is acknowledged if that takes long.
    pub(super) async fn find(
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
        self.add_fleet(desired, &mut observed);
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

    /// The permit is taken before the task list is read: one look serves who held it before. Who gets none doesn't look.
    pub(super) async fn look_closer(
        &mut self,
        desired: &Desired,
        cloud: &Result<Arc<dyn Cloud>, Trouble>,
        finding: Finding,
    ) -> Result<Finding, JournalError> {
        if Record::of(self.object).change.is_some() {
            return self.find(desired, cloud, Depth::Tasks).await;
        }
        let facts = self.facts(desired, &finding.decision.record, &finding.observed);
        let (due, vetted) = (plan::is_change_due(&facts), facts.is_vetted());
        if due
            && let Some(refusal) = self.take_permit(desired)
            && vetted
        {
            return Ok(self.refused(desired, finding, refusal));
        }
        let finding = self.find(desired, cloud, Depth::Tasks).await?;
        let is_change = matches!(finding.decision.step, Step::Change(_));
        if !is_change || self.memory.permit.is_some() {
            return Ok(finding);
        }
        // It was looked whether it may ask at all, and it may.
        match self.take_permit(desired) {
            None => self.find(desired, cloud, Depth::Tasks).await,
            Some(refusal) => Ok(self.refused(desired, finding, refusal)),
        }
    }

    /// Takes the permit for a new change, or says why there is none.
    fn take_permit(&mut self, desired: &Desired) -> Option<Refusal> {
        if self.memory.permit.is_some() {
            return None;
        }
        let permits = &self.context.permits;
        match permits.acquire(&self.asker(), &desired.subject.instance) {
            Ok(permit) => {
                self.memory.permit = Some(permit);
                None
            }
            Err(refusal) => Some(refusal),
        }
    }

    /// What follows where there is no permit. What was seen stands; it is not taken in twice.
    fn refused(&self, desired: &Desired, mut finding: Finding, refusal: Refusal) -> Finding {
        match refusal {
            Refusal::Instance => finding.observed.instance_taken = true,
            Refusal::Limit(limit) => finding.observed.limit = Some(limit),
        }
        let record = Record::of(self.object);
        finding.decision = plan::decide_again(&self.facts(desired, &record, &finding.observed));
        finding
    }

    /// Who waits for a permit stays in the queue for it, and nobody else does.
    pub(super) fn queue_up(&self, desired: &Desired, step: &Step) {
        let asker = self.asker();
        match step {
            Step::Hold(Cause::WaitingForInstance, _) => {
                self.context.permits.wait(&asker, &desired.subject.instance);
            }
            Step::Hold(Cause::WaitingForLimit(_), _) => {}
            _ => self.context.permits.leave(&asker.uid),
        }
    }

    fn add_fleet(&self, desired: &Desired, observed: &mut Observed) {
        let uid = self.object.uid().unwrap_or_default();
        let claims = &self.context.claims;
        match &observed.proxy {
            Seen::Known(Some(_)) => claims.looked(&uid, true),
            Seen::Known(None) | Seen::Unknown(_) => claims.looked(&uid, false),
            Seen::NotRead => {}
        }
        let uptime = self.context.clock.now().uptime;
        let patience = self.context.pace.take_over;
        match claims.standing(&desired.subject, self.object, uptime, patience) {
            Standing::Owner => {}
            Standing::Claimed => observed.claimed_by_older = true,
            Standing::Open(left) => observed.owner_open_for = Some(left),
        }
        let instance = &desired.subject.instance;
        observed.instance_taken = !self.context.permits.is_free(instance, &uid);
        observed.record_pruned = self.memory.record_pruned == Some(desired.generation);
    }

    fn decide(&mut self, desired: &Desired, record: &Record, observed: &Observed) -> Decision {
        let decision = plan::decide(&self.facts(desired, record, observed));
        self.memory.session = decision.session.clone();
        decision
    }

    pub(super) fn facts<'f>(
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
}
