//! Admin calls: tokens and connections.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{post, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done, read, read_or_default};
use crate::Control;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Whose {
    credential: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WhoseAndWhen {
    credential: Option<String>,
    #[serde(with = "crate::seconds")]
    seconds: Duration,
}

/// Has no `Debug`, as it holds secrets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySecrets {
    secret: String,
    security_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForHowLong {
    #[serde(with = "crate::seconds")]
    seconds: Duration,
}

/// Has no `Debug`, as it holds a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/tokens/revoke", post(revoke))
        .route("/tokens/expire", post(expire))
        .route("/access-keys/{id}", put(set_key).delete(remove_key))
        .route("/access-keys/{id}/block", post(block_key))
        .route("/users/{domain}/{name}/password", put(set_password))
        .route("/users/{domain}/{name}/lock", post(lock_user))
        .route("/connections/close-idle", post(close_idle))
}

async fn revoke(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let Whose { credential } = read_or_default(&body)?;
    Ok(Json(
        json!({"tokens": control.revoke_tokens(credential.as_deref())}),
    ))
}

async fn expire(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let WhoseAndWhen {
        credential,
        seconds,
    } = read_or_default(&body)?;
    Ok(Json(
        json!({"tokens": control.expire_tokens(credential.as_deref(), seconds)}),
    ))
}

async fn close_idle(State(control): State<Control>) -> Json<Value> {
    Json(json!({"connections": control.close_idle_connections()}))
}

async fn set_key(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let KeySecrets {
        secret,
        security_token,
    } = read(&body)?;
    match security_token {
        Some(token) => control.set_temporary_key(&id, &secret, &token),
        None => control.set_access_key(&id, &secret),
    }
    Ok(done())
}

async fn remove_key(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    control.remove_access_key(&id)?;
    Ok(done())
}

async fn block_key(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let ForHowLong { seconds } = read(&body)?;
    control.block_access_key(&id, seconds)?;
    Ok(done())
}

async fn set_password(
    State(control): State<Control>,
    Path((domain, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let Password { password } = read(&body)?;
    control.set_password(&domain, &name, &password)?;
    Ok(done())
}

async fn lock_user(
    State(control): State<Control>,
    Path((domain, name)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let ForHowLong { seconds } = read(&body)?;
    control.lock_user(&domain, &name, seconds)?;
    Ok(done())
}
