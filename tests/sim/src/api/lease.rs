//! Credentials for a while: a token for an identity provider's ID token (`POST /v3.0/OS-AUTH/id-token/tokens`), temporary
//! keys for a token (`POST /v3.0/OS-CREDENTIAL/securitytokens`), and temporary keys of a machine with an agency from its
//! metadata (`PUT /meta-data/latest/api/token`, `GET /openstack/latest/securitykey`), and temporary keys for a pod's token
//! (`POST /pod-identity/credentials`; CCE tells the address to the pod, so the path is the simulator's own). Of the ways to temporary
//! keys, that with an agency's name (`assume_role`) isn't there.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::token::{self, AskedProject};
use super::{Refused, Request};
use crate::accounts::AccessKey;
use crate::answer::Answer;
use crate::auth::{Scope, TokenGrant, text};
use crate::clock::{Clock, later};
use crate::sample;
use crate::times::token_time;
use crate::world::World;

/// For how long temporary keys are good, by IAM's page; seconds.
const KEY_LIFETIMES: std::ops::RangeInclusive<u64> = 900..=86_400;
/// Those of a machine: the vendor's clients get new ones when less than 40 minutes are left.
const MACHINE_KEY_LIFETIME: Duration = Duration::from_hours(6);
/// For how long a metadata token may be asked for; seconds.
const METADATA_LIFETIMES: std::ops::RangeInclusive<u64> = 1..=21_600;

/// Those of a pod.
const POD_KEY_LIFETIME: Duration = Duration::from_hours(1);
/// What the vendor's clients look for in the text of a refusal: with it, a new metadata token does not help.
const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// A token for an ID token.
pub(super) fn token_for_id_token(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let json = body(request)?;
    let id_token = json.pointer("/auth/id_token/id").and_then(Value::as_str);
    let id_token = id_token.ok_or_else(|| bad("auth.id_token.id is missing"))?;
    let provider = text(request.headers, "x-idp-id").ok_or_else(|| bad("X-Idp-Id is missing"))?;
    let lease = &world.gatekeeper.leases;
    let (credential, account) = lease
        .by_id_token(provider, id_token, Clock::wall())
        .ok_or_else(|| {
            Refused::iam(401, "0001", "the identity provider's token is not accepted")
        })?;
    let grant = TokenGrant {
        credential,
        account,
        scope: Scope::Nothing,
        issued: now,
        expires: later(now, world.behaviour.token_lifetime),
    };
    let project = AskedProject::of(&json);
    token::issue(world, request, "mapped", grant, project.as_ref())
}

/// Temporary keys for a token.
pub(super) fn keys_for_token(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let json = body(request)?;
    if json.pointer("/auth/identity/methods") != Some(&json!(["token"])) {
        return Err(bad("auth.identity.methods is token here"));
    }
    let named = json
        .pointer("/auth/identity/token/id")
        .and_then(Value::as_str);
    let token = named.or_else(|| text(request.headers, "x-auth-token"));
    let token = token.ok_or_else(|| bad("there is no token in body or header"))?;
    let seconds = match json.pointer("/auth/identity/token/duration_seconds") {
        None => Some(*KEY_LIFETIMES.start()),
        Some(seconds) => seconds
            .as_u64()
            .filter(|asked| KEY_LIFETIMES.contains(asked)),
    };
    let seconds = seconds.ok_or_else(|| bad("duration_seconds is from 900 to 86400"))?;
    let grant = world.gatekeeper.tokens.grant(token, now);
    let account = grant
        .map_err(|denied| Refused::denied_by_iam(&denied))?
        .account
        .clone();
    let key = temporary_key(world, account, Duration::from_secs(seconds), now);
    Ok(Answer::json(201, &key))
}

/// A token for the machine's metadata.
pub(super) fn metadata_token(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let asked = text(request.headers, "x-metadata-token-ttl-seconds");
    let seconds = asked.and_then(|text| text.parse().ok());
    let seconds = seconds.filter(|seconds: &u64| METADATA_LIFETIMES.contains(seconds));
    let seconds = seconds.ok_or_else(|| bad("X-Metadata-Token-Ttl-Seconds is from 1 to 21600"))?;
    let token = world.ids.token(56);
    world
        .gatekeeper
        .leases
        .metadata_tokens
        .insert(token.clone(), later(now, Duration::from_secs(seconds)));
    Ok(Answer::new(200, token).header("Content-Type", "text/plain"))
}

/// Temporary keys of the machine. Older metadata services know no tokens, so none is needed.
pub(super) fn machine_keys(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let leases = &world.gatekeeper.leases;
    let is_good = |token: &str| {
        leases
            .metadata_tokens
            .get(token)
            .is_some_and(|end| now < *end)
    };
    if text(request.headers, "x-metadata-token").is_some_and(|token| !is_good(token)) {
        let strange = "the metadata token is unknown or has expired";
        return Err(Refused::iam(401, "0001", strange));
    }
    let account = leases.agency.clone();
    let account = account.ok_or_else(|| Refused::iam(401, "0001", NO_AGENCY))?;
    let key = temporary_key(world, account, MACHINE_KEY_LIFETIME, now);
    Ok(Answer::json(200, &key))
}

/// Temporary keys of a pod, for its token.
pub(super) fn pod_keys(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    body(request)?;
    let token = text(request.headers, "authorization").unwrap_or_default();
    let leases = &world.gatekeeper.leases;
    let known = leases.by_id_token(sample::POD_IDENTITY, token, Clock::wall());
    let (_, account) =
        known.ok_or_else(|| Refused::iam(401, "0001", "the pod's token is not accepted"))?;
    let key = temporary_key(world, account, POD_KEY_LIFETIME, now);
    let named = |name: &str| key.pointer(&format!("/credential/{name}")).cloned();
    let credentials = json!({
        "accessKeyId": named("access"),
        "secretAccessKey": named("secret"),
        "securityToken": named("securitytoken"),
        "expiration": named("expires_at"),
    });
    Ok(Answer::json(200, &json!({"credentials": credentials})))
}

fn temporary_key(world: &mut World, account: String, time: Duration, now: Timestamp) -> Value {
    let id: String = world
        .ids
        .request_id()
        .to_uppercase()
        .chars()
        .take(20)
        .collect();
    let (secret, security_token) = (world.ids.token(40), world.ids.token(512));
    let expires = later(now, time);
    let answer = json!({"credential": {
        "access": id,
        "secret": secret,
        "securitytoken": security_token,
        "expires_at": token_time(expires),
    }});
    let key = AccessKey {
        id,
        account,
        secret: secret.into(),
        security_token: Some(security_token.into()),
        blocked_for: None,
    };
    world.gatekeeper.keys.issue(key, expires);
    answer
}

fn body(request: &Request<'_>) -> Result<Value, Refused> {
    serde_json::from_slice(request.body).map_err(|_| bad("the body is not JSON"))
}

fn bad(message: &str) -> Refused {
    Refused::iam(400, "0011", message)
}
