//! What can be told of a request when it arrives: who sends it, and what the journal writes.

use axum::http::request::Parts;
use bytes::Bytes;

use crate::api;
use crate::auth::{Denied, Identity, Scope, Signed};
use crate::clock::Clock;
use crate::journal::{self, Entry, Outcome};
use crate::operation::{Call, Operation};
use crate::world::World;

/// A request as it came over the wire.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) connection: u64,
    pub(super) head: Parts,
    pub(super) body: Bytes,
}

/// Who is calling. Signing in needs no credential, and neither does what doesn't exist.
pub(super) fn recognise(
    world: &mut World,
    clock: &Clock,
    call: &Call,
    received: &Received,
) -> Result<Identity, Denied> {
    let unchecked = |credential| {
        Ok(Identity {
            credential,
            account: String::new(),
            scope: Scope::Nothing,
        })
    };
    match call.operation {
        Operation::Token => {
            return unchecked(api::claimed_credential(world, &received.body).unwrap_or_default());
        }
        Operation::Other => return unchecked(String::new()),
        operation if operation.gives_credentials() => return unchecked(String::new()),
        _ => {}
    }
    let Parts {
        method,
        uri,
        headers,
        ..
    } = &received.head;
    let query = uri.query().unwrap_or_default();
    let signed = Signed {
        method: method.as_str(),
        path: uri.path(),
        query,
        headers,
        body: &received.body,
    };
    world
        .gatekeeper
        .admit(&signed, &world.behaviour, clock.now(), Clock::wall())
}

/// The journal's entry, before anything is done about the request.
pub(super) fn entry(
    world: &World,
    clock: &Clock,
    call: &Call,
    query: &[(String, String)],
    received: &Received,
    identity: &Result<Identity, Denied>,
) -> Entry {
    let Parts {
        method,
        uri,
        headers,
        ..
    } = &received.head;
    let named = |id: &str| Some(id.to_owned()).filter(|id| !id.is_empty());
    let (instance, proxy) = match call.operation {
        Operation::Job | Operation::DeleteTask => {
            let asked = query.iter().find(|(name, _)| name == "id");
            let id = asked.map_or(&*call.job, |(_, id)| &**id);
            let job = world.state.jobs.iter().find(|job| job.id == id);
            (
                job.map(|job| job.instance.clone()),
                job.and_then(|job| job.proxy.clone()),
            )
        }
        _ => (named(&call.instance), named(&call.proxy)),
    };
    let credential = match identity {
        Ok(identity) => named(&identity.credential),
        Err(denied) => denied.credential.clone(),
    };
    Entry {
        number: world.journal.next_number(),
        at: clock.now(),
        after: clock.running_for(),
        connection: received.connection,
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: query.to_vec(),
        headers: journal::headers(headers),
        body: journal::body(call.operation, &received.body),
        operation: call.operation,
        project: named(&call.project),
        instance,
        proxy,
        credential,
        faults: Vec::new(),
        chaos: Vec::new(),
        outcome: Outcome::Open,
        work_done: false,
        job_id: None,
        answer: None,
    }
}
