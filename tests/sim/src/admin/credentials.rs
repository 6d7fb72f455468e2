//! Admin calls: tokens and connections.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, read_or_default};
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

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/tokens/revoke", post(revoke))
        .route("/tokens/expire", post(expire))
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
