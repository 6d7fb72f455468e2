//! Answers as hyper sends them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;

use super::cut_body::CutBody;
use super::lines::Line;
use super::slow_body::SlowBody;
use crate::answer::Answer;

/// The whole answer.
pub(super) fn whole(answer: &Answer) -> Response<Body> {
    let body = answer.body.clone();
    with_head(answer, Body::from(body))
}

/// The head of the answer and a part of its body.
pub(super) fn cut(answer: &Answer, after: Option<usize>, line: Arc<Line>) -> Response<Body> {
    let body = CutBody::new(Bytes::from(answer.body.clone()), after, line);
    with_head(answer, Body::new(body))
}

/// The whole answer, its body bit by bit.
pub(super) fn slow(answer: &Answer, bytes: usize, every: Duration) -> Response<Body> {
    let body = SlowBody::new(Bytes::from(answer.body.clone()), bytes, every);
    with_head(answer, Body::new(body))
}

/// What a scripted answer names and HTTP can't carry is left out.
fn with_head(answer: &Answer, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
