//! Admin calls: rules of security groups.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, get};
use serde_json::{Value, json};

use super::wire::{Failure, Json, done, read};
use crate::{Control, GroupRule};

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/security-group-rules", get(list).post(add))
        .route("/security-group-rules/{id}", delete(remove))
}

async fn list(State(control): State<Control>) -> Json<Value> {
    Json(json!({"security_group_rules": control.group_rules()}))
}

async fn add(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let rule: GroupRule = read(&body)?;
    Ok(Json(json!({"id": control.add_group_rule(rule)})))
}

async fn remove(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    control.delete_group_rule(&id)?;
    Ok(done())
}
