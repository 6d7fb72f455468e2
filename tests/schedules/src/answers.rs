//! What the API server in memory answers: the few verbs that the operator uses.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::Full;
use k8s_openapi::api::{coordination::v1::Lease, events::v1::Event};
use kube::{ResourceExt as _, core::PartialObjectMeta};
use serde_json::{Value, json};
use taurus_port_operator::crd::TaurusProxyPort;

use crate::{
    cluster::{Cluster, Refusal},
    flaw::Flaw,
    keys,
    life::Life,
    resource::is_of_others,
    server::Call,
    stock::Kind,
    world::{World, wall},
};

/// The annotation of a Lease that was given back with nothing in flight.
const IDLE: &str = "taurusdb.huaweicloud.com/given-back-with-nothing-in-flight";

/// An answer of the API server.
pub type Answer = Response<Full<Bytes>>;

impl World {
    /// Serves a call of a process that leads or does not.
    pub fn answer(&mut self, life: &Arc<Life>, leads: bool, call: &Call) -> Answer {
        let parts: Vec<&str> = call.path().split('/').skip(1).collect();
        let body = &call.body;
        match (&call.method, parts.as_slice()) {
            (&Method::GET, [.., "taurusproxyports", name]) => match self.cluster.bytes(name) {
                Some(bytes) => ok(bytes),
                None => refused(Refusal::NotFound),
            },
            (&Method::PUT, [.., "taurusproxyports", name, "status"]) => {
                self.replace_status(life, leads, name, call)
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "secrets", _])
                if self.now() < self.secrets_fail_until =>
            {
                status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "secrets", keys::OTHER]) => {
                ok(keys::of_the_other())
            }
            (&Method::GET, ["api", "v1", "namespaces", _, "secrets", name]) => {
                let number = keys::NAMES.iter().position(|known| known == name);
                match number.and_then(|number| self.keys[number].secret(self.now())) {
                    Some(bytes) => ok(bytes),
                    None => refused(Refusal::NotFound),
                }
            }
            (method, ["apis", "events.k8s.io", .., last]) => {
                self.cluster.note_event(method, last, body)
            }
            (method, ["apis", "coordination.k8s.io", ..]) => {
                self.cluster.campaign(method, body, self.now())
            }
            (&Method::POST, ["apis", "authorization.k8s.io", ..]) => self.review_access(call),
            _ => match Kind::of(call.path()) {
                Some(about) => self.answer_published(life, leads, about, call),
                None => refused(Refusal::NotFound),
            },
        }
    }

    /// A status is replaced, or not.
    fn replace_status(&mut self, life: &Arc<Life>, leads: bool, name: &str, call: &Call) -> Answer {
        let now = self.now();
        let body = self.without_pruned(&call.body, call.is_dry());
        let Ok(mut sent) = serde_json::from_slice::<TaurusProxyPort>(&body) else {
            return status(StatusCode::BAD_REQUEST, "BadRequest");
        };
        let Some(before) = self.cluster.get(name).cloned() else {
            return refused(Refusal::NotFound);
        };
        if self.flaw == Some(Flaw::ForgetsJobs)
            && let Some(status) = &mut sent.status
        {
            if let Some(change) = &mut status.change {
                change.job_id = None;
            }
            if let Some(last) = &mut status.last_change {
                last.job_id = None;
            }
        }
        if self.flaw == Some(Flaw::DropsConditionsOfOthers)
            && let Some(status) = &mut sent.status
        {
            status.conditions.retain(|one| !is_of_others(one));
        }
        let compares = self.flaw != Some(Flaw::NoComparison);
        let hides = self.flaw == Some(Flaw::HidesPruning);
        if call.is_dry() {
            return match self.cluster.may_replace(&sent, compares) {
                Ok(_) if hides => ok(call.body.clone()),
                Ok(_) => ok(body),
                Err(refusal) => refused(refusal),
            };
        }
        match self.cluster.replace_status(name, &sent, compares, now) {
            Ok(()) if hides && self.pruning.is_some() => {
                self.status_written(&before, life, leads);
                let bytes = self.cluster.bytes(name).unwrap_or_default();
                ok(with_status_of(&call.body, &bytes))
            }
            Ok(()) => {
                self.status_written(&before, life, leads);
                ok(self.cluster.bytes(name).unwrap_or_default())
            }
            Err(refusal) => {
                self.say(|| format!("{} may not write {name}: {refusal:?}", life.identity));
                refused(refusal)
            }
        }
    }
}

/// What is stored, with the status as it was sent.
fn with_status_of(sent: &Bytes, stored: &Bytes) -> Bytes {
    let read = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let mut shown = read(stored);
    shown["status"] = read(sent)["status"].take();
    shown.to_string().into()
}

impl Cluster {
    /// An event is created, or counted up.
    fn note_event(&mut self, method: &Method, last: &str, body: &Bytes) -> Answer {
        let Ok(event) = serde_json::from_slice::<PartialObjectMeta<Event>>(body) else {
            return status(StatusCode::BAD_REQUEST, "BadRequest");
        };
        match *method {
            Method::POST if self.events.insert(event.name_any()) => ok(body.clone()),
            Method::POST => status(StatusCode::CONFLICT, "AlreadyExists"),
            Method::PATCH if self.events.contains(last) => ok(body.clone()),
            _ => refused(Refusal::NotFound),
        }
    }

    /// Who holds the lease.
    pub fn holder(&self) -> Option<&String> {
        self.lease.as_ref()?.spec.as_ref()?.holder_identity.as_ref()
    }

    fn campaign(&mut self, method: &Method, body: &Bytes, now: u64) -> Answer {
        if *method == Method::GET && self.lease.is_some() {
            return ok(self.lease_bytes.clone());
        }
        let sent = serde_json::from_slice::<Lease>(body);
        let stands = self
            .lease
            .as_ref()
            .and_then(|lease| lease.metadata.resource_version.clone());
        match (method, sent, &self.lease) {
            (&Method::POST, Ok(_), Some(_)) => {
                return status(StatusCode::CONFLICT, "AlreadyExists");
            }
            (&Method::PUT, Ok(lease), Some(_)) if lease.metadata.resource_version != stands => {
                return refused(Refusal::Conflict);
            }
            (&Method::PUT, Ok(mut lease), Some(_)) | (&Method::POST, Ok(mut lease), None) => {
                if self.has(Flaw::BelievesEveryLease) {
                    mark_as_idle(&mut lease, now);
                }
                self.lease = Some(lease);
            }
            _ => return refused(Refusal::NotFound),
        }
        let version = self.next_version();
        let lease = self.lease.as_mut().expect("it was put there");
        lease.metadata.resource_version = Some(version);
        lease
            .metadata
            .uid
            .get_or_insert_with(|| "uid-lease".to_owned());
        self.lease_bytes = serde_json::to_vec(lease).unwrap_or_default().into();
        ok(self.lease_bytes.clone())
    }
}

/// A Lease that is given back says that nothing is in flight.
fn mark_as_idle(lease: &mut Lease, now: u64) {
    let spec = lease.spec.as_ref();
    let is_held = spec.is_some_and(|spec| spec.holder_identity.is_some());
    let transitions = spec.and_then(|spec| spec.lease_transitions);
    if let (false, Some(transitions), Some(uid)) = (is_held, transitions, &lease.metadata.uid) {
        let mark = format!("{uid} {transitions} {}", wall(now));
        let annotations = lease.metadata.annotations.get_or_insert_default();
        annotations.insert(IDLE.to_owned(), mark);
    }
}

pub fn ok(bytes: Bytes) -> Answer {
    Response::new(Full::new(bytes))
}

fn refused(refusal: Refusal) -> Answer {
    match refusal {
        Refusal::Conflict => status(StatusCode::CONFLICT, "Conflict"),
        Refusal::NotFound => status(StatusCode::NOT_FOUND, "NotFound"),
    }
}

/// Too many requests, or not available; the client is asked to come again in a second.
pub fn unavailable(code: u16) -> Answer {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut answer = status(code, "Unavailable");
    let second = HeaderValue::from_static("1");
    answer.headers_mut().insert(RETRY_AFTER, second);
    answer
}

/// After how long an answer asks to come again.
pub fn retry_after(answer: &Answer) -> Option<Duration> {
    let asked = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    asked.parse().ok().map(Duration::from_secs)
}

/// A failure, as the API server words it.
pub fn status(code: StatusCode, reason: &str) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16(),
    });
    let mut answer = ok(body.to_string().into());
    *answer.status_mut() = code;
    answer
}
