//! Probes over TCP.
//!
//! Promises that a connection goes to the address and port of the place and nowhere else: no name is looked up, and no web proxy is on
//! the way. Relies on the caller for how often that is.

use std::{io, net::SocketAddr, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    Outcome, Probe,
    greeting::{self, HEADER, MOST, Read},
    leave,
};
use crate::publish::wanted::Place;

/// A connection is established within this, or counts as timed out.
pub const CONNECTS_WITHIN: Duration = Duration::from_secs(3);

/// A server greets within this: it may look up the name of the client first.
pub const GREETS_WITHIN: Duration = Duration::from_secs(5);

/// For so long a server is heard out afterwards, which changes nothing of the verdict.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// A server that asks on and on is not followed any further.
const MOST_REPLIES: usize = 4;

/// Connects over TCP.
#[derive(Debug, Clone, Copy)]
pub struct Tcp;

impl Probe for Tcp {
    fn probe(&self, place: Place) -> BoxFuture<'static, Outcome> {
        at(place.socket()).boxed()
    }
}

async fn at(address: SocketAddr) -> Outcome {
    let mut stream = match timeout(CONNECTS_WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Outcome::Refused;
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Outcome::TimedOut,
        // The kind alone: it stands in a status, and is the same each time.
        Ok(Err(error)) => return Outcome::NoWay(error.kind().to_string()),
        Err(_) => return Outcome::TimedOut,
    };
    judged(&mut stream).await
}

/// Hears what an open connection is greeted with, and takes leave.
async fn judged(stream: &mut TcpStream) -> Outcome {
    match timeout(GREETS_WITHIN, greeted(stream)).await {
        Err(_) => Outcome::Silent,
        Ok(Err(_)) => Outcome::Closed,
        Ok(Ok(Read::Error(code))) => Outcome::Error(code),
        Ok(Ok(Read::More | Read::Foreign)) => Outcome::Foreign,
        Ok(Ok(Read::Greeting(greeting))) => {
            if let Some(answer) = leave::answer(&greeting) {
                // Whatever comes of it, there was a greeting.
                let _ = timeout(LEAVES_WITHIN, denied(stream, answer)).await;
            }
            Outcome::Greeted
        }
    }
}

/// Reads until there is a verdict.
async fn greeted(stream: &mut TcpStream) -> io::Result<Read> {
    let mut said = Vec::with_capacity(MOST);
    loop {
        let left = MOST.saturating_sub(said.len());
        let mut part = (&mut *stream).take(u64::try_from(left).unwrap_or_default());
        if part.read_buf(&mut said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match greeting::read(&said) {
            Read::More => {}
            verdict => return Ok(verdict),
        }
    }
}

/// Signs in and hears the server out.
async fn denied(stream: &mut TcpStream, answer: Vec<u8>) -> io::Result<()> {
    stream.write_all(&answer).await?;
    for _ in 0..MOST_REPLIES {
        let mut header = [0; HEADER];
        stream.read_exact(&mut header).await?;
        let [low, middle, high, _] = header;
        let length = u32::from_le_bytes([low, middle, high, 0]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > MOST {
            break;
        }
        let mut said = header.to_vec();
        said.resize(HEADER + length, 0);
        let payload = said.get_mut(HEADER..).unwrap_or_default();
        stream.read_exact(payload).await?;
        let Some(reply) = leave::reply(&said) else {
            break;
        };
        stream.write_all(&reply).await?;
    }
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, task::JoinHandle};

    use super::*;
    use crate::probe::greeting::tests::sample;

    /// What a server does to its one client; what it gives is what the client has said.
    async fn server<S, F>(serve: S) -> (SocketAddr, JoinHandle<Vec<u8>>)
    where
        S: FnOnce(TcpStream) -> F + Send + 'static,
        F: Future<Output = Vec<u8>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = async move {
            let (client, _) = listener.accept().await.unwrap();
            serve(client).await
        };
        (address, tokio::spawn(serving))
    }

    #[tokio::test]
    async fn a_greeting_is_answered_by_a_sign_in_and_the_server_is_heard_out() {
        let (address, serving) = server(|mut client| async move {
            let sample = sample();
            let (first, second) = sample.split_at(9);
            client.write_all(first).await.unwrap();
            client.flush().await.unwrap();
            client.write_all(second).await.unwrap();
            let mut said = vec![0; HEADER];
            client.read_exact(&mut said).await.unwrap();
            said.resize(HEADER + usize::from(said[0]), 0);
            client.read_exact(&mut said[HEADER..]).await.unwrap();
            client.write_all(&[1, 0, 0, 2, 0xfe]).await.unwrap();
            let denied = [3, 0, 0, 4, 0xff, 0x15, 0x04];
            client.write_all(&denied).await.unwrap();
            client.read_to_end(&mut said).await.unwrap();
            said
        })
        .await;
        assert_eq!(at(address).await, Outcome::Greeted);
        let said = serving.await.unwrap();
        let user = b"taurus-port-operator";
        assert!(said.windows(user.len()).any(|part| part == user));
        assert!(said.ends_with(&[0, 0, 0, 3]), "the empty answer: {said:?}");
    }

    #[tokio::test]
    async fn a_server_that_has_no_greeting_is_told_apart() {
        let blocked = vec![7, 0, 0, 0, 0xff, 0x69, 0x04, b'H', b'o', b's', b't'];
        for (says, outcome) in [
            (blocked, Outcome::Error(1129)),
            (b"SSH-2.0-OpenSSH_9.2".to_vec(), Outcome::Foreign),
            (vec![9, 0, 0, 0, 10], Outcome::Closed),
            (Vec::new(), Outcome::Closed),
        ] {
            let (address, serving) = server(|mut client| async move {
                client.write_all(&says).await.unwrap();
                client.shutdown().await.unwrap();
                let mut said = Vec::new();
                client.read_to_end(&mut said).await.unwrap_or_default();
                said
            })
            .await;
            assert_eq!(at(address).await, outcome);
            assert!(serving.await.unwrap().is_empty(), "nothing is said to it");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_the_connection_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert_eq!(at(address).await, Outcome::Refused);
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_or_goes_on_for_ever_is_left() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The system establishes it; nobody ever says anything.
        let mut stream = TcpStream::connect(address).await.unwrap();
        tokio::time::pause();
        assert_eq!(judged(&mut stream).await, Outcome::Silent);
        tokio::time::resume();
        let (address, serving) = server(|mut client| async move {
            while client.write_all(&[1, 0, 0, 0]).await.is_ok() {}
            Vec::new()
        })
        .await;
        assert_eq!(at(address).await, Outcome::Foreign);
        serving.await.unwrap();
    }
}
