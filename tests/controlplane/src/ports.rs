//! Ports on loopback that nobody listens on at this moment.

use std::{io, net::TcpListener};

/// Finds several at once, so that they differ.
pub(crate) fn free<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    let mut listeners = Vec::with_capacity(COUNT);
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}
