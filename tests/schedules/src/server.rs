//! The API server in memory: the few verbs that the operator uses, with the faults that a schedule asks for.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use k8s_openapi::{
    ByteString,
    api::{coordination::v1::Lease, core::v1::Secret},
};
use kube::client::Body;
use serde_json::json;
use taurus_port_operator::crd::TaurusProxyPort;
use tower_service::Service;

use crate::{
    NAMESPACE,
    cluster::{Cluster, Refusal},
    flaw::Flaw,
    life::Life,
    world::{Shared, World},
};

/// What goes wrong with a write of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFault {
    /// It never arrives.
    Lost,
    /// It is written, and the answer gets lost.
    AnswerLost,
    /// It is written, and the client's own repetition of it is refused.
    Repeated,
    /// Somebody else writes a label right before.
    Overtaken,
}

/// What goes wrong between a machine and the API server.
#[derive(Debug, Default)]
pub struct Trouble {
    pub writes: VecDeque<WriteFault>,
    /// Nothing is answered until then, in milliseconds.
    pub silent_until: u64,
    /// Everything is refused until then, in milliseconds.
    pub failing_until: u64,
}

/// The API server as one process reaches it.
#[derive(Clone)]
pub struct Server {
    shared: Shared,
    life: Arc<Life>,
}

/// The API server for this process.
pub fn server(shared: Shared, life: Arc<Life>) -> Server {
    Server { shared, life }
}

type Answer = Response<Full<Bytes>>;

impl Service<Request<Body>> for Server {
    type Response = Answer;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Answer, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { shared, life } = self.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_err(std::io::Error::other)?
                .to_bytes();
            let serving =
                async { serve(&shared, &life, &head.method, head.uri.path(), &body).await };
            let counts = !head.uri.path().starts_with("/apis/coordination.k8s.io");
            life.call(&shared, counts, serving).await
        }
        .boxed()
    }
}

async fn serve(
    shared: &Shared,
    life: &Life,
    method: &Method,
    path: &str,
    body: &Bytes,
) -> Result<Answer, std::io::Error> {
    let (silence, fault) = {
        let mut world = shared.lock();
        let now = world.now();
        let writes = *method == Method::PUT && path.ends_with("/status");
        let trouble = &mut world.trouble[life.machine];
        if trouble.failing_until > now {
            return Err(std::io::Error::other("connection refused"));
        }
        let fault = trouble.writes.pop_front_if(|_| writes);
        (trouble.silent_until.saturating_sub(now), fault)
    };
    if silence > 0 {
        tokio::time::sleep(Duration::from_millis(silence)).await;
        return Err(std::io::Error::other("connection reset"));
    }
    if fault == Some(WriteFault::Lost) {
        return Err(std::io::Error::other("connection reset"));
    }
    let mut world = shared.lock();
    if fault == Some(WriteFault::Overtaken) {
        let now = world.now();
        let name = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        let label = format!("{now}");
        if world.cluster.edit(&name, now, |object| {
            let labels = object.metadata.labels.get_or_insert_default();
            labels.insert("touched".to_owned(), label);
        }) {
            world.stored(&name);
        }
    }
    let answer = world.answer(life, method, path, body);
    match fault {
        Some(WriteFault::AnswerLost) => Err(std::io::Error::other("connection reset")),
        Some(WriteFault::Repeated) if answer.status().is_success() => {
            Ok(refused(Refusal::Conflict))
        }
        _ => Ok(answer),
    }
}

impl World {
    fn answer(&mut self, life: &Life, method: &Method, path: &str, body: &Bytes) -> Answer {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (method, parts.as_slice()) {
            (&Method::GET, [.., "taurusproxyports", name]) => match self.cluster.bytes(name) {
                Some(bytes) => ok(bytes),
                None => refused(Refusal::NotFound),
            },
            (&Method::PUT, [.., "taurusproxyports", name, "status"]) => {
                self.replace_status(life, name, body)
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "secrets", "keys"]) => secret(),
            (&Method::POST | &Method::PATCH, ["apis", "events.k8s.io", ..]) => ok(body.clone()),
            (_, ["apis", "coordination.k8s.io", ..]) => self.cluster.campaign(life, method, body),
            _ => refused(Refusal::NotFound),
        }
    }

    fn replace_status(&mut self, life: &Life, name: &str, body: &Bytes) -> Answer {
        let now = self.now();
        let Ok(mut sent) = serde_json::from_slice::<TaurusProxyPort>(body) else {
            return status(StatusCode::BAD_REQUEST, "BadRequest");
        };
        let Some(before) = self.cluster.get(name).cloned() else {
            return refused(Refusal::NotFound);
        };
        if self.flaw == Some(Flaw::ForgetsJobs)
            && let Some(change) = sent
                .status
                .as_mut()
                .and_then(|status| status.change.as_mut())
        {
            change.job_id = None;
        }
        let compares = self.flaw != Some(Flaw::NoComparison);
        match self.cluster.replace_status(name, &sent, compares, now) {
            Ok(()) => {
                self.status_written(&before, life);
                ok(self.cluster.bytes(name).unwrap_or_default())
            }
            Err(refusal) => {
                self.say(|| format!("{} may not write {name}: {refusal:?}", life.identity));
                refused(refusal)
            }
        }
    }
}

impl Cluster {
    /// Who holds the lease.
    pub fn holder(&self) -> Option<&String> {
        self.lease.as_ref()?.spec.as_ref()?.holder_identity.as_ref()
    }

    fn campaign(&mut self, _: &Life, method: &Method, body: &Bytes) -> Answer {
        let sent = serde_json::from_slice::<Lease>(body);
        let stands = self
            .lease
            .as_ref()
            .and_then(|lease| lease.metadata.resource_version.clone());
        match (method, sent, &self.lease) {
            (&Method::GET, _, Some(lease)) => {
                return ok(serde_json::to_vec(lease).unwrap_or_default().into());
            }
            (&Method::POST, Ok(_), Some(_)) => {
                return status(StatusCode::CONFLICT, "AlreadyExists");
            }
            (&Method::PUT, Ok(lease), Some(_)) if lease.metadata.resource_version != stands => {
                return refused(Refusal::Conflict);
            }
            (&Method::PUT, Ok(lease), Some(_)) | (&Method::POST, Ok(lease), None) => {
                self.lease = Some(lease);
            }
            _ => return refused(Refusal::NotFound),
        }
        let version = self.next_version();
        let lease = self.lease.as_mut().expect("it was put there");
        lease.metadata.resource_version = Some(version);
        ok(serde_json::to_vec(lease).unwrap_or_default().into())
    }
}

fn secret() -> Answer {
    let value = |text: &str| ByteString(text.as_bytes().to_vec());
    let data =
        [("accessKey", "AK"), ("secretKey", "SK")].map(|(key, text)| (key.to_owned(), value(text)));
    let mut secret = Secret {
        data: Some(data.into()),
        ..Secret::default()
    };
    secret.metadata.name = Some("keys".to_owned());
    secret.metadata.namespace = Some(NAMESPACE.to_owned());
    ok(serde_json::to_vec(&secret).unwrap_or_default().into())
}

fn ok(bytes: Bytes) -> Answer {
    Response::new(Full::new(bytes))
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Conflict => status(StatusCode::CONFLICT, "Conflict"),
        Refusal::NotFound => status(StatusCode::NOT_FOUND, "NotFound"),
    }
}

fn status(code: StatusCode, reason: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16(),
    });
    let mut answer = ok(body.to_string().into());
    *answer.status_mut() = code;
    answer
}
