//! What a sign-in says: by what it proves who it is, and what the token shall be good for.

use serde_json::{Value, json};

use crate::api::Refused;

/// A sign-in, read.
pub(super) struct SignIn {
    pub(super) proof: Proof,
    /// The project by id or by name, or none for a token without a project.
    pub(super) project: Option<(Option<String>, Option<String>)>,
}

/// By what a sign-in proves who it is.
pub(super) enum Proof {
    Password {
        domain: String,
        name: String,
        password: String,
    },
    /// Another token.
    Token(String),
}

impl SignIn {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refused> {
        let json: Value = serde_json::from_slice(body).map_err(|_| bad("the body is not JSON"))?;
        let methods = json.pointer("/auth/identity/methods");
        let proof = if methods == Some(&json!(["password"])) {
            Proof::Password {
                domain: required(&json, "auth.identity.password.user.domain.name")?,
                name: required(&json, "auth.identity.password.user.name")?,
                password: required(&json, "auth.identity.password.user.password")?,
            }
        } else if methods == Some(&json!(["token"])) {
            Proof::Token(required(&json, "auth.identity.token.id")?)
        } else {
            return Err(bad("auth.identity.methods is password or token here"));
        };
        let project = json.pointer("/auth/scope/project").is_some();
        let scope = |field| text(&json, &format!("auth.scope.project.{field}"));
        Ok(Self {
            proof,
            project: project.then(|| (scope("id"), scope("name"))),
        })
    }

    /// The method that is written into the token.
    pub(super) fn method(&self) -> &'static str {
        match self.proof {
            Proof::Password { .. } => "password",
            Proof::Token(_) => "token",
        }
    }
}

fn bad(message: &str) -> Refused {
    Refused::iam(400, "0011", message)
}

fn text(json: &Value, field: &str) -> Option<String> {
    let pointer = format!("/{}", field.replace('.', "/"));
    json.pointer(&pointer)?.as_str().map(str::to_owned)
}

fn required(json: &Value, field: &str) -> Result<String, Refused> {
    text(json, field).ok_or_else(|| bad(&format!("{field} is missing")))
}
