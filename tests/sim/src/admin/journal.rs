//! Admin calls: the journal.

use std::str::FromStr;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done};
use crate::auth::query_pairs;
use crate::{Control, Filter};

pub(super) fn routes() -> Router<Control> {
    Router::new()
        .route("/journal", get(list).delete(clear))
        .route("/journal/export", get(export))
}

async fn list(
    State(control): State<Control>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Failure> {
    let filter = read_filter(query.as_deref().unwrap_or_default())?;
    Ok(Json(json!({"entries": control.entries(&filter)})))
}

async fn export(
    State(control): State<Control>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Failure> {
    let filter = read_filter(query.as_deref().unwrap_or_default())?;
    let kind = [(CONTENT_TYPE, "application/jsonl")];
    Ok((kind, control.export_journal(&filter)))
}

async fn clear(State(control): State<Control>) -> Json<Value> {
    control.clear_journal();
    done()
}

fn read_filter(query: &str) -> Result<Filter, Failure> {
    let mut filter = Filter::all();
    for (name, value) in query_pairs(query) {
        filter = match &*name {
            "operation" => filter.operation(word(&name, &value)?),
            "instance" => filter.instance(&value),
            "proxy" => filter.proxy(&value),
            "credential" => filter.credential(&value),
            "since" => filter.since(parsed(&name, &value)?),
            "outcome" => filter.outcome(word(&name, &value)?),
            "status" => filter.status(parsed(&name, &value)?),
            "work_done" => filter.work_done(parsed(&name, &value)?),
            _ => return Err(Failure::bad(format!("there is no filter {name:?}"))),
        };
    }
    Ok(filter)
}

/// A value that is one of some words.
fn word<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Failure> {
    serde_json::from_value(json!(value)).map_err(|error| Failure::bad(format!("{name}: {error}")))
}

/// A number, `true` or `false`.
fn parsed<T: FromStr>(name: &str, value: &str) -> Result<T, Failure> {
    value
        .parse()
        .map_err(|_| Failure::bad(format!("{name} can't be {value:?}")))
}
