//! What is known of where the proxy is: what `plan::endpoint` decides on.
//!
//! Promises that a proxy counts as gone only where no task of its instance is at work, and that nobody is led to a port which lists may show
//! though it was left.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;

use super::{SERVICE, names::reason_of};
use crate::{
    cloud::Urgency,
    controller::{
        context::Context,
        reconcile::{Finding, Pass},
    },
    crd::{ManagementPolicy, Outcome},
    desired::Desired,
    fleet::{
        directory::{self, Directory},
        moves::Others,
        tasks,
    },
    model::Reason,
    place::ProxyKey,
    plan::{
        endpoint::{self, Ground},
        facts::Seen,
        record::Record,
    },
    publish::order::Known,
    seats,
};

impl Pass<'_> {
    /// Takes in whether the proxy is there. That it is gone is sure only where no task of its instance is at work.
    pub(in crate::controller::reconcile) async fn note_absence(
        &mut self,
        desired: &Desired,
        finding: &Finding,
        directory: Option<&Arc<Directory>>,
    ) {
        if desired.publication.is_none() {
            return;
        }
        let now = self.context.clock.now();
        let credential = self.memory.session.credential;
        let kept = self.memory.publishing.get_or_insert_default();
        kept.absence.note(&finding.observed, credential, now.uptime);
        let long = self.context.pace.missing_during_change;
        if !kept.absence.lasted(long) {
            kept.is_gone = false;
            return;
        }
        let Some(directory) = directory.filter(|_| !kept.is_gone) else {
            return;
        };
        let pace = &self.context.pace;
        let reading = async {
            let turn = directory.turn(Urgency::Sweep, directory::WALK).await?;
            let since = now.uptime;
            directory.tasks_for_new(turn.as_ref(), pace, since).await
        };
        let Ok(list) = seats::aside(Box::pin(reading)).await else {
            // The next look asks again.
            return;
        };
        let instance = &desired.subject.instance;
        let abandoned = self.abandoned(desired);
        let is_busy = tasks::unfinished(&list, instance, &abandoned, now, pace).is_some();
        let kept = self.memory.publishing.get_or_insert_default();
        if is_busy {
            kept.absence.is_explained();
        } else {
            kept.is_gone = true;
        }
    }

    /// Takes in what the task list tells of changes that are on no record.
    pub(in crate::controller::reconcile) fn note_quiet(
        &mut self,
        desired: &Desired,
        finding: &Finding,
    ) {
        let observed = &finding.observed;
        let is_quiet =
            matches!(observed.tasks, Seen::Known(None)) && observed.failed_lately.is_none();
        let since = observed.tasks_since.map(|since| since.uptime);
        if let Some(since) = since.filter(|_| is_quiet && desired.publication.is_some()) {
            let kept = self.memory.publishing.get_or_insert_default();
            kept.quiet_since = Some(since);
        }
    }

    /// Whether a resource that follows a proxy which others move knows of all changes of ours: those of this process and those on record
    /// anyway, the others once a task list was read that must have shown them. None is waited for longer than this process would follow
    /// one whose resource was deleted: a record may stand for ever.
    pub(in crate::controller::reconcile) fn may_follow(&self, desired: &Desired) -> bool {
        let kept = self.memory.publishing.as_deref();
        let quiet_since = kept.and_then(|kept| kept.quiet_since);
        let tell_from = self.tasks_tell_from();
        let knows = quiet_since.is_some_and(|since| since >= tell_from);
        let Context { clock, pace, .. } = self.context;
        let longest = pace.of_user(desired.change_timeout);
        let is_over = clock.now().uptime >= tell_from.saturating_add(longest);
        knows || is_over || desired.publication.is_none()
    }

    /// When a resource that follows others has to look again to know of all changes of ours.
    pub(super) fn follows_in(&self, desired: &Desired, finding: &Finding) -> Option<Duration> {
        let decision = &finding.decision;
        let follows =
            desired.policy == ManagementPolicy::Observe || endpoint::waits(&decision.step);
        if !follows || decision.record.vetted || self.may_follow(desired) {
            return None;
        }
        let left = self
            .tasks_tell_from()
            .saturating_sub(self.context.clock.now().uptime);
        let observed = &finding.observed;
        let lag = observed.tasks_clear_in.max(observed.failed_lately);
        let (_, busy) = self.context.pace.busy;
        Some(if left.is_zero() {
            lag.unwrap_or(busy)
        } else {
            left
        })
    }

    /// Where the proxy is, for applications; and the same by verified ports alone, where that is something else.
    pub(super) fn known(&self, desired: &Desired, finding: &Finding) -> (Known, Option<Known>) {
        let now = self.context.clock.now().uptime;
        let status = self.object.status.as_ref();
        let kept = self.memory.publishing.as_deref();
        let uid = self.object.uid().unwrap_or_default();
        let is_free = self
            .context
            .permits
            .is_free(&desired.subject.instance, &uid);
        let may_follow = self.may_follow(desired);
        let others = if finding.observed.instance_taken || !is_free || !may_follow {
            Others::AtWork
        } else {
            let proxy = ProxyKey::of(&desired.subject);
            self.context.moves.of(&proxy, now)
        };
        let ground = Ground {
            record: &finding.decision.record,
            observed: &finding.observed,
            step: &finding.decision.step,
            observes: desired.policy == ManagementPolicy::Observe,
            networks: &self.context.networks,
            address: status.and_then(|status| status.address.as_deref()),
            endpoint: status
                .and_then(|status| status.service.as_ref())
                .and_then(|service| service.endpoint.as_deref()),
            greeted: self.greeted(&finding.decision.record),
            is_withdrawn: reason_of(self.object, SERVICE) == Some(Reason::EndpointWithdrawn),
            is_gone: kept.is_some_and(|kept| kept.is_gone),
            left_lately: self.left_lately(&finding.decision.record),
            others,
        };
        let known = endpoint::known(&ground);
        let verified = endpoint::is_by_greeting(&ground, &known).then(|| {
            endpoint::known(&Ground {
                endpoint: None,
                greeted: None,
                ..ground
            })
        });
        (known, verified)
    }

    /// The port that the last change has left, where lists may lag behind it. One of an earlier process counts as no older than this one
    /// has led, whatever the wall clock shows.
    pub(super) fn left_lately(&self, record: &Record) -> Option<u16> {
        let last = record.last.as_ref()?;
        let left = match last.outcome {
            Outcome::Succeeded => last.to_port,
            Outcome::Failed | Outcome::Void => last.from_port,
        };
        let left = u16::try_from(left).ok();
        left.filter(|_| self.lists_lag_for(record).is_some())
    }

    /// For how long lists may still lag behind the end of the last change.
    pub(in crate::controller::reconcile) fn lists_lag_for(
        &self,
        record: &Record,
    ) -> Option<Duration> {
        let last = record.last.as_ref()?;
        let now = self.context.clock.now();
        let age = self.memory.session.age(last.finished_at.0, now);
        let age = age.min(self.context.leading_for());
        let left = self.context.pace.list_lag.checked_sub(age)?;
        Some(left).filter(|left| !left.is_zero())
    }

    /// In how long a list is believed that leads applications back from where a greeting has led them.
    pub(super) fn leads_back_in(&self, record: &Record) -> Option<Duration> {
        let service = self.object.status.as_ref()?.service.as_ref()?;
        endpoint::unproven(record, service.endpoint.as_deref())?;
        self.lists_lag_for(record)
    }
}
