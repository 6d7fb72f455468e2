//! A time in which no change starts, whatever windows say.

use jiff::Timestamp;

/// A freeze: from its beginning, up to but not including its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub until: Timestamp,
    /// Why, for people.
    pub reason: String,
    /// For whom; for all where there are none.
    pub namespaces: Vec<String>,
}

impl Freeze {
    /// Whether it is for the resources of a namespace.
    pub fn is_for(&self, namespace: &str) -> bool {
        self.namespaces.is_empty() || self.namespaces.iter().any(|name| name == namespace)
    }

    /// Whether it is in force.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}
