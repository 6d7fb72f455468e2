//! Accepts connections until the simulator ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use super::connection;
use crate::world::Shared;

/// How long to wait for descriptors before the next attempt to accept.
const AFTER_FAILURE: Duration = Duration::from_millis(10);

/// Serves each connection in a task of its own.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    admin: Router,
    remote_admin: bool,
) {
    loop {
        let accepted = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        // What fails here is the peer's connection or a passing lack of descriptors; the next one may do.
        if let Ok((stream, peer)) = accepted {
            let admin = (remote_admin || peer.ip().is_loopback()).then(|| admin.clone());
            shared
                .tasks
                .spawn(connection::serve(Arc::clone(&shared), stream, admin));
        } else {
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }
}
