//! The time of changes, as the controller sees to it: what holds for a resource, also right before its request, and who waits.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use k8s_openapi::jiff::Timestamp;

use crate::{
    controller::{
        context::Context,
        read::{self, Desired},
    },
    crd::{PlanRecord, TaurusProxyPort},
    fleet::claims::Woken,
    model::ResourceName,
    plan::timing::{self, Terms},
};

/// Who waits for the time of a change.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<BTreeSet<ResourceName>>);

impl Waiting {
    /// A resource waits, or no longer does.
    pub(super) fn note(&self, name: ResourceName, waits: bool) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waits {
            names.insert(name);
        } else if !names.is_empty() {
            names.remove(&name);
        }
    }

    /// All of them. Who still waits says so again.
    fn take(&self) -> Woken {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *names).into_iter().collect()
    }
}

impl Context {
    /// What holds for the time of a resource's changes.
    pub(super) fn terms(&self, object: &TaurusProxyPort, desired: &Desired) -> Option<Box<Terms>> {
        let calendar = self.calendar.current();
        let takes = || self.lengths.longest(&desired.subject.instance);
        timing::terms(object, desired, &calendar, takes)
    }

    /// Why a change must not be sent after all, which was decided on with `plan`: `known` is the resource as the watch has it.
    pub(super) fn untimely(
        &self,
        known: &TaurusProxyPort,
        desired: &Desired,
        plan: Option<&PlanRecord>,
        now: Timestamp,
    ) -> Option<&'static str> {
        let terms = self.terms(known, desired)?;
        let wishes = read::read(known).ok();
        if wishes.is_none_or(|wishes| wishes.timing != desired.timing) {
            return Some("what is said about the time of the change has changed");
        }
        let plan = plan.map(|plan| plan.id.as_str());
        let may = timing::may_still_start(&terms, desired.timing.as_deref(), plan, now);
        (!may).then_some("its maintenance window is closing, or a freeze is near")
    }

    /// Wakes those who wait when another calendar is in force. Never ends by itself.
    pub(super) async fn keep_calendar(&self) {
        loop {
            self.calendar.another().await;
            self.wake(self.waiting.take());
        }
    }
}
