//! Where the admin server listens: all addresses mean those of both families, on machines with IPv6 and on those without.
//!
//! A plain bind leaves it to the machine whether `[::]` takes connections over IPv4 as well, and fails where the machine knows
//! no IPv6 at all.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// How many connections may wait to be taken.
const BACKLOG: i32 = 1024;

/// Takes an address; port 0 takes any that is free. `[::]` is all addresses of both families, or those of IPv4 where the
/// machine has no other.
///
/// # Errors
/// The address is not to be had.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = |domain| Socket::new(domain, Type::STREAM, Some(Protocol::TCP));
    let (socket, address) = opened(address, socket)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A socket for an address, and the address that it is good for.
fn opened(
    address: SocketAddr,
    socket: impl Fn(Domain) -> io::Result<Socket>,
) -> io::Result<(Socket, SocketAddr)> {
    if address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Ok((socket(Domain::for_address(address))?, address));
    }
    let Ok(both) = socket(Domain::IPV6) else {
        let address = (Ipv4Addr::UNSPECIFIED, address.port()).into();
        return Ok((socket(Domain::IPV4)?, address));
    };
    both.set_only_v6(false)?;
    Ok((both, address))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    fn any_of_ipv6() -> SocketAddr {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    }

    #[tokio::test]
    async fn h05_all_addresses_are_those_of_both_families() {
        let listener = listen(any_of_ipv6()).unwrap();
        let address = listener.local_addr().unwrap();
        let port = address.port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        if address.is_ipv6() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port))
                .await
                .unwrap();
        }
    }

    #[test]
    fn h05_a_machine_without_ipv6_listens_all_the_same() {
        let without = |domain| {
            if domain == Domain::IPV6 {
                return Err(io::Error::from_raw_os_error(97));
            }
            Socket::new(domain, Type::STREAM, Some(Protocol::TCP))
        };
        let (_, address) = opened((Ipv6Addr::UNSPECIFIED, 8080).into(), without).unwrap();
        assert_eq!(address.to_string(), "0.0.0.0:8080");
        let one = opened((Ipv6Addr::LOCALHOST, 8080).into(), without);
        assert!(
            one.is_err(),
            "an address that was given is not exchanged for another"
        );
    }

    #[tokio::test]
    async fn an_address_of_one_family_is_that_one() {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        assert!(listener.local_addr().unwrap().is_ipv4());
    }
}
