//! The verbs that change a resource: `approve`, `apply-now`, `retry`, `suspend`, `resume`, `abandon-job`.
//!
//! They write annotations and one field, nothing else, under a field manager of their own. Promises to leave to Git what Git sets:
//! a field or an annotation that another applier owns is not touched without `--force-conflicts`. Changes of `status` are the operator's alone.

mod approval;
mod asked;
#[cfg(test)]
mod stub;
mod targets;
mod waiting;

use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde::Serialize;
use serde_json::{Value, json};
use taurus_port_operator::{
    crd::{ABANDON_JOB, REQUESTED_AT},
    model::JobId,
};

use crate::{
    Ending,
    cli::{AbandonArguments, Format, Global, RetryArguments, Switch},
    cluster::{Cluster, kind},
    confirm::agreed,
    failure::Failure,
    format::{self, tame},
    resource::{
        annotated,
        owners::{self, MANAGER},
        text_at,
    },
    surroundings::Surroundings,
};
pub use approval::{apply_now, approve};
use asked::Asked;
use targets::{After, Target};
use waiting::{Answers, Reading};

/// So often it is tried anew where the operator has written something else meanwhile.
const TRIES: usize = 5;

/// What became of one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Outcome {
    namespace: String,
    name: String,
    /// What was done, or why nothing was.
    message: String,
    /// Whether it was refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    failed: bool,
}

impl Outcome {
    fn line(&self) -> String {
        format!("{}/{}: {}\n", self.namespace, self.name, self.message)
    }
}

/// Asks the operator to look now, and to try again what it has given up; waits until it has looked, where that is asked for.
pub async fn retry(
    global: &Global,
    arguments: &RetryArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let targets = Target::all(&cluster, &arguments.targets).await?;
    let kept =
        |target: &Target| owners::refusal(&target.object, REQUESTED_AT, arguments.force_conflicts);
    let free: Vec<&Target> = targets
        .iter()
        .filter(|target| kept(target).is_none())
        .collect();
    targets::ask_where_cut(After::Retry, &free, arguments.targets.yes, around)?;
    let now = (around.now)();
    let asked = Asked {
        after: After::Retry,
        now,
        yes: arguments.targets.yes,
    };
    let patch = json!({"metadata": {"annotations": {REQUESTED_AT: now.to_string()}}});
    let mut written = Vec::new();
    for target in &targets {
        let done = match kept(target) {
            Some(refusal) => Err(refusal),
            None => asked.merge(&cluster, target, &patch).await,
        };
        written.push((target, done));
    }
    let reading = if arguments.targets.all {
        Reading::ByList
    } else {
        Reading::ByName
    };
    let mut answers = match arguments.wait {
        Some(limit) => {
            let asked = written.iter().filter(|(_, done)| done.is_ok());
            let asked: Vec<&Target> = asked.map(|(target, _)| *target).collect();
            Some(Answers::within(limit, &cluster, &asked, reading, &now.to_string()).await)
        }
        None => None,
    };
    let mut said = |target: &Target| match &mut answers {
        Some(answers) => answers.of(target),
        None => Ok("asked for a look".to_owned()),
    };
    let outcomes = written.into_iter();
    let outcomes = outcomes.map(|(target, done)| target.outcome(done.and_then(|()| said(target))));
    let outcomes: Vec<Outcome> = outcomes.collect();
    told(global, &outcomes, around)
}

/// Keeps changes from starting.
pub async fn suspend(
    global: &Global,
    arguments: &Switch,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let targets = Target::all(&cluster, &arguments.targets).await?;
    let mut outcomes = Vec::new();
    for target in &targets {
        let done = if target.summary.suspended {
            Ok(format!("is suspended already{}", at_work(&target.object)))
        } else {
            let done = apply_suspend(&cluster, target, arguments.force_conflicts).await;
            done.map(|()| {
                format!(
                    "suspended: no further change starts{}",
                    at_work(&target.object)
                )
            })
        };
        outcomes.push(target.outcome(done));
    }
    told(global, &outcomes, around)
}

/// What is said of a change that is at work, which goes on.
fn at_work(object: &DynamicObject) -> String {
    let Some(change) = object.data.pointer("/status/change") else {
        return String::new();
    };
    let port = |name: &str| {
        let port = change.get(name).and_then(Value::as_u64);
        port.map_or_else(|| "?".to_owned(), |port| port.to_string())
    };
    let job = text_at(change, "/jobID").map(|job| format!(" (job {job})"));
    format!(
        "; the change from port {} to {}{} that is at work is not stopped",
        port("fromPort"),
        port("toPort"),
        job.unwrap_or_default()
    )
}

/// Lets changes start again.
pub async fn resume(
    global: &Global,
    arguments: &Switch,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let targets = Target::all(&cluster, &arguments.targets).await?;
    let yes = arguments.targets.yes;
    let kept = |target: &Target| {
        let appliers = owners::appliers_of(&target.object, "suspend");
        (!appliers.is_empty() && !arguments.force_conflicts).then(|| {
            format!(
                "spec.suspend is set by {}, which would set it again: take it out there, or give --force-conflicts",
                appliers.join(" and ")
            )
        })
    };
    let free = targets.iter();
    let free = free.filter(|target| target.summary.suspended && kept(target).is_none());
    let free: Vec<&Target> = free.collect();
    targets::ask_where_cut(After::Resume, &free, yes, around)?;
    let asked = Asked {
        after: After::Resume,
        now: (around.now)(),
        yes,
    };
    let mut outcomes = Vec::new();
    for target in &targets {
        let done = if !target.summary.suspended {
            Ok("is not suspended".to_owned())
        } else if let Some(refusal) = kept(target) {
            Err(refusal)
        } else {
            let patch = json!({"spec": {"suspend": null}});
            let done = asked.merge(&cluster, target, &patch).await;
            done.map(|()| "resumed".to_owned())
        };
        outcomes.push(target.outcome(done));
    }
    told(global, &outcomes, around)
}

/// Tells the operator to wait no longer for a job, or takes that back.
pub async fn abandon_job(
    global: &Global,
    arguments: &AbandonArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    let target = Target::of(cluster.get(&arguments.name).await?);
    let given = annotated(&target.object, ABANDON_JOB);
    let kept = owners::refusal(&target.object, ABANDON_JOB, arguments.force_conflicts);
    let (value, said) = if arguments.remove {
        let Some(given) = given else {
            let said = "has no job that is given up: nothing was changed".to_owned();
            return told(global, &[target.outcome(Ok(said))], around);
        };
        if let Some(refusal) = kept {
            return told(global, &[target.outcome(Err(refusal))], around);
        }
        (Value::Null, format!("waits for job {} again", tame(&given)))
    } else {
        let job = job_to_give_up(&target, arguments)?;
        if given.as_ref() == Some(&job) {
            let said = format!("job {job} is given up already");
            return told(global, &[target.outcome(Ok(said))], around);
        }
        if let Some(refusal) = kept {
            return told(global, &[target.outcome(Err(refusal))], around);
        }
        let before = given.filter(|given| !given.is_empty());
        let before = before.map(|given| {
            format!(
                "\nIt will wait for job {} again, which is given up now.",
                tame(&given)
            )
        });
        let unknown = !names_job(&target.object.data, &job);
        let unknown = unknown.then_some("the status of the resource names no such job");
        let doubt = unknown.map(|said| format!("\nCompare the id: {said}."));
        let doubt = doubt.unwrap_or_default();
        let question = format!(
            "{}: the operator will wait no longer for job {job}, and begin other changes on the instance.{}{doubt}\n\
             If the job still works in the cloud, two changes may be at work at once. First look into the cloud's task center.",
            target.named(),
            before.unwrap_or_default()
        );
        agreed(&question, arguments.yes, around)?;
        let doubt = unknown.map(|said| format!(", though {said}"));
        let doubt = doubt.unwrap_or_default();
        let said = format!(
            "job {job} is given up{doubt}; take it back with --remove once it has left the task list"
        );
        (Value::String(job), said)
    };
    let patch = json!({"metadata": {"annotations": {ABANDON_JOB: value}}});
    let done = merge(&cluster, &target, &patch).await;
    told(global, &[target.outcome(done.map(|()| said))], around)
}

/// Whether the status has the id of a job: as that of a change, or as a word of a message, such as that of `ProxyBusy`.
fn names_job(data: &Value, job: &str) -> bool {
    fn holds(value: &Value, job: &str) -> bool {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        match value {
            Value::String(text) => text.match_indices(job).any(|(at, found)| {
                let (before, rest) = text.split_at(at);
                let after = rest.strip_prefix(found).unwrap_or_default();
                !before.ends_with(is_part) && !after.starts_with(is_part)
            }),
            Value::Array(items) => items.iter().any(|item| holds(item, job)),
            Value::Object(fields) => fields.values().any(|field| holds(field, job)),
            _ => false,
        }
    }
    data.get("status").is_some_and(|status| holds(status, job))
}

/// Whether a text has the shape of a job's id: the documented ones are UUIDs, and none has a blank.
fn is_id(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_graphic();
    text.chars().all(fits) && text.chars().any(|letter| letter.is_ascii_alphanumeric())
}

/// The job that is named, as far as it can be the id of one, or that of the resource's own change.
fn job_to_give_up(target: &Target, arguments: &AbandonArguments) -> Result<String, Failure> {
    let Some(named) = &arguments.job else {
        return text_at(&target.object.data, "/status/change/jobID").ok_or_else(|| {
            Failure::Usage(format!(
                "{} has no job in progress: name the job with --job, as it stands in the message of ProxyBusy",
                target.named()
            ))
        });
    };
    let job = JobId::parse(named).map(|job| job.as_str().to_owned());
    let job = job.filter(|job| is_id(job));
    job.ok_or_else(|| {
        Failure::Usage(format!(
            "--job {:?} is no id of a job: give the one that stands in the message of ProxyBusy",
            tame(named)
        ))
    })
}

async fn merge(cluster: &Cluster, target: &Target, patch: &Value) -> Result<(), String> {
    let patched = patched(cluster, target, patch, false).await;
    patched.map_err(|error| why(&error))
}

async fn patched(
    cluster: &Cluster,
    target: &Target,
    patch: &Value,
    dry_run: bool,
) -> Result<(), kube::Error> {
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        dry_run,
        ..PatchParams::default()
    };
    let patch = Patch::Merge(patch);
    let patched = api(cluster, target)
        .patch(&target.summary.name, &parameters, &patch)
        .await;
    patched.map(drop)
}

/// By server-side apply, which refuses where somebody else applies another value.
async fn apply_suspend(cluster: &Cluster, target: &Target, force: bool) -> Result<(), String> {
    let kind = kind();
    let patch = json!({
        "apiVersion": kind.api_version, "kind": kind.kind,
        "metadata": {"name": target.summary.name, "namespace": target.summary.namespace},
        "spec": {"suspend": true},
    });
    let mut parameters = PatchParams::apply(MANAGER);
    parameters.force = force;
    let patch = Patch::Apply(patch);
    let patched = api(cluster, target)
        .patch(&target.summary.name, &parameters, &patch)
        .await;
    match patched {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            let causes: Vec<&str> = causes.map(|cause| cause.message.as_str()).collect();
            Err(format!(
                "spec.suspend is set by somebody else ({}), who would set it back: set it there, or give --force-conflicts",
                causes.join("; ")
            ))
        }
        Err(error) => Err(why(&error)),
    }
}

fn api(cluster: &Cluster, target: &Target) -> Api<DynamicObject> {
    cluster.resources_of(&target.summary.namespace)
}

fn why(error: &kube::Error) -> String {
    Failure::kubernetes("", error)
        .to_string()
        .trim_start_matches(": ")
        .to_owned()
}

fn told(
    global: &Global,
    outcomes: &[Outcome],
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    match global.output {
        Some(Format::Json) => around.out.write_all(format::json(&outcomes)?.as_bytes())?,
        Some(Format::Yaml) => around.out.write_all(format::yaml(&outcomes)?.as_bytes())?,
        Some(Format::Name) => {
            for outcome in outcomes {
                if outcome.failed {
                    around.err.write_all(outcome.line().as_bytes())?;
                } else {
                    around
                        .out
                        .write_all(format::resource_line(&outcome.name).as_bytes())?;
                }
            }
        }
        None | Some(Format::Wide) => {
            for outcome in outcomes {
                let stream = if outcome.failed {
                    &mut *around.err
                } else {
                    &mut *around.out
                };
                stream.write_all(outcome.line().as_bytes())?;
            }
        }
    }
    Ok(if outcomes.iter().all(|outcome| !outcome.failed) {
        Ending::Done
    } else {
        Ending::Faults
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_where_its_whole_id_stands_in_the_status() {
        let data = json!({"spec": {"approvedPlan": "job-1"}, "status": {
            "change": {"jobID": "job-7"},
            "conditions": [{"message": "job 5a2f works at the instance; job_8."}],
        }});
        for (job, named) in [
            ("job-7", true),
            ("5a2f", true),
            ("job_8", true),
            ("job-1", false),
            ("job", true),
            ("5a2", false),
            ("2f", false),
            ("ob-7", false),
        ] {
            assert_eq!(names_job(&data, job), named, "{job}");
        }
    }

    #[test]
    fn a_text_with_blanks_is_no_id() {
        assert!(is_id("3f1c8a52-0d9e-4b7a-9c1e-77d0b1a2c3d4") && is_id("job-7"));
        for text in ["a b", "---", "größe", "a\u{7}", ""] {
            assert!(!is_id(text), "{text:?}");
        }
    }
}
