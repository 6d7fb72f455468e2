//! Look-ups of IAM: the caller's account (`GET /v3/auth/domains`), its users (`GET /v3/users?name=`), and the projects
//! (`GET /v3/projects?name=`), after IAM's pages of the same names. Which projects an account may use isn't told apart:
//! here it is all.

use serde_json::{Value, json};

use super::token::invented_id;
use super::{Refused, Request};
use crate::answer::Answer;
use crate::auth::{Denied, Identity};
use crate::operation::Operation;
use crate::world::World;

pub(super) fn look_up(
    world: &World,
    request: &Request<'_>,
    identity: &Result<Identity, Denied>,
) -> Result<Answer, Refused> {
    let account = &identity.as_ref().map_err(Refused::denied_by_iam)?.account;
    let wanted = |name: &&str| {
        request
            .parameter("name")
            .is_none_or(|wanted| wanted == *name)
    };
    let (kind, found): (_, Vec<Value>) = match request.call.operation {
        Operation::Domains => ("domains", vec![domain(account)]),
        Operation::Users => {
            let names = world.gatekeeper.users.of(account).filter(wanted);
            ("users", names.map(|name| user(account, name)).collect())
        }
        Operation::Projects => {
            let projects = world.state.projects.iter();
            let wanted = projects.filter(|(_, name)| wanted(&&***name));
            let found = wanted.map(|(id, name)| project(account, id, name));
            ("projects", found.collect())
        }
        _ => return Err(Refused::no_such_api()),
    };
    Ok(Answer::json(
        200,
        &json!({kind: found, "links": links(kind)}),
    ))
}

fn domain(account: &str) -> Value {
    let id = invented_id(account);
    json!({
        "id": id,
        "name": account,
        "description": "",
        "enabled": true,
        "links": links(&format!("domains/{id}")),
    })
}

fn user(account: &str, name: &str) -> Value {
    let id = invented_id(&format!("{account}/{name}"));
    json!({
        "id": id,
        "name": name,
        "domain_id": invented_id(account),
        "description": "",
        "enabled": true,
        "password_expires_at": null,
        "pwd_status": true,
        "links": links(&format!("users/{id}")),
    })
}

fn project(account: &str, id: &str, name: &str) -> Value {
    let domain = invented_id(account);
    json!({
        "id": id,
        "name": name,
        "domain_id": domain,
        "parent_id": domain,
        "is_domain": false,
        "description": "",
        "enabled": true,
        "links": links(&format!("projects/{id}")),
    })
}

fn links(path: &str) -> Value {
    let own = format!("https://iam.sim.invalid/v3/{path}");
    json!({"self": own, "previous": null, "next": null})
}
