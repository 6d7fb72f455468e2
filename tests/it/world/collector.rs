//! A stand-in for an OpenTelemetry collector: takes traces by OTLP over HTTP, and keeps them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

/// A span, as far as stories look at it.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub name: String,
    /// Of the span and of whose it is.
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
    pub took: Duration,
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    raw: Vec<u8>,
    requests: Vec<HeaderMap>,
}

/// The collector; it ends with this.
pub struct Collector {
    taken: Arc<Mutex<Taken>>,
    address: String,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Collector {
    /// One that takes all.
    pub async fn start() -> Self {
        let taken = Arc::new(Mutex::new(Taken::default()));
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&taken));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            taken,
            address,
            serving,
        }
    }

    /// What programs are told.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn spans(&self) -> Vec<Span> {
        self.taken.lock().unwrap().spans.clone()
    }

    /// All bytes that were sent, bodies and headers.
    pub fn raw(&self) -> Vec<u8> {
        let taken = self.taken.lock().unwrap();
        let headers = taken.requests.iter().flat_map(HeaderMap::values);
        let headers = headers.flat_map(|value| value.as_bytes().to_vec());
        taken.raw.iter().copied().chain(headers).collect()
    }

    /// What one header was in each request.
    pub fn header(&self, name: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let values = taken
            .requests
            .iter()
            .filter_map(|headers| headers.get(name));
        values
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }
}

async fn take(
    State(taken): State<Arc<Mutex<Taken>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if headers[header::CONTENT_TYPE] != "application/x-protobuf" {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body.clone()) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut taken = taken.lock().unwrap();
    taken.raw.extend_from_slice(&body);
    taken.requests.push(headers);
    for resource in request.resource_spans {
        let whose = resource
            .resource
            .map(|it| it.attributes)
            .unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|it| it.spans) {
            let nanoseconds = span.end_time_unix_nano - span.start_time_unix_nano;
            let attributes = whose.iter().chain(&span.attributes).map(attribute);
            taken.spans.push(Span {
                attributes: attributes.collect(),
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                name: span.name,
                failed: span.status.is_some_and(|status| status.code == 2),
                took: Duration::from_nanos(nanoseconds),
            });
        }
    }
    StatusCode::OK
}

fn attribute(attribute: &KeyValue) -> (String, String) {
    let value = match &attribute.value {
        Some(AnyValue { value: Some(value) }) => match value {
            Value::StringValue(text) => text.clone(),
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(is) => is.to_string(),
            other => format!("{other:?}"),
        },
        _ => String::new(),
    };
    (attribute.key.clone(), value)
}
