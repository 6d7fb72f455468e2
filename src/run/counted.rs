//! A client that counts its requests by what they are for and what comes of them.
//!
//! A request that nobody waits for any longer counts as one that was given up. Of a watch, what is counted is that it began.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt as _, future::BoxFuture};
use kube::{Client, Error, client::Body};
use tower_service::Service;
use tracing::Instrument as _;

use crate::{
    clock::Clock,
    model::Moment,
    run::spans,
    telemetry::metrics::{
        Metrics,
        requests::{Answer, Request},
    },
};

/// A client that does what `inner` does and counts.
pub fn client(inner: Client, metrics: Arc<Metrics>, clock: Clock) -> Client {
    let namespace = inner.default_namespace().to_owned();
    let service = Counting {
        inner,
        metrics,
        clock,
    };
    Client::new(service, namespace)
}

struct Counting {
    inner: Client,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// A request that is under way; it is counted with the end of this.
struct UnderWay {
    metrics: Arc<Metrics>,
    clock: Clock,
    request: Request,
    answer: Answer,
    began: Moment,
}

impl UnderWay {
    fn ended(&mut self, answer: Answer) {
        self.answer = answer;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let took = self.clock.now().elapsed(self.began.uptime);
        self.metrics
            .asked_api_server(self.request, self.answer, took);
    }
}

impl Service<http::Request<Body>> for Counting {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let inner = self.inner.clone();
        let kind = Request::of(request.method(), request.uri().path());
        let span = spans::request(kind);
        let mut under_way = UnderWay {
            metrics: Arc::clone(&self.metrics),
            clock: self.clock,
            request: kind,
            answer: Answer::GivenUp,
            began: self.clock.now(),
        };
        async move {
            let answered = inner.send(request).instrument(span.clone()).await;
            let answer = match &answered {
                Ok(answer) => Answer::of(answer.status()),
                Err(_) => Answer::Unreachable,
            };
            under_way.ended(answer);
            spans::answered(&span, answer);
            answered
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use http::StatusCode;

    use super::*;

    /// A client whose API server answers with this status; never, if there is none.
    fn asking(status: Option<u16>, metrics: &Arc<Metrics>) -> Client {
        let service = tower::service_fn(move |_: http::Request<Body>| async move {
            let Some(status) = status else {
                return std::future::pending().await;
            };
            let mut answer = http::Response::new(Body::empty());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok::<_, Infallible>(answer)
        });
        let inner = Client::new(service, "default");
        client(inner, Arc::clone(metrics), Clock::start())
    }

    #[tokio::test]
    async fn each_request_is_counted_once_also_one_that_nobody_waits_for() {
        const STATUS: &str = "/apis/taurusdb.huaweicloud.com/v1alpha1/namespaces/shop/taurusproxyports/orders/status";
        let metrics = Arc::new(Metrics::default());
        for status in [Some(200), Some(409), None] {
            let request = http::Request::put(STATUS).body(Body::empty()).unwrap();
            let asking = asking(status, &metrics);
            let waiting = asking.send(request);
            let _ = tokio::time::timeout(Duration::from_millis(20), waiting).await;
        }
        let text = metrics.text().unwrap();
        for (result, count) in [("ok", 1), ("conflict", 1), ("given_up", 1), ("failed", 0)] {
            let line = format!(
                "taurus_api_requests_total{{request=\"write_status\",result=\"{result}\"}} {count}\n"
            );
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
