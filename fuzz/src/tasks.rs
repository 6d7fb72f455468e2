//! The task list: no row is lost, and none that can't be read passes for a finished one or for another instance's.

use serde_json::Value;
use taurus_port_operator::cloud::{Task, wire};

use crate::look;

const ENDS: [&str; 4] = ["completed", "failed", "canceled", "cancelled"];

/// What tells rows apart.
const TELLING: [&str; 7] = [
    "job_id",
    "job_name",
    "instance_id",
    "status",
    "created_time",
    "ended_time",
    "order_id",
];

/// Checks a body.
pub fn check(input: &[u8]) -> bool {
    let body = look::body(input);
    let Ok(page) = wire::tasks(&body) else {
        return false;
    };
    let Some(json) = look::json(&body) else {
        return true;
    };
    let rows = json["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(page.rows.len(), rows.len(), "every row counts");
    for (row, (key, task)) in rows.iter().zip(&page.rows) {
        check_row(row, key, task);
    }
    for (row, (key, _)) in rows.iter().zip(&page.rows) {
        for (other, (other_key, _)) in rows.iter().zip(&page.rows) {
            assert!(
                key != other_key || same_job(row, other),
                "{row} is dropped for {other}"
            );
        }
    }
    if rows.is_empty() && json["jobs"].is_null() {
        assert_eq!(page.total, Some(0), "no list is no empty list");
    }
    let anew = wire::tasks(&json.to_string()).expect("the same values are understood again");
    let tasks = |page: &wire::TaskPage| -> Vec<Task> {
        page.rows.iter().map(|(_, task)| task.clone()).collect()
    };
    assert_eq!(tasks(&anew), tasks(&page));
    !rows.is_empty()
}

fn check_row(row: &Value, key: &str, task: &Task) {
    assert_eq!(
        task.state.is_finished(),
        ENDS.iter().any(|end| look::says(&row["status"], end)),
        "{}",
        row["status"]
    );
    if let Some(job) = &task.job {
        assert_eq!(look::id(&row["job_id"]).as_deref(), Some(job.as_str()));
        assert_eq!(key, job.as_str());
    }
    if let Some(instance) = &task.instance {
        assert!(look::says(&row["instance_id"], instance.as_str()));
    }
    if task.ended.is_some() {
        assert!(look::word(&row["ended_time"]).is_some());
    }
}

/// Rows that name no job are one where they differ in nothing of which something is said.
fn same_job(row: &Value, other: &Value) -> bool {
    let said = |row: &Value| TELLING.map(|field| row.get(field).cloned());
    said(row) == said(other) || look::id(&row["job_id"]) == look::id(&other["job_id"])
}
