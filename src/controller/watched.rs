//! A client that notes when the watch of a collection was last heard of.
//!
//! Relies on nobody but the controller asking this client for that watch. It notes each piece that is received,
//! bookmarks included, which the controller's stream doesn't show; and neither that the watch is asked for, nor that an answer begins,
//! nor anything of a list: an API server that has nothing to tell for hours does all that.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, combinators::UnsyncBoxBody};
use kube::{Client, Error, client::Body};
use tower_service::Service;

use crate::{clock::Clock, health::heartbeat::Heartbeat};

/// A client that does what `inner` does and notes what it hears of the watch of what has this plural.
pub fn client(inner: Client, plural: String, heartbeat: Arc<Heartbeat>, clock: Clock) -> Client {
    let namespace = inner.default_namespace().to_owned();
    let service = Noting {
        inner,
        plural,
        heartbeat,
        clock,
    };
    Client::new(service, namespace)
}

struct Noting {
    inner: Client,
    plural: String,
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
        let is_watch = is_watch(request.uri(), &self.plural);
        let heartbeat = is_watch.then(|| Arc::clone(&self.heartbeat));
        async move {
            let response = inner.send(request).await?;
            let noted = |body: Body| {
                let noting = move |frame| {
                    if let Some(heartbeat) = &heartbeat {
                        heartbeat.beat(clock.now());
                    }
                    frame
                };
                body.map_frame(noting).boxed_unsync()
            };
            Ok(response.map(noted))
        }
        .boxed()
    }
}

/// Objects one by one, and their status, have longer paths; a list has no such question.
fn is_watch(uri: &Uri, plural: &str) -> bool {
    let of_all = uri.path().rsplit('/').next() == Some(plural);
    let mut asked = uri.query().unwrap_or_default().split('&');
    of_all && asked.any(|part| matches!(part, "watch=true" | "watch=1"))
}

#[cfg(test)]
mod tests;
