//! Events, on transitions only.

use std::{sync::Arc, time::Duration};

use kube::{
    Resource as _,
    runtime::events::{Event, EventType, Recorder},
};

use crate::{
    controller::context::Context,
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    model::{Class, Reason},
};

/// The longest note that the API takes, in bytes, with some room.
const LONGEST_NOTE: usize = 1000;

/// An event is worth this long and no more: nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells people that the main reason has changed between two versions of a resource.
pub(super) fn transition(context: &Context, before: &TaurusProxyPort, after: &TaurusProxyPort) {
    let Some((reason, message)) = after.status.as_ref().and_then(main_reason) else {
        return;
    };
    if before
        .status
        .as_ref()
        .and_then(main_reason)
        .is_some_and(|(old, _)| old == reason)
    {
        return;
    }
    let class = reason
        .parse::<Reason>()
        .map_or(Class::Detail, Reason::class);
    let event = Event {
        type_: if class == Class::Stalled {
            EventType::Warning
        } else {
            EventType::Normal
        },
        reason: reason.to_owned(),
        note: Some(shortened(message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    let reference = after.object_ref(&());
    let recorder: Arc<Recorder> = Arc::new(context.recorder.clone());
    tokio::spawn(async move {
        match tokio::time::timeout(PATIENCE, recorder.publish(&event, &reference)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an event was not published"),
            Err(_) => tracing::debug!("an event was not published in time"),
        }
    });
}

fn main_reason(status: &TaurusProxyPortStatus) -> Option<(&str, &str)> {
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Ready")?;
    Some((&ready.reason, &ready.message))
}

fn shortened(text: &str) -> String {
    let mut end = text.len().min(LONGEST_NOTE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_cut_on_a_character_boundary() {
        let text = shortened(&"错".repeat(1000));
        assert!(text.len() <= LONGEST_NOTE && text.len() > LONGEST_NOTE - 3);
        assert_eq!(shortened("short"), "short");
    }
}
