//! The reconciler: the stages that do I/O, and the watch that calls for them.
//!
//! Relies on kube's controller for one reconcile of a resource at a time. Promises that one resource harms no other: what
//! can't be decoded is counted and passed over, a panic is caught, and errors of Kubernetes back off by resource.

use std::{
    convert::Infallible, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use futures::{FutureExt as _, Stream, StreamExt as _, channel::mpsc};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    runtime::{
        Controller, Predicate as _, WatchStreamExt as _,
        controller::{Action, Config},
        predicates,
        reflector::{self, ObjectRef},
        utils::PredicateConfig,
        watcher,
    },
};
use tracing::Instrument as _;

use crate::{
    controller::{
        context::{Context, Settings},
        journal::JournalError,
        meter::Ending,
        roll::Roll,
        secrets::keeper::Keeper,
    },
    crd::TaurusProxyPort,
    leader,
    plan::{backoff, record::Record},
    telemetry::traces,
};

pub mod accounts;
pub mod act;
pub mod context;
mod delivered;
mod events;
mod guarded;
pub mod journal;
pub mod look;
pub mod memory;
pub mod meter;
mod orphan;
pub mod read;
pub mod reconcile;
mod roll;
pub mod secrets;
pub mod work;

pub use guarded::Guarded;

/// Where and how to run.
pub struct Scope {
    /// The only namespace to look at; all where there is none.
    pub namespace: Option<String>,
    /// How many reconciles run at once.
    pub concurrency: u16,
}

/// Runs until `stop` is done and the reconciles at work have ended. `synced` is called once the first list was read.
pub async fn run(
    client: Client,
    scope: Scope,
    settings: Settings,
    synced: impl FnOnce() + Send + 'static,
    stop: impl Future<Output = ()> + Send + Sync + 'static,
) {
    let api: Api<Guarded> = match &scope.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let (store, writer) = reflector::store();
    let (wake, woken) = mpsc::unbounded();
    let context = Arc::new(Context::new(client.clone(), settings, store.clone(), wake));
    let calling = Arc::clone(&context);
    let keeping = Arc::clone(&context);
    let keeper = Keeper {
        accounts: &keeping.accounts,
        client,
        namespace: scope.namespace.clone(),
        clock: keeping.clock,
        pace: &keeping.pace,
    };
    let events = watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(slim);
    let stream = calls(events, writer, Arc::clone(&context), synced);
    let draining = Arc::clone(&context);
    let config = Config::default().concurrency(scope.concurrency);
    let controller = Controller::for_stream(stream, store)
        .with_config(config)
        .reconcile_on(woken)
        .graceful_shutdown_on(async move {
            stop.await;
            draining.drain();
        })
        .run(
            |object, context| async move {
                let delay = attend(&object, &context).await;
                Ok(delay.map_or_else(Action::await_change, Action::requeue))
            },
            |_, error: &Infallible, _| match *error {},
            context,
        )
        .for_each(|result| async move {
            match result {
                Ok((object, action)) => tracing::trace!(%object, ?action, "reconciled"),
                Err(error) => tracing::debug!(%error, "not reconciled"),
            }
        });
    tokio::select! {
        () = controller => {}
        () = keeper.keep() => {}
        () = calling.call_in_time() => {}
    }
}

/// The resources that call for a reconcile, out of what the watch delivers: the store and the fleet are told of each, and
/// only what people change calls.
pub fn calls(
    events: impl Stream<Item = Result<watcher::Event<Guarded>, watcher::Error>> + Send + 'static,
    writer: reflector::store::Writer<Guarded>,
    context: Arc<Context>,
    synced: impl FnOnce() + Send + 'static,
) -> impl Stream<Item = Result<Guarded, watcher::Error>> + Send + 'static {
    let store = context.store.clone();
    let mut roll = Roll::of(store.clone());
    let mut synced = Some(synced);
    let watched_by = predicates::generation
        .combine(predicates::annotations)
        .combine(predicates::finalizers);
    events
        .inspect(move |event| match event {
            Ok(event) => {
                for change in roll.take(event) {
                    tell(&context, change);
                }
                if matches!(event, watcher::Event::InitDone) {
                    context.permits.recalled();
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the watch of TaurusProxyPorts failed; it is begun anew");
            }
        })
        .reflect(writer)
        .inspect(move |event| {
            // The store's own wait wakes one waiter only, and that is kube's controller.
            if matches!(event, Ok(watcher::Event::InitDone))
                && let Some(synced) = synced.take()
            {
                synced();
            }
        })
        .flat_map(delivered::in_store(store))
        .predicate_filter(watched_by, PredicateConfig::default())
}

/// Drops what is never read and makes up most of an object's size.
fn slim(object: &mut Guarded) {
    let metadata = match &mut object.0 {
        Ok(object) => &mut object.metadata,
        Err(invalid) => &mut invalid.metadata,
    };
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn tell(context: &Arc<Context>, change: roll::Change<'_>) {
    match change {
        roll::Change::Noted(object) => {
            let trace = object.trace();
            let version = object
                .meta()
                .resource_version
                .as_deref()
                .unwrap_or_default();
            context.memories.exists(&trace.uid, version);
            context.permits.note(&trace);
            if let Ok(object) = &object.0 {
                context.claims.note(object, context.clock.now().uptime);
                note_credentials(context, &trace.uid, object);
            } else {
                context
                    .claims
                    .forget(&trace.uid, context.clock.now().uptime);
                context.accounts.book().forget(&trace.uid);
            }
        }
        roll::Change::Gone(uid, last) => {
            context.claims.forget(&uid, context.clock.now().uptime);
            context.accounts.book().forget(&uid);
            context.permits.forget(&uid);
            // In this order: whoever counts it meanwhile sees that it is gone, or is forgotten here.
            let memory = context.memories.gone(&uid);
            context.meter.forget(&uid);
            if let (Some(memory), Some(last)) = (memory, last) {
                hand_over(context, &last, memory);
            }
        }
    }
}

fn note_credentials(context: &Context, uid: &str, object: &TaurusProxyPort) {
    let namespace = object.namespace().unwrap_or_default();
    let desired = read::read(object).ok();
    let source = desired.and_then(|desired| context.accounts.source(&namespace, &desired).ok());
    let resource = ObjectRef::new(&object.name_any()).within(&namespace);
    context.accounts.book().note(uid, resource, source);
}

/// A deleted resource with a change at work is followed to its end.
fn hand_over(context: &Arc<Context>, object: &TaurusProxyPort, mut memory: memory::Memory) {
    let object = memory.freshest(object);
    let (Ok(desired), Some(change)) = (read::read(&object), Record::of(&object).change) else {
        return;
    };
    orphan::adopt(
        Arc::clone(context),
        object.namespace().unwrap_or_default(),
        desired,
        change,
        memory,
    );
}

/// Reconciles a resource as the store has it, and says when to look again; nothing if only a change of it calls for that.
/// There must be only one at a time of each resource.
pub async fn attend(object: &Guarded, context: &Arc<Context>) -> Option<Duration> {
    let began = context.clock.now();
    let object = match &object.0 {
        Ok(object) => object,
        Err(invalid) => {
            tracing::warn!(
                namespace = invalid.metadata.namespace,
                name = invalid.metadata.name,
                error = invalid.error,
                "the resource can't be decoded; it is passed over until it changes"
            );
            let uid = invalid.metadata.uid.as_deref().unwrap_or_default();
            context.meter.undecodable(uid);
            uncount_if_gone(context, uid);
            return None;
        }
    };
    if !context.leads() {
        // The term has run out: it goes on with the next renewal, or this process ends.
        return Some(context.chance.jittered(leader::TRY_EVERY));
    }
    let working = context.work.begin(began);
    let uid = object.uid().unwrap_or_default();
    let mut memory = context.memories.take(&uid);
    let span = traces::reconcile(object);
    let reconciling = Box::pin(reconcile::reconcile(context, object, &mut memory));
    let reconciling = reconciling.instrument(span.clone());
    let result = AssertUnwindSafe(reconciling).catch_unwind().await;
    if !matches!(result, Ok(Ok(_))) {
        traces::failed(&span);
    }
    if result.is_err() {
        memory.doubt();
        memory.failures = memory.failures.saturating_add(1);
    }
    drop(working);
    let panics = memory.failures;
    if let Some(memory) = context.memories.put(&uid, memory) {
        hand_over(context, object, memory);
    }
    uncount_if_gone(context, &uid);
    let (ending, delay) = match result {
        Ok(Ok(delay)) => (Ending::Done, delay),
        Ok(Err(error)) => (Ending::Failed, Some(retry_after(object, &error, context))),
        Err(_) => {
            tracing::error!(
                namespace = object.namespace(),
                name = object.name_any(),
                "a reconcile panicked; it is tried again later"
            );
            let delay = backoff::doubling(context.pace.transient, panics);
            (Ending::Panicked, Some(context.chance.jittered(delay)))
        }
    };
    context
        .meter
        .reconciled(ending, context.clock.now().elapsed(began.uptime));
    delay
}

/// A resource can be deleted while it is reconciled: then it was counted once more after it had been forgotten.
fn uncount_if_gone(context: &Context, uid: &str) {
    if !context.memories.knows(uid) {
        context.meter.forget(uid);
    }
}

/// Kubernetes itself failed: the resource backs off, and the next reconcile begins with a fresh read.
fn retry_after(object: &TaurusProxyPort, error: &JournalError, context: &Context) -> Duration {
    let failures = context
        .memories
        .count_failure(&object.uid().unwrap_or_default());
    let delay = match error {
        JournalError::Conflict => context.pace.poll_first,
        JournalError::NotLeading => leader::TRY_EVERY,
        _ => backoff::doubling(context.pace.transient, failures),
    };
    tracing::warn!(
        namespace = object.namespace(), name = object.name_any(), %error, ?delay,
        "not reconciled; tried again later"
    );
    context.chance.jittered(delay)
}
