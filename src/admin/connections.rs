//! The connections of the admin server: bounded in number, in time and in memory, whoever opens them.
//!
//! The port needs no sign-in, so any pod that reaches it may open connections and send half a request. Promises that no more than
//! [`MOST`] are open at once, and that room is made by closing the oldest: one that asks and listens is answered long before it is that.

use std::{collections::VecDeque, convert::Infallible, io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::{Accept, TlsAcceptor};

use crate::clock;

/// How many connections are open at once: probes and Prometheus need one each, for milliseconds.
pub const MOST: usize = 64;

/// The head of a request has to be there within this, from the begin of the connection; with https, the handshake has this, and the head
/// as long again.
pub const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// An answer has to be taken within this, from the begin of the connection, or from the end of its handshake.
const DONE_WITHIN: Duration = Duration::from_secs(30);

/// A head that is longer is refused, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// The pause after connections could not be taken, as when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Those that are open, in the order in which they came.
#[derive(Default)]
struct Connections {
    serving: JoinSet<()>,
    by_age: VecDeque<AbortHandle>,
}

/// Answers by `router` for as long as the future is polled, by https where there is something to accept it with.
pub async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) -> Infallible {
    let mut connections = Connections::default();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match &tls {
                None => connections.open(answer(stream, router.clone())),
                Some(tls) => connections.open(answer_after(tls.accept(stream), router.clone())),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "the admin server can't take connections; it tries again");
                clock::pause(PAUSE).await;
            }
        }
    }
}

impl Connections {
    fn open(&mut self, serving: impl Future<Output = ()> + Send + 'static) {
        while self.serving.try_join_next().is_some() {}
        self.by_age.retain(|connection| !connection.is_finished());
        while self.by_age.len() >= MOST {
            let oldest = self.by_age.pop_front();
            oldest.iter().for_each(AbortHandle::abort);
        }
        self.by_age.push_back(self.serving.spawn(serving));
    }
}

/// One request and its answer, after a handshake. Who does not come to its end, or does not believe the certificate, gets no answer.
async fn answer_after(handshake: Accept<TcpStream>, router: Router) {
    if let Ok(Ok(stream)) = timeout(HEAD_WITHIN, handshake).await {
        answer(stream, router).await;
    }
}

/// One request and its answer.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // What goes wrong on a connection is the other side's to notice.
    let _ = timeout(DONE_WITHIN, serving).await;
}

/// Whether the error says nothing about the next connection.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
