//! Admin calls: the journal.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::routing::get;
use serde_json::{Value, json};

use super::wire::{Failure, Json, done};
use crate::auth::query_pairs;
use crate::{Control, Filter};

pub(super) fn routes() -> Router<Control> {
    Router::new().route("/journal", get(list).delete(clear))
}

async fn list(
    State(control): State<Control>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Failure> {
    let filter = read_filter(query.as_deref().unwrap_or_default())?;
    Ok(Json(json!({"entries": control.entries(&filter)})))
}

async fn clear(State(control): State<Control>) -> Json<Value> {
    control.clear_journal();
    done()
}

fn read_filter(query: &str) -> Result<Filter, Failure> {
    let mut filter = Filter::all();
    for (name, value) in query_pairs(query) {
        filter = match &*name {
            "operation" => {
                let operation = serde_json::from_value(json!(value))
                    .map_err(|error| Failure::bad(error.to_string()))?;
                filter.operation(operation)
            }
            "instance" => filter.instance(&value),
            "proxy" => filter.proxy(&value),
            "credential" => filter.credential(&value),
            "since" => filter.since(
                value
                    .parse()
                    .map_err(|_| Failure::bad("since is the number of an entry"))?,
            ),
            _ => return Err(Failure::bad(format!("there is no filter {name:?}"))),
        };
    }
    Ok(filter)
}
