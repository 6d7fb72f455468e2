//! The look of a pass, at the cloud and at the rest of the fleet, and the decision that rests on it.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;

use super::{Finding, Pass};
use crate::{
    cloud::{CloudError, Proxy, ProxyStatus, Urgency},
    controller::{
        context::Context,
        journal::JournalError,
        look::{Depth, Later, Listing, Viewpoint, look},
        read::Desired,
    },
    crd::ManagementPolicy,
    fleet::{
        claims::Standing,
        directory::{self, Directory},
    },
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen, Trouble},
        record::Record,
        step::{Cause, Step},
    },
};

impl Pass<'_> {
    /// Which list of proxies will do. Where a change is wanted, or is waited for by somebody, it is urgent.
    fn listing(&mut self, desired: &Desired, record: &Record) -> Listing {
        if record.change.is_some() {
            return Listing::Now;
        }
        let now = self.context.clock.now().uptime;
        let asked = *self.memory.asked_at.get_or_insert(now);
        let may_change = !desired.suspended && desired.policy != ManagementPolicy::Observe;
        let wanted = may_change && record.port != Some(desired.port.get());
        let requested = desired.request.is_some() && desired.request != record.handled_request;
        if wanted || requested || !record.vetted {
            Listing::InTurn(Urgency::Change, Some(asked))
        } else {
            Listing::InTurn(Urgency::Sweep, self.memory.listed_at)
        }
    }

    /// The list of proxies has its time later: until then nothing is known that is not on record.
    pub(super) async fn put_off(
        &mut self,
        desired: &Desired,
        wait: Duration,
    ) -> Result<Option<Duration>, JournalError> {
        let record = Record::of(self.object);
        if record.generation != Some(desired.generation) {
            self.report_interim(desired, &record).await?;
        }
        // All resources of an instance come at the same time, and share the list.
        Ok(Some(wait))
    }

    /// Looks and decides; a new generation is acknowledged if that takes long.
    async fn find(
        &mut self,
        desired: &Desired,
        directory: &Result<Arc<Directory>, Trouble>,
        depth: Depth<'_>,
    ) -> Result<Result<Finding, Later>, JournalError> {
        let looked_at = self.context.clock.now();
        let record = Record::of(self.object);
        let mut session = self.memory.session.clone();
        session.turn_to(record.change.as_ref(), looked_at);
        let abandoned = self.context.claims.abandoned(&desired.subject.instance);
        let pace = &self.context.pace;
        let from = Viewpoint {
            directory: directory.as_deref().map_err(Trouble::clone),
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
        let seen = match soon {
            Some(seen) => seen,
            None => looking.await,
        };
        let mut observed = match seen {
            Ok(observed) => observed,
            Err(later) => return Ok(Err(later)),
        };
        if observed.proxy != Seen::NotRead {
            self.memory.asked_at = None;
            self.memory.listed_at = Some(self.context.clock.now().uptime);
        }
        self.note_listed(&observed);
        self.add_fleet(desired, &mut observed);
        let record = Record::of(self.object);
        let decision = self.decide(desired, &record, &observed);
        Ok(Ok(Finding {
            observed,
            decision,
            looked_at,
        }))
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

    /// What follows where a change is due by what is on record: the usual look would only cost time and a call.
    pub(super) async fn find_due(
        &mut self,
        desired: &Desired,
        directory: &Result<Arc<Directory>, Trouble>,
    ) -> Result<Option<Finding>, JournalError> {
        let record = Record::of(self.object);
        let (Some(proxy), Ok(directory)) = (self.proxy_on_record(desired, &record), directory)
        else {
            return Ok(None);
        };
        let mut observed = Observed {
            proxy: Seen::Known(Some(proxy)),
            ..Observed::default()
        };
        self.add_fleet(desired, &mut observed);
        if !plan::is_due(&self.facts(desired, &record, &observed)) {
            return Ok(None);
        }
        self.look_closer(desired, directory).await.map(Some)
    }

    /// What follows from the usual look, and from a closer one where that is called for.
    pub(super) async fn find_usual(
        &mut self,
        desired: &Desired,
        directory: &Result<Arc<Directory>, Trouble>,
    ) -> Result<Result<Finding, Later>, JournalError> {
        let depth = Depth::Usual(self.listing(desired, &Record::of(self.object)));
        let finding = match self.find(desired, directory, depth).await? {
            Ok(finding) => finding,
            later => return Ok(later),
        };
        match (&finding.decision.step, directory) {
            (Step::LookAtTasks, Ok(directory)) => {
                self.look_closer(desired, directory).await.map(Ok)
            }
            _ => Ok(Ok(finding)),
        }
    }

    /// The proxy as it was read last, if another port is wanted than it had then.
    fn proxy_on_record(&self, desired: &Desired, record: &Record) -> Option<Proxy> {
        let port = record.port.filter(|port| *port != desired.port.get())?;
        let status = self.object.status.as_ref().filter(|_| record.vetted)?;
        Some(Proxy {
            id: desired.subject.proxy.clone(),
            name: status.proxy_name.clone().unwrap_or_default(),
            status: ProxyStatus::Active,
            address: status.address.clone(),
            port: Some(port),
        })
    }

    /// Looks at the task list as well, and makes the change if that is what follows. The permit is taken before the task list
    /// is read: one look serves who held it before. All calls are waited for before the first is made, so that the look is
    /// still fresh when the change is sent.
    async fn look_closer(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
    ) -> Result<Finding, JournalError> {
        let record = Record::of(self.object);
        if record.change.is_none() && self.memory.permit.is_none() {
            self.memory.permit = self.context.permits.acquire(&desired.subject.instance);
        }
        let (urgency, calls) = if record.change.is_none() {
            (Urgency::Change, directory::CHANGE)
        } else {
            (Urgency::Job, directory::CLOSER_LOOK)
        };
        let turn = match directory.turn(urgency, calls).await {
            Ok(turn) => turn,
            Err(error) => return Ok(self.without_a_turn(desired, &record, error)),
        };
        let own = Ok(Arc::clone(directory));
        let depth = Depth::Tasks(turn.as_ref(), self.tasks_known_since(&record));
        let finding = match self.find(desired, &own, depth).await? {
            Ok(finding) => finding,
            Err(Later(_)) => return Err(JournalError::Conflict),
        };
        match finding.decision.step.clone() {
            Step::Change(order) => self.act(desired, &turn, order, finding).await,
            _ => Ok(finding),
        }
    }

    /// Where many resources are new, one task list serves all that come soon after it. It must not be older than what such a
    /// list has to show: that this process has led for long enough.
    fn tasks_known_since(&self, record: &Record) -> Option<Duration> {
        let new = !record.vetted && record.change.is_none();
        let undoubted = self.memory.session.doubted.is_none();
        let Context {
            clock,
            pace,
            leading_since,
            ..
        } = self.context;
        let lately = clock.now().uptime.saturating_sub(pace.proof_gap);
        let proves_from = leading_since.saturating_add(pace.settle_window());
        (new && undoubted).then_some(lately.max(proves_from))
    }

    /// The calls of a closer look can't be had: it is as if the task list could not be read.
    fn without_a_turn(&mut self, desired: &Desired, record: &Record, error: CloudError) -> Finding {
        let looked_at = self.context.clock.now();
        let mut observed = Observed {
            tasks: Seen::Unknown(Trouble::Cloud(error)),
            ..Observed::default()
        };
        self.add_fleet(desired, &mut observed);
        let decision = self.decide(desired, record, &observed);
        Finding {
            observed,
            decision,
            looked_at,
        }
    }

    /// Who has listed the proxy with credentials of its own may be its owner.
    fn note_listed(&self, observed: &Observed) {
        let uid = self.object.uid().unwrap_or_default();
        match &observed.proxy {
            Seen::Known(Some(_)) => self.context.claims.looked(&uid, true),
            Seen::Known(None) | Seen::Unknown(_) => self.context.claims.looked(&uid, false),
            Seen::NotRead => {}
        }
    }

    fn add_fleet(&self, desired: &Desired, observed: &mut Observed) {
        let uid = self.object.uid().unwrap_or_default();
        let claims = &self.context.claims;
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
        let changes = Record::of(self.object).change.is_some();
        let refused = !changes && tasks_read && self.memory.permit.is_none();
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
