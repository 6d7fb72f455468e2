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
    fleet::claims::Standing,
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
    pub(super) async fn look_closer(
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
