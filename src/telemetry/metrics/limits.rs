//! Where the limits of changes stand, asked anew whenever somebody looks.

use std::sync::OnceLock;

use k8s_openapi::jiff::Timestamp;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

use super::catalogue;
use crate::permits::Permits;

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
        for (figure, gauge) in [
            (catalogue::CHANGES_UNDER_WAY, &self.under_way),
            (catalogue::CHANGES_UNDER_WAY_LIMIT, &self.under_way_limit),
            (catalogue::CHANGES_BEGUN, &self.begun),
            (catalogue::CHANGES_BEGUN_LIMIT, &self.begun_limit),
            (catalogue::HALTED_UNTIL, &self.halted_until),
        ] {
            figure.register(registry, gauge.clone());
        }
    }
}
