//! Spans of calls.

use tracing::{Span, field, info_span};

use super::{CloudError, Meaning, observer::Operation};
use crate::spans::TARGET;

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
