//! The API server as one process reaches it, with the faults that a schedule asks for on the way.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use kube::{
    Client,
    client::{Body, retry::RetryPolicy},
};
use taurus_port_operator::crd::TaurusProxyPort;
use tokio::time::Sleep;
use tower::{
    BoxError,
    retry::{Policy, Retry},
};
use tower_service::Service;

use crate::{
    answers::{self, Answer},
    life::Life,
    stock::{self, Kind},
    world::{Shared, World},
};

/// By how much calls for the lease are served late where that is slow: the campaign gives up after four seconds.
const SLOWNESS: Duration = Duration::from_millis(3_500);

/// What goes wrong with a write of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// It never arrives.
    Lost,
    /// It is written, and the answer gets lost.
    AnswerLost,
    /// It is written, and the answer says that the server is not available: the client repeats it.
    Repeated,
    /// Somebody else writes a label right before.
    Overtaken,
    /// The connection breaks, and it arrives so many milliseconds later.
    Late(u64),
}

/// How calls about what is published are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// For want of a right.
    Right,
    /// By an admission policy, writes alone.
    Admission,
    /// The API server itself fails.
    Failing,
}

/// What goes wrong with calls about what is published.
#[derive(Debug, Default)]
pub struct Published {
    pub writes: VecDeque<WriteFault>,
    /// How they are refused, and until when, in milliseconds.
    pub refused: Option<(Refused, u64)>,
    /// How long a write takes, in milliseconds.
    pub writes_take: u64,
}

/// What goes wrong between a machine and the API server.
#[derive(Debug, Default)]
pub struct Trouble {
    pub published: Published,
    pub writes: VecDeque<WriteFault>,
    /// So many calls are answered with this status code.
    pub refusals: (u32, u16),
    /// How long a write of a status takes, in milliseconds.
    pub writes_take: u64,
    /// How long one of this resource takes, as behind a slow webhook of its namespace.
    pub writes_of_one_take: Option<(&'static str, u64)>,
    /// Each answer to a write that takes a change from its record gets lost.
    pub loses_ends: bool,
    /// Writes of a status are refused until then, in milliseconds.
    pub writes_refused_until: u64,
    /// Writes of the status of this resource are refused, as by an admission policy.
    pub refused: Option<&'static str>,
    /// Nothing is answered until then, in milliseconds.
    pub silent_until: u64,
    /// Everything is refused until then, in milliseconds.
    pub failing_until: u64,
}

/// A client for this process, which repeats calls as kube's does.
pub fn client(shared: Shared, life: Arc<Life>) -> Client {
    let patience = Patience {
        kube: RetryPolicy::server_retry(),
        tries: 0,
    };
    Client::new(Retry::new(patience, Server { shared, life }), "ops")
}

/// The API server for this process.
#[derive(Clone)]
struct Server {
    shared: Shared,
    life: Arc<Life>,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    pub uri: Uri,
    pub body: Bytes,
    /// When it was sent, in milliseconds.
    pub sent: u64,
}

impl Service<Request<Body>> for Server {
    type Response = Answer;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Answer, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { shared, life } = self.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let call = Call {
                method: head.method,
                uri: head.uri,
                body,
                sent: shared.lock().now(),
            };
            let counts = !call.is_for_lease() && call.parameter("watch").is_none();
            let serving = async {
                if call.is_for_lease() && shared.lock().slow_leases {
                    tokio::time::sleep(SLOWNESS).await;
                }
                serve(&shared, &life, &call).await
            };
            Ok(life.call(&shared, counts, serving).await?)
        }
        .boxed()
    }
}

impl Call {
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// A parameter of its query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = self.uri.query().unwrap_or_default().split('&');
        let value = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        let plain = value.replace("%2C", ",").replace("%3D", "=");
        Some(plain.replace("%2F", "/"))
    }

    /// The labels that a list or a watch asks for.
    pub fn selector(&self) -> Vec<(String, String)> {
        let asked = self.parameter("labelSelector").unwrap_or_default();
        let pairs = asked.split(',').filter_map(|pair| pair.split_once('='));
        pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// The kind of what it publishes, if it writes that.
    fn writes_published(&self) -> bool {
        self.method != Method::GET && Kind::of(self.path()).is_some()
    }

    fn is_for_lease(&self) -> bool {
        self.path().starts_with("/apis/coordination.k8s.io")
    }

    pub fn is_dry(&self) -> bool {
        let mut pairs = self.uri.query().unwrap_or_default().split('&');
        pairs.any(|pair| pair == "dryRun=All")
    }

    fn publishes_event(&self) -> bool {
        self.method == Method::POST && self.path().starts_with("/apis/events.k8s.io")
    }

    fn writes_status(&self) -> bool {
        self.method == Method::PUT && self.path().ends_with("/status")
    }
}

async fn serve(shared: &Shared, life: &Arc<Life>, call: &Call) -> io::Result<Answer> {
    let reset = || Err(io::Error::other("connection reset"));
    if call.publishes_event() {
        shared.lock().note_published(&call.body);
    }
    if let Some(answer) = stock::watched(shared, life, call).await {
        return Ok(answer);
    }
    if call.writes_published() {
        let takes = shared.lock().trouble[life.machine].published.writes_take;
        tokio::time::sleep(Duration::from_millis(takes)).await;
    }
    if call.writes_status() {
        let takes = {
            let trouble = &shared.lock().trouble[life.machine];
            let of_one = trouble.writes_of_one_take;
            let of_one =
                of_one.filter(|(name, _)| call.path().split('/').any(|part| part == *name));
            of_one.map_or(trouble.writes_take, |(_, takes)| takes)
        };
        tokio::time::sleep(Duration::from_millis(takes)).await;
    }
    let (silence, fault) = {
        let mut world = shared.lock();
        let now = world.now();
        let trouble = &mut world.trouble[life.machine];
        if trouble.failing_until > now {
            return Err(io::Error::other("connection refused"));
        }
        if call.writes_status() && trouble.writes_refused_until > now {
            return Ok(answers::status(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
            ));
        }
        let of_refused = |name| call.path().ends_with(&format!("/{name}/status"));
        if call.writes_status() && trouble.refused.is_some_and(of_refused) {
            return Ok(answers::status(StatusCode::FORBIDDEN, "Forbidden"));
        }
        if let (left @ 1.., code) = &mut trouble.refusals {
            *left -= 1;
            return Ok(answers::unavailable(*code));
        }
        if Kind::of(call.path()).is_some()
            && let Some((refused, _)) = trouble.published.refused.filter(|(_, until)| *until > now)
            && let Some(answer) = refused.answer(call)
        {
            return Ok(answer);
        }
        let fault = trouble.writes.pop_front_if(|_| call.writes_status());
        let of_published = &mut trouble.published.writes;
        let fault = fault.or_else(|| of_published.pop_front_if(|_| call.writes_published()));
        (trouble.silent_until.saturating_sub(now), fault)
    };
    if silence > 0 {
        tokio::time::sleep(Duration::from_millis(silence)).await;
        return reset();
    }
    let mut world = shared.lock();
    let leads = world.leads(life);
    let loses_end = world.trouble[life.machine].loses_ends && world.ends_a_change(call);
    let fault = fault.or(loses_end.then_some(WriteFault::AnswerLost));
    match fault {
        Some(WriteFault::Lost) => return reset(),
        Some(WriteFault::Late(after)) => {
            tokio::spawn(arrive(
                shared.clone(),
                Arc::clone(life),
                call.clone(),
                leads,
                after,
            ));
            return reset();
        }
        Some(WriteFault::Overtaken) => world.overtake(call),
        Some(WriteFault::AnswerLost | WriteFault::Repeated) | None => {}
    }
    let answer = world.answer(life, leads, call);
    match fault {
        Some(WriteFault::AnswerLost) => reset(),
        Some(WriteFault::Repeated) => Ok(answers::unavailable(503)),
        _ => Ok(answer),
    }
}

impl Refused {
    fn answer(self, call: &Call) -> Option<Answer> {
        let writes = call.writes_published();
        match self {
            Self::Right => {
                let text = "User \"operator\" cannot do that in the namespace \"shop\"";
                Some(stock::saying(403, "Forbidden", text))
            }
            Self::Admission if writes => {
                Some(stock::saying(403, "Forbidden", "denied by a policy"))
            }
            Self::Admission => None,
            Self::Failing => Some(stock::saying(500, "InternalError", "etcd is slow")),
        }
    }
}

/// A write takes effect when nobody waits for it any more. Whether its process led counts from when it was sent.
async fn arrive(shared: Shared, life: Arc<Life>, call: Call, leads: bool, after: u64) {
    tokio::time::sleep(Duration::from_millis(after)).await;
    let mut world = shared.lock();
    world.say(|| format!("a write of {} arrives late", life.identity));
    world.answer(&life, leads, &call);
}

impl World {
    /// Whether a process may write: it holds the lease, where there is one.
    pub fn leads(&self, life: &Life) -> bool {
        !self.election || self.cluster.holder() == Some(&life.identity)
    }

    /// Whether a call takes a change from its record.
    fn ends_a_change(&self, call: &Call) -> bool {
        let of = |object: &TaurusProxyPort| {
            object
                .status
                .as_ref()
                .is_some_and(|status| status.change.is_some())
        };
        let name = call.path().rsplit('/').nth(1).unwrap_or_default();
        call.writes_status()
            && self.cluster.get(name).is_some_and(of)
            && serde_json::from_slice(&call.body).is_ok_and(|written| !of(&written))
    }

    /// Somebody else touches the resource that a call is about.
    fn overtake(&mut self, call: &Call) {
        let now = self.now();
        if let Some((kind, name)) = Kind::of(call.path()) {
            self.overtake_published(kind, &name.unwrap_or_default());
            return;
        }
        let name = call.path().rsplit('/').nth(1).unwrap_or_default();
        if self.cluster.edit(name, now, |object| {
            let labels = object.metadata.labels.get_or_insert_default();
            labels.insert("touched".to_owned(), now.to_string());
        }) {
            self.stored(name);
        }
    }
}

/// kube's rules of what is repeated and how often. Its pauses are chance of the machine's, so these are of our own: no story
/// could be played twice with them.
#[derive(Clone)]
struct Patience {
    kube: RetryPolicy,
    tries: u32,
}

impl Policy<Request<Body>, Answer, BoxError> for Patience {
    type Future = Sleep;

    fn retry(
        &mut self,
        request: &mut Request<Body>,
        result: &mut Result<Answer, BoxError>,
    ) -> Option<Sleep> {
        drop(self.kube.retry(request, result)?);
        self.tries += 1;
        let pause = Duration::from_millis(5 << self.tries);
        let asked = result.as_ref().ok().and_then(answers::retry_after);
        Some(tokio::time::sleep(pause.max(asked.unwrap_or_default())))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        // Named in full: kube's policy serves answers of any kind.
        Policy::<_, Answer, BoxError>::clone_request(&mut self.kube, request)
    }
}
