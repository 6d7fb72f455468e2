//! `GET /v3/{project}/immediate-jobs`, after the API page "Querying Instant Tasks". Newest first (not documented).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::state::{Job, JobState, PORT_CHANGE, State};
use crate::times::job_time;
use crate::world::World;

const LIMITS: [usize; 3] = [10, 20, 50];

pub(super) fn list(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let wanted = Wanted::read(request)?;
    let offset = request.number("offset")?;
    if offset == Some(0) && world.behaviour.refuses_task_offset_0 {
        return Err(Refused::bad_parameter("offset is a number from 1"));
    }
    let limit = request.number("limit")?.unwrap_or(10);
    if !LIMITS.contains(&limit) {
        return Err(Refused::bad_parameter("limit is 10, 20 or 50"));
    }
    let project = &request.call.project;
    let jobs = world
        .state
        .jobs
        .iter()
        .rev()
        .filter(|job| job.project == *project && job.visible(now));
    let fitting: Vec<&Job> = jobs.filter(|job| wanted.fits(job, now)).collect();
    let skipped = world.behaviour.task_offset.skipped(offset, limit);
    let page = fitting
        .iter()
        .skip(skipped)
        .take(limit.min(request.page_cap.unwrap_or(limit)));
    let rows: Vec<Value> = page.map(|job| row(&world.state, job, now)).collect();
    Ok(Answer::json(
        200,
        &json!({"jobs": rows, "total_count": fitting.len(), "action_names": [PORT_CHANGE]}),
    ))
}

/// The filters of the query.
struct Wanted<'a> {
    status: Option<JobState>,
    name: Option<&'a str>,
    id: Option<&'a str>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl<'a> Wanted<'a> {
    fn read(request: &'a Request<'_>) -> Result<Self, Refused> {
        let known = |word| {
            JobState::parse(word)
                .ok_or_else(|| Refused::bad_parameter("status is not a task's status"))
        };
        Ok(Self {
            status: request.parameter("status").map(known).transpose()?,
            name: request.parameter("job_name"),
            id: request.parameter("job_id"),
            from: request.instant("start_time")?,
            to: request.instant("end_time")?,
        })
    }

    fn fits(&self, job: &Job, now: Timestamp) -> bool {
        // Times in the answer and in the query are whole seconds.
        let created = job.accepted.as_second();
        self.status.is_none_or(|status| status == job.state(now))
            && self.name.is_none_or(|name| name == job.name)
            && self.id.is_none_or(|id| id == job.id)
            && self.from.is_none_or(|from| from.as_second() <= created)
            && self.to.is_none_or(|to| created <= to.as_second())
    }
}

fn row(state: &State, job: &Job, now: Timestamp) -> Value {
    json!({
        "instance_id": job.instance,
        "instance_name": state.instance_name(&job.instance),
        "instance_status": instance_status(state, job, now),
        "job_id": job.id,
        "order_id": "",
        "job_name": job.name,
        "status": job.status(now),
        "process": job.process(now),
        "created_time": job_time(job.accepted),
        "ended_time": job.ended(now).map(job_time).unwrap_or_default(),
        "fail_reason": job.fail_reason(now),
        "show_detail": false,
        "extend_fields": null,
    })
}

/// The task list has words of its own for the status of an instance.
fn instance_status(state: &State, job: &Job, now: Timestamp) -> &'static str {
    match state.instance(&job.instance, now) {
        None => "deleted",
        Some(instance) => match state.instance_status(instance, now) {
            "BUILD" => "creating",
            "FAILED" => "createfail",
            "ABNORMAL" | "FROZEN" => "abnormal",
            _ => "normal",
        },
    }
}
