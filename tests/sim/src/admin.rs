//! The controls over HTTP, in JSON, under `/_sim/`. Calls are not in the journal.
//! What there is, is in `admin.md`, a part of the crate's documentation.

mod credentials;
mod faults;
mod fleet;
mod groups;
mod jobs;
mod journal;
mod time;
mod wire;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::response::IntoResponse;
use axum::routing::get;

use crate::Control;
use wire::Failure;

/// Where the admin API lives; nothing of the cloud's begins like this.
pub(crate) const PREFIX: &str = "/_sim";

const MANUAL: &str = include_str!("admin.md");

pub(crate) fn router(control: Control) -> Router {
    let calls = Router::new()
        .merge(journal::routes())
        .merge(time::routes())
        .merge(fleet::routes())
        .merge(groups::routes())
        .merge(jobs::routes())
        .merge(faults::routes())
        .merge(credentials::routes());
    Router::new()
        .route(PREFIX, get(MANUAL))
        .route("/_sim/", get(MANUAL))
        .nest(PREFIX, calls)
        .fallback(async || Failure::not_found("no such admin call; GET /_sim/ lists them"))
        .method_not_allowed_fallback(async || Failure::method_not_allowed())
        .with_state(control)
}

/// The answer to callers from other machines.
pub(crate) fn forbidden() -> Response<Body> {
    Failure::forbidden().into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::MANUAL;
    use crate::{Chaos, Effect, Fault, JobOutcome, JobPlan, Maintenance, PortListens};

    #[test]
    fn what_the_manual_shows_can_be_read() {
        let mut blocks = MANUAL
            .split("```json\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap());
        let plan: JobPlan = serde_json::from_str(blocks.next().unwrap()).unwrap();
        assert_eq!(plan.end_word, Some("COMPLETED".into()));
        let early = PortListens::Before(Duration::from_secs(5));
        assert_eq!(plan.port_listens, early);
        let fault: Fault = serde_json::from_str(blocks.next().unwrap()).unwrap();
        assert_eq!(fault.times, Some(1));
        let effects: Vec<Effect> = serde_json::from_str(blocks.next().unwrap()).unwrap();
        assert_eq!(effects.len(), 20);
        let chaos: Chaos = serde_json::from_str(blocks.next().unwrap()).unwrap();
        assert_eq!(chaos, Chaos::default());
        let maintenance: Maintenance = serde_json::from_str(blocks.next().unwrap()).unwrap();
        assert!(maintenance.present);
        assert_eq!(blocks.next(), None);

        let outcomes = MANUAL
            .lines()
            .find_map(|line| line.strip_prefix("Outcomes: "))
            .unwrap();
        for outcome in outcomes
            .split("`, `")
            .map(|text| text.trim_matches(['`', '.']))
        {
            assert!(
                serde_json::from_str::<JobOutcome>(outcome).is_ok(),
                "{outcome}"
            );
        }
    }
}
