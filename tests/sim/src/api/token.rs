//! `POST /v3/auth/tokens`, after IAM's page "Obtaining a User Token Through Password Authentication".

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::auth::{Scope, SignInError, TokenGrant, hex};
use crate::clock::later;
use crate::times::token_time;
use crate::world::World;

/// Real tokens are this long and longer.
const TOKEN_LENGTH: usize = 2048;

pub(super) fn create(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let sign_in = SignIn::read(request.body)?;
    let SignIn {
        domain,
        name,
        password,
        ..
    } = &sign_in;
    world
        .gatekeeper
        .users
        .sign_in(domain, name, password, now)
        .map_err(|error| match error {
            SignInError::Wrong => Refused::iam(401, "0062", "user name or password are wrong"),
            SignInError::Locked => {
                Refused::iam(401, "0061", "the user is locked after too many failures")
            }
        })?;
    let project = scope(world, &sign_in)?;
    let grant = TokenGrant {
        credential: format!("{domain}/{name}"),
        scope: project
            .as_ref()
            .map_or(Scope::Nothing, |(id, _)| Scope::Project(id.clone())),
        issued: now,
        expires: later(now, world.behaviour.token_lifetime),
    };
    let catalog = request.parameter("nocatalog").is_none();
    let body = describe(&sign_in, &grant, project.as_ref(), catalog);
    let text = world.ids.token(TOKEN_LENGTH);
    world.gatekeeper.tokens.issue(text.clone(), grant);
    Ok(Answer::json(201, &body).header("X-Subject-Token", text))
}

/// Who a sign-in claims to be, as the journal writes it.
pub(crate) fn claimed_credential(body: &[u8]) -> Option<String> {
    SignIn::read(body)
        .ok()
        .map(|SignIn { domain, name, .. }| format!("{domain}/{name}"))
}

/// What a sign-in holds.
struct SignIn {
    domain: String,
    name: String,
    password: String,
    /// The project by id or by name, or none for a token without a project.
    project: Option<(Option<String>, Option<String>)>,
}

impl SignIn {
    fn read(body: &[u8]) -> Result<Self, Refused> {
        let bad = |message: &str| Refused::iam(400, "0011", message);
        let json: Value = serde_json::from_slice(body).map_err(|_| bad("the body is not JSON"))?;
        let text = |at: &str| json.pointer(at).and_then(Value::as_str).map(str::to_owned);
        if json.pointer("/auth/identity/methods") != Some(&json!(["password"])) {
            return Err(bad("the one method here is password"));
        }
        let user = |field: &str| {
            let missing = || {
                bad(&format!(
                    "auth.identity.password.user.{} is missing",
                    field.replace('/', ".")
                ))
            };
            text(&format!("/auth/identity/password/user/{field}")).ok_or_else(missing)
        };
        let project = json.pointer("/auth/scope/project").is_some();
        Ok(Self {
            domain: user("domain/name")?,
            name: user("name")?,
            password: user("password")?,
            project: project.then(|| {
                (
                    text("/auth/scope/project/id"),
                    text("/auth/scope/project/name"),
                )
            }),
        })
    }
}

/// Id and name of the project that the token shall be good for.
fn scope(world: &World, sign_in: &SignIn) -> Result<Option<(String, String)>, Refused> {
    let Some((id, name)) = &sign_in.project else {
        return Ok(None);
    };
    let found = world
        .state
        .projects
        .iter()
        .find(|(known_id, known_name)| match (id, name) {
            (Some(id), _) => id == *known_id,
            (None, name) => name.as_ref() == Some(known_name),
        });
    let found =
        found.ok_or_else(|| Refused::iam(401, "0001", "no such project, or it is not yours"))?;
    Ok(Some((found.0.clone(), found.1.clone())))
}

fn describe(
    sign_in: &SignIn,
    grant: &TokenGrant,
    project: Option<&(String, String)>,
    catalog: bool,
) -> Value {
    let domain = json!({"id": invented_id(&sign_in.domain), "name": sign_in.domain});
    let mut token = json!({
        "expires_at": token_time(grant.expires),
        "issued_at": token_time(grant.issued),
        "methods": ["password"],
        "roles": [{"id": "0", "name": "te_admin"}],
        "user": {
            "id": invented_id(&grant.credential),
            "name": sign_in.name,
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
fn invented_id(name: &str) -> String {
    hex(&Sha256::digest(name)).chars().take(32).collect()
}
