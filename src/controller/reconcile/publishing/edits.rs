//! What somebody has edited or deleted of what is published, put back as it was published last.
//!
//! Promises no look at the cloud for that where the place was read, and a look where it was not; and that edits which are too many are
//! left for a while.

use std::time::Duration;

use super::{Kept, Last, failures_after};
use crate::{
    controller::{
        context::Context, journal::JournalError, memory::Memory, published::Calls, reconcile::Pass,
    },
    crd::TaurusProxyPortStatus,
    desired::Desired,
    plan::summary,
    publish::{
        contest::{Sides, Terms},
        order::{Known, Urge},
    },
    seats,
};

impl Pass<'_> {
    /// The turn ends without having seen to edits: the spec can't be read, or the resource is about to go.
    pub(in crate::controller::reconcile) fn leave_edits(&mut self) {
        if let Some(kept) = self.memory.publishing.as_deref_mut() {
            kept.leave_edits();
        }
    }

    /// Sees to what somebody has edited or deleted, before anything is looked at. Where nothing else has called for this turn, it ends with
    /// that: says in how long the next one is due.
    pub(in crate::controller::reconcile) async fn see_to_edits(
        &mut self,
        desired: &Desired,
    ) -> Result<Option<Duration>, JournalError> {
        let Context {
            clock,
            pace,
            resync,
            ..
        } = self.context;
        let terms = Terms::of(pace, *resync);
        let uptime = clock.now().uptime;
        let Some(kept) = self.memory.publishing.as_deref_mut() else {
            return Ok(None);
        };
        let mut turn_at = kept.turn_at.take().filter(|at| uptime < *at);
        let due = kept.edits_due(uptime, terms);
        if due.is_any() {
            let is_restored = self.restore_published(desired, due, terms).await;
            turn_at = turn_at.filter(|_| is_restored);
        }
        let Some(turn_at) = turn_at else {
            return Ok(None);
        };
        let said = self.published_words(desired);
        let now = clock.now();
        self.write(|object| {
            let status: TaurusProxyPortStatus = object.status.clone().unwrap_or_default();
            summary::published(status, &said, now)
        })
        .await?;
        Ok(Some(turn_at.saturating_sub(clock.now().uptime)))
    }

    /// What somebody has edited or deleted is put back as it was published last. Whether that is all there is to do: what is there is not
    /// known to be right where nothing was read that could be put in its place.
    async fn restore_published(&mut self, desired: &Desired, due: Sides, terms: Terms) -> bool {
        let owner = self.owner(desired);
        let Some(kept) = self.memory.publishing.as_deref_mut() else {
            return false;
        };
        let places = kept.places;
        // What is wished for now is published by the look that follows.
        let is_wished = |last: &Last| desired.publication.as_deref() == Some(last.order.wish());
        let last = kept.last.take().filter(is_wished);
        let last = last.filter(|_| !desired.deleting).and_then(|last| {
            let order = last.order.order(owner?)?;
            Some((last, order))
        });
        let Some((last, order)) = last else {
            let now = self.context.clock.now();
            let contest = kept.contest.get_or_insert_default();
            contest.seen_to(due, &[], false, now, terms);
            return false;
        };
        let mut order = order.restored(places);
        order.rivals = self.rivals(&order.owner);
        let is_known = !matches!(order.known, Known::Keep(_) | Known::Withdrawn);
        let publishing = Box::pin(self.context.publications.publish(&order));
        let mut published = seats::aside(publishing).await;
        let mut mends = std::mem::take(&mut published.mends);
        if last.published.urge() != Urge::None {
            // What had failed is made up for.
            mends.clear();
        }
        let (namespace, name) = (&order.owner.namespace, &order.owner.name);
        for mend in &mends {
            self.context.meter.restored();
            tracing::info!(
                namespace, name, kind = mend.kind, object = mend.name, was = ?mend.was,
                "what leads applications to the proxy was edited or deleted, and put right"
            );
        }
        let is_settled = matches!(published.urge(), Urge::None | Urge::Taken | Urge::Held);
        let is_restored = is_known && is_settled;
        let now = self.context.clock.now();
        let kept = self.memory.publishing.get_or_insert_default();
        let contest = kept.contest.get_or_insert_default();
        contest.seen_to(due, &mends, is_restored, now, terms);
        kept.failures = failures_after(kept.failures, &published);
        kept.last = Some(Last {
            order: last.order,
            request: last.request,
            at: now.uptime,
            published,
        });
        self.tell_of_publication(desired);
        is_restored
    }
}

impl Kept {
    /// What has called for the turn that begins now.
    pub(in crate::controller) fn called(&mut self, calls: Calls) {
        if calls.by_edit.is_any() {
            self.contest.get_or_insert_default().edited(calls.by_edit);
        }
        if calls.otherwise {
            self.call_for_a_look();
        }
    }

    /// The sides with edits whose time has come. What is long past is kept no longer.
    fn edits_due(&mut self, uptime: Duration, terms: Terms) -> Sides {
        let Some(contest) = &mut self.contest else {
            return Sides::default();
        };
        contest.end(uptime, terms);
        let due = contest.due(uptime, terms);
        if contest.is_over(uptime, terms) {
            self.contest = None;
        }
        due
    }

    /// A turn ends that can't see to edits: they call for no other one, and the next publication looks at what is there.
    fn leave_edits(&mut self) {
        self.is_unseen |= self.contest.take().is_some();
    }

    /// Whether something was published by this process.
    pub(in crate::controller) fn has_published(&self) -> bool {
        self.last.is_some()
    }

    /// The next turn is for more than edits.
    pub(in crate::controller) fn call_for_a_look(&mut self) {
        self.turn_at = None;
    }
}

/// In how long the resource has its next turn, whose `delay` was decided: sooner where an edit is to be put right before, or is no longer
/// one of too many.
pub(in crate::controller::reconcile) fn next_turn(
    context: &Context,
    memory: &mut Memory,
    delay: Option<Duration>,
) -> Option<Duration> {
    let Some(kept) = memory.publishing.as_deref_mut() else {
        return delay;
    };
    let uptime = context.clock.now().uptime;
    kept.turn_at = delay.map(|delay| uptime.saturating_add(delay));
    let terms = Terms::of(&context.pace, context.resync);
    let edits = kept.contest.iter();
    let times = edits.flat_map(|contest| contest.turns(uptime, terms));
    let sooner = times.map(|at| at.saturating_sub(uptime));
    delay.into_iter().chain(sooner).min()
}
