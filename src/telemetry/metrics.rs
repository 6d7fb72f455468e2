//! Figures for Prometheus, in the OpenMetrics text format.
//!
//! Promises that labels are bounded: their values come from enums of this program, never from a resource or an answer.

use std::{fmt, time::Duration};

use k8s_openapi::jiff::Timestamp;
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use strum::IntoEnumIterator as _;

use crate::{
    cloud::{
        Meaning, Urgency,
        observer::{CallObserver, Operation},
    },
    controller::{
        act::Outcome as Answer,
        meter::{Ending, Meter},
    },
    crd::{ChangeRecord, LastChange, Outcome, TaurusProxyPort},
    model::{Moment, Reason, Uid},
    permits::Permits,
    telemetry::metrics::{
        labels::{
            AnswerLabel, CallLabels, EndingLabel, HeldLabel, LaneLabel, OperationLabel,
            OutcomeLabel, ProbeLabel, PublicationLabel, UrgencyLabel,
        },
        limits::Limits,
        process::Process,
        requests::{Request, Requests},
        resources::Resources,
        state::State,
    },
};

pub mod catalogue;
mod labels;
mod limits;
mod process;
pub mod requests;
mod resources;
mod state;

pub use state::Watched;

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
    reconcile_wait_seconds: Histograms<LaneLabel>,
    edit_to_request_seconds: Histograms<HeldLabel>,
    cloud_calls: Family<CallLabels, Counter>,
    cloud_call_seconds: Histograms<OperationLabel>,
    cloud_calls_made: Family<UrgencyLabel, Counter>,
    cloud_call_wait_seconds: Histograms<UrgencyLabel>,
    cloud_calls_put_off: Family<UrgencyLabel, Counter>,
    changes: Family<OutcomeLabel, Counter>,
    change_seconds: Histogram,
    change_requests: Family<AnswerLabel, Counter>,
    applied_now: Counter,
    drift_corrections: Counter,
    publications: Family<PublicationLabel, Counter>,
    restores: Counter,
    probes: Family<ProbeLabel, Counter>,
    resources: Resources,
    limits: Limits,
    requests: Requests,
    state: State,
    certificate_broken: Gauge,
    log_lines_dropped: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            reconciles: Family::default(),
            reconcile_seconds: Histogram::new(CALL_SECONDS),
            reconcile_wait_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            edit_to_request_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            cloud_calls: Family::default(),
            cloud_call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            cloud_calls_made: Family::default(),
            cloud_call_wait_seconds: Family::new_with_constructor(|| Histogram::new(CALL_SECONDS)),
            cloud_calls_put_off: Family::default(),
            changes: Family::default(),
            change_seconds: Histogram::new(CHANGE_SECONDS),
            change_requests: Family::default(),
            applied_now: Counter::default(),
            drift_corrections: Counter::default(),
            publications: Family::default(),
            restores: Counter::default(),
            probes: Family::default(),
            resources: Resources::default(),
            limits: Limits::default(),
            requests: Requests::default(),
            state: State::default(),
            certificate_broken: Gauge::default(),
            log_lines_dropped: Counter::default(),
        };
        metrics.begin_at_zero();
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Everything, as [`CONTENT_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        self.state.refresh();
        self.limits.refresh();
        if let Some(now) = self.state.now() {
            self.resources.refresh(now);
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// From now on it is told how these stand.
    pub fn watch(&self, watched: Watched) {
        self.state.watch(watched);
    }

    /// Counts lines of log that could not be written.
    pub fn dropped_log_lines(&self) -> Counter {
        self.log_lines_dropped.clone()
    }

    /// Tells whether the files of the certificate of `/metrics` can't be used (1).
    pub fn certificate_broken(&self) -> Gauge {
        self.certificate_broken.clone()
    }

    /// A request to the API server has ended.
    pub fn asked_api_server(&self, request: Request, answer: requests::Answer, took: Duration) {
        self.requests.ended(request, answer, took);
    }

    /// The first failure of a kind is a step from 0 to 1, which an alert sees, not a figure out of nowhere.
    fn begin_at_zero(&self) {
        for ending in [Ending::Done, Ending::Failed, Ending::Panicked] {
            drop(self.reconciles.get_or_create(&EndingLabel::of(ending)));
        }
        for call in catalogue::calls() {
            let label = LaneLabel { call };
            drop(self.reconcile_wait_seconds.get_or_create(&label));
        }
        for held in catalogue::held() {
            let label = HeldLabel { held };
            drop(self.edit_to_request_seconds.get_or_create(&label));
        }
        for outcome in [Outcome::Succeeded, Outcome::Failed, Outcome::Void] {
            drop(self.changes.get_or_create(&OutcomeLabel::of(outcome)));
        }
        for outcome in catalogue::probes() {
            drop(self.probes.get_or_create(&ProbeLabel { outcome }));
        }
        for reason in catalogue::publications() {
            drop(
                self.publications
                    .get_or_create(&PublicationLabel { reason }),
            );
        }
        for urgency in Urgency::iter() {
            let urgency = urgency.into();
            drop(
                self.cloud_calls_put_off
                    .get_or_create(&UrgencyLabel { urgency }),
            );
        }
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.sub_registry_with_prefix("process")
            .register_collector(Box::new(Process));
        let ours = all.sub_registry_with_prefix("taurus");
        self.state.register(ours);
        catalogue::RECONCILES.register(ours, self.reconciles.clone());
        catalogue::RECONCILE_SECONDS.register(ours, self.reconcile_seconds.clone());
        catalogue::RECONCILE_WAIT_SECONDS.register(ours, self.reconcile_wait_seconds.clone());
        catalogue::EDIT_TO_REQUEST_SECONDS.register(ours, self.edit_to_request_seconds.clone());
        ours.register_collector(Box::new(self.resources.clone()));
        catalogue::CHANGES.register(ours, self.changes.clone());
        catalogue::CHANGE_SECONDS.register(ours, self.change_seconds.clone());
        catalogue::CHANGE_REQUESTS.register(ours, self.change_requests.clone());
        catalogue::APPLIED_NOW.register(ours, self.applied_now.clone());
        catalogue::DRIFT_CORRECTIONS.register(ours, self.drift_corrections.clone());
        catalogue::PUBLICATIONS.register(ours, self.publications.clone());
        catalogue::RESTORES.register(ours, self.restores.clone());
        catalogue::PROBES.register(ours, self.probes.clone());
        self.limits.register(ours);
        catalogue::CLOUD_CALLS.register(ours, self.cloud_calls.clone());
        catalogue::CLOUD_CALL_SECONDS.register(ours, self.cloud_call_seconds.clone());
        catalogue::CLOUD_CALLS_MADE.register(ours, self.cloud_calls_made.clone());
        catalogue::CLOUD_CALL_WAIT_SECONDS.register(ours, self.cloud_call_wait_seconds.clone());
        catalogue::CLOUD_CALLS_PUT_OFF.register(ours, self.cloud_calls_put_off.clone());
        self.requests.register(ours);
        catalogue::METRICS_CERTIFICATE_BROKEN.register(ours, self.certificate_broken.clone());
        catalogue::LOG_LINES_DROPPED.register(ours, self.log_lines_dropped.clone());
    }
}

impl Meter for Metrics {
    fn reconciled(&self, ending: Ending, took: Duration) {
        self.reconciles
            .get_or_create(&EndingLabel::of(ending))
            .inc();
        self.reconcile_seconds.observe(took.as_secs_f64());
    }

    fn waited(&self, call: &'static str, took: Duration) {
        self.reconcile_wait_seconds
            .get_or_create(&LaneLabel { call })
            .observe(took.as_secs_f64());
    }

    fn edit_sent(&self, was_held: bool, took: Duration) {
        let held = if was_held { "yes" } else { "no" };
        self.edit_to_request_seconds
            .get_or_create(&HeldLabel { held })
            .observe(took.as_secs_f64());
    }

    fn change_answered(&self, answer: &Answer) {
        let label = AnswerLabel::of(answer);
        self.change_requests.get_or_create(&label).inc();
    }

    fn applied_now(&self) {
        self.applied_now.inc();
    }

    fn drift_corrected(&self) {
        self.drift_corrections.inc();
    }

    fn published(&self, reason: Reason) {
        let reason = reason.name();
        self.publications
            .get_or_create(&PublicationLabel { reason })
            .inc();
    }

    fn restored(&self) {
        self.restores.inc();
    }

    fn probed(&self, outcome: &'static str) {
        self.probes.get_or_create(&ProbeLabel { outcome }).inc();
    }

    fn change_ended(&self, last: &LastChange) {
        self.changes
            .get_or_create(&OutcomeLabel::of(last.outcome))
            .inc();
        let took = last.finished_at.0.duration_since(last.started_at.0);
        self.change_seconds.observe(took.as_secs_f64().max(0.0));
    }

    fn resource(&self, uid: &Uid, object: &TaurusProxyPort, now: Moment) {
        if let Some(status) = &object.status {
            self.resources.said(uid, status, now);
        }
    }

    fn undecodable(&self, uid: &Uid, begun: Option<Timestamp>, now: Moment) {
        self.resources.undecodable(uid, begun, now);
    }

    fn followed(&self, uid: &Uid, change: Option<&ChangeRecord>, now: Moment) {
        self.resources.followed(uid, change, now);
    }

    fn followed_no_longer(&self, uid: &Uid) {
        self.resources.followed_no_longer(uid);
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

    fn call_made(&self, urgency: Urgency) {
        let urgency = urgency.into();
        self.cloud_calls_made
            .get_or_create(&UrgencyLabel { urgency })
            .inc();
    }

    fn call_put_off(&self, urgency: Urgency) {
        let urgency = urgency.into();
        self.cloud_calls_put_off
            .get_or_create(&UrgencyLabel { urgency })
            .inc();
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
