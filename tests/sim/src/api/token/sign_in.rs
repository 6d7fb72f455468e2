//! What a sign-in says: by what it proves who it is, and what the token shall be good for.

use serde_json::{Value, json};

use crate::api::Refused;

/// A sign-in, read.
pub(super) struct SignIn {
    pub(super) proof: Proof,
    /// None for a token without a project.
    pub(super) project: Option<AskedProject>,
}

/// A project that somebody asks for.
pub(in crate::api) struct AskedProject {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl AskedProject {
    /// The project of a sign-in's scope, if there is one.
    pub(in crate::api) fn of(json: &Value) -> Option<Self> {
        json.pointer("/auth/scope/project")?;
        Some(Self {
            id: text(json, "auth.scope.project.id"),
            name: text(json, "auth.scope.project.name"),
        })
    }
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
        Ok(Self {
            proof,
            project: AskedProject::of(&json),
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
