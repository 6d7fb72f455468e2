//! The admin server: `/livez` and `/readyz` for the kubelet, `/metrics` for Prometheus.
//!
//! It says nothing secret and changes nothing, and needs no sign-in. What others can make it hold is bounded by `connections`. With a
//! certificate `/metrics` has a port of its own and is served there alone, by https; a kubelet verifies no certificate, so that the
//! others stay as they are.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    admin::tls::Certificates,
    calendar::store::Store,
    config::certificate::MetricsTls,
    health::{
        liveness::{Liveness, Verdict},
        readiness::{Readiness, Stage},
    },
    telemetry::metrics::{self, Metrics},
};

mod connections;
pub mod listen;
pub mod tls;

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
        "the admin server can't listen on {address}: {source}; free it, or give another one with {setting}"
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Which flag and variable give it.
        setting: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// There can be no https.
    #[error("/metrics can't be served by https: {0}")]
    Tls(#[from] rustls::Error),
}

const ADMIN_ADDRESS: &str = "--admin-address (TAURUS_ADMIN_ADDRESS)";
const METRICS_TLS_ADDRESS: &str = "--metrics-tls-address (TAURUS_METRICS_TLS_ADDRESS)";

/// A server that listens and does not answer yet.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    secure: Option<Secure>,
}

/// Where `/metrics` is served by https.
struct Secure {
    listener: TcpListener,
    address: SocketAddr,
    certificates: Arc<Certificates>,
    acceptor: TlsAcceptor,
}

impl Bound {
    /// Takes the address, as [`listen::listen`] does.
    pub fn new(address: SocketAddr) -> Result<Self, AdminError> {
        let (listener, address) = bind(address, ADMIN_ADDRESS)?;
        Ok(Self {
            listener,
            address,
            secure: None,
        })
    }

    /// The same with another address for `/metrics`, by https; `broken` tells whether the files of the certificate can be used.
    pub fn with_tls(self, tls: MetricsTls, broken: Gauge) -> Result<Self, AdminError> {
        let (listener, address) = bind(tls.address, METRICS_TLS_ADDRESS)?;
        let certificates = Arc::new(Certificates::new(tls, broken));
        let config = tls::server_config(Arc::clone(&certificates))?;
        let secure = Secure {
            listener,
            address,
            certificates,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        };
        Ok(Self {
            secure: Some(secure),
            ..self
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for https, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.secure.as_ref().map(|secure| secure.address)
    }

    /// Answers for as long as the future is polled.
    pub async fn serve(self, admin: Admin) -> Infallible {
        let Some(secure) = self.secure else {
            let router = probes().route("/metrics", get(figures)).with_state(admin);
            return connections::serve(self.listener, router, None).await;
        };
        let plain = probes().route("/metrics", get(elsewhere));
        let plain = plain.with_state(admin.clone());
        let secured = Router::new().route("/metrics", get(figures));
        let secured = secured.with_state(admin);
        tokio::select! {
            never = connections::serve(self.listener, plain, None) => never,
            never = connections::serve(secure.listener, secured, Some(secure.acceptor)) => never,
            never = secure.certificates.keep() => never,
        }
    }
}

fn bind(
    address: SocketAddr,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), AdminError> {
    let refused = |source| AdminError::Bind {
        address,
        setting,
        source,
    };
    let listener = listen::listen(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn probes() -> Router<Admin> {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
}

async fn elsewhere() -> impl IntoResponse {
    let text = "/metrics is served by https alone, on the address of --metrics-tls-address (TAURUS_METRICS_TLS_ADDRESS)\n";
    (StatusCode::NOT_FOUND, text)
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
