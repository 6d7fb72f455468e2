//! The proxies as clients of the database reach them: each has a listener at its address and the port where it listens by the course of its
//! jobs, which forwards to a database.
//!
//! Promises what the vendor describes of a change: when the port moves, the old listener is closed and all its connections are cut. When that
//! is, before the job ends or as it ends, is said by [`crate::PortListens`]. A proxy whose address this machine lacks has no listener; it is
//! tried again.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{state::Proxy, world::Shared};

/// How often the ports in force are compared with the listeners.
const COMPARED_EVERY: Duration = Duration::from_millis(10);

/// Keeps the listeners, until it is dropped.
pub(crate) async fn keep(shared: Arc<Shared>, database: SocketAddr) {
    let mut open = BTreeMap::<SocketAddr, AbortOnDropHandle<()>>::new();
    loop {
        let wanted = wanted(&shared);
        open.retain(|address, _| wanted.contains(address));
        for address in wanted {
            if open.contains_key(&address) {
                continue;
            }
            if let Ok(listener) = TcpListener::bind(address).await {
                let serving = tokio::spawn(serve(listener, database));
                open.insert(address, AbortOnDropHandle::new(serving));
            }
        }
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = tokio::time::sleep(COMPARED_EVERY) => {}
        }
    }
}

/// Where clients reach the proxies now.
fn wanted(shared: &Shared) -> BTreeSet<SocketAddr> {
    let now = shared.clock.now();
    let world = shared.world();
    let state = &world.state;
    let present = state.proxies.values().filter(|proxy| proxy.present);
    let address = |proxy: &Proxy| {
        let port = state.listening_port(proxy, now)?;
        Some(SocketAddr::new(proxy.address.parse().ok()?, port))
    };
    present.filter_map(address).collect()
}

/// Forwards each connection. Where this is dropped, all are cut.
async fn serve(listener: TcpListener, database: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(forward(client, database));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut client: TcpStream, database: SocketAddr) {
    if let Ok(mut database) = TcpStream::connect(database).await {
        // Either side may end it.
        let _ = copy_bidirectional(&mut client, &mut database).await;
    }
}
