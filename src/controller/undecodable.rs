//! A resource that can't be decoded gets a status as well: its owner is told which field to correct.
//!
//! Promises one write at most for each generation, that nothing else of the status is touched but the UID of who manages the proxy, that
//! nothing is asked of the cloud, and that no other resource waits for what no change of this one needs. The log and `taurus_undecodable_resources` tell whoever runs
//! the operator.

use std::time::Duration;

use crate::{
    controller::{Undecodable, context::Context, events, journal::JournalError, memory::Memory},
    leader,
    model::Uid,
    plan::record::Record,
};

/// Says so, and when to try again if that can't be written.
pub(super) async fn attend(context: &Context, resource: &Undecodable) -> Option<Duration> {
    let metadata = &resource.metadata;
    tracing::warn!(
        namespace = metadata.namespace,
        name = metadata.name,
        error = resource.error,
        "the resource can't be decoded; nothing is done for it until it changes"
    );
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let change = resource.trace.change.as_ref();
    let begun = change.map(|(_, begun)| *begun);
    let now = context.clock.now();
    context.meter.undecodable(&Uid::from(uid), begun, now);
    if !context.leads() {
        return Some(context.chance.jittered(leader::TRY_EVERY));
    }
    let delay = match context.journal.tell_undecodable(metadata).await {
        Ok(None) | Err(JournalError::Gone) => return None,
        Ok(Some(told)) => {
            let class = told.reason.class();
            let about = events::reference(metadata);
            events::publish(context, about, class, told.reason.name(), &told.message);
            return None;
        }
        Err(JournalError::Conflict) => context.pace.poll_first,
        Err(JournalError::NotLeading) => leader::TRY_EVERY,
        Err(error) => {
            tracing::warn!(
                namespace = metadata.namespace, name = metadata.name, %error,
                "the status can't say that the resource can't be decoded; tried again later"
            );
            context.pace.transient.1
        }
    };
    Some(context.chance.jittered(delay))
}

/// What the resource held while it could be decoded is left to others, but for the instance of a change that may be at work. Says
/// when to see to that again.
pub(super) fn stand_by(
    context: &Context,
    resource: &Undecodable,
    memory: &mut Memory,
) -> Option<Duration> {
    let trace = &resource.trace;
    context.permits.leave(&trace.uid);
    if trace.change.is_some() {
        return memory.give_share_back().then_some(context.resync);
    }
    let record = Record {
        last: trace.last.clone(),
        ..Record::default()
    };
    memory.stand_by(&record, context.clock.now(), &context.pace)
}
