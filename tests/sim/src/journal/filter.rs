//! Which entries somebody wants to see.

use super::Entry;
use crate::Operation;

/// Conditions on entries, all of those that are there; [`Filter::all`] has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    operation: Option<Operation>,
    instance: Option<String>,
    proxy: Option<String>,
    credential: Option<String>,
    since: Option<u64>,
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

    /// Whether an entry meets the conditions.
    pub fn fits(&self, entry: &Entry) -> bool {
        self.operation
            .is_none_or(|operation| operation == entry.operation)
            && self.since.is_none_or(|number| number < entry.number)
            && (self.instance.is_none() || self.instance == entry.instance)
            && (self.proxy.is_none() || self.proxy == entry.proxy)
            && (self.credential.is_none() || self.credential == entry.credential)
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
                    .since(6),
                true,
            ),
            (Filter::on(Operation::List), false),
            (Filter::all().instance("j"), false),
            (Filter::all().proxy("y"), false),
            (Filter::all().credential("other"), false),
            (Filter::all().since(7), false),
        ] {
            assert_eq!(filter.fits(&entry), fits, "{filter:?}");
        }
    }
}
