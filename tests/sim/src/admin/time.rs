//! Admin calls: the clock and the switches.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, read};
use crate::{Behaviour, BehaviourChange, Control};

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
    let change: BehaviourChange = read(&body)?;
    control.configure(|behaviour| *behaviour = change.over(behaviour));
    Ok(Json(control.behaviour()))
}
