//! Admin calls: jobs and their courses.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, post, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done, read};
use crate::{Control, JobOutcome, JobPlan};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherWork {
    name: String,
    #[serde(default)]
    plan: JobPlan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextPlan {
    proxy: Option<String>,
    plan: JobPlan,
}

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/instances/{id}/jobs", post(start))
        .route("/jobs/{id}", delete(forget))
        .route("/jobs/{id}/end", post(end))
        .route("/plans/default", put(set_default))
        .route("/plans/next", post(add_next))
}

async fn start(
    State(control): State<Control>,
    Path(instance): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let OtherWork { name, plan } = read(&body)?;
    let id = control.start_job(&instance, &name, plan)?;
    Ok(Json(json!({"id": id})))
}

async fn end(
    State(control): State<Control>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Failure> {
    let outcome: JobOutcome = read(&body)?;
    control.end_job(&id, outcome)?;
    Ok(done())
}

async fn forget(
    State(control): State<Control>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failure> {
    control.forget_job(&id)?;
    Ok(done())
}

async fn set_default(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    control.default_job(read(&body)?);
    Ok(done())
}

async fn add_next(State(control): State<Control>, body: Bytes) -> Result<Json<Value>, Failure> {
    let NextPlan { proxy, plan } = read(&body)?;
    match proxy {
        Some(proxy) => {
            control.proxy(&proxy)?; // a plan for nobody would wait for ever
            control.next_job_of(&proxy, plan);
        }
        None => control.next_job(plan),
    }
    Ok(done())
}
