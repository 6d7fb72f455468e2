//! An application that queries its database while the port of the proxy moves, and what stands in for the network between them.
//!
//! Nobody routes packets here, and the simulated proxy has no address of this machine. So two small servers stand in: the one is what
//! kube-proxy is elsewhere, and leads each new connection to where the `EndpointSlice` leads; the other is the proxy, which answers only at
//! the port where the cloud has it, and cuts its connections when that port moves. The application knows one address, which never
//! changes. Promises that a query succeeds only where slice and cloud agree on the port.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::StreamExt as _;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{PATIENCE, PROXY, Result, programs::Cloud};

/// Between two queries, and between two looks at where the proxy listens.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a query may take.
const QUERY: Duration = Duration::from_secs(2);

/// The running application; it ends when this is dropped.
pub struct Application {
    queries: Shared<Vec<Query>>,
    _tasks: [AbortOnDropHandle<()>; 4],
}

type Shared<T> = Arc<Mutex<T>>;

#[derive(Debug, Clone, Copy)]
struct Query {
    at: Instant,
    is_answered: bool,
}

/// Where the proxy listens.
#[derive(Debug, Clone, Copy)]
struct Listening {
    /// By the cloud.
    port: u16,
    /// On this machine.
    address: SocketAddr,
}

/// What the application saw.
pub struct Tally {
    queries: usize,
    failed: usize,
    gap: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            queries,
            failed,
            gap,
        } = self;
        write!(
            formatter,
            "{queries} queries, {failed} of them failed, longest time without an answer {} ms",
            gap.as_millis()
        )
    }
}

impl Application {
    /// Starts it, with what stands in for the network.
    pub async fn start(client: Client, cloud: Cloud) -> Result<Self> {
        let led: Shared<Option<u16>> = Arc::default();
        let listening: Shared<Option<Listening>> = Arc::default();
        let queries: Shared<Vec<Query>> = Arc::default();
        let front = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = front.local_addr()?;
        let tasks = [
            tokio::spawn(follow_slice(client, Arc::clone(&led))),
            tokio::spawn(be_the_proxy(cloud, Arc::clone(&listening))),
            tokio::spawn(lead(front, led, listening)),
            tokio::spawn(query_on_and_on(address, Arc::clone(&queries))),
        ];
        Ok(Self {
            queries,
            _tasks: tasks.map(AbortOnDropHandle::new),
        })
    }

    /// Waits for an answer to a query that ends from now on; gives when that was.
    pub async fn answered(&self) -> Result<Instant> {
        let since = Instant::now();
        let answering = async {
            loop {
                let answered = lock(&self.queries)
                    .iter()
                    .find(|query| query.is_answered && query.at > since)
                    .map(|query| query.at);
                match answered {
                    Some(at) => return at,
                    None => sleep(PAUSE).await,
                }
            }
        };
        let answered = timeout(PATIENCE, answering).await;
        answered.map_err(|_| "the application got no answer from its database".into())
    }

    /// What it saw since then.
    pub fn since(&self, began: Instant) -> Tally {
        let queries = lock(&self.queries);
        let of_part: Vec<Query> = queries
            .iter()
            .filter(|query| query.at >= began)
            .copied()
            .collect();
        let failed = of_part.iter().filter(|query| !query.is_answered).count();
        let answered = of_part.iter().filter(|query| query.is_answered);
        let (gap, _) = answered.fold((Duration::ZERO, began), |(gap, before), query| {
            let pause = query.at.saturating_duration_since(before);
            (gap.max(pause), query.at)
        });
        Tally {
            queries: of_part.len(),
            failed,
            gap,
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes to which port the slice leads.
async fn follow_slice(client: Client, led: Shared<Option<u16>>) {
    let slices: Api<EndpointSlice> = Api::namespaced(client, "demo");
    let slices = watcher(slices, watcher::Config::default());
    let mut slices = pin!(slices.default_backoff().applied_objects());
    while let Some(slice) = slices.next().await {
        // After an error it is watched anew.
        let port = slice.ok().and_then(|slice| slice.ports?.first()?.port);
        if let Some(port) = port {
            *lock(&led) = u16::try_from(port).ok();
        }
    }
}

/// Answers where the simulated proxy listens.
async fn be_the_proxy(cloud: Cloud, listening: Shared<Option<Listening>>) {
    let mut serving: Option<(u16, AbortOnDropHandle<()>)> = None;
    loop {
        let known = serving.as_ref().map(|(port, _)| *port);
        // If the simulator does not say, all stays as it is.
        let port = cloud.listening_port(PROXY).await.unwrap_or(known);
        if port != known {
            *lock(&listening) = None;
            serving = None;
            if let Some(port) = port
                && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
                && let Ok(address) = listener.local_addr()
            {
                let task = tokio::spawn(serve(listener));
                serving = Some((port, AbortOnDropHandle::new(task)));
                *lock(&listening) = Some(Listening { port, address });
            }
        }
        sleep(PAUSE).await;
    }
}

/// Answers each query. Where this is dropped, all connections are cut.
async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    connections.spawn(answer(client));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(mut client: TcpStream) {
    let mut query = [0];
    while client.read_exact(&mut query).await.is_ok() {
        if client.write_all(b"!").await.is_err() {
            return;
        }
    }
}

/// Leads each connection to where the slice leads now. What is open stays where it is.
async fn lead(front: TcpListener, led: Shared<Option<u16>>, listening: Shared<Option<Listening>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = front.accept() => {
                let port = *lock(&led);
                // Nobody listens at another port: the connection is closed.
                let there = lock(&listening).filter(|there| Some(there.port) == port);
                if let (Ok((client, _)), Some(there)) = (accepted, there) {
                    connections.spawn(forward(client, there.address));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut client: TcpStream, proxy: SocketAddr) {
    if let Ok(mut proxy) = TcpStream::connect(proxy).await {
        // Either side may end it.
        let _ = copy_bidirectional(&mut client, &mut proxy).await;
    }
}

/// What an application does: it keeps a connection, and opens another one where that has failed.
async fn query_on_and_on(database: SocketAddr, queries: Shared<Vec<Query>>) {
    let mut connection = None;
    loop {
        let answer = timeout(QUERY, query(&mut connection, database)).await;
        let is_answered = matches!(answer, Ok(Ok(())));
        if !is_answered {
            connection = None;
        }
        let at = Instant::now();
        lock(&queries).push(Query { at, is_answered });
        sleep(PAUSE).await;
    }
}

async fn query(connection: &mut Option<TcpStream>, database: SocketAddr) -> io::Result<()> {
    if connection.is_none() {
        *connection = Some(TcpStream::connect(database).await?);
    }
    let Some(stream) = connection else {
        return Err(io::ErrorKind::NotConnected.into());
    };
    stream.write_all(b"?").await?;
    stream.read_exact(&mut [0]).await.map(|_| ())
}
