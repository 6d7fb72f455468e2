//! `POST /v3/auth/tokens`, after IAM's page "Obtaining a User Token Through Password Authentication", and a token for
//! another token by the same call.

mod sign_in;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::auth::{Scope, SignInError, TokenGrant, hex};
use crate::clock::later;
use crate::times::token_time;
use crate::world::World;
use sign_in::{Proof, SignIn};

pub(super) use sign_in::AskedProject;

/// Real tokens are this long and longer.
const TOKEN_LENGTH: usize = 2048;

pub(super) fn create(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let sign_in = SignIn::read(request.body)?;
    let proven = prove(world, &sign_in.proof, now)?;
    let project = sign_in.project.as_ref();
    issue(world, request, sign_in.method(), proven, project)
}

/// Issues a token to whom was recognised, for the project that was asked for.
pub(super) fn issue(
    world: &mut World,
    request: &Request<'_>,
    method: &str,
    proven: TokenGrant,
    project: Option<&AskedProject>,
) -> Result<Answer, Refused> {
    let project = project.map(|asked| find(world, asked)).transpose()?;
    let grant = TokenGrant {
        scope: project
            .as_ref()
            .map_or(Scope::Nothing, |(id, _)| Scope::Project(id.clone())),
        ..proven
    };
    let catalog = request.parameter("nocatalog").is_none();
    let body = describe(method, &grant, project.as_ref(), catalog);
    let text = world.ids.token(TOKEN_LENGTH);
    world.gatekeeper.tokens.issue(text.clone(), grant);
    Ok(Answer::json(201, &body).header("X-Subject-Token", text))
}

/// Who a sign-in claims to be, as the journal writes it.
pub(crate) fn claimed_credential(world: &World, body: &[u8]) -> Option<String> {
    match SignIn::read(body).ok()?.proof {
        Proof::Password { domain, name, .. } => Some(format!("{domain}/{name}")),
        Proof::Token(text) => world
            .gatekeeper
            .tokens
            .credential_of(&text)
            .map(str::to_owned),
    }
}

/// Who signs in, and how long what they get is good for: a token for a token no longer than the old one.
fn prove(world: &mut World, proof: &Proof, now: Timestamp) -> Result<TokenGrant, Refused> {
    let expires = later(now, world.behaviour.token_lifetime);
    match proof {
        Proof::Password {
            domain,
            name,
            password,
        } => {
            let signed_in = world.gatekeeper.users.sign_in(domain, name, password, now);
            signed_in.map_err(refused)?;
            Ok(TokenGrant {
                credential: format!("{domain}/{name}"),
                account: domain.clone(),
                scope: Scope::Nothing,
                issued: now,
                expires,
            })
        }
        Proof::Token(text) => {
            let grant = world.gatekeeper.tokens.grant(text, now);
            let grant = grant.map_err(|denied| Refused::denied_by_iam(&denied))?;
            Ok(TokenGrant {
                issued: now,
                expires: expires.min(grant.expires),
                ..grant.clone()
            })
        }
    }
}

fn refused(error: SignInError) -> Refused {
    match error {
        SignInError::Wrong => Refused::iam(401, "0062", "user name or password are wrong"),
        SignInError::Locked => {
            Refused::iam(401, "0061", "the user is locked after too many failures")
        }
    }
}

/// Id and name of the project that the token shall be good for.
fn find(world: &World, asked: &AskedProject) -> Result<(String, String), Refused> {
    let fits = |known_id: &String, known_name: &String| match (&asked.id, &asked.name) {
        (Some(id), _) => id == known_id,
        (None, name) => name.as_ref() == Some(known_name),
    };
    let mut projects = world.state.projects.iter();
    projects
        .find(|(id, name)| fits(id, name))
        .map(|(id, name)| (id.clone(), name.clone()))
        .ok_or_else(|| Refused::iam(401, "0001", "no such project, or it is not yours"))
}

fn describe(
    method: &str,
    grant: &TokenGrant,
    project: Option<&(String, String)>,
    catalog: bool,
) -> Value {
    let domain = json!({"id": invented_id(&grant.account), "name": grant.account});
    let user = grant.credential.rsplit('/').next().unwrap_or_default();
    let mut token = json!({
        "expires_at": token_time(grant.expires),
        "issued_at": token_time(grant.issued),
        "methods": [method],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {
            "id": invented_id(&grant.credential),
            "name": user,
            "domain": domain,
            "password_expires_at": "",
        },
        "catalog": if catalog { sample_catalog() } else { json!([]) },
    });
    let (holder, scope) = match project {
        Some((id, name)) => ("project", json!({"id": id, "name": name, "domain": domain})),
        None => ("domain", domain),
    };
    if let Some(fields) = token.as_object_mut() {
        fields.insert(holder.to_owned(), scope);
    }
    json!({"token": token})
}

fn sample_catalog() -> Value {
    let endpoint = json!({
        "id": invented_id("iam endpoint"),
        "interface": "public",
        "region": "*",
        "region_id": "*",
        "url": "https://iam.sim.invalid/v3",
    });
    json!([{"id": invented_id("iam"), "name": "iam", "type": "identity", "endpoints": [endpoint]}])
}

/// Ids of users and accounts are made from their names.
pub(super) fn invented_id(name: &str) -> String {
    hex(&Sha256::digest(name)).chars().take(32).collect()
}
