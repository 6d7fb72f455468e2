//! Admin calls: faults.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done, read, read_or_default};
use crate::{Chaos, Control, Fault, FaultId};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Which {
    id: Option<FaultId>,
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/faults", get(list).post(add).delete(clear))
        .route("/faults/release", post(release))
        .route("/faults/{id}", delete(remove))
        .route("/chaos", get(chaos).put(set_chaos).delete(end_chaos))
}

async fn list(State(control): State<Control>) -> Json<Value> {
    Json(json!({"faults": control.faults()}))
}

async fn add(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let fault: Fault = read(&body)?;
    Ok(Json(json!({"id": control.inject(fault)})))
}

async fn clear(State(control): State<Control>) -> Json<Value> {
    control.clear_faults();
    done()
}

async fn remove(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let id = id
        .parse()
        .map_err(|_| Failure::bad("a fault's id is a number"))?;
    control.remove_fault(FaultId(id))?;
    Ok(done())
}

async fn release(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    match read_or_default(&body)? {
        Which { id: Some(id) } => control.release(id)?,
        Which { id: None } => control.release_all(),
    }
    Ok(done())
}

async fn chaos(State(control): State<Control>) -> Json<Value> {
    Json(json!({"chaos": control.chaos()}))
}

async fn set_chaos(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let profile: Chaos = read_or_default(&body)?;
    control
        .set_chaos(Some(profile))
        .map_err(|error| Failure::bad(error.to_string()))?;
    Ok(chaos(State(control)).await)
}

async fn end_chaos(State(control): State<Control>) -> Result<Json<Value>, Failure> {
    control
        .set_chaos(None)
        .map_err(|error| Failure::bad(error.to_string()))?;
    Ok(done())
}
