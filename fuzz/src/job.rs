//! A job: it is the one that was asked for, and it has ended only where a known word says so.

use taurus_port_operator::{
    cloud::wire::{self, WireError},
    model::{JobId, JobState},
};

use crate::look;

const ASKED: &str = "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541";
const FAILED: [&str; 3] = ["failed", "canceled", "cancelled"];

/// Checks a body.
pub fn check(input: &[u8]) -> bool {
    let body = look::body(input);
    let asked = JobId::parse(ASKED).expect("an id");
    let read = wire::job(&body, &asked);
    let Ok(job) = &read else {
        if read == Err(WireError::NoJob) {
            let json = look::json(&body);
            assert!(
                json.is_none_or(|json| json.get("job").is_some_and(serde_json::Value::is_null))
            );
        }
        return false;
    };
    let Some(json) = look::json(&body) else {
        return true;
    };
    let row = &json["job"];
    if let Some(id) = look::id(&row["id"]) {
        assert!(id.eq_ignore_ascii_case(ASKED), "the job is another one");
    }
    let status = &row["status"];
    assert_eq!(
        job.state == JobState::Completed,
        look::says(status, "completed"),
        "{status}"
    );
    assert_eq!(
        matches!(job.state, JobState::Failed(_)),
        FAILED.iter().any(|word| look::says(status, word)),
        "{status}"
    );
    assert_eq!(
        job.fail_reason.as_deref(),
        look::word(&row["fail_reason"]),
        "a reason is passed on whole"
    );
    if job.ended.is_some() {
        assert!(look::word(&row["ended"]).is_some());
    }
    assert_eq!(wire::job(&json.to_string(), &asked), read);
    true
}
