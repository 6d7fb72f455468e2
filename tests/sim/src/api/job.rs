//! `GET /v3/{project}/jobs?id=`, after the API page "Obtaining Information About a Task".

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Refused, Request};
use crate::answer::Answer;
use crate::behaviour::MissingJob;
use crate::state::{Job, State};
use crate::times::job_time;
use crate::world::World;

pub(super) fn show(
    world: &World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let id = request.parameter("id").filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Refused::bad_parameter("the parameter id is missing"))?;
    let missing = |status| Refused::dbs(status, "200543", "no job has this id");
    match (
        world.state.visible_job(&request.call.project, id, now),
        world.behaviour.missing_job,
    ) {
        (Some(job), _) => Ok(Answer::json(
            200,
            &json!({"job": describe(&world.state, job, now)}),
        )),
        (None, MissingJob::Code) => Err(missing(400)),
        (None, MissingJob::NotFound) => Err(missing(404)),
        (None, MissingJob::NullJob) => Ok(Answer::json(200, &json!({"job": null}))),
    }
}

/// `DELETE /v3/{project}/jobs/{job}`, after the API page "Deleting a Task Record": the record goes, the job goes on.
pub(super) fn delete_record(
    world: &mut World,
    request: &Request<'_>,
    now: Timestamp,
) -> Result<Answer, Refused> {
    let (project, id) = (&request.call.project, &request.call.job);
    let jobs = world.state.jobs.iter_mut();
    let job = jobs
        .filter(|job| job.project == *project && job.visible(now))
        .find(|job| job.id == *id);
    match job {
        Some(job) => {
            job.forgotten = true;
            Ok(Answer::json(200, &json!({})))
        }
        None => Err(Refused::dbs(400, "200543", "no job has this id")),
    }
}

fn describe(state: &State, job: &Job, now: Timestamp) -> Value {
    json!({
        "id": job.id,
        "name": job.name,
        "status": job.status(now),
        "created": job_time(job.accepted),
        "ended": job.ended(now).map(job_time).unwrap_or_default(),
        "process": job.process(now),
        "instance": {"id": job.instance, "name": state.instance_name(&job.instance)},
        "entities": {},
        "fail_reason": job.fail_reason(now),
    })
}
