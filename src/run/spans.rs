//! Spans of requests to the API server.

use tracing::{Span, field, info_span};

use crate::{
    spans::TARGET,
    telemetry::metrics::requests::{Answer, Request},
};

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
