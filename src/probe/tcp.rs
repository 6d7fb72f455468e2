//! Probes over TCP.
//!
//! Promises that a connection goes to the address and port of the place and nowhere else: no name is looked up, and no web proxy is on
//! the way; that a verdict is there within some seconds; and that a server which is slower is heard out in the background, in bounded
//! time and number, since it counts a client that goes away before. Relies on the caller for how often that is.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Semaphore,
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

/// For so long a server that has greeted is heard out before the verdict, which that does not change.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// For so long a server is heard out after the verdict.
const HEARS_OUT_WITHIN: Duration = Duration::from_secs(30);

/// So many are heard out at once; what is more is hung up on.
const MOST_HEARD_OUT: usize = 256;

/// A server that asks on and on is not followed any further.
const MOST_REPLIES: usize = 4;

/// Connects over TCP.
#[derive(Debug, Clone)]
pub struct Tcp {
    /// Room for those that are heard out after the verdict.
    room: Arc<Semaphore>,
}

impl Default for Tcp {
    fn default() -> Self {
        let room = Arc::new(Semaphore::new(MOST_HEARD_OUT));
        Self { room }
    }
}

impl Probe for Tcp {
    fn probe(&self, place: Place) -> BoxFuture<'static, Outcome> {
        connected(place.socket(), Arc::clone(&self.room)).boxed()
    }
}

/// A connection comes to its end, also where nobody wants to know of it any longer.
async fn connected(address: SocketAddr, room: Arc<Semaphore>) -> Outcome {
    let connecting = tokio::spawn(async move { at(address, &room).await });
    let ended = connecting.await;
    ended.unwrap_or_else(|_| Outcome::NoWay("it was given up".to_owned()))
}

async fn at(address: SocketAddr, room: &Arc<Semaphore>) -> Outcome {
    let stream = match timeout(CONNECTS_WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Outcome::Refused;
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => return Outcome::TimedOut,
        // The kind alone: it stands in a status, and is the same each time.
        Ok(Err(error)) => return Outcome::NoWay(error.kind().to_string()),
        Err(_) => return Outcome::TimedOut,
    };
    judged(stream, room).await
}

/// Hears what an open connection is greeted with, and takes leave.
async fn judged(mut stream: TcpStream, room: &Arc<Semaphore>) -> Outcome {
    let mut said = Vec::with_capacity(MOST);
    let heard = timeout(GREETS_WITHIN, greeted(&mut stream, &mut said)).await;
    let (outcome, patience) = match heard {
        Err(_) => (Outcome::Silent, Duration::ZERO),
        Ok(Err(_)) => return Outcome::Closed,
        Ok(Ok(Read::Error(code))) => return Outcome::Error(code),
        Ok(Ok(Read::More | Read::Foreign)) => return Outcome::Foreign,
        Ok(Ok(Read::Greeting(_))) => (Outcome::Greeted, LEAVES_WITHIN),
    };
    let mut leaving = take_leave(stream, said).boxed();
    if timeout(patience, &mut leaving).await.is_err() {
        hear_out(leaving, room);
    }
    outcome
}

/// Answers the greeting of which so much was `said` once it is whole.
async fn take_leave(mut stream: TcpStream, mut said: Vec<u8>) {
    if let Ok(Read::Greeting(greeting)) = greeted(&mut stream, &mut said).await
        && let Some(answer) = leave::answer(&greeting)
    {
        // Whatever comes of it changes no verdict.
        let _ = denied(&mut stream, answer).await;
    }
}

/// Goes on with it in the background where there is room.
fn hear_out(leaving: BoxFuture<'static, ()>, room: &Arc<Semaphore>) {
    if let Ok(place) = Arc::clone(room).try_acquire_owned() {
        tokio::spawn(async move {
            let _ = timeout(HEARS_OUT_WITHIN, leaving).await;
            drop(place);
        });
    }
}

/// Reads until there is a verdict on all that was `said`. What was read stays there if this is given up.
async fn greeted(stream: &mut TcpStream, said: &mut Vec<u8>) -> io::Result<Read> {
    loop {
        match greeting::read(said) {
            Read::More => {}
            verdict => return Ok(verdict),
        }
        let left = MOST.saturating_sub(said.len());
        let mut part = (&mut *stream).take(u64::try_from(left).unwrap_or_default());
        if part.read_buf(said).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
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
    use std::io::Read as _;

    use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

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

    fn room(size: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(size))
    }

    async fn at(address: SocketAddr) -> Outcome {
        super::at(address, &room(1)).await
    }

    /// What a client says in one packet.
    async fn packet_of(client: &mut TcpStream) -> Vec<u8> {
        let mut said = vec![0; HEADER];
        client.read_exact(&mut said).await.unwrap();
        said.resize(HEADER + usize::from(said[0]), 0);
        client.read_exact(&mut said[HEADER..]).await.unwrap();
        said
    }

    fn signs_in(said: &[u8]) -> bool {
        let user = b"taurus-port-operator";
        said.windows(user.len()).any(|part| part == user)
    }

    #[tokio::test]
    async fn a_greeting_is_answered_by_a_sign_in_and_the_server_is_heard_out() {
        let (address, serving) = server(|mut client| async move {
            let sample = sample();
            let (first, second) = sample.split_at(9);
            client.write_all(first).await.unwrap();
            client.flush().await.unwrap();
            client.write_all(second).await.unwrap();
            let mut said = packet_of(&mut client).await;
            client.write_all(&[1, 0, 0, 2, 0xfe]).await.unwrap();
            let denied = [3, 0, 0, 4, 0xff, 0x15, 0x04];
            client.write_all(&denied).await.unwrap();
            client.read_to_end(&mut said).await.unwrap();
            said
        })
        .await;
        assert_eq!(at(address).await, Outcome::Greeted);
        let said = serving.await.unwrap();
        assert!(signs_in(&said), "{said:?}");
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
    async fn a_greeting_that_comes_after_the_verdict_is_answered_as_well() {
        let (greet, greets) = oneshot::channel();
        let (address, serving) = server(|mut client| async move {
            greets.await.unwrap();
            let sample = sample();
            let (first, second) = sample.split_at(9);
            client.write_all(first).await.unwrap();
            client.write_all(second).await.unwrap();
            let mut said = packet_of(&mut client).await;
            let denied = [3, 0, 0, 2, 0xff, 0x15, 0x04];
            client.write_all(&denied).await.unwrap();
            client.read_to_end(&mut said).await.unwrap();
            said
        })
        .await;
        let stream = TcpStream::connect(address).await.unwrap();
        tokio::time::pause();
        assert_eq!(judged(stream, &room(1)).await, Outcome::Silent);
        tokio::time::resume();
        greet.send(()).unwrap();
        let said = serving.await.unwrap();
        assert!(signs_in(&said), "{said:?}");
    }

    #[tokio::test]
    async fn few_that_say_nothing_are_heard_out_and_none_for_ever() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let room = room(1);
        let mut servers = Vec::new();
        for _ in 0..2 {
            // The system establishes it; nobody ever says anything.
            let stream = TcpStream::connect(address).await.unwrap();
            let (server, _) = listener.accept().unwrap();
            servers.push(server);
            tokio::time::pause();
            assert_eq!(judged(stream, &room).await, Outcome::Silent);
            tokio::time::resume();
        }
        let [heard_out, more] = servers.as_mut_slice() else {
            panic!("there are two");
        };
        let mut said = [0];
        assert_eq!(more.read(&mut said).unwrap(), 0, "there is no room for it");
        heard_out.set_nonblocking(true).unwrap();
        let waits = heard_out.read(&mut said).unwrap_err();
        assert_eq!(waits.kind(), io::ErrorKind::WouldBlock);
        tokio::time::pause();
        drop(room.acquire().await.unwrap());
        tokio::time::resume();
        heard_out.set_nonblocking(false).unwrap();
        assert_eq!(heard_out.read(&mut said).unwrap(), 0, "it was given up");
    }

    #[tokio::test]
    async fn who_wants_to_know_no_longer_cuts_no_connection_short() {
        let (greet, greets) = oneshot::channel();
        let (accepted, is_there) = oneshot::channel();
        let (address, serving) = server(|mut client| async move {
            accepted.send(()).unwrap();
            greets.await.unwrap();
            client.write_all(&sample()).await.unwrap();
            packet_of(&mut client).await
        })
        .await;
        let probing = tokio::spawn(connected(address, room(1)));
        is_there.await.unwrap();
        probing.abort();
        assert!(probing.await.unwrap_err().is_cancelled());
        greet.send(()).unwrap();
        assert!(signs_in(&serving.await.unwrap()));
    }

    #[tokio::test]
    async fn a_server_that_goes_on_for_ever_is_left() {
        let (address, serving) = server(|mut client| async move {
            while client.write_all(&[1, 0, 0, 0]).await.is_ok() {}
            Vec::new()
        })
        .await;
        assert_eq!(at(address).await, Outcome::Foreign);
        serving.await.unwrap();
    }
}
