//! How names of hosts become addresses: as the system knows them, unless who makes the clients says otherwise.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt as _};
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

type LookUp = dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync;

/// Looks up names; the ports of the addresses don't matter.
#[derive(Clone)]
pub struct Names(Arc<LookUp>);

impl Names {
    /// As the system looks them up.
    pub fn of_the_system() -> Self {
        Self::new(|host| {
            async move {
                let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
                Ok(found.collect())
            }
            .boxed()
        })
    }

    /// As `look_up` does; a story can have names that are gone for a while.
    pub fn new(
        look_up: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(look_up))
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let looking = (self.0)(name.as_str().to_owned());
        looking.map(|found| Ok(found?.into_iter())).boxed()
    }
}
