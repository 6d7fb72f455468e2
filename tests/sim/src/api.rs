//! The service's own work, one file for each call, as functions of world, time and request.
//!
//! Promises the documented answers; faults and connections are none of its business. Texts are ours: the vendor's
//! wording is not part of the interface.

mod change;
mod groups;
mod iam;
mod instance;
mod instances;
mod job;
mod lease;
mod list;
mod query;
mod refusal;
mod tasks;
mod throttle;
mod token;

use axum::http::HeaderMap;
use jiff::Timestamp;

use crate::answer::Answer;
use crate::auth::{Denied, Identity};
use crate::operation::{Call, Operation};
use crate::world::World;

pub(crate) use refusal::Refused;
pub(crate) use token::claimed_credential;

/// A request that was recognised, as the service sees it.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) call: &'a Call,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    /// A fault's limit on the size of pages.
    pub(crate) page_cap: Option<usize>,
}

/// What the service did.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) answer: Answer,
    pub(crate) done: bool,
    pub(crate) job_id: Option<String>,
}

impl Worked {
    fn with(answer: Answer) -> Self {
        Self {
            answer,
            done: true,
            job_id: None,
        }
    }
}

/// Does what was asked, or refuses it.
pub(crate) fn work(
    world: &mut World,
    request: &Request<'_>,
    identity: &Result<Identity, Denied>,
    request_id: &str,
    now: Timestamp,
) -> Worked {
    let refused = |refused: Refused| Worked {
        answer: refused.in_language(request.headers).answer(request_id),
        done: false,
        job_id: None,
    };
    if let Some(answered) = outside(world, request, identity, now) {
        return answered.map_or_else(refused, Worked::with);
    }
    if let Some(answer) = throttle::refuse(world, request.call, identity, request_id, now) {
        return Worked {
            answer,
            done: false,
            job_id: None,
        };
    }
    let done = permitted(world, request, identity).and_then(|()| match request.call.operation {
        Operation::List => list::proxies(world, request, now).map(Worked::with),
        Operation::Change => change::port(world, request, now),
        Operation::Job => job::show(world, request, now).map(Worked::with),
        Operation::Tasks => tasks::list(world, request, now).map(Worked::with),
        Operation::DeleteTask => job::delete_record(world, request, now).map(Worked::with),
        Operation::Instances => instances::list(world, request, now).map(Worked::with),
        Operation::Instance => instance::show(world, request, now).map(Worked::with),
        Operation::Details => instance::details(world, request, now).map(Worked::with),
        Operation::GroupRules => groups::rules(world, request).map(Worked::with),
        _ => Err(Refused::no_such_api()),
    });
    done.unwrap_or_else(refused)
}

/// What isn't the database service's: IAM, the machine's metadata, and what nobody has published.
fn outside(
    world: &mut World,
    request: &Request<'_>,
    identity: &Result<Identity, Denied>,
    now: Timestamp,
) -> Option<Result<Answer, Refused>> {
    Some(match request.call.operation {
        Operation::Token => token::create(world, request, now),
        Operation::IdToken => lease::token_for_id_token(world, request, now),
        Operation::SecurityToken => lease::keys_for_token(world, request, now),
        Operation::MetadataToken => lease::metadata_token(world, request, now),
        Operation::MachineKeys => lease::machine_keys(world, request, now),
        Operation::PodKeys => lease::pod_keys(world, request, now),
        Operation::Domains | Operation::Users | Operation::Projects => {
            iam::look_up(world, request, identity)
        }
        Operation::Other => Err(Refused::no_such_api()),
        _ => return None,
    })
}

/// Whether this caller may use this project.
fn permitted(
    world: &World,
    request: &Request<'_>,
    identity: &Result<Identity, Denied>,
) -> Result<(), Refused> {
    let identity = identity.as_ref().map_err(Refused::denied)?;
    let project = &request.call.project;
    // The header names the project for IAM; of another one it would look up other permissions.
    let same = request
        .headers
        .get("x-project-id")
        .is_none_or(|named| named.as_bytes() == project.as_bytes());
    if !same || !identity.scope.covers(project) || !world.state.projects.contains_key(project) {
        return Err(Refused::dbs(
            403,
            "200010",
            "this project does not exist or is not yours",
        ));
    }
    check_language(request.headers)
}

fn check_language(headers: &HeaderMap) -> Result<(), Refused> {
    match headers
        .get("x-language")
        .map(axum::http::HeaderValue::as_bytes)
    {
        None | Some(b"en-us" | b"zh-cn") => Ok(()),
        Some(_) => Err(Refused::bad_parameter("X-Language is en-us or zh-cn")),
    }
}
