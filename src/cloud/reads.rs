//! Reads over HTTP: bounded in time and size, never redirected, observed.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, ResponseFuture},
    rt::{TokioExecutor, TokioTimer},
};
use k8s_openapi::jiff::Timestamp;
use tracing::Instrument as _;

use super::{
    CloudError,
    dial::Dialer,
    error::{answer::Answer, failure},
    observer::{CallObserver, Operation},
    spans,
};
use crate::clock::Clock;

/// The longest body that is read, in bytes; the longest documented answers have some hundred thousand.
pub(super) const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// A connection that nobody used for so long is closed: its buffers are memory that a fleet at rest does not need.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);

/// Who calls.
pub(super) const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("taurus-port-operator/", env!("CARGO_PKG_VERSION")));

/// What all reads of a process share.
#[derive(Clone)]
pub struct Reads {
    /// The connections, which are kept open for a while.
    http: Client<Dialer, Full<Bytes>>,
    /// The clocks.
    pub(super) clock: Clock,
    /// Every read ends within this.
    pub(super) timeout: Duration,
    /// Who is told of each call.
    pub(super) observer: Arc<dyn CallObserver>,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Reads").finish_non_exhaustive()
    }
}

impl Reads {
    /// Reads over connections that `dialer` opens.
    pub fn new(
        dialer: Dialer,
        clock: Clock,
        timeout: Duration,
        observer: Arc<dyn CallObserver>,
    ) -> Self {
        let http = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_timer(TokioTimer::new())
            .build(dialer);
        Self {
            http,
            clock,
            timeout,
            observer,
        }
    }

    /// Sends a request and has its answer read; the wall clock is that of the answer's arrival.
    pub(super) async fn send<T>(
        &self,
        operation: Operation,
        request: Request<Full<Bytes>>,
        read: impl FnOnce(Answer, Timestamp) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let began = self.clock.now().uptime;
        let span = spans::call(operation, None);
        let answering = answer(self.http.request(request)).instrument(span.clone());
        let answered = tokio::time::timeout(self.timeout, answering)
            .await
            .unwrap_or_else(|_| Err(failure::transient("no answer in time")));
        let now = self.clock.now();
        let result = answered.and_then(|answer| read(answer, now.wall));
        let error = result.as_ref().err();
        spans::called(&span, error);
        let meaning = error.map(|error| error.meaning);
        self.observer
            .call_ended(operation, meaning, now.elapsed(began));
        result
    }
}

/// The text of a body; what is no UTF-8 in it is replaced.
fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| {
        let body = error.into_bytes();
        String::from_utf8_lossy(&body).into_owned()
    })
}

async fn answer(responding: ResponseFuture) -> Result<Answer, CloudError> {
    let (head, body) = responding
        .await
        .map_err(|error| failure::of_request(&error))?
        .into_parts();
    let body = whole(body)
        .await
        .map_err(|error| failure::of_body(error.as_ref()))?;
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
}

/// A body, up to the longest that is read.
pub(super) async fn whole(body: Incoming) -> Result<String, Box<dyn Error + Send + Sync>> {
    let body = Limited::new(body, LONGEST_BODY).collect().await?;
    Ok(text(body.to_bytes().into()))
}

/// A request for `url` with these headers.
pub(super) fn request(
    method: Method,
    url: &str,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, CloudError> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| failure::transient("the request can't be written"))?;
    *request.headers_mut() = headers;
    Ok(request)
}
