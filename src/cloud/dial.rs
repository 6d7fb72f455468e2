//! How connections to the cloud are opened: one way for the reads and for the one write, so that no property of the one can be
//! missing from the other.
//!
//! Promises that a dead address holds an opening up for a share of [`Dialer::new`]'s bound only and the next one is tried, that
//! a proxy of https is spoken to through TLS from the first byte on, and that proxy and server are verified by the same trust.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, proxy::Tunnel},
    rt::TokioIo,
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use super::{egress::Egress, names::Names, trust::Trust};

/// An open connection: TLS or not to the server, inside of TLS or not to a proxy.
pub type Connection = MaybeHttpsStream<ToProxy>;

/// TCP, or TLS to a proxy.
type ToProxy = MaybeHttpsStream<TokioIo<TcpStream>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// No connection could be had through a proxy.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy {proxy}")]
pub struct Proxied {
    /// Its host and port.
    pub proxy: String,
    #[source]
    cause: BoxError,
}

/// Opens connections.
#[derive(Debug, Clone)]
pub struct Dialer {
    tcp: HttpConnector<Names>,
    egress: Egress,
    trust: Trust,
}

/// Opens TCP, directly or through a proxy.
struct Route {
    tcp: HttpConnector<Names>,
    egress: Egress,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    /// Connections go through the proxy that `egress` names, if it names one. All addresses of a host together are tried for
    /// `within` at most. What was sent and is not acknowledged within `sent_within` is given up by the kernel as well, also once
    /// the connection is closed or the process is gone: a request that nobody waits for any more does not arrive. Only Linux does that; elsewhere
    /// the plugin reads, and changes nothing.
    pub fn new(
        egress: Egress,
        trust: Trust,
        names: Names,
        (within, sent_within): (Duration, Duration),
    ) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(within));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(sent_within));
        #[cfg(not(target_os = "linux"))]
        let _ = sent_within;
        Self { tcp, egress, trust }
    }
}

impl Service<Uri> for Dialer {
    type Response = Connection;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Connection, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Self { tcp, egress, trust } = self.clone();
        async move {
            let tls = trust.current().await;
            let route = Route {
                tcp,
                egress,
                tls: Arc::clone(&tls),
            };
            HttpsConnector::from((route, tls)).call(target).await
        }
        .boxed()
    }
}

impl Service<Uri> for Route {
    type Response = ToProxy;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<ToProxy, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(proxy) = self.egress.of(&target) else {
            let direct = self.tcp.call(target);
            return async move { Ok(MaybeHttpsStream::Http(direct.await?)) }.boxed();
        };
        let to_proxy = HttpsConnector::from((self.tcp.clone(), Arc::clone(&self.tls)));
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy);
        if let Some(credential) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credential.clone());
        }
        let through = tunnel.call(target);
        async move {
            through.await.map_err(|error| {
                let proxy = proxy.uri().authority().map_or("", |known| known.as_str());
                BoxError::from(Proxied {
                    proxy: proxy.to_owned(),
                    cause: error.into(),
                })
            })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;
    use crate::{clock::Clock, cloud::authorities::Authorities};

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_sent_on_by_the_kernel() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let trust = Trust::new(Authorities::none(), Clock::start()).unwrap();
        let (within, sent_within) = (Duration::from_secs(10), Duration::from_secs(30));
        let names = Names::of_the_system();
        let mut dialer = Dialer::new(Egress::direct(), trust, names, (within, sent_within));
        let opened = dialer.tcp.call(uri.parse().unwrap()).await.unwrap();
        let bound = SockRef::from(opened.inner()).tcp_user_timeout().unwrap();
        assert_eq!(bound, Some(sent_within));
    }
}
