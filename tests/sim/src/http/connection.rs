//! One connection: hyper speaks HTTP on it, and a handle can end it in the middle of whatever goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tower_service::Service as _;

use super::arrival::Received;
use super::exchange::{Delivery, Exchange};
use super::lines::{Ending, Line};
use super::response;
use crate::admin;
use crate::faults::Loss;
use crate::world::Shared;

/// The gateway takes no larger bodies.
const LARGEST_BODY: usize = 12 * 1024 * 1024;

/// Serves a connection until one side ends it. Without a router the admin API is closed to this peer.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, admin: Option<Router>) {
    // Without it answers only come later, which harms nobody.
    let _ = stream.set_nodelay(true);
    let line = shared.lines.open();
    let service = service_fn(|request| {
        let answer = answer(
            Arc::clone(&shared),
            Arc::clone(&line),
            admin.clone(),
            request,
        );
        // Boxed, so that hyper's connection can be moved out of its future and taken apart.
        Box::pin(answer) as Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ending = tokio::select! {
        biased;
        _ = &mut connection => None, // the peer left or spoke no HTTP
        ending = line.ended() => Some(ending),
        () = shared.shutdown.cancelled() => Some(Ending::Close),
    };
    if ending == Some(Ending::Reset) {
        let stream = connection.into_parts().io.into_inner();
        // With no time to linger the kernel drops what is unsent and resets.
        let _ = stream.set_zero_linger();
    }
    shared.lines.forget(&line);
}

async fn answer(
    shared: Arc<Shared>,
    line: Arc<Line>,
    admin: Option<Router>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path();
    if path == admin::PREFIX
        || path
            .strip_prefix(admin::PREFIX)
            .is_some_and(|rest| rest.starts_with('/'))
    {
        return match admin {
            Some(mut router) => router.call(request.map(Body::new)).await,
            None => Ok(admin::forbidden()),
        };
    }
    let _at_work = line.begin();
    let (head, body) = request.into_parts();
    let received = |body| Received {
        connection: line.number,
        head,
        body,
    };
    let delivery = match read(body).await {
        Ok(body) => work_even_unheard(Exchange::begin(&shared, received(body))).await,
        Err(Unreadable::TooLarge) => Exchange::begin(&shared, received(Bytes::new())).too_large(),
        Err(Unreadable::BrokenOff) => {
            Exchange::begin(&shared, received(Bytes::new())).broken_off();
            Delivery::Lost(Loss::Close)
        }
    };
    Ok(match delivery {
        Delivery::Whole(answer) => response::whole(&answer),
        Delivery::Cut { answer, after } => response::cut(&answer, after, line),
        Delivery::Slow {
            answer,
            bytes,
            every,
        } => response::slow(&answer, bytes, every),
        Delivery::Lost(loss) => lose(&line, loss).await,
    })
}

/// Works on a request to its end, as the real service would, also when the caller gives up waiting.
async fn work_even_unheard(exchange: Exchange) -> Delivery {
    let shared = exchange.shared();
    let (sender, receiver) = oneshot::channel();
    shared.clone().tasks.spawn(async move {
        tokio::select! {
            () = shared.shutdown.cancelled() => {}
            delivery = exchange.run() => {
                if sender.send(delivery).is_err() {
                    exchange.unheard();
                }
            }
        }
    });
    // The sender is dropped unused only when the simulator ends.
    receiver.await.unwrap_or(Delivery::Lost(Loss::Close))
}

async fn lose(line: &Line, loss: Loss) -> Response<Body> {
    match loss {
        Loss::Reset => line.end(Ending::Reset),
        Loss::Close => line.end(Ending::Close),
        Loss::Silence => {}
    }
    std::future::pending().await
}

enum Unreadable {
    TooLarge,
    BrokenOff,
}

async fn read(body: Incoming) -> Result<Bytes, Unreadable> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Unreadable::TooLarge),
        Err(_) => Err(Unreadable::BrokenOff),
    }
}
