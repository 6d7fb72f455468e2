//! Which entries somebody wants to see.

use super::{Entry, Outcome};
use crate::Operation;

/// Conditions on entries, all of those that are there; [`Filter::all`] has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    operation: Option<Operation>,
    instance: Option<String>,
    proxy: Option<String>,
    credential: Option<String>,
    since: Option<u64>,
    outcome: Option<Outcome>,
    status: Option<u16>,
    work_done: Option<bool>,
}

impl Filter {
    /// Every entry.
    pub fn all() -> Self {
        Self::default()
    }

    /// Requests that asked for this.
    pub fn on(operation: Operation) -> Self {
        Self::all().operation(operation)
    }

    /// Only those that asked for this.
    #[must_use]
    pub fn operation(self, operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..self
        }
    }

    /// Only those about this instance.
    #[must_use]
    pub fn instance(self, id: &str) -> Self {
        Self {
            instance: Some(id.to_owned()),
            ..self
        }
    }

    /// Only those about this proxy: changes of its port and reads of its jobs.
    #[must_use]
    pub fn proxy(self, id: &str) -> Self {
        Self {
            proxy: Some(id.to_owned()),
            ..self
        }
    }

    /// Only those of this credential.
    #[must_use]
    pub fn credential(self, credential: &str) -> Self {
        Self {
            credential: Some(credential.to_owned()),
            ..self
        }
    }

    /// Only those that came after the one with this number.
    #[must_use]
    pub fn since(self, number: u64) -> Self {
        Self {
            since: Some(number),
            ..self
        }
    }

    /// Only those of which this became.
    #[must_use]
    pub fn outcome(self, outcome: Outcome) -> Self {
        Self {
            outcome: Some(outcome),
            ..self
        }
    }

    /// Only those whose answer, also a lost one, has this HTTP status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self {
            status: Some(status),
            ..self
        }
    }

    /// Only those whose work was done (true), or refused or never begun (false).
    #[must_use]
    pub fn work_done(self, done: bool) -> Self {
        Self {
            work_done: Some(done),
            ..self
        }
    }

    /// Whether an entry meets the conditions.
    pub fn fits(&self, entry: &Entry) -> bool {
        self.operation
            .is_none_or(|operation| operation == entry.operation)
            && self.since.is_none_or(|number| number < entry.number)
            && (self.instance.is_none() || self.instance == entry.instance)
            && (self.proxy.is_none() || self.proxy == entry.proxy)
            && (self.credential.is_none() || self.credential == entry.credential)
            && self.outcome.is_none_or(|outcome| outcome == entry.outcome)
            && (self.status.is_none() || self.status == entry.status())
            && self.work_done.is_none_or(|done| done == entry.work_done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_counts() {
        let entry = Entry::example(7);
        for (filter, fits) in [
            (Filter::all(), true),
            (
                Filter::on(Operation::Change)
                    .instance("i")
                    .proxy("x")
                    .credential("key")
                    .since(6)
                    .outcome(Outcome::Answered)
                    .status(200)
                    .work_done(true),
                true,
            ),
            (Filter::on(Operation::List), false),
            (Filter::all().instance("j"), false),
            (Filter::all().proxy("y"), false),
            (Filter::all().credential("other"), false),
            (Filter::all().since(7), false),
            (Filter::all().outcome(Outcome::Reset), false),
            (Filter::all().status(409), false),
            (Filter::all().work_done(false), false),
        ] {
            assert_eq!(filter.fits(&entry), fits, "{filter:?}");
        }
    }
}
