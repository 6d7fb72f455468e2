//! The end of a pass: one status write if anything differs, and who hears of it.

use std::time::Duration;

use super::{Finding, Pass};
use crate::{
    controller::{
        events,
        journal::JournalError,
        notices,
        read::{DEFAULT_CHANGE_TIMEOUT, Desired},
    },
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    fleet::{directory::sweep, permits::Trace},
    plan::{Decision, facts::Observed, record::Record, step::Step, summary},
    telemetry::traces,
};

impl Pass<'_> {
    /// Reports, and says when to look again.
    pub(super) async fn finish(
        &mut self,
        desired: &Desired,
        finding: Finding,
    ) -> Result<Option<Duration>, JournalError> {
        let Finding {
            observed, decision, ..
        } = finding;
        let status = self.status(desired, &observed, &decision);
        self.write(status).await?;
        self.tell_of_given_up_jobs(desired);
        if decision.record.change.is_none() {
            self.memory.permit = None;
        } else if let Some(permit) = &self.memory.permit {
            permit.count(decision.step.goes_on() && !self.is_overdue(&decision.record));
        }
        self.queue_up(desired, &decision.step);
        self.memory.failures = 0;
        let delay = match decision.step {
            // All resources of an instance come at the same time, and share the list.
            Step::Rest => {
                let uptime = self.context.clock.now().uptime;
                let instance = &desired.subject.instance;
                return Ok(Some(sweep::after(instance, uptime, self.context.resync)));
            }
            // A read that failed waits as long as its failure says; all else is looked at again at the next resync at the latest.
            Step::Keep(delay) | Step::Hold(_, delay) if observed.has_failed() => delay,
            Step::Keep(delay) | Step::Hold(_, delay) => delay.min(self.context.resync),
            Step::Change(_) | Step::LookAtTasks | Step::Advance(_) => self.context.pace.poll_first,
        };
        Ok(Some(self.context.chance.jittered(delay)))
    }

    /// Whether a change takes longer than changes do. How long that is must not depend on what one resource allows: others
    /// wait for its share.
    fn is_overdue(&self, record: &Record) -> bool {
        let longest = self.context.pace.of_user(DEFAULT_CHANGE_TIMEOUT);
        let now = self.context.clock.now();
        let change = record.change.as_ref();
        change.is_some_and(|change| now.since(change.intended_at) >= longest)
    }

    pub(super) fn status(
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
            let of = Trace::of(written).target;
            if let (Some(last), Some((_, of))) = (last, of) {
                let at = last.finished_at.0;
                self.context.permits.ended(last.outcome, of, at);
            }
        }
    }

    /// An own write was shown by the API server: whoever counts hears of it, and people of a transition.
    pub(super) fn replaced(&mut self, written: TaurusProxyPort) {
        self.count_end(&written);
        events::transition(self.context, self.object, &written);
        notices::first_word(self.context, self.object, &written);
        self.memory.replaced(self.object, &written);
        *self.object = written;
        self.count_resource();
    }

    fn count_resource(&self) {
        if let Some(status) = &self.object.status {
            self.context.meter.resource(self.uid, self.object);
            traces::said(status);
        }
    }

    /// Writes the status if it differs, and tells people of a transition.
    pub(super) async fn write(
        &mut self,
        status: TaurusProxyPortStatus,
    ) -> Result<(), JournalError> {
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
