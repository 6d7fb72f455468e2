//! Admin calls: instances and proxies.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, patch};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done, read};
use crate::control::ProxyChange;
use crate::{Control, InstanceView, ProxyView};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceChange {
    status: Option<String>,
    present: Option<bool>,
    maintenance_window: Option<String>,
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/proxies/{id}", patch(change_proxy))
        .route("/instances/{id}", patch(change_instance))
        .route(
            "/maintenance",
            get(maintenance).post(maintain).delete(end_maintenance),
        )
}

async fn change_proxy(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<ProxyView>, Failure> {
    let change: ProxyChange = read(&body)?;
    control.change_proxy(&id, change)?;
    Ok(Json(control.proxy(&id)?))
}

async fn change_instance(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<InstanceView>, Failure> {
    let InstanceChange {
        status,
        present,
        maintenance_window,
    } = read(&body)?;
    if let Some(window) = maintenance_window {
        control.set_instance_window(&id, &window)?;
    }
    if let Some(status) = status {
        control.set_instance_status(&id, &status)?;
    }
    if let Some(present) = present {
        control.set_instance_present(&id, present)?;
    }
    Ok(Json(control.instance(&id)?))
}

async fn maintenance(State(control): State<Control>) -> Json<Value> {
    Json(json!({"maintenance": control.state().maintenance}))
}

async fn maintain(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    control.maintain(read(&body)?)?;
    Ok(done())
}

async fn end_maintenance(State(control): State<Control>) -> Json<Value> {
    control.end_maintenance();
    done()
}
