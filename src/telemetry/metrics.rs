//! Figures for Prometheus, in the OpenMetrics text format.
//!
//! Promises that labels are bounded: their values come from enums of this program or were built into it, never from a resource or an answer.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::{
    clock::Clock,
    cloud::{
        Meaning, Urgency,
        observer::{CallObserver, Operation},
    },
    controller::{
        act::Outcome as Answer,
        meter::{Ending, Meter},
    },
    crd::{LastChange, Outcome, TaurusProxyPort, TaurusProxyPortStatus},
    fleet::permits::Permits,
    leader::Leadership,
    telemetry::metrics::{
        labels::{
            AnswerLabel, CallLabels, EndingLabel, OperationLabel, OutcomeLabel, UrgencyLabel,
        },
        limits::Limits,
        resources::Resources,
    },
    version,
};

mod labels;
mod limits;
mod resources;

/// What [`Metrics::text`] is (`Content-Type`).
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: calls and reconciles.
const CALL_SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Upper bounds in seconds: changes take from seconds to the longest `changeTimeout`.
const CHANGE_SECONDS: [f64; 11] = [
    1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 86400.0,
];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The figures of this process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciles: Family<EndingLabel, Counter>,
    reconcile_seconds: Histogram,
    cloud_calls: Family<CallLabels, Counter>,
    cloud_call_seconds: Histograms<OperationLabel>,
    cloud_call_wait_seconds: Histograms<UrgencyLabel>,
    changes: Family<OutcomeLabel, Counter>,
    change_seconds: Histogram,
    change_requests: Family<AnswerLabel, Counter>,
    resources: Resources,
    limits: Limits,
    leading: Gauge,
    leadership: OnceLock<(Arc<Leadership>, Clock)>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("taurus"),
            reconciles: Family::default(),
            reconcile_seconds: Histogram::new(CALL_SECONDS),
            cloud_calls: Family::default(),
            cloud_call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            cloud_call_wait_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            changes: Family::default(),
            change_seconds: Histogram::new(CHANGE_SECONDS),
            change_requests: Family::default(),
            resources: Resources::default(),
            limits: Limits::default(),
            leading: Gauge::default(),
            leadership: OnceLock::new(),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Everything, as [`CONTENT_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        if let Some((leadership, clock)) = self.leadership.get() {
            let leads = leadership.time_left(clock.now()).is_some();
            self.leading.set(leads.into());
        }
        self.limits.refresh();
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// From now on it is told whether this process leads.
    pub fn watch(&self, leadership: Arc<Leadership>, clock: Clock) {
        // There is one leadership a process; a second one changes nothing.
        let _ = self.leadership.set((leadership, clock));
    }

    /// The first failure of a kind is a step from 0 to 1, which an alert sees, not a figure out of nowhere.
    fn begin_at_zero(&self) {
        for ending in [Ending::Done, Ending::Failed, Ending::Panicked] {
            drop(self.reconciles.get_or_create(&EndingLabel::of(ending)));
        }
        for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Void] {
            drop(self.changes.get_or_create(&OutcomeLabel::of(outcome)));
        }
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = [
            ("version", version::RELEASE),
            ("commit", version::COMMIT),
            ("target", version::TARGET),
        ];
        registry.register("build", "Which program this is", Info::new(build));
        registry.register(
            "leading",
            "Whether this process holds the lease, or is the only one",
            self.leading.clone(),
        );
        registry.register(
            "reconciles",
            "Reconciles by how they ended",
            self.reconciles.clone(),
        );
        registry.register(
            "reconcile_seconds",
            "How long reconciles took",
            self.reconcile_seconds.clone(),
        );
        registry.register(
            "cloud_calls",
            "Calls of the cloud by operation and by what came of them",
            self.cloud_calls.clone(),
        );
        registry.register(
            "cloud_call_seconds",
            "How long calls of the cloud took",
            self.cloud_call_seconds.clone(),
        );
        registry.register(
            "cloud_call_wait_seconds",
            "How long calls of the cloud were waited for because of --calls-per-minute, by urgency",
            self.cloud_call_wait_seconds.clone(),
        );
        registry.register(
            "changes",
            "Changes that have ended, by outcome",
            self.changes.clone(),
        );
        registry.register(
            "change_seconds",
            "How long changes took, from their intent to the end that was seen",
            self.change_seconds.clone(),
        );
        registry.register(
            "change_requests",
            "Requests to change a port, by what the cloud answered",
            self.change_requests.clone(),
        );
        self.limits.register(registry);
        registry.register_collector(Box::new(self.resources.clone()));
    }
}

impl Meter for Metrics {
    fn reconciled(&self, ending: Ending, took: Duration) {
        self.reconciles
            .get_or_create(&EndingLabel::of(ending))
            .inc();
        self.reconcile_seconds.observe(took.as_secs_f64());
    }

    fn change_answered(&self, answer: &Answer) {
        let label = AnswerLabel::of(answer);
        self.change_requests.get_or_create(&label).inc();
    }

    fn change_ended(&self, last: Option<&LastChange>) {
        // None was refused or never sent; that was counted with its answer.
        let Some(last) = last else { return };
        self.changes
            .get_or_create(&OutcomeLabel::of(last.outcome))
            .inc();
        let took = last.finished_at.0.duration_since(last.started_at.0);
        self.change_seconds.observe(took.as_secs_f64().max(0.0));
    }

    fn resource(&self, object: &TaurusProxyPort, status: &TaurusProxyPortStatus) {
        self.resources
            .said(object.metadata.uid.as_deref().unwrap_or_default(), status);
    }

    fn undecodable(&self, uid: &str) {
        self.resources.undecodable(uid);
    }

    fn permits(&self, permits: &Permits) {
        self.limits.watch(permits);
    }

    fn forget(&self, uid: &str) {
        self.resources.forget(uid);
    }
}

impl CallObserver for Metrics {
    fn call_ended(&self, operation: Operation, meaning: Option<Meaning>, took: Duration) {
        let operation = operation.into();
        let meaning = meaning.map_or("success", Into::into);
        self.cloud_calls
            .get_or_create(&CallLabels { operation, meaning })
            .inc();
        self.cloud_call_seconds
            .get_or_create(&OperationLabel { operation })
            .observe(took.as_secs_f64());
    }

    fn call_waited(&self, urgency: Urgency, took: Duration) {
        let urgency = urgency.into();
        self.cloud_call_wait_seconds
            .get_or_create(&UrgencyLabel { urgency })
            .observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
