//! The end of a pass: one status write if anything differs, and who hears of it.

use std::time::Duration;

use super::{Finding, MOST_VIEWS, Pass};
use crate::{
    controller::{
        act::is_same_ground, context::Context, events, journal::JournalError, memory::Memory,
        notices, spans,
    },
    crd::{Phase, TaurusProxyPort, TaurusProxyPortStatus},
    desired::{DEFAULT_CHANGE_TIMEOUT, Desired},
    fleet::directory::sweep,
    model::{ResourceName, Uid},
    permits::Trace,
    plan::{
        Decision,
        facts::Observed,
        record::{Change, Record},
        step::{End, Step},
        summary,
    },
};

impl Pass<'_> {
    /// Reports, and says when to look again.
    pub(super) async fn finish(
        &mut self,
        desired: &Desired,
        finding: Finding,
    ) -> Result<Option<Duration>, JournalError> {
        if let Some(permit) = &self.memory.permit
            && finding.decision.record.change.is_some()
        {
            let goes_on = finding.decision.step.goes_on();
            let record = &finding.decision.record;
            permit.count(goes_on && !self.leaves_its_share(record));
        }
        // Not so where somebody has taken it from the record: it may be at work.
        let has_ended = self.record().change.is_some() && finding.decision.record.change.is_none();
        self.turn_to_probe(desired, &finding);
        let (finding, again) = match self.publish_and_say(desired, finding).await {
            Ok(said) => said,
            Err(error) => {
                // Only the record says that it is at work: others may have its share. A conflict is seen to at once.
                if has_ended && !matches!(error, JournalError::Conflict) {
                    self.memory.give_share_back();
                }
                return Err(error);
            }
        };
        let Finding {
            observed,
            decision,
            looked_at,
        } = finding;
        self.tell_of_given_up_jobs(desired);
        self.tell_of_empty_annotations();
        if decision.record.change.is_none() {
            self.give_permit_back();
        }
        self.queue_up(desired, &decision.step);
        let waits = decision.record.plan.is_some();
        self.note_waiting(waits);
        self.memory.failures = 0;
        let terms = observed.terms.as_deref();
        // The calendar may have been edited since this one was judged, and before it was known to wait.
        let instance = self.memory.instance_window.as_deref();
        if waits
            && self
                .context
                .are_other_hours(self.object, desired, terms, instance)
        {
            return Ok(Some(self.context.pace.poll_first));
        }
        if decision.step == Step::Rest {
            self.memory.forget_edit();
        }
        let wait = |delay| self.context.wait(&decision.step, delay);
        let delay = match &decision.step {
            // All resources of an instance come at the same time, and share the list.
            Step::Rest => {
                let uptime = self.context.clock.now().uptime;
                sweep::after(&desired.subject.instance, uptime, self.context.resync)
            }
            // A read that failed waits as long as its failure says; all else is looked at again at the next resync at the latest.
            Step::Keep(delay) | Step::Hold(_, delay) if observed.has_failed() => wait(*delay),
            Step::Keep(delay) | Step::Hold(_, delay) => {
                let resync = self.context.resync.min(self.until_window_is_read());
                wait((*delay).min(resync))
            }
            Step::Change(_) | Step::LookAtTasks | Step::Advance(_) => {
                wait(self.context.pace.poll_first)
            }
        };
        let finding = Finding {
            observed,
            decision,
            looked_at,
        };
        let kept = self.memory.probing.is_some().then(|| finding.clone());
        let delay = self.until_published(desired, finding, delay, again);
        Ok(Some(kept.map_or(delay, |finding| {
            self.until_probed(desired, finding, delay)
        })))
    }

    /// Whether an edit of the calendar wakes the resource.
    pub(super) fn note_waiting(&self, waits: bool) {
        let asker = self.asker();
        let name = ResourceName::new(&asker.namespace, &asker.name);
        self.context.waiting.note(self.uid, &name, waits);
    }

    /// Publishes where the proxy is, looks at what a change would break, which nothing that is published waits for, and writes what was
    /// decided. Says when to publish again.
    async fn publish_and_say(
        &mut self,
        desired: &Desired,
        finding: Finding,
    ) -> Result<(Finding, Option<Duration>), JournalError> {
        let again = self.publish(desired, &finding).await?;
        let finding = self.with_survey(desired, finding).await;
        let held = self.held_back(&finding.decision);
        let held = held.or_else(|| self.held_by_probe(desired, &finding.decision));
        let said = held.as_ref().unwrap_or(&finding.decision);
        self.say(desired, &finding.observed, said).await?;
        Ok((finding, again))
    }

    /// Whether others have the share of a change on record: nobody knows for how long it goes on.
    pub(super) fn leaves_its_share(&self, record: &Record) -> bool {
        self.is_overdue(record) || self.is_unheard_of(record)
    }

    /// Whether a change takes longer than changes do. How long that is must not depend on what one resource allows: others
    /// wait for its share.
    fn is_overdue(&self, record: &Record) -> bool {
        let longest = self.context.pace.of_user(DEFAULT_CHANGE_TIMEOUT);
        let now = self.context.clock.now();
        let change = record.change.as_ref();
        let age = |change: &Change| self.memory.session.age(change.intended_at, now);
        change.is_some_and(|change| age(change) >= longest)
    }

    /// Whether nothing was heard for a while of a job that should be polled, for whatever reason: others wait for its share.
    fn is_unheard_of(&self, record: &Record) -> bool {
        let now = self.context.clock.now();
        let polled = |change: &&Change| change.job.is_some() && change.phase == Phase::Submitted;
        let change = record.change.as_ref().filter(polled);
        let heard = change.and_then(|change| self.memory.session.heard_of(change));
        heard.is_some_and(|heard| now.elapsed(heard) >= self.context.pace.job_visible_within)
    }

    /// Writes the status that says what was decided.
    pub(super) async fn say(
        &mut self,
        desired: &Desired,
        observed: &Observed,
        decision: &Decision,
    ) -> Result<(), JournalError> {
        let now = self.context.clock.now();
        let said = self.published_words(desired);
        let reach = self.reach(desired, &decision.record, &decision.step);
        self.write(|object| {
            let status = summary::status(object, desired, observed, decision, now);
            let status = summary::published(status, &said, now);
            summary::reachable(status, &reach, now)
        })
        .await?;
        self.memory.session.note_word(&decision.step);
        self.memory.promised = match &decision.step {
            Step::Hold(cause, delay) => {
                let end = cause.end(now, *delay).and_then(End::promised);
                end.or_else(|| cause.follows())
            }
            _ => None,
        };
        Ok(())
    }

    /// An own write was shown by the API server: whoever counts hears of it, and people of a transition.
    pub(super) fn replaced(&mut self, written: TaurusProxyPort) {
        events::transition(self.context, self.object, &written);
        notices::first_word(self.context, self.object, &written);
        notices::of_preflight(
            self.context,
            self.object,
            &written,
            self.surveyed().as_ref(),
        );
        self.note_reported(&written);
        self.replaced_in_silence(written);
    }

    /// As [`Self::replaced`], for a write that says nothing people should hear of.
    pub(super) fn replaced_in_silence(&mut self, written: TaurusProxyPort) {
        count_end(self.context, self.uid, self.object, &written);
        learn_length(self.context, self.memory, &written);
        self.memory.replaced(self.object, &written);
        *self.object = written;
        self.count_resource();
    }

    fn count_resource(&self) {
        if let Some(status) = &self.object.status {
            let now = self.context.clock.now();
            self.context.meter.resource(self.uid, self.object, now);
            spans::said(status);
        }
    }

    /// Writes the status if it differs, and tells people of a transition. Where somebody else has written meanwhile, what was
    /// decided stands as long as nothing has changed that it rests on.
    pub(super) async fn write(
        &mut self,
        say: impl Fn(&TaurusProxyPort) -> TaurusProxyPortStatus,
    ) -> Result<(), JournalError> {
        for _ in 0..MOST_VIEWS {
            let status = say(self.object);
            // While the definition drops it, it would be written in vain.
            let is_cut = self.memory.is_cut() && self.memory.record_pruned.is_none();
            match self
                .context
                .journal
                .report(self.object, &status, is_cut)
                .await
            {
                Ok(None) => {
                    self.count_resource();
                    return Ok(());
                }
                Ok(Some(mut report)) => {
                    if !report.is_whole {
                        self.memory.was_cut(&status);
                    }
                    if status.change.is_none() {
                        self.memory.forget_change();
                    }
                    self.memory.complete(&mut report.object);
                    self.replaced(report.object);
                    if !report.is_whole {
                        let generation = self.object.metadata.generation.unwrap_or_default();
                        self.definition_is_outdated(generation);
                    }
                    return Ok(());
                }
                Err(JournalError::Conflict) => self.take_fresh(status).await?,
                Err(error) => {
                    self.memory.doubt();
                    return Err(error);
                }
            }
        }
        self.memory.doubt();
        Err(JournalError::Conflict)
    }

    /// A write of `status` came from a stale view: goes on with a fresh one, unless it has to be decided anew.
    async fn take_fresh(&mut self, status: TaurusProxyPortStatus) -> Result<(), JournalError> {
        let fresh = self.context.journal.fetch(self.object).await?;
        let mut fresh = fresh.ok_or(JournalError::Gone)?;
        self.memory.complete(&mut fresh);
        let ours = TaurusProxyPort {
            status: Some(status),
            ..self.object.clone()
        };
        if is_same_ground(&ours, &fresh) {
            // kube's client has repeated a write of which it did not know that it was made.
            self.replaced(fresh);
        } else if is_same_ground(self.object, &fresh) {
            self.memory.replaced(self.object, &fresh);
            *self.object = fresh;
        } else {
            self.memory.doubt();
            return Err(JournalError::Conflict);
        }
        Ok(())
    }
}

/// A change has ended where `after` no longer holds the one that `before` held.
pub(super) fn count_end(
    context: &Context,
    uid: &Uid,
    before: &TaurusProxyPort,
    after: &TaurusProxyPort,
) {
    let Some(change) = Record::of(before).change else {
        return;
    };
    let is_same = |other: &Change| other.id == change.id;
    if Record::of(after).change.as_ref().is_some_and(is_same) {
        return;
    }
    let trace = Trace::of(after);
    if context.change_ended(change.id.as_str(), &trace) {
        notices::of_correction(context, after);
    }
    let last = trace.last.filter(|last| last.id == change.id.as_str());
    if let (Some(last), Some((_, of))) = (last, trace.target) {
        let now = context.clock.now();
        // Whoever counted the end first: the permit is given back after this.
        if context.moves.ended(of.proxy, &last, now) {
            context.wake(context.claims.beside(uid));
        }
    }
}

/// How long a change took is known to the process that has seen the end of its job, once its end is on record.
pub(super) fn learn_length(context: &Context, memory: &mut Memory, written: &TaurusProxyPort) {
    if memory.session.took.is_none() {
        return;
    }
    let Trace { target, last, .. } = Trace::of(written);
    let (Some((instance, _)), Some(last)) = (target, last) else {
        return;
    };
    let took = &mut memory.session.took;
    if let Some(took) = took.take_if(|took| took.change.as_str() == last.id) {
        context.lengths.seen(&instance, &last, took.length);
    }
}
