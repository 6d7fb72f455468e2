//! A client that notes when the watch of the resources was last heard of.
//!
//! Relies on nobody but the controller asking this client for the collection of resources. It notes that the collection is
//! asked for, that an answer begins, and each piece of it, bookmarks included; the controller's stream shows none of these.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use kube::{Client, Error, Resource as _, client::Body};
use tower_service::Service;

use crate::{admin::liveness::Heartbeat, clock::Clock, crd::TaurusProxyPort};

/// A client that does what `inner` does and notes what it hears of the watch.
pub fn client(inner: Client, heartbeat: Arc<Heartbeat>, clock: Clock) -> Client {
    let namespace = inner.default_namespace().to_owned();
    let service = Noting {
        inner,
        heartbeat,
        clock,
    };
    Client::new(service, namespace)
}

struct Noting {
    inner: Client,
    heartbeat: Arc<Heartbeat>,
    clock: Clock,
}

impl Service<Request<Body>> for Noting {
    type Response = Response<UnsyncBoxBody<Bytes, Error>>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, clock) = (self.inner.clone(), self.clock);
        let heartbeat = is_collection(request.uri().path()).then(|| Arc::clone(&self.heartbeat));
        let beat = move || {
            if let Some(heartbeat) = &heartbeat {
                heartbeat.beat(clock.now());
            }
        };
        async move {
            beat();
            let response = inner.send(request).await?;
            beat();
            let noted = |body: Body| {
                let noting = move |frame| {
                    beat();
                    frame
                };
                body.map_frame(noting).boxed_unsync()
            };
            Ok(response.map(noted))
        }
        .boxed()
    }
}

/// Resources one by one, and their status, have longer paths.
fn is_collection(path: &str) -> bool {
    path.rsplit('/').next() == Some(TaurusProxyPort::plural(&()).as_ref())
}

#[cfg(test)]
mod tests;
