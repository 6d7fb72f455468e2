//! Changes of resources that were deleted while one was at work.
//!
//! Deletion is not held up. The process keeps the instance until the change has ended, so that a successor of the resource
//! does not start another one beside it. A change of which nothing was heard for a while, or which takes longer than changes
//! do, no longer counts among those under way: nobody is left who could put it right.

use std::sync::Arc;

use crate::{
    clock,
    cloud::Urgency,
    controller::{
        accounts::Opened,
        context::Context,
        memory::Memory,
        read::{self, Desired},
    },
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
        let own_time = context.pace.of_user(read::DEFAULT_CHANGE_TIMEOUT);
        let mut heard_at = begun.uptime;
        while context.clock.now().elapsed(begun.uptime) < longest {
            clock::pause(context.pace.poll_longest).await;
            let now = context.clock.now();
            let followed = now.elapsed(begun.uptime);
            let settled = followed >= context.pace.settle_window();
            let heard = hear(&context, &namespace, &desired, &change, settled, now).await;
            if settled && heard == Heard::Ended {
                break;
            }
            if heard == Heard::Running {
                heard_at = context.clock.now().uptime;
            }
            let unheard = context.clock.now().elapsed(heard_at);
            if let Some(permit) = &memory.permit {
                let recent = unheard < context.pace.job_visible_within && followed < own_time;
                permit.count(heard != Heard::Ended && recent);
            }
        }
        tracing::info!(namespace, change = %change.id, "the change of a deleted resource is no longer followed");
        drop(memory);
    });
}

/// What was heard of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// It goes on.
    Running,
    /// It has ended, or nothing more can be learned of it.
    Ended,
    /// Nothing.
    Nothing,
}

async fn hear(
    context: &Context,
    namespace: &str,
    desired: &Desired,
    change: &Change,
    settled: bool,
    now: Moment,
) -> Heard {
    let opened = context.accounts.cloud(namespace, None, desired, now).await;
    let Ok(Ok(Opened { directory, .. })) = opened else {
        // Its Secret is gone as well: the task list guards the successor.
        return Heard::Ended;
    };
    match &change.job {
        // A record can be deleted while its job goes on: that it isn't found proves nothing.
        Some(job) => match directory.job(job).await {
            Ok(job) if job.state.is_finished() => Heard::Ended,
            Ok(_) => Heard::Running,
            Err(_) => Heard::Nothing,
        },
        // Before, its job may be at work and not be visible.
        None if !settled => Heard::Nothing,
        None if is_idle(context, &directory, namespace, desired, now).await => Heard::Ended,
        None => Heard::Nothing,
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
    let list = directory.tasks(turn.as_ref(), &context.pace).await;
    list.is_ok_and(|list| {
        tasks::unfinished(&list, instance, &abandoned, now, &context.pace).is_none()
    })
}
