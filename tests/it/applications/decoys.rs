//! Listeners at ports of the proxy's address where nothing may lead to: whoever connects there was led to a wrong port.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{net::TcpListener, task::JoinHandle};

use super::network::PROXIES;

/// The listeners, by their ports.
#[derive(Default)]
pub struct Decoys {
    open: BTreeMap<u16, JoinHandle<()>>,
    met: Arc<AtomicUsize>,
}

impl Decoys {
    /// Listens at a port; nobody else does.
    pub async fn open(&mut self, port: u16) {
        let listener = TcpListener::bind((PROXIES[0], port)).await.unwrap();
        let met = Arc::clone(&self.met);
        let serving = async move {
            while listener.accept().await.is_ok() {
                met.fetch_add(1, Ordering::SeqCst);
            }
        };
        self.open.insert(port, tokio::spawn(serving));
    }

    /// Leaves a port to the proxy.
    pub async fn close(&mut self, port: u16) {
        if let Some(serving) = self.open.remove(&port) {
            serving.abort();
            // An error means that it was aborted, and the port is free then.
            drop(serving.await);
        }
    }

    /// How many connections came to any of them.
    pub fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}
