//! Job ids that could not be put on record at once.
//!
//! Promises that each is tried for as long as this process lives, also while it stops or has been deposed, and that people hear
//! of one for which there is no place any more. Reconciles go on meanwhile: they know the job from memory.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::{
        context::Context,
        events::{Kind, News},
        journal::JournalError,
    },
    crd::TaurusProxyPort,
    model::JobId,
    plan::record::Change,
};

/// Puts the job of a change of `object` on record, in the background.
pub(super) fn save(
    context: &Context,
    object: &TaurusProxyPort,
    change: &Change,
    job: &JobId,
    accepted: Timestamp,
) {
    let journal = context.journal.clone();
    let publisher = Arc::clone(&context.publisher);
    let clock = context.clock;
    let (object, change, job) = (object.clone(), change.clone(), job.clone());
    let unsaved = journal.unsaved();
    tokio::spawn(async move {
        let saved = journal.save_job(&object, &change.id, &job, accepted).await;
        drop(unsaved);
        let Err(error) = saved else {
            return;
        };
        let why = match error {
            JournalError::Gone => "the resource is gone",
            JournalError::Pruned => "the installed definition of the resource drops it",
            _ => "somebody removed its change from the status",
        };
        tracing::warn!(
            namespace = object.namespace(), name = object.name_any(), change = %change.id, %job,
            instance = object.spec.instance_id, proxy = object.spec.proxy_id, from = change.from, to = change.to, why,
            "the job id can't be put on record: the job is at work"
        );
        let note = format!(
            "job {job} changes the port of proxy {} from {} to {}, and its id is not in the status: {why}; look the job up in the cloud's \
             task center, and change this port only when the job has ended",
            object.spec.proxy_id, change.from, change.to
        );
        let about = object.object_ref(&());
        let news = News::new(about, Kind::Warning, "JobNotRecorded", &note);
        publisher.publish(news, clock.now());
    });
}
