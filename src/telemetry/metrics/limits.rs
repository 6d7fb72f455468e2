//! Where the limits of changes stand, asked anew whenever somebody looks.

use std::sync::OnceLock;

use k8s_openapi::jiff::Timestamp;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use crate::fleet::permits::Permits;

/// The gauges of the limits; all zero while this process does not work.
#[derive(Debug, Default)]
pub(super) struct Limits {
    permits: OnceLock<Permits>,
    under_way: Gauge,
    under_way_limit: Gauge,
    begun: Gauge,
    begun_limit: Gauge,
    halted_until: Gauge,
}

impl Limits {
    /// From now on they are asked.
    pub(super) fn watch(&self, permits: &Permits) {
        // They are handed out at one place in a process; a second one changes nothing.
        let _ = self.permits.set(permits.clone());
    }

    /// Takes in how things stand.
    pub(super) fn refresh(&self) {
        let Some(permits) = self.permits.get() else {
            return;
        };
        let figures = permits.figures();
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.under_way.set(count(figures.under_way));
        self.under_way_limit.set(count(figures.most_under_way));
        self.begun.set(count(figures.begun));
        self.begun_limit.set(count(figures.most_begun));
        let until = figures.halted_until;
        self.halted_until.set(until.map_or(0, Timestamp::as_second));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "changes_under_way",
                "Changes that count among those under way",
                &self.under_way,
            ),
            (
                "changes_under_way_limit",
                "How many changes may be under way at once",
                &self.under_way_limit,
            ),
            (
                "changes_begun_last_hour",
                "Changes that were begun within the last hour, as far as is known",
                &self.begun,
            ),
            (
                "changes_begun_last_hour_limit",
                "How many changes may be begun within an hour",
                &self.begun_limit,
            ),
            (
                "rollout_halted_until_timestamp_seconds",
                "Until when no new change begins, in Unix time; 0 where there is no halt",
                &self.halted_until,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }
}
