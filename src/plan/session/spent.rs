//! The changes of this process that were refused, withdrawn or not sent, as far as they may still be on record: the write of an intent may
//! have been made though its answer was lost, and the write that takes it from the record may have failed.
//!
//! Promises to keep the last few, each with the plan that still stands for it.

use crate::{
    crd::PlanRecord,
    model::ChangeId,
    plan::record::{Change, Record},
};

/// So many may be on their way to the record at once, at most.
const MOST: usize = 4;

/// The changes, the newest last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent(Vec<(ChangeId, Option<PlanRecord>)>);

impl Spent {
    /// Nothing of a change is at work. `plan` is the one that it was made for, where that may be used again.
    pub(super) fn add(&mut self, change: &ChangeId, plan: Option<PlanRecord>) {
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push((change.clone(), plan));
    }

    /// Takes such a change from a record, and puts its plan back. Whether it was there.
    pub(super) fn take_from(&self, record: &mut Record) -> bool {
        let known = |change: &Change| self.0.iter().find(|(id, _)| *id == change.id);
        let Some(change) = record.change.as_ref().filter(|change| change.job.is_none()) else {
            return false;
        };
        let Some((_, plan)) = known(change) else {
            return false;
        };
        record.change = None;
        if record.plan.is_none() {
            record.plan.clone_from(plan);
        }
        true
    }
}
