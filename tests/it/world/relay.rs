//! A proxy between the operator and the API server, with the faults that such a way can have.
//!
//! Relies on a real control plane behind it. Whoever connects speaks plain HTTP and shows a token of its own, which is
//! handed on; answers flow through piece by piece, so that watches work. It keeps a list of all requests. It is honest: a
//! fault that never took effect fails its story when the relay is dropped.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{
    Request, Response,
    header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use kube::{
    Client,
    client::Body,
    config::{AuthInfo, Config},
};
use serde_json::{Value, json};
use taurus_controlplane::ControlPlane;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{operator::Setup, plane};

mod answer;
mod call;
mod fault;

use answer::RelayBody;
pub use call::Call;
pub use fault::{Effect, Fault, Stage};

/// A request that came through.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Instant,
    pub call: Call,
    /// Method, path and query.
    pub line: String,
    /// What stood in its Authorization header.
    pub token: String,
    pub body: String,
    /// The status of the answer, once there is one.
    pub answer: Option<u16>,
}

/// A fault at work; it names it for [`Relay::remove`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(usize);

struct Injected {
    id: FaultId,
    fault: Fault,
    met: usize,
    acted: usize,
    held: watch::Sender<usize>,
    removed: watch::Sender<bool>,
}

/// What one request has to suffer.
struct Lot {
    effect: Effect,
    /// Counts the requests that the fault holds, or has held.
    held: watch::Sender<usize>,
    removed: watch::Receiver<bool>,
}

/// The proxy; it ends with its story.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
    kubeconfig: String,
    folder: tempfile::TempDir,
}

struct Shared {
    behind: Client,
    faults: Mutex<Vec<Injected>>,
    seen: Mutex<Vec<Seen>>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut")]
struct Cut;

impl Relay {
    /// Starts one in front of this control plane.
    pub async fn start(plane: &ControlPlane) -> Self {
        let mut config: Config = plane.config().await.unwrap();
        config.auth_info = AuthInfo::default();
        config.default_retry = false;
        let shared = Arc::new(Shared {
            behind: Client::try_from(config).unwrap(),
            faults: Mutex::default(),
            seen: Mutex::default(),
        });
        let mut relay = Self {
            shared,
            address: ([127, 0, 0, 1], 0).into(),
            accepting: None,
            kubeconfig: plane::operator_kubeconfig(plane).await,
            folder: tempfile::tempdir().unwrap(),
        };
        relay.listen().await;
        relay
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API server's address as the operator is to know it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An operator of this process that talks to the API server through here.
    pub fn setup(&self) -> Setup {
        Setup {
            api_server: Some(self.url()),
            ..Setup::default()
        }
    }

    /// A kubeconfig with the operator's rights that leads here.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_with(|_, _| ())
    }

    /// The same after `change` to its cluster and its user; gives the path of a file.
    pub fn kubeconfig_with(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let mut value: Value = serde_json::from_str(&self.kubeconfig).unwrap();
        let mut cluster = json!({"server": self.url()});
        let mut user = value["users"][0]["user"].take();
        change(&mut cluster, &mut user);
        value["clusters"][0]["cluster"] = cluster;
        value["users"][0]["user"] = user;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.file(&format!("kubeconfig-{number}"));
        std::fs::write(&path, value.to_string()).unwrap();
        path.display().to_string()
    }

    /// The path of a file that goes with the relay.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// From now on this may go wrong.
    pub fn inject(&self, fault: Fault) -> FaultId {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = FaultId(NEXT.fetch_add(1, Ordering::Relaxed));
        let injected = Injected {
            id,
            fault,
            met: 0,
            acted: 0,
            held: watch::Sender::new(0),
            removed: watch::Sender::new(false),
        };
        self.shared.faults.lock().unwrap().push(injected);
        id
    }

    /// How often a fault has taken effect.
    pub fn acted(&self, id: FaultId) -> usize {
        let faults = self.shared.faults.lock().unwrap();
        let fault = faults.iter().find(|fault| fault.id == id);
        fault.expect("it was not removed").acted
    }

    /// Waits, for as long as it takes, until a fault holds a request: of one that is held after its work, the work is done.
    pub async fn until_held(&self, id: FaultId) {
        let mut held = {
            let faults = self.shared.faults.lock().unwrap();
            let fault = faults.iter().find(|fault| fault.id == id);
            fault.expect("it was not removed").held.subscribe()
        };
        held.wait_for(|held| *held > 0).await.expect("it is there");
    }

    /// Ends a fault, and how often it took effect is told. Requests that it held are cut off; a watch that began under it
    /// stays as it is.
    pub fn remove(&self, id: FaultId) -> usize {
        let mut faults = self.shared.faults.lock().unwrap();
        let place = faults.iter().position(|fault| fault.id == id);
        let removed = faults.remove(place.expect("it was not removed before"));
        removed.removed.send_replace(true);
        removed.acted
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The requests of one kind so far.
    pub fn seen_of(&self, call: &Call) -> Vec<Seen> {
        let seen = self.seen().into_iter();
        seen.filter(|seen| seen.call == *call).collect()
    }

    /// Time between one request of this kind and the next.
    pub fn gaps(&self, call: &Call) -> Vec<Duration> {
        let seen = self.seen_of(call);
        let pairs = seen.windows(2);
        pairs.map(|pair| pair[1].at - pair[0].at).collect()
    }

    /// Nobody listens any more, and all connections end: connections are refused.
    pub async fn stop_listening(&mut self) {
        let accepting = self.accepting.take().expect("it listens");
        accepting.abort();
        let _ = accepting.await;
    }

    /// Listens again, where it did before.
    pub async fn listen(&mut self) {
        assert!(self.accepting.is_none(), "it listens already");
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.shared))));
    }

    /// Ends all connections, watches among them; new ones are taken.
    pub async fn cut_connections(&mut self) {
        self.stop_listening().await;
        self.listen().await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        if !std::thread::panicking() {
            let faults = self.shared.faults.lock().unwrap();
            let idle = faults.iter().find(|fault| fault.acted == 0);
            let idle = idle.map(|fault| &fault.fault);
            assert!(idle.is_none(), "a fault that met nothing: {idle:?}");
        }
    }
}

/// Takes connections; all of them end with this task.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            // Who goes away, or is cut off, is no fault of the relay's.
            let _ = serving.await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<RelayBody>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let (number, lot) = shared.note(&head, &String::from_utf8_lossy(&body));
    let hand_on = || shared.hand_on(head, Body::from(body.to_vec()));
    let answer = match lot.as_ref().map(|lot| lot.effect.clone()) {
        None => hand_on().await.map(answer::whole),
        Some(Effect::Answer(prepared)) => Ok(prepared.response()),
        Some(Effect::Expire) => Ok(answer::expired()),
        Some(Effect::DelayEvents(by)) => hand_on().await.map(|it| answer::delayed(it, by)),
        Some(Effect::CutBody(after)) => hand_on().await.map(|it| answer::cut(it, after)),
        Some(Effect::Cut(stage)) => {
            if stage == Stage::After {
                hand_on().await?;
            }
            Err(Cut)
        }
        Some(Effect::Silence(stage)) => {
            if stage == Stage::After {
                hand_on().await?;
            }
            if let Some(mut lot) = lot {
                lot.held.send_modify(|held| *held += 1);
                let _ = lot.removed.wait_for(|removed| *removed).await;
            }
            Err(Cut)
        }
    }?;
    let status = answer.status().as_u16();
    shared.seen.lock().unwrap()[number].answer = Some(status);
    Ok(answer)
}

impl Shared {
    /// Notes a request; gives its number, and the fault that is its lot.
    fn note(&self, head: &Parts, body: &str) -> (usize, Option<Lot>) {
        let call = Call::of(head);
        let target = head.uri.path_and_query().map_or("", |it| it.as_str());
        let token = head.headers.get(AUTHORIZATION);
        let token = token.and_then(|token| token.to_str().ok());
        let mut seen = self.seen.lock().unwrap();
        seen.push(Seen {
            at: Instant::now(),
            call: call.clone(),
            line: format!("{} {target}", head.method),
            token: token.unwrap_or_default().to_owned(),
            body: body.to_owned(),
            answer: None,
        });
        let mut faults = self.faults.lock().unwrap();
        let mut lot = None;
        for injected in &mut *faults {
            if lot.is_none() && injected.fault.is_about(&call) {
                injected.met += 1;
                if injected.fault.takes(injected.met) {
                    injected.acted += 1;
                    lot = Some(Lot {
                        effect: injected.fault.effect.clone(),
                        held: injected.held.clone(),
                        removed: injected.removed.subscribe(),
                    });
                }
            }
        }
        (seen.len() - 1, lot)
    }

    async fn hand_on(&self, mut head: Parts, body: Body) -> Result<Response<Body>, Cut> {
        for header in [HOST, CONTENT_LENGTH, TRANSFER_ENCODING] {
            head.headers.remove(header);
        }
        let request = Request::from_parts(head, body);
        self.behind.send(request).await.map_err(|_| Cut)
    }
}

#[taurus_needs::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_met_nothing_fails_its_story() {
    let relay = Relay::start(&*plane::shared().await).await;
    relay.inject(Fault::on(&[Call::ReadLease], Effect::Expire));
    let failed = catch_unwind(AssertUnwindSafe(|| drop(relay))).unwrap_err();
    let said = failed.downcast_ref::<String>().unwrap();
    assert!(said.contains("a fault that met nothing"), "{said}");
}
