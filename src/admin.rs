//! The admin server: `/livez` and `/readyz` for the kubelet, `/metrics` for Prometheus.
//!
//! It says nothing secret and changes nothing, and needs no sign-in. What others can make it hold is bounded by `connections`.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    admin::{
        liveness::{Liveness, Verdict},
        readiness::{Readiness, Stage},
    },
    calendar::store::Store,
    telemetry::metrics::{self, Metrics},
};

mod connections;
pub mod listen;
pub mod liveness;
pub mod readiness;

/// What the server tells of.
#[derive(Clone)]
pub struct Admin {
    /// For `/livez`.
    pub liveness: Arc<Liveness>,
    /// For `/readyz`.
    pub readiness: Arc<Readiness>,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/readyz`, which tells of a fault of its file.
    pub calendar: Arc<Store>,
}

/// The server can't be started.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is not to be had.
    #[error(
        "the admin server can't listen on {address}: {source}; free it, or give another one with --admin-address \
         (TAURUS_ADMIN_ADDRESS)"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// A server that listens and does not answer yet.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Takes the address, as [`listen::listen`] does.
    pub fn new(address: SocketAddr) -> Result<Self, AdminError> {
        let bind = |source| AdminError::Bind { address, source };
        let listener = listen::listen(address).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for as long as the future is polled.
    pub async fn serve(self, admin: Admin) -> Infallible {
        connections::serve(self.listener, router(admin)).await
    }
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(figures))
        .with_state(admin)
}

async fn livez(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.liveness.verdict().await {
        Verdict::Alive => (StatusCode::OK, "alive\n".to_owned()),
        Verdict::Silent(silent) => {
            let silent = silent.as_secs();
            let text = format!(
                "stuck: the watch of TaurusProxyPorts has been silent for {silent} s, though the API server answers\n"
            );
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
        Verdict::Hanging(longest) => {
            let longest = longest.as_secs();
            let text = format!("stuck: a reconcile has been at work for {longest} s\n");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    // A fault of the file takes nobody out of service: running changes are followed whatever it says.
    let fault = admin.calendar.fault().map_or_else(String::new, |fault| {
        let follows = if admin.calendar.current().missing.is_some() {
            "no change starts: none was read since the start"
        } else {
            "the last good one is in force"
        };
        format!("the calendar can't be read, and {follows}: {fault}\n")
    });
    match admin.readiness.stage() {
        Stage::Ready => (StatusCode::OK, format!("ready\n{fault}")),
        Stage::Standby(why) => (
            StatusCode::OK,
            format!("ready to take over: {why}\n{fault}"),
        ),
        Stage::Missing(what) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {what}\n"),
        ),
        Stage::Stopping => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: stopping\n".to_owned(),
        ),
    }
}

async fn figures(State(admin): State<Admin>) -> impl IntoResponse {
    let answer = |status, kind: &'static str, text| {
        let headers: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, kind)];
        (status, headers, text)
    };
    match admin.metrics.text() {
        Ok(text) => answer(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => {
            let text = format!("the figures can't be written down: {error}\n");
            answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                text,
            )
        }
    }
}

#[cfg(test)]
mod tests;
