//! Whether the operator does its work, and what is missing if it doesn't.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How far the operator has come. There is no way back from [`Stage::Stopping`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It does not work yet, for want of this.
    Missing(String),
    /// Another process leads, and this one would take over; says who leads, or what that is waiting for.
    Standby(String),
    /// All resources were read once; changes are made.
    Ready,
    /// It no longer starts anything.
    Stopping,
}

/// The stage, shared between the one who works and the one who tells.
#[derive(Debug)]
pub struct Readiness(Mutex<Stage>);

impl Readiness {
    /// Nothing is there yet.
    pub fn new() -> Self {
        Self(Mutex::new(Stage::Missing(
            "the Kubernetes API server was not reached yet".to_owned(),
        )))
    }

    /// The stage now.
    pub fn stage(&self) -> Stage {
        self.lock().clone()
    }

    /// Work can't begin for want of this.
    pub fn missing(&self, what: impl Into<String>) {
        self.turn_to(Stage::Missing(what.into()));
    }

    /// It is ready to take over.
    pub fn standby(&self, why: impl Into<String>) {
        self.turn_to(Stage::Standby(why.into()));
    }

    /// Work has begun.
    pub fn ready(&self) {
        self.turn_to(Stage::Ready);
    }

    /// Work is coming to its end.
    pub fn stopping(&self) {
        self.turn_to(Stage::Stopping);
    }

    fn turn_to(&self, stage: Stage) {
        let mut current = self.lock();
        if *current != Stage::Stopping {
            *current = stage;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stops_is_not_ready_again() {
        let readiness = Readiness::new();
        assert!(matches!(readiness.stage(), Stage::Missing(_)));
        readiness.missing("the CRD");
        assert_eq!(readiness.stage(), Stage::Missing("the CRD".to_owned()));
        readiness.ready();
        assert_eq!(readiness.stage(), Stage::Ready);
        readiness.stopping();
        readiness.ready();
        assert_eq!(readiness.stage(), Stage::Stopping);
    }
}
