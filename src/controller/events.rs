//! Events, on transitions only.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Resource as _, ResourceExt as _,
    api::{ObjectMeta, PostParams},
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::{
    controller::context::{Context, MANAGER},
    crd::{TaurusProxyPort, TaurusProxyPortStatus},
    model::{Class, Moment, Reason},
};

/// The longest note that the API takes, in bytes, with some room.
const LONGEST_NOTE: usize = 1000;

/// kube's recorder puts 17 characters behind the name of the resource, and a name has at most 253.
const LONGEST_NAME: usize = 236;

/// An event is worth this long and no more: nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many events are remembered, at most. kube's recorder alone keeps all of the last minutes, as many as a fleet makes.
const MOST_REMEMBERED: usize = 500;

/// Publishes events; one that comes again soon is counted up.
pub(super) struct Publisher {
    client: Client,
    current: Mutex<Remembering>,
}

/// A recorder, and how many events it was given.
struct Remembering {
    recorder: Recorder,
    events: usize,
}

impl Publisher {
    pub(super) fn new(client: Client) -> Self {
        Self {
            current: Mutex::new(Remembering::nothing(&client)),
            client,
        }
    }

    /// The recorder for one more event.
    fn recorder(&self) -> Recorder {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.events == MOST_REMEMBERED {
            *current = Remembering::nothing(&self.client);
        }
        current.events += 1;
        current.recorder.clone()
    }
}

impl Remembering {
    fn nothing(client: &Client) -> Self {
        let reporter = Reporter {
            controller: MANAGER.to_owned(),
            instance: None,
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            events: 0,
        }
    }
}

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
    log(before, after, reason, message, class);
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
    let publisher = &context.publisher;
    let (recorder, client) = (publisher.recorder(), publisher.client.clone());
    let now = context.clock.now();
    tokio::spawn(async move {
        let publishing = async {
            if after_long_name(&reference) {
                publish_unnamed(client, event, reference, now).await
            } else {
                recorder.publish(&event, &reference).await
            }
        };
        match tokio::time::timeout(PATIENCE, publishing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "an event was not published"),
            Err(_) => tracing::debug!("an event was not published in time"),
        }
    });
}

/// One line for what was decided.
fn log(
    before: &TaurusProxyPort,
    after: &TaurusProxyPort,
    reason: &str,
    detail: &str,
    class: Class,
) {
    let before = before.status.as_ref().and_then(main_reason);
    let was = before.map(|(reason, _)| reason);
    let (namespace, name) = (after.namespace(), after.name_any());
    let status = after.status.as_ref();
    let change = status.and_then(|status| status.change.as_ref());
    let job = change.and_then(|change| change.job_id.as_deref());
    let change = change.map(|change| change.id.as_str());
    if class == Class::Stalled {
        tracing::warn!(namespace, name, reason, was, change, job, detail, "stalled");
    } else {
        let state = if class == Class::Ready {
            "ready"
        } else {
            "reconciling"
        };
        tracing::info!(namespace, name, reason, was, change, job, detail, "{state}");
    }
}

fn after_long_name(reference: &ObjectReference) -> bool {
    let name = reference.name.as_deref().unwrap_or_default();
    name.len() > LONGEST_NAME
}

/// Publishes an event whose name the API server makes: one that begins with the resource's would be too long. It is not
/// counted up with others of its kind.
async fn publish_unnamed(
    client: Client,
    event: Event,
    reference: ObjectReference,
    now: Moment,
) -> Result<(), kube::Error> {
    let namespace = reference.namespace.clone().unwrap_or_default();
    let events: Api<v1::Event> = Api::namespaced(client, &namespace);
    let kind = match event.type_ {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    let event = v1::Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{MANAGER}-")),
            ..ObjectMeta::default()
        },
        action: Some(event.action),
        reason: Some(event.reason),
        note: event.note,
        type_: Some(kind.to_owned()),
        regarding: Some(reference),
        event_time: Some(MicroTime(now.wall)),
        reporting_controller: Some(MANAGER.to_owned()),
        reporting_instance: Some(MANAGER.to_owned()),
        ..v1::Event::default()
    };
    events
        .create(&PostParams::default(), &event)
        .await
        .map(drop)
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
    use std::{convert::Infallible, sync::Arc};

    use http_body_util::BodyExt as _;
    use kube::client::Body;

    use super::*;

    #[tokio::test]
    async fn an_event_that_comes_again_is_counted_up_unless_hundreds_came_between() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noting = Arc::clone(&asked);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let asked = Arc::clone(&noting);
            async move {
                asked.lock().unwrap().push(request.method().clone());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                Ok::<_, Infallible>(http::Response::new(Body::from(body)))
            }
        });
        let publisher = Publisher::new(Client::new(service, "shop"));
        let publish = async |resource: String| {
            let event = Event {
                type_: EventType::Normal,
                reason: "Settled".to_owned(),
                note: None,
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            let about = ObjectReference {
                name: Some(resource),
                namespace: Some("shop".to_owned()),
                ..ObjectReference::default()
            };
            publisher.recorder().publish(&event, &about).await.unwrap();
            asked.lock().unwrap().pop().unwrap()
        };
        assert_eq!(publish("orders".to_owned()).await, http::Method::POST);
        assert_eq!(publish("orders".to_owned()).await, http::Method::PATCH);
        for number in 0..MOST_REMEMBERED {
            assert_eq!(publish(number.to_string()).await, http::Method::POST);
        }
        assert_eq!(publish("orders".to_owned()).await, http::Method::POST);
    }

    #[test]
    fn notes_are_cut_on_a_character_boundary() {
        let text = shortened(&"错".repeat(1000));
        assert!(text.len() <= LONGEST_NOTE && text.len() > LONGEST_NOTE - 3);
        assert_eq!(shortened("short"), "short");
    }
}
