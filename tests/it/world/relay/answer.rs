//! Answers: the API server's, whole or spoilt, and those that it never gave.

use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type RelayBody = UnsyncBoxBody<Bytes, BoxError>;

/// An answer that is ready before anybody asks.
#[derive(Debug, Clone)]
pub struct Prepared {
    status: u16,
    retry_after: Option<u32>,
    body: String,
}

impl Prepared {
    pub(super) fn refusal(status: u16) -> Self {
        let reason = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            409 => "Conflict",
            410 => "Expired",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            _ => "InternalError",
        };
        let body = status_of(status, reason, "the story wants it so");
        Self {
            status,
            retry_after: None,
            body,
        }
    }

    pub(super) fn recorded(body: String) -> Self {
        Self {
            status: 200,
            retry_after: None,
            body,
        }
    }

    pub(super) fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    pub(super) fn response(self) -> Response<RelayBody> {
        let mut answer = json_answer(self.body);
        *answer.status_mut() = StatusCode::from_u16(self.status).unwrap();
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        answer
    }
}

fn status_of(code: u16, reason: &str, message: &str) -> String {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code
    })
    .to_string()
}

fn json_answer(body: String) -> Response<RelayBody> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
    answer
}

pub(super) fn expired() -> Response<RelayBody> {
    let status = status_of(410, "Expired", "too old resource version: 1 (2)");
    json_answer(format!("{{\"type\":\"ERROR\",\"object\":{status}}}\n"))
}

pub(super) fn whole(answer: Response<Body>) -> Response<RelayBody> {
    with_body(answer, true, |body| {
        body.map_err(BoxError::from).boxed_unsync()
    })
}

/// Every piece comes later by this, and none is later than that for having waited for the one before it.
pub(super) fn delayed(answer: Response<Body>, by: Duration) -> Response<RelayBody> {
    with_body(answer, false, |mut body| {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    piece = body.frame() => {
                        let Some(piece) = piece else { return };
                        let _ = sender.send((Instant::now() + by, piece));
                    }
                    () = sender.closed() => return,
                }
            }
        });
        let pieces = stream::unfold(receiver, |mut receiver| async {
            let (due, piece): (Instant, Result<Frame<Bytes>, kube::Error>) =
                receiver.recv().await?;
            tokio::time::sleep_until(due).await;
            Some((piece.map_err(BoxError::from), receiver))
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}

/// Ends with an error after so many bytes.
pub(super) fn cut(answer: Response<Body>, after: usize) -> Response<RelayBody> {
    with_body(answer, false, |body| {
        let pieces = body.into_data_stream().boxed();
        let pieces = stream::unfold(Some((pieces, after)), |state| async {
            let (mut pieces, left) = state?;
            let piece = pieces.next().await?;
            match piece {
                Ok(piece) if piece.len() < left => {
                    let left = left - piece.len();
                    Some((Ok(Frame::data(piece)), Some((pieces, left))))
                }
                Ok(piece) if left > 0 => {
                    Some((Ok(Frame::data(piece.slice(..left))), Some((pieces, 0))))
                }
                _ => Some((Err(BoxError::from("cut off")), None)),
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    })
}

fn with_body(
    answer: Response<Body>,
    keeps_its_length: bool,
    change: impl FnOnce(Body) -> RelayBody,
) -> Response<RelayBody> {
    let (mut head, body) = answer.into_parts();
    head.headers.remove(TRANSFER_ENCODING);
    head.headers.remove(CONNECTION);
    head.version = http::Version::HTTP_11;
    if !keeps_its_length {
        head.headers.remove(CONTENT_LENGTH);
    }
    Response::from_parts(head, change(body))
}
