//! Changes of resources that were deleted while one was at work.
//!
//! Deletion is not held up. The process keeps the instance until the change has ended, so that a successor of the resource
//! does not start another one beside it. A change of which nothing was heard for a while, or which takes longer than changes
//! do, no longer counts among those under way, however long it takes to hear of it: nobody is left who could put it right. A job that
//! failed counts for the halt like any other.

use std::{collections::BTreeSet, future::Future, pin::pin, sync::Arc, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource as _, ResourceExt as _};

use crate::{
    clock,
    cloud::{Job, Urgency, auth::fingerprint::Fingerprint},
    controller::{
        accounts::Opened,
        context::Context,
        events::{self, Kind, News},
        memory::Memory,
    },
    crd::{Outcome, TaurusProxyPort},
    desired::{self, Desired},
    fleet::{
        directory::{self, Directory},
        tasks,
    },
    model::{JobId, JobState, Moment, ResourceName, Uid},
    permits::Trace,
    place::ProxyKey,
    plan::{record::Change, settle},
};

/// Follows the change of a deleted resource to its end, in the background.
pub(super) fn adopt(
    context: Arc<Context>,
    object: TaurusProxyPort,
    desired: Desired,
    change: Change,
    memory: Memory,
) {
    let deleted = Arc::clone(&context.deleted);
    tokio::spawn(async move {
        let counted = deleted;
        let namespace = object.namespace().unwrap_or_default();
        let job = change.job.as_ref().map(JobId::as_str);
        tracing::info!(
            namespace, name = object.name_any(), change = %change.id, job, proxy = %desired.subject.proxy,
            "following the change of a deleted resource"
        );
        let mut end = None;
        // Uptime at which its job was first heard to be completed.
        let mut completed_at = None;
        let begun = context.clock.now();
        let longest = context
            .pace
            .of_user(desired.change_timeout)
            .max(context.pace.settle_window());
        let own_time = context.pace.of_user(desired::DEFAULT_CHANGE_TIMEOUT);
        // What was heard of it before, and how long it takes by then, counts: its share may have been given back.
        let age = memory.session.age(change.intended_at, begun);
        let heard = memory.session.heard_of(&change);
        let mut heard_at = heard.unwrap_or(begun.uptime);
        let credential = memory.session.credential;
        while context.clock.now().elapsed(begun.uptime) < longest {
            clock::pause(context.pace.poll_longest).await;
            let now = context.clock.now();
            let followed = now.elapsed(begun.uptime);
            let settled = followed >= context.pace.settle_window();
            let hearing = hear(
                &context,
                &namespace,
                &desired,
                (&change, credential),
                settled,
                now,
            );
            let counts_until = heard_at.saturating_add(context.pace.job_visible_within);
            let in_time = begun.uptime.saturating_add(own_time.saturating_sub(age));
            let counts_until = counts_until.min(in_time);
            let heard = unless_late(hearing, counts_until.saturating_sub(now.uptime), || {
                if let Some(permit) = &memory.permit {
                    permit.count(false);
                }
            })
            .await;
            if heard == Heard::Completed {
                completed_at.get_or_insert(now.uptime);
            }
            if settled && let Some(how) = heard.end() {
                if matches!(heard, Heard::Failed(_)) {
                    let (trace, now) = (Trace::of(&object), context.clock.now());
                    context.change_ended(change.id.as_str(), &failed(trace, &change, now));
                }
                end = Some(how.to_owned());
                break;
            }
            if heard == Heard::Running {
                heard_at = context.clock.now().uptime;
            }
            let unheard = context.clock.now().elapsed(heard_at);
            if let Some(permit) = &memory.permit {
                let in_time = age.saturating_add(followed) < own_time;
                let recent = unheard < context.pace.job_visible_within && in_time;
                permit.count(heard.end().is_none() && recent);
            }
        }
        let outcome = end.unwrap_or_else(|| "was not seen to end in time".to_owned());
        tracing::info!(
            namespace, name = object.name_any(), change = %change.id, job, proxy = %desired.subject.proxy, outcome,
            "the change of a deleted resource is no longer followed"
        );
        let job = job.map_or("the change".to_owned(), |job| format!("job {job}"));
        let note = format!(
            "the resource was deleted during its change of proxy {} from port {} to {}: {job} {outcome}",
            desired.subject.proxy, change.from, change.to
        );
        let about = object.object_ref(&());
        let news = News::new(about, Kind::Normal, "ChangeOfDeleted", &note);
        context.publisher.publish(news, context.clock.now());
        if let Some(at) = completed_at {
            // Lists may show the port before it, and the task list may not go back to a job that took long.
            let since = context.clock.now().elapsed(at);
            clock::pause(context.pace.list_lag.saturating_sub(since)).await;
        }
        let proxy = ProxyKey::of(&desired.subject);
        context.moves.lost(proxy, context.clock.now().uptime);
        drop(memory);
        drop(counted);
    });
}

/// What the record of the resource would say now, had it not been deleted: its failure counts like any other. Of a job that was completed
/// nobody has seen the port, so that counts for nothing.
fn failed(trace: Trace, change: &Change, now: Moment) -> Trace {
    Trace {
        change: None,
        last: Some(settle::ended(change, Outcome::Failed, None, now)),
        ..trace
    }
}

/// What a hearing gives; `late` is called where that takes longer than this.
async fn unless_late<T>(
    hearing: impl Future<Output = T>,
    left: Duration,
    late: impl FnOnce(),
) -> T {
    let mut hearing = pin!(hearing);
    if let Ok(heard) = tokio::time::timeout(left, &mut hearing).await {
        return heard;
    }
    late();
    hearing.await
}

/// Holds the instance of a deleted resource of which something may be at work and nothing tells what: the resource could not be
/// read any more, or somebody has taken the change from its record. Until the end of the settle window a job may not be visible
/// yet; from then on the task list shows it to whoever wants to change something there, so nothing is held for longer.
pub(super) fn hold(
    context: &Context,
    (uid, name): (&Uid, &ResourceName),
    object: Option<&TaurusProxyPort>,
    change: Option<&Change>,
    memory: Memory,
) {
    let deleted = Arc::clone(&context.deleted);
    let (window, counts) = (
        context.pace.settle_window(),
        context.pace.job_visible_within,
    );
    let now = context.clock.now();
    let until = now.after(window);
    let job = change.and_then(|change| change.job.as_ref());
    let job = job.or_else(|| memory.session.unsaved_job()).cloned();
    let proxy = object.map(|object| object.spec.proxy_id.as_str());
    tracing::warn!(
        %uid, namespace = name.namespace(), name = name.name(), proxy, job = job.as_ref().map(JobId::as_str), %until,
        "a deleted resource may have a change at work that can't be followed; its instance is held"
    );
    let proxy = proxy.map_or_else(String::new, |proxy| format!(" of proxy {proxy}"));
    let job = job.map_or_else(String::new, |job| format!(", job {job}"));
    let note = format!(
        "the resource was deleted while a change{proxy} may be at work{job}, and its spec or record no longer tells how to follow it: no \
         other change of the instance starts before {until}"
    );
    let about = events::reference(&ObjectMeta {
        namespace: Some(name.namespace().to_owned()),
        name: Some(name.name().to_owned()),
        uid: Some(uid.to_string()),
        ..ObjectMeta::default()
    });
    let news = News::new(about, Kind::Warning, "ChangeOfDeleted", &note);
    context.publisher.publish(news, now);
    tokio::spawn(async move {
        let counted = deleted;
        clock::pause(counts).await;
        memory.give_share_back();
        clock::pause(window.saturating_sub(counts)).await;
        drop(memory);
        drop(counted);
    });
}

/// What was heard of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Heard {
    /// It goes on.
    Running,
    /// Its job was completed.
    Completed,
    /// Its job failed, in words that complete a sentence.
    Failed(String),
    /// It has ended, or nothing more can be learned of it, in words that complete a sentence.
    Ended(String),
    /// Nothing.
    Nothing,
}

impl Heard {
    /// How it ended, in words that complete a sentence.
    fn end(&self) -> Option<&str> {
        match self {
            Self::Completed => Some("was completed"),
            Self::Failed(how) | Self::Ended(how) => Some(how),
            Self::Running | Self::Nothing => None,
        }
    }
}

async fn hear(
    context: &Context,
    namespace: &str,
    desired: &Desired,
    (change, credential): (&Change, Option<Fingerprint>),
    settled: bool,
    now: Moment,
) -> Heard {
    let opened = context.accounts.cloud(namespace, None, desired, now).await;
    let directory = match opened {
        Ok(Ok(Opened { directory, .. })) => directory,
        // As for a living resource, its change is followed with the credential that began it.
        Ok(Err(_)) => {
            let known =
                credential.and_then(|known| context.accounts.remembered(known, desired, now));
            match known {
                Some(Opened { directory, .. }) => directory,
                None => return without_credentials(settled),
            }
        }
        // Kubernetes failed: that tells nothing.
        Err(_) => return Heard::Nothing,
    };
    let abandoned: BTreeSet<JobId> = context
        .claims
        .abandoned(&desired.subject, namespace)
        .into_keys()
        .collect();
    match &change.job {
        Some(job) if abandoned.contains(job) => {
            let how = "was given up with the annotation abandonJob";
            Heard::Ended(how.to_owned())
        }
        // A record can be deleted while its job goes on: that it isn't found proves nothing.
        Some(job) => match directory.job(job, false).await {
            Ok(Job {
                state: JobState::Completed,
                ..
            }) => Heard::Completed,
            Ok(Job {
                state: JobState::Failed(word),
                fail_reason,
                ..
            }) => {
                let why = fail_reason.map(|why| format!(": {why}"));
                Heard::Failed(format!("ended as {word}{}", why.unwrap_or_default()))
            }
            Ok(_) => Heard::Running,
            Err(_) => Heard::Nothing,
        },
        // Before, its job may be at work and not be visible.
        None if !settled => Heard::Nothing,
        None if is_idle(context, &directory, desired, (change, &abandoned), now).await => {
            let how = "is not at work: the cloud shows no unfinished task of the instance that was not given up";
            Heard::Ended(how.to_owned())
        }
        None => Heard::Nothing,
    }
}

/// Its Secret is gone as well, or of no use: once the change shows in the task list, that list guards the successor.
fn without_credentials(settled: bool) -> Heard {
    if settled {
        let how = "can't be checked: its credentials are missing or can't be used";
        Heard::Ended(how.to_owned())
    } else {
        Heard::Nothing
    }
}

async fn is_idle(
    context: &Context,
    directory: &Directory,
    desired: &Desired,
    (change, abandoned): (&Change, &BTreeSet<JobId>),
    now: Moment,
) -> bool {
    directory.reach_back(change.intended_at);
    let instance = &desired.subject.instance;
    let Ok(turn) = directory.turn(Urgency::Job, directory::WALK).await else {
        return false;
    };
    let list = directory
        .tasks_for_followed(turn.as_ref(), &context.pace)
        .await;
    list.is_ok_and(|list| {
        tasks::unfinished(&list, instance, abandoned, now, &context.pace).is_none()
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::clock::Clock;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn r05_who_takes_long_to_hear_of_a_change_gives_its_share_back_meanwhile() {
        let clock = Clock::start();
        let began = clock.now().uptime;
        let second = || clock.now().elapsed(began).as_secs();
        for (takes, given_back) in [(100, None), (270, Some(120))] {
            let began = second();
            let late = Cell::new(None);
            let hearing = clock::pause(takes * SECOND);
            let gives_back = || late.set(Some(second() - began));
            unless_late(hearing, 120 * SECOND, gives_back).await;
            assert_eq!(late.get(), given_back);
            assert_eq!(second() - began, u64::from(takes));
        }
    }

    #[test]
    fn r05_that_there_are_no_credentials_ends_nothing_before_the_change_must_show() {
        assert_eq!(without_credentials(false), Heard::Nothing);
        assert!(matches!(without_credentials(true), Heard::Ended(_)));
    }
}
