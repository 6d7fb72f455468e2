//! From a change that is due to its request: the permit, the closer look, and the act.
//!
//! The permit is taken before the task list is read: one look serves who held it before. All calls are waited for before
//! the first is made, so that the look is still fresh when the change is sent. Who gets no permit makes no call; who waits for calls,
//! or reads for longer than a look is good for, leaves it to others.

use std::{pin::pin, sync::Arc};

use futures::{
    FutureExt as _,
    future::{self, Either},
};

use super::{Finding, Pass, looking::Way};
use crate::{
    clock,
    cloud::{Cloud, CloudError, Meaning, Proxy, ProxyStatus, Urgency},
    controller::{
        journal::JournalError,
        look::{Depth, Later},
    },
    desired::Desired,
    fleet::directory::{self, Directory},
    permits::limits::Refusal,
    plan::{
        self,
        facts::{Observed, Seen, Trouble},
        record::Record,
        step::{Cause, Step},
    },
};

impl Pass<'_> {
    /// What follows where a change is due by what is on record: the usual look would only cost time and a call. One that
    /// waits for its permit is still looked at like a settled one; nothing, where no change is due.
    pub(super) async fn find_due(
        &mut self,
        desired: &Desired,
        way: &Way,
    ) -> Result<Option<Finding>, JournalError> {
        let Some(mut waiting) = self.on_record(desired) else {
            return Ok(None);
        };
        if let (Step::LookAtTasks, Ok(directory)) = (&waiting.decision.step, way) {
            match self.take_permit(desired) {
                None => return self.look(desired, directory).await.map(Some),
                Some(refusal) => waiting = self.refused(desired, waiting, refusal),
            }
        }
        // It may be free by now: that it is looked at soon is not left to a sweep.
        self.was_busy = matches!(waiting.decision.step, Step::Hold(Cause::ProxyBusy(_), _));
        let (
            Step::Hold(cause @ (Cause::WaitingForInstance(_) | Cause::WaitingForLimit(_)), delay),
            Ok(_),
        ) = (waiting.decision.step.clone(), way)
        else {
            return Ok(None);
        };
        let now = self.context.clock.now().uptime;
        let listed = *self.memory.listed_at.get_or_insert(now);
        let record = self.record();
        let depth = if record.is_asked_by(desired.request.as_deref()) {
            self.depth(desired, &record)
        } else if now.saturating_sub(listed) < self.context.resync {
            return Ok(Some(waiting));
        } else {
            Depth::Usual(self.sweeping())
        };
        match self.find_usual(desired, way, depth).await? {
            Ok(finding) => Ok(Some(finding)),
            Err(Later(wait, booking)) => {
                self.memory.booking = Some(booking);
                waiting.decision.step = Step::Hold(cause, delay.min(wait));
                Ok(Some(waiting))
            }
        }
    }

    /// What follows if the proxy is still as it was when it was read last, and has not the port that is wanted.
    pub(super) fn on_record(&self, desired: &Desired) -> Option<Finding> {
        let record = self.record();
        let port = record.port.filter(|port| *port != desired.port.get())?;
        if record.change.is_some() || !record.vetted {
            return None;
        }
        let status = self.object.status.as_ref()?;
        let proxy = Proxy {
            id: desired.subject.proxy.clone(),
            name: status.proxy_name.clone().unwrap_or_default(),
            status: ProxyStatus::of(Some(status.proxy_status.as_deref()?)),
            address: status.address.clone(),
            port: Some(port),
        };
        let mut observed = Observed {
            proxy: Seen::Known(Some(proxy)),
            is_recalled: true,
            ..Observed::default()
        };
        self.add_fleet(desired, &mut observed);
        // Nothing was seen: the session takes nothing in.
        let decision = plan::decide_again(&self.facts(desired, &record, &observed));
        Some(Finding {
            observed,
            decision,
            looked_at: self.context.clock.now(),
        })
    }

    /// Looks at the task list as well, and makes the change if that is what follows.
    pub(super) async fn look_closer(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
        finding: Finding,
    ) -> Result<Finding, JournalError> {
        if self.record().change.is_some() {
            return self.look(desired, directory).await;
        }
        let finding = self.with_admission(desired, directory, finding).await?;
        if finding.decision.step != Step::LookAtTasks {
            return Ok(finding);
        }
        let facts = self.facts(desired, &finding.decision.record, &finding.observed);
        let (due, vetted) = (plan::is_change_due(&facts), facts.is_vetted());
        if due
            && let Some(refusal) = self.take_permit(desired)
            && vetted
        {
            return Ok(self.refused(desired, finding, refusal));
        }
        let finding = self.look(desired, directory).await?;
        let is_change = matches!(finding.decision.step, Step::Change(_));
        if !is_change || self.memory.permit.is_some() {
            return Ok(finding);
        }
        self.look_again(desired, directory, finding).await
    }

    /// It was looked whether it may ask at all, and it may: asks for the permit, and looks anew with it.
    pub(super) async fn look_again(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
        finding: Finding,
    ) -> Result<Finding, JournalError> {
        match self.take_permit(desired) {
            None => self.look(desired, directory).await,
            Some(refusal) => Ok(self.refused(desired, finding, refusal)),
        }
    }

    /// A closer look, and the change if that is what follows and its permit is there.
    async fn look(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
    ) -> Result<Finding, JournalError> {
        let record = self.record();
        let (urgency, calls) = if record.change.is_some() {
            (Urgency::Job, directory::CLOSER_LOOK)
        } else if self.memory.permit.is_some() {
            (Urgency::Change, directory::CHANGE)
        } else {
            (Urgency::Request, directory::CLOSER_LOOK)
        };
        let context = self.context;
        let waiting = context.while_wanted(&record, directory.turn(urgency, calls));
        let mut waiting = pin!(waiting);
        let turn = if let Some(turn) = waiting.as_mut().now_or_never() {
            turn?
        } else {
            // Whoever waits for calls has begun nothing, and leaves the place of a change to others.
            let unused = self.memory.take_unused_permit();
            let may_begin = unused.is_some();
            drop(unused);
            let turn = match self.keeps_its_word_for(context.clock.now()) {
                Some(left) if record.change.is_none() => {
                    let longer = pin!(clock::pause(left));
                    match future::select(waiting.as_mut(), longer).await {
                        Either::Left((turn, _)) => turn?,
                        // The time is over at which people were told that this begins.
                        Either::Right(_) => {
                            self.report_interim(desired, &record, Cause::Looking)
                                .await?;
                            waiting.await?
                        }
                    }
                }
                _ => waiting.await?,
            };
            if may_begin
                && turn.is_ok()
                && let Some(refusal) = self.take_permit(desired)
            {
                return Ok(self.without_a_permit(desired, &record, refusal));
            }
            turn
        };
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => return Ok(self.without_a_turn(desired, &record, error)),
        };
        let held = self.memory.permit.is_some();
        let finding = self.find_in_time(desired, directory, turn.as_ref()).await?;
        // Where the look has shown for the first time that a change is due, its security group was not read yet.
        let mut finding = self.with_admission(desired, directory, finding).await?;
        if self.came_too_late(&finding, held) {
            // There were very many tasks to read. Next time only those are read that are new.
            if held && let Some(refusal) = self.take_permit(desired) {
                return Ok(self.refused(desired, finding, refusal));
            }
            finding = self.find_in_time(desired, directory, turn.as_ref()).await?;
            if self.came_too_late(&finding, held) {
                return Ok(self.too_slow(desired, finding));
            }
        }
        match finding.decision.step.clone() {
            Step::Change(order) if self.memory.permit.is_some() => {
                Box::pin(self.act(desired, &turn, order, finding)).await
            }
            _ => Ok(finding),
        }
    }

    /// A closer look. One that takes much longer than it is good for can't lead to a change: meanwhile others may have the permit of
    /// a change that was not begun. The walk of another resource may have to end first, and a look counts from when the tasks were read
    /// that may show a new one.
    async fn find_in_time(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
        turn: &dyn Cloud,
    ) -> Result<Finding, JournalError> {
        let pace = &self.context.pace;
        let good_for = pace.look_good_for.saturating_mul(2);
        let good_for = good_for.saturating_add(pace.call_timeout);
        let Some(permit) = self.memory.take_unused_permit() else {
            return self.find_closely(desired, directory, turn).await;
        };
        let (finding, kept) = {
            let mut finding = pin!(self.find_closely(desired, directory, turn));
            tokio::select! {
                biased;
                finding = finding.as_mut() => (finding, Some(permit)),
                () = clock::pause(good_for) => {
                    drop(permit);
                    (finding.await, None)
                }
            }
        };
        self.memory.permit = kept;
        finding
    }

    /// Whether a change may no longer rest on what was seen, or others may have got its permit meanwhile.
    fn came_too_late(&self, finding: &Finding, held: bool) -> bool {
        let took = self.context.clock.now().elapsed(finding.looked_at.uptime);
        let is_late = took > self.context.pace.look_good_for;
        let is_change = matches!(finding.decision.step, Step::Change(_));
        is_change && (is_late || held && self.memory.permit.is_none())
    }

    async fn find_closely(
        &mut self,
        desired: &Desired,
        directory: &Arc<Directory>,
        turn: &dyn Cloud,
    ) -> Result<Finding, JournalError> {
        let way = Ok(Arc::clone(directory));
        let depth = Depth::Tasks(turn);
        let finding = Box::pin(self.find(desired, &way, depth)).await?;
        // Only looks that have their time are put off.
        finding.map_err(|Later(..)| JournalError::Conflict)
    }

    /// What was seen is too old for a change each time: nothing is put on record, and no connection is opened for it.
    fn too_slow(&mut self, desired: &Desired, mut finding: Finding) -> Finding {
        let now = self.context.clock.now();
        let allowed = self.context.pace.look_good_for.as_secs();
        // How long it took differs each time, and is no cause to say it anew.
        let text = format!(
            "reading the lists of tasks and of proxies took longer than {allowed} s, and a change needs lists that are at most that old: \
             the cloud is slow, or the operator's --calls-per-minute is low for so many tasks; it is tried again; if this lasts, check \
             the network to the cloud, or raise the operator's --calls-per-minute"
        );
        let mut record = Record::of(self.object);
        let error = CloudError::local(Meaning::Slow, text);
        self.refuse(&mut record, desired.port.get(), error, now);
        // What was seen stands; it is not taken in twice.
        finding.decision = plan::decide_again(&self.facts(desired, &record, &finding.observed));
        finding
    }

    /// The calls of a closer look can't be had: it is as if the task list could not be read.
    fn without_a_turn(&mut self, desired: &Desired, record: &Record, error: CloudError) -> Finding {
        let looked_at = self.context.clock.now();
        let mut observed = Observed {
            tasks: Seen::Unknown(Trouble::Cloud(error)),
            abandoned: self.abandoned(desired),
            // No look was made that a person could have asked for.
            is_recalled: true,
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

    /// Others have taken the permit while this one waited for calls, which go back.
    fn without_a_permit(
        &mut self,
        desired: &Desired,
        record: &Record,
        refusal: Refusal,
    ) -> Finding {
        let finding = self.on_record(desired).unwrap_or_else(|| {
            let mut observed = Observed {
                abandoned: self.abandoned(desired),
                is_recalled: true,
                ..Observed::default()
            };
            self.add_fleet(desired, &mut observed);
            let decision = plan::decide_again(&self.facts(desired, record, &observed));
            let looked_at = self.context.clock.now();
            Finding {
                observed,
                decision,
                looked_at,
            }
        });
        self.refused(desired, finding, refusal)
    }

    /// Takes the permit for a new change, or says why there is none.
    fn take_permit(&mut self, desired: &Desired) -> Option<Refusal> {
        if self.memory.permit.is_some() {
            return None;
        }
        let permits = &self.context.permits;
        match permits.acquire(&self.asker(), &desired.subject.instance) {
            Ok(permit) => {
                self.memory.permit = Some(Box::new(permit));
                None
            }
            Err(refusal) => Some(refusal),
        }
    }

    /// What follows where there is no permit. What was seen stands; it is not taken in twice.
    fn refused(&self, desired: &Desired, mut finding: Finding, refusal: Refusal) -> Finding {
        match refusal {
            Refusal::Instance => {
                let instance = &desired.subject.instance;
                finding.observed.instance_taken = true;
                finding.observed.goes_first = self.context.goes_first(instance, &self.asker());
            }
            Refusal::Limit(limit) => finding.observed.limit = Some(limit),
        }
        let record = self.record();
        finding.decision = plan::decide_again(&self.facts(desired, &record, &finding.observed));
        finding
    }

    /// Who waits for a permit stays in the queue for it, and nobody else does.
    pub(super) fn queue_up(&self, desired: &Desired, step: &Step) {
        let asker = self.asker();
        match step {
            Step::Hold(Cause::WaitingForInstance(_), _) => {
                self.context.permits.wait(&asker, &desired.subject.instance);
            }
            Step::Hold(Cause::WaitingForLimit(_), _) => {}
            _ => self.context.permits.leave(&asker.uid),
        }
    }
}
