//! Traces of reconciles, sent to a collector by OTLP where one is named: one span a reconcile, with the calls of the cloud and the
//! requests to the API server below it.
//!
//! Promises that spans hold names and ids only, never a text of the cloud or of a resource; that a collector that is away or slow
//! holds up nothing, not even the end of the process; and that without a collector there are no spans at all, as nobody asks for
//! them.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use kube::ResourceExt as _;
use opentelemetry::{Key, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter as Export},
};
use tracing::{Metadata, Span, Subscriber, field, info_span};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{
    cloud::{CloudError, Meaning, observer::Operation},
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    telemetry::metrics::requests::{Answer, Request},
    version,
};

/// All spans that are sent have this target, and no line of log has it.
const TARGET: &str = "taurus::traces";

/// Whose spans they are, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "taurus-port-operator";

/// A collector that has not answered by then is not there.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// What is still to be sent at the end is waited for no longer.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// Sends spans until it is dropped; what is left is then sent, in a short time or not at all.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

/// Spans can't be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces can't be sent: {0}")]
pub struct TracesError(#[from] ExporterBuildError);

impl Traces {
    /// To the collector at this URL, by OTLP over HTTP. Nothing is sent yet. Headers, attributes and sampling are those of the
    /// standard environment (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`).
    pub fn to(url: &str) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .with_timeout(SEND_WITHIN)
            .build()?;
        let told = Told {
            exporter,
            failing: AtomicBool::new(false),
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(told)
            .with_resource(resource())
            .build();
        Ok(Self(provider))
    }

    /// What takes in the spans.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false)
            .with_filter(filter_fn(is_sent))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is away has been told of; nothing more can be done for it.
        let _ = self.0.shutdown_with_timeout(FLUSH_WITHIN);
    }
}

/// Whether something is one of the spans that are sent.
pub fn is_sent(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

fn resource() -> Resource {
    let given = Resource::builder().build();
    let service = given.get(&Key::from_static_str("service.name"));
    let named = service.is_some_and(|name| !name.to_string().starts_with("unknown_service"));
    let builder = Resource::builder().with_attribute(opentelemetry::KeyValue::new(
        "service.version",
        version::RELEASE,
    ));
    if named {
        builder.build()
    } else {
        builder.with_service_name(SERVICE).build()
    }
}

/// An exporter that tells once that it fails, and once that it works again.
#[derive(Debug)]
struct Told {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl Export for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let failed = self.failing.swap(result.is_err(), Ordering::SeqCst);
        match &result {
            Err(error) if !failed => {
                tracing::warn!(%error, "traces are not taken by the collector; they are dropped until they are");
            }
            Ok(()) if failed => tracing::info!("traces are taken by the collector again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// A reconcile of this resource.
pub fn reconcile(object: &TaurusProxyPort) -> Span {
    let change = object
        .status
        .as_ref()
        .and_then(|status| status.change.as_ref());
    info_span!(
        target: TARGET,
        "reconcile",
        k8s.namespace.name = object.namespace(),
        taurus.resource.name = object.name_any(),
        taurus.resource.uid = object.uid(),
        taurus.generation = object.metadata.generation,
        taurus.change.id = change.map(|change| change.id.as_str()),
        taurus.job.id = change.and_then(|change| change.job_id.as_deref()),
        taurus.state = field::Empty,
        taurus.reason = field::Empty,
        otel.status_code = field::Empty,
    )
}

/// What is said of the resource whose reconcile this is.
pub fn said(status: &TaurusProxyPortStatus) {
    let span = Span::current();
    if !span.metadata().is_some_and(is_sent) {
        return;
    }
    if let Some(main) = status.main_condition() {
        span.record("taurus.state", main.type_.as_str());
        span.record("taurus.reason", main.reason.as_str());
    }
    if let Some(change) = &status.change {
        span.record("taurus.change.id", change.id.as_str());
        if let Some(job) = &change.job_id {
            span.record("taurus.job.id", job.as_str());
        }
    }
}

/// The reconcile did not come to its own end.
pub fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// A call of the cloud; of a change, where it is one.
pub fn call(operation: Operation, change: Option<&str>) -> Span {
    let name: &'static str = operation.into();
    info_span!(
        target: TARGET,
        "cloud call",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = field::Empty,
        taurus.change.id = change,
        taurus.job.id = field::Empty,
        taurus.meaning = field::Empty,
        taurus.code = field::Empty,
        http.response.status_code = field::Empty,
    )
}

/// What came of a call. Codes are the service's own words for a kind of error; its texts stay outside.
pub fn called(span: &Span, error: Option<&CloudError>) {
    let Some(error) = error else {
        span.record("taurus.meaning", "success");
        return;
    };
    let meaning: &'static str = error.meaning.into();
    span.record("taurus.meaning", meaning);
    // Another operation at work is an answer, too.
    if error.meaning != Meaning::Busy {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(code) = error.code.as_deref().filter(|code| is_code(code)) {
        span.record("taurus.code", code);
    }
    if let Some(status) = error.status {
        span.record("http.response.status_code", status);
    }
}

/// The call was not made after all.
pub fn withdrawn(span: &Span) {
    span.record("taurus.meaning", "withdrawn");
}

/// The cloud has answered with this job.
pub fn job(span: &Span, job: &str) {
    span.record("taurus.job.id", job);
}

/// Whether it is a code as services have them, and no text that came in its place.
fn is_code(code: &str) -> bool {
    code.len() <= 32
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// A request to the API server; none for those that go on for ever or on their own.
pub fn request(request: Request) -> Span {
    if matches!(
        request,
        Request::WatchResources | Request::WatchSecrets | Request::Lease | Request::Other
    ) {
        return Span::none();
    }
    let name: &'static str = request.into();
    info_span!(
        target: TARGET,
        "api request",
        otel.name = name,
        otel.kind = "client",
        otel.status_code = field::Empty,
        taurus.result = field::Empty,
    )
}

/// What came of a request.
pub fn answered(span: &Span, answer: Answer) {
    let result: &'static str = answer.into();
    span.record("taurus.result", result);
    if !matches!(answer, Answer::Ok | Answer::Conflict | Answer::NotFound) {
        span.record("otel.status_code", "ERROR");
    }
}
