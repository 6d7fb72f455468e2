//! Reads over HTTP: bounded in time and size, never redirected, observed.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use tracing::Instrument as _;

use super::{
    CloudError,
    error::{answer::Answer, failure},
    observer::{CallObserver, Operation},
};
use crate::{clock::Clock, telemetry::traces};

/// The longest body that is read, in bytes; the longest documented answers have some hundred thousand.
pub(super) const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// What all reads of a process share.
#[derive(Clone)]
pub struct Reads {
    /// The connections.
    pub(super) http: reqwest::Client,
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
    /// Sends a request and has its answer read; the wall clock is that of the answer's arrival.
    pub(super) async fn send<T>(
        &self,
        operation: Operation,
        request: reqwest::RequestBuilder,
        read: impl FnOnce(Answer, Timestamp) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let began = self.clock.now().uptime;
        let span = traces::call(operation, None);
        let answering = answer(request.timeout(self.timeout));
        let answered = answering.instrument(span.clone()).await;
        let now = self.clock.now();
        let result = answered.and_then(|answer| read(answer, now.wall));
        let error = result.as_ref().err();
        traces::called(&span, error);
        let meaning = error.map(|error| error.meaning);
        self.observer
            .call_ended(operation, meaning, now.elapsed(began));
        result
    }
}

/// The text of a body; what is no UTF-8 in it is replaced.
pub(super) fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap_or_else(|error| {
        let body = error.into_bytes();
        String::from_utf8_lossy(&body).into_owned()
    })
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, CloudError> {
    let mut response = request
        .send()
        .await
        .map_err(|error| failure::of_reqwest(&error))?;
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| failure::of_reqwest(&error))?
    {
        if body.len() + chunk.len() > LONGEST_BODY {
            return Err(failure::transient("the answer is longer than 4 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer {
        status: response.status(),
        headers: response.headers().clone(),
        body: text(body),
    })
}
