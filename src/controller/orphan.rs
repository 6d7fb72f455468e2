//! Changes of resources that were deleted while one was at work.
//!
//! Deletion is not held up. The process keeps the instance until the change has ended, so that a successor of the resource
//! does not start another one beside it.

use std::sync::Arc;

use crate::{
    clock,
    cloud::Urgency,
    controller::{accounts::Opened, context::Context, memory::Memory, read::Desired},
    fleet::directory::{self, Directory},
    model::Moment,
    plan::{record::Change, tasks},
};

/// Follows the change of a deleted resource to its end, in the background.
pub(super) fn adopt(
    context: Arc<Context>,
    namespace: String,
    desired: Desired,
    change: Change,
    memory: Memory,
) {
    tokio::spawn(async move {
        tracing::info!(namespace, change = %change.id, "following the change of a deleted resource");
        let begun = context.clock.now();
        let longest = context
            .pace
            .of_user(desired.change_timeout)
            .max(context.pace.settle_window());
        while context.clock.now().elapsed(begun.uptime) < longest {
            clock::pause(context.pace.poll_longest).await;
            let now = context.clock.now();
            let settled = now.elapsed(begun.uptime) >= context.pace.settle_window();
            if settled && has_ended(&context, &namespace, &desired, &change, now).await {
                break;
            }
        }
        tracing::info!(namespace, change = %change.id, "the change of a deleted resource is no longer followed");
        drop(memory);
    });
}

async fn has_ended(
    context: &Context,
    namespace: &str,
    desired: &Desired,
    change: &Change,
    now: Moment,
) -> bool {
    let opened = context.accounts.cloud(namespace, None, desired, now).await;
    let Ok(Ok(Opened { directory, .. })) = opened else {
        // Its Secret is gone as well: the task list guards the successor.
        return true;
    };
    match &change.job {
        // A record can be deleted while its job goes on: that it isn't found proves nothing.
        Some(job) => {
            let known = directory.job(job).await;
            known.is_ok_and(|job| job.state.is_finished())
        }
        None => is_idle(context, &directory, namespace, desired, now).await,
    }
}

async fn is_idle(
    context: &Context,
    directory: &Directory,
    namespace: &str,
    desired: &Desired,
    now: Moment,
) -> bool {
    let instance = &desired.subject.instance;
    let abandoned = context.claims.abandoned(&desired.subject, namespace);
    let abandoned = abandoned.into_keys().collect();
    let Ok(turn) = directory.turn(Urgency::Job, directory::WALK).await else {
        return false;
    };
    let list = directory.tasks(turn.as_ref(), &context.pace, None).await;
    list.is_ok_and(|list| {
        tasks::unfinished(&list, instance, &abandoned, now, &context.pace).is_none()
    })
}
