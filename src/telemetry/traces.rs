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

use opentelemetry::{Key, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter as Export},
};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::{spans::is_sent, version};

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
