//! Admin calls: the clock and the switches.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, read};
use crate::{Behaviour, Control};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(with = "crate::seconds")]
    seconds: Duration,
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/clock", get(clock))
        .route("/clock/advance", post(advance))
        .route("/behaviour", get(behaviour).patch(configure))
        .route("/state", get(state))
}

async fn clock(State(control): State<Control>) -> Json<Value> {
    Json(json!({"now": control.now(), "time": control.time()}))
}

async fn advance(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let Step { seconds } = read(&body)?;
    control.advance(seconds)?;
    Ok(clock(State(control)).await)
}

async fn state(State(control): State<Control>) -> Json<crate::StateView> {
    Json(control.state())
}

async fn behaviour(State(control): State<Control>) -> Json<Behaviour> {
    Json(control.behaviour())
}

/// Puts what was sent over what stands.
async fn configure(
    State(control): State<Control>,
    body: Bytes,
) -> Result<Json<Behaviour>, Failure> {
    let changes: serde_json::Map<String, Value> = read(&body)?;
    let wrong = |error: serde_json::Error| Failure::bad(error.to_string());
    let mut merged = serde_json::to_value(control.behaviour()).map_err(wrong)?;
    if let Some(switches) = merged.as_object_mut() {
        switches.extend(changes);
    }
    let merged: Behaviour = serde_json::from_value(merged).map_err(wrong)?;
    control.configure(|behaviour| behaviour.clone_from(&merged));
    Ok(Json(merged))
}
