//! The reconciler: the stages that do I/O, and the watch that calls for them.
//!
//! Relies on the queue for one reconcile of a resource at a time. Promises that one resource harms no other: what
//! can't be decoded is counted, told so and passed over, a panic is caught, and errors of Kubernetes back off by resource.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{
    FutureExt as _, Stream, StreamExt as _,
    channel::mpsc::{self, UnboundedReceiver},
    future, stream,
};
use kube::{
    Client, Resource as _, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use tracing::Instrument as _;

use crate::{
    controller::{
        context::{Context, Settings},
        journal::JournalError,
        listening::Listening,
        meter::{Ending, Followed},
        queue::Call,
        secrets::keeper::Keeper,
        taken_up::TakenUp,
    },
    crd::TaurusProxyPort,
    desired,
    fleet::claims::Woken,
    health::heartbeat::Heartbeat,
    leader,
    model::{ResourceName, Uid},
    pace,
    plan::record::{Change, Record},
    seats,
};

pub mod accounts;
pub mod act;
pub mod context;
mod events;
mod guarded;
pub mod journal;
mod listening;
pub mod look;
pub mod memory;
pub mod meter;
mod notices;
mod orphan;
mod published;
pub(crate) mod queue;
pub mod reconcile;
pub mod roster;
mod saving;
pub mod secrets;
mod spans;
mod surveys;
mod taken_up;
mod timing;
mod undecodable;
mod watched;
mod watching;

pub use guarded::{Guarded, Undecodable};

/// Where and how to run.
pub struct Scope {
    /// The only namespace to look at; all where there is none.
    pub namespace: Option<String>,
    /// How many reconciles run at once.
    pub concurrency: u16,
    /// Told of the watch.
    pub heartbeat: Arc<Heartbeat>,
}

/// Runs until `stop` is done and the reconciles at work have ended, and says whether that leaves nothing in flight. `synced` is
/// called once the first list was read.
pub async fn run(
    client: Client,
    scope: Scope,
    settings: Settings,
    synced: impl FnOnce() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) -> bool {
    let namespace = scope.namespace.as_deref();
    let heartbeat = scope.heartbeat;
    let listening = Listening::to_resources(client.clone(), namespace, heartbeat, settings.clock);
    let (wake, woken) = mpsc::unbounded();
    let context = Arc::new(Context::new(client.clone(), settings, wake));
    let keeping = Arc::clone(&context);
    let published = watch_published(&keeping, client.clone(), namespace);
    let keeper = Keeper {
        accounts: &keeping.accounts,
        client,
        namespace: scope.namespace.clone(),
        clock: keeping.clock,
        pace: &keeping.pace,
    };
    let events = listening.events();
    tokio::select! {
        idle = attend_all(context, events, synced, woken, scope.concurrency, stop) => idle,
        () = keeper.keep() => false,
        () = published => false,
    }
}

/// Hears of edits of what is published, in a namespace or in all, and wakes whose it is. Never ends by itself.
pub async fn watch_published(context: &Context, client: Client, namespace: Option<&str>) {
    published::watch(context, client, namespace).await;
}

/// Attends to the resources of which `events` tells, whenever they call for it, are due or are `woken`, until `stop` is done and
/// what was begun has ended. Says whether that leaves nothing in flight.
pub async fn attend_all(
    context: Arc<Context>,
    events: impl Stream<Item = Result<watcher::Event<Guarded>, watcher::Error>> + Send,
    synced: impl FnOnce() + Send,
    woken: UnboundedReceiver<ResourceName>,
    concurrency: u16,
    stop: impl Future<Output = ()>,
) -> bool {
    let woken = woken.map(Call::usual);
    let calls = stream::select(calls(events, Arc::clone(&context), synced), woken);
    let noting = Arc::clone(&context);
    let calls = calls.inspect(move |call| noting.published.called(&call.name));
    let calls = stream::select(calls, context.published.calls().map(Call::usual));
    let of = Arc::clone(&context);
    let group = move |name: &ResourceName| of.roster.group(name);
    let stopped = async {
        stop.await;
        context.drain();
    };
    let attend = |name| {
        let context = Arc::clone(&context);
        let span = tracing::info_span!("reconcile", resource = %name);
        async move { attend(&name, &context).await }.instrument(span)
    };
    let attending = async {
        queue::attend_all(calls, concurrency.into(), stopped, group, attend).await;
        context.work.all_saved().await;
    };
    tokio::select! {
        () = attending => {}
        () = context.call_in_time() => {}
        () = context.tidy() => {}
        () = context.keep_calendar() => {}
    }
    context.leaves_nothing_in_flight()
}

/// The resources that call for a reconcile, out of what the watch delivers: roster and fleet are told of each, and only what
/// people change calls.
fn calls(
    events: impl Stream<Item = Result<watcher::Event<Guarded>, watcher::Error>> + Send,
    context: Arc<Context>,
    synced: impl FnOnce() + Send,
) -> impl Stream<Item = Call> + Send {
    let mut synced = Some(synced);
    let called = move |event| match event {
        Ok(event) => {
            let is_whole = matches!(event, watcher::Event::InitDone);
            let mut news = context.roster.take(event);
            for change in news.changes {
                let woken = tell(&context, change);
                // Of the first list nobody decides anything before it is whole, and then all are called.
                if synced.is_none() {
                    context.wake(woken);
                }
            }
            if is_whole {
                context.permits.recalled();
                if let Some(synced) = synced.take() {
                    synced();
                }
                // In the order of the list, one namespace with a slow cloud would have all turns for itself.
                context.chance.shuffle(&mut news.calls);
            }
            stream::iter(news.calls.into_iter().map(Ok).collect::<Vec<_>>())
        }
        Err(error) => {
            tracing::warn!(%error, "the watch of TaurusProxyPorts failed; it is restarted");
            stream::iter(vec![Err(error)])
        }
    };
    // The watch forgets its pauses with the first event of a list, and then fails again at once: only a call ends these.
    let calls = events.map(called).flatten();
    let calls = calls.backoff(watcher::DefaultBackoff::default());
    calls.filter_map(|call| future::ready(call.ok()))
}

/// Tells the fleet of a change; gives those who may have waited for it.
fn tell(context: &Arc<Context>, change: roster::Change) -> Woken {
    let now = context.clock.now();
    let uptime = now.uptime;
    match change {
        roster::Change::Noted(uid, name, object) => {
            let version = object.meta().resource_version.as_deref();
            context.memories.exists(&uid, version.unwrap_or_default());
            let trace = object.trace();
            // The answer to the write that put an end on record may have been lost.
            if let Some(change) = context.permits.note(&trace)
                && context.change_ended(&change, &trace)
                && let Ok(object) = &object.0
            {
                notices::of_correction(context, object);
            }
            let mut has_ended = false;
            if let (Some((instance, of)), Some(last)) = (&trace.target, &trace.last) {
                if let Ok(object) = &object.0 {
                    let status = object.status.as_ref();
                    let history = status.map_or(&[][..], |status| &status.history);
                    context.lengths.recorded(instance, history);
                }
                context.lengths.note(instance, last);
                has_ended = context.moves.told(of.proxy.clone(), last, now);
            }
            if let Ok(object) = &object.0 {
                note_credentials(context, &uid, &name, object);
                let mut woken = context.claims.note(object, &uid, &name, uptime);
                if has_ended {
                    // Those who only observe the proxy lead applications to it, too.
                    woken.extend(context.claims.beside(&uid));
                }
                woken
            } else {
                context.accounts.book().forget(&uid);
                context.claims.forget(&uid, uptime)
            }
        }
        roster::Change::Gone(uid, name, last) => {
            let beside = match last.as_deref() {
                // Those who wait for what it has published take it over.
                Some(last) if publishes(last) => {
                    let (namespace, proxy) = (name.namespace(), &last.spec.proxy_id);
                    let mut beside = context.claims.publishing(namespace, proxy, &uid);
                    beside.extend(context.claims.beside(&uid));
                    beside
                }
                _ => Woken::new(),
            };
            let mut woken = context.claims.forget(&uid, uptime);
            woken.extend(beside);
            context.accounts.book().forget(&uid);
            let inherited = context.permits.forget(&uid);
            // In this order: whoever counts it meanwhile sees that it is gone, or is forgotten here.
            let memory = context.memories.gone(&uid);
            context.waiting.forget(&uid);
            if memory.is_some() || inherited.is_some() {
                let mut memory = memory.unwrap_or_default();
                memory.permit = memory.permit.take().or_else(|| inherited.map(Box::new));
                hand_over(context, (&uid, &name), last.as_deref(), *memory);
            }
            // Whoever follows its change has taken over what was counted of that.
            context.meter.forget(&uid);
            woken
        }
    }
}

fn publishes(object: &TaurusProxyPort) -> bool {
    object.spec.service.is_some() || object.spec.config_map.is_some()
}

fn note_credentials(context: &Context, uid: &Uid, name: &ResourceName, object: &TaurusProxyPort) {
    let desired = desired::read(object).ok();
    let source = desired.and_then(|desired| {
        let source = context.accounts.source(name.namespace(), &desired);
        source.ok()
    });
    context.accounts.book().note(uid, name, source);
}

/// A deleted resource with a change at work is followed to its end. Where nothing tells how, its instance is held for a while;
/// `last` is the resource as it last stood, if that could be decoded.
fn hand_over(
    context: &Arc<Context>,
    (uid, name): (&Uid, &ResourceName),
    last: Option<&TaurusProxyPort>,
    mut memory: memory::Memory,
) {
    let now = context.clock.now();
    let object = last.map(|last| memory.freshest(last));
    let record = object.as_ref().map(Record::of);
    let record = record.map(|record| memory.session.complete(record));
    if let Some(record) = &record {
        memory.session.meet(record, now);
    }
    let may_be_at_work = memory.may_be_at_work(record.as_ref(), now, &context.pace);
    let desired = object
        .as_ref()
        .and_then(|object| desired::read(object).ok());
    let change = record.and_then(|record| record.change);
    memory.counted = (change.is_some() || may_be_at_work).then(|| {
        let change = change.as_ref().map(Change::stored);
        let meter = Arc::clone(&context.meter);
        Box::new(Followed::begin(meter, uid.clone(), change.as_ref(), now))
    });
    let context = Arc::clone(context);
    match (object, desired, change) {
        (Some(object), Some(desired), Some(change)) => {
            orphan::adopt(context, object, desired, change, memory);
        }
        (object, _, change) if may_be_at_work => {
            orphan::hold(
                &context,
                (uid, name),
                object.as_ref(),
                change.as_ref(),
                memory,
            );
        }
        _ => {}
    }
}

/// Reconciles a resource as the roster has it, and says when to look again; nothing if only a change of it calls for that.
/// There must be only one at a time of each resource.
async fn attend(name: &ResourceName, context: &Arc<Context>) -> Option<Duration> {
    let began = context.clock.now();
    let waited = seats::waited();
    context.meter.waited(waited.lane.name(), waited.took);
    let called = context.published.take(name);
    let TakenUp {
        uid,
        mut memory,
        object,
    } = taken_up::take_up(&context.roster, &context.memories, name)?;
    if let Some(kept) = memory.publishing.as_deref_mut() {
        kept.called(called);
    }
    let object = match &object {
        Some(Guarded(Ok(object))) => object,
        Some(Guarded(Err(resource))) => {
            let held = undecodable::stand_by(context, resource, &mut memory);
            put_back(context, (&uid, name), None, memory);
            let delay = undecodable::attend(context, resource).await;
            uncount_if_gone(context, &uid);
            return delay.into_iter().chain(held).min();
        }
        None => {
            // What is there in its place, if anything, calls for a turn of its own.
            put_back(context, (&uid, name), None, memory);
            return None;
        }
    };
    if !context.leads() {
        put_back(context, (&uid, name), Some(object), memory);
        // The term has run out: it goes on with the next renewal, or this process ends.
        return Some(context.chance.jittered(leader::TRY_EVERY));
    }
    memory.note_edit(object, began.uptime.saturating_sub(waited.took));
    let working = context.work.begin(began);
    let span = spans::reconcile(object);
    let reconciling = Box::pin(reconcile::reconcile(context, &uid, object, &mut memory));
    let reconciling = reconciling.instrument(span.clone());
    let result = AssertUnwindSafe(reconciling).catch_unwind().await;
    if !matches!(result, Ok(Ok(_) | Err(JournalError::Interrupted))) {
        spans::failed(&span);
    }
    if !matches!(result, Ok(Ok(_))) {
        // Whoever comes again later keeps nothing until then that others could use.
        drop(memory.take_unused_permit());
        if let Some(kept) = memory.publishing.as_deref_mut() {
            kept.call_for_a_look();
        }
    }
    if matches!(result, Ok(Ok(_))) {
        memory.hold_edit();
    }
    if result.is_err() {
        memory.doubt();
        memory.failures = memory.failures.saturating_add(1);
    }
    drop(working);
    let panics = memory.failures;
    let follows_unsaved = memory.session.unsaved.is_some();
    put_back(context, (&uid, name), Some(object), memory);
    uncount_if_gone(context, &uid);
    let (ending, delay) = match result {
        Ok(Ok(delay)) => (Ending::Done, delay),
        // It was called for again meanwhile, and has its next turn at once.
        Ok(Err(JournalError::Interrupted)) => (Ending::Done, Some(Duration::ZERO)),
        // Somebody else has written: there is nothing wrong with it, and nothing was done yet.
        Ok(Err(JournalError::Conflict)) => {
            let delay = context.chance.jittered(context.pace.poll_first);
            (Ending::Done, Some(delay))
        }
        Ok(Err(error)) => {
            let delay = retry_after(object, &error, context);
            let most = follows_unsaved.then_some(context.pace.poll_longest);
            (
                Ending::Failed,
                Some(most.map_or(delay, |most| delay.min(most))),
            )
        }
        Err(_) => {
            tracing::error!(
                namespace = object.namespace(),
                name = object.name_any(),
                "a reconcile panicked; it is tried again later"
            );
            let delay = pace::doubling(context.pace.transient, panics);
            (Ending::Panicked, Some(context.chance.jittered(delay)))
        }
    };
    context
        .meter
        .reconciled(ending, context.clock.now().elapsed(began.uptime));
    delay
}

/// What is kept of a resource is put back after its turn, or handed over if it was deleted meanwhile; `last` is the resource as it
/// last stood, if that could be decoded.
fn put_back(
    context: &Arc<Context>,
    (uid, name): (&Uid, &ResourceName),
    last: Option<&TaurusProxyPort>,
    memory: Box<memory::Memory>,
) {
    if let Some(memory) = context.memories.put(uid, memory) {
        hand_over(context, (uid, name), last, *memory);
    }
}

/// A resource can be deleted while it is reconciled: then it was counted once more after it had been forgotten, or said that it waits.
fn uncount_if_gone(context: &Context, uid: &str) {
    if !context.memories.knows(uid) {
        context.meter.forget(uid);
        context.waiting.forget(uid);
    }
}

/// Kubernetes itself failed: the resource backs off, and the next reconcile begins with a fresh read.
fn retry_after(object: &TaurusProxyPort, error: &JournalError, context: &Context) -> Duration {
    let failures = context
        .memories
        .count_failure(&object.uid().unwrap_or_default());
    let delay = match error {
        JournalError::NotLeading => leader::TRY_EVERY,
        _ => pace::doubling(context.pace.transient, failures),
    };
    tracing::warn!(
        namespace = object.namespace(), name = object.name_any(), %error, ?delay,
        "not reconciled; tried again later"
    );
    context.chance.jittered(delay)
}
