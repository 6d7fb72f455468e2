//! A Secret that is missing: tools that make Secrets are often seconds later than the resource that names them.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{Session, trouble};
use crate::{
    model::Reason,
    plan::facts::{Facts, Seen, Trouble},
};

/// A Secret that is missing, for as long as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// The generation that names it.
    pub generation: i64,
    /// Uptime until which it counts as one that is on its way.
    pub until: Duration,
    /// The same for people.
    pub shown: Timestamp,
}

impl Session {
    /// Takes in whether a look failed for want of a Secret. Call it once a look.
    pub(in crate::plan) fn note_credentials(&mut self, facts: &Facts<'_>) {
        let observed = facts.observed;
        let is_want =
            |trouble: Option<&Trouble>| matches!(trouble, Some(Trouble::CredentialsMissing(_)));
        let missing = is_want(trouble(&observed.proxy))
            || is_want(trouble(&observed.job))
            || is_want(trouble(&observed.tasks));
        if !missing {
            let looked = observed.proxy != Seen::NotRead || observed.job != Seen::NotRead;
            self.awaited.take_if(|_| looked);
            return;
        }
        let generation = facts.desired.generation;
        if self
            .awaited
            .as_ref()
            .is_some_and(|awaited| awaited.generation == generation)
        {
            return;
        }
        let wall = facts.now.wall;
        let whole = facts.pace.secret_patience;
        // Said by a process before this one, it was waited for, or is until the time that was told.
        let said = facts.record.generation == Some(generation);
        let patience = match facts.record.reason.filter(|_| said) {
            Some(Reason::CredentialsMissing) => Duration::ZERO,
            Some(Reason::WaitingForCredentials) => facts.record.told_until.map_or(whole, |told| {
                let left = Duration::try_from(told.duration_since(wall));
                left.unwrap_or_default().min(whole)
            }),
            _ => whole,
        };
        self.awaited = Some(Box::new(Awaited {
            generation,
            until: facts.now.uptime.saturating_add(patience),
            shown: wall.saturating_add(patience).unwrap_or(wall),
        }));
    }
}
