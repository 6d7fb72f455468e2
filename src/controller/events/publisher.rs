//! Events on their way to the API server. Nothing waits for them, and one that is not taken is lost.
//!
//! kube's recorder counts up events of one reason, whatever they say, and keeps the first text: a reader would be told what was
//! true of an earlier change. Here the text is part of what makes two events the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;

use crate::{chance::Chance, controller::context::MANAGER, model::Moment};

/// The longest note that the API takes, in bytes, with some room.
const LONGEST_NOTE: usize = 1000;

/// A name has at most 253 characters, and 17 of our own come after the resource's.
const LONGEST_NAME: usize = 236;

/// An event is worth this long and no more: nothing waits for it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same text within this time is the same event, counted up; as Kubernetes' own components have it.
const SERIES_GAP: Duration = Duration::from_mins(6);

/// How many events are remembered, at most: as many as a fleet makes in a few minutes.
const MOST_REMEMBERED: usize = 500;

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
pub(in crate::controller) enum Kind {
    /// All is as it is meant to be.
    Normal,
    /// A person has to act.
    Warning,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::controller) struct News {
    about: ObjectReference,
    kind: Kind,
    reason: String,
    note: String,
}

/// What makes two events the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    uid: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    kind: Kind,
    reason: String,
    note: String,
}

/// An event that was published.
#[derive(Debug)]
struct Published {
    name: String,
    count: i32,
    /// Uptime at which it was seen last.
    last: Duration,
}

/// Publishes events; one that comes again soon is counted up.
pub(in crate::controller) struct Publisher {
    client: Client,
    chance: Chance,
    published: Arc<Mutex<HashMap<Key, Published>>>,
}

impl News {
    /// An event about this resource; its text is cut to what the API takes.
    pub(in crate::controller) fn new(
        about: ObjectReference,
        kind: Kind,
        reason: &str,
        text: &str,
    ) -> Self {
        Self {
            about,
            kind,
            reason: reason.to_owned(),
            note: shortened(text, LONGEST_NOTE).to_owned(),
        }
    }

    fn key(&self) -> Key {
        Key {
            uid: self.about.uid.clone(),
            namespace: self.about.namespace.clone(),
            name: self.about.name.clone(),
            kind: self.kind,
            reason: self.reason.clone(),
            note: self.note.clone(),
        }
    }

    fn event(self, name: String, now: Moment) -> Event {
        let kind: &'static str = self.kind.into();
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: self.about.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            reason: Some(self.reason),
            note: Some(self.note),
            type_: Some(kind.to_owned()),
            regarding: Some(self.about),
            event_time: Some(MicroTime(now.wall)),
            reporting_controller: Some(MANAGER.to_owned()),
            reporting_instance: Some(MANAGER.to_owned()),
            ..Event::default()
        }
    }
}

impl Publisher {
    pub(in crate::controller) fn new(client: Client, chance: Chance) -> Self {
        Self {
            client,
            chance,
            published: Arc::default(),
        }
    }

    /// Publishes this, by and by.
    pub(in crate::controller) fn publish(&self, news: News, now: Moment) {
        let publishing = self.publishing(news, now);
        tokio::spawn(async move {
            match tokio::time::timeout(PATIENCE, publishing).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "an event was not published"),
                Err(_) => tracing::debug!("an event was not published in time"),
            }
        });
    }

    /// The call that publishes this. What is the same as what was called for before is found out at once.
    fn publishing(
        &self,
        news: News,
        now: Moment,
    ) -> impl Future<Output = Result<(), kube::Error>> + Send + use<> {
        let namespace = news.about.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let key = news.key();
        let again = again(&mut lock(&self.published), &key, now);
        let fresh = self.fresh_name(&news);
        let published = Arc::clone(&self.published);
        async move {
            if let Some((name, count)) = again {
                let series = EventSeries {
                    count,
                    last_observed_time: MicroTime(now.wall),
                };
                let patch = Patch::Merge(json!({ "series": series }));
                match events.patch(&name, &PatchParams::default(), &patch).await {
                    // It was deleted, or its first publishing failed.
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    result => return result.map(drop),
                }
            }
            let event = news.event(fresh.clone(), now);
            events.create(&PostParams::default(), &event).await?;
            let once = Published {
                name: fresh,
                count: 1,
                last: now.uptime,
            };
            remember(&mut lock(&published), key, once);
            Ok(())
        }
    }

    /// A name that no other event has.
    fn fresh_name(&self, news: &News) -> String {
        let name = news.about.name.as_deref().unwrap_or(MANAGER);
        let name = shortened(name, LONGEST_NAME).trim_end_matches(['.', '-']);
        format!("{name}.{:016x}", self.chance.seed())
    }
}

/// The name of the event that this is once more, and how many times it is then.
fn again(published: &mut HashMap<Key, Published>, key: &Key, now: Moment) -> Option<(String, i32)> {
    published.retain(|_, event| now.elapsed(event.last) < SERIES_GAP);
    let event = published.get_mut(key)?;
    event.count = event.count.saturating_add(1);
    event.last = now.uptime;
    Some((event.name.clone(), event.count))
}

fn remember(published: &mut HashMap<Key, Published>, key: Key, event: Published) {
    if published.len() >= MOST_REMEMBERED {
        published.clear();
    }
    published.insert(key, event);
}

fn lock(published: &Mutex<HashMap<Key, Published>>) -> MutexGuard<'_, HashMap<Key, Published>> {
    published.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The beginning of a text, to a whole character.
fn shortened(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Method;
    use http_body_util::BodyExt as _;
    use k8s_openapi::jiff::Timestamp;
    use kube::client::Body;
    use serde_json::Value;

    use super::*;

    type Asked = Arc<Mutex<Vec<(Method, String, Value)>>>;

    /// A publisher before an API server that takes everything, and what it was asked for.
    fn publisher() -> (Publisher, Asked) {
        let asked = Asked::default();
        let noting = Arc::clone(&asked);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let asked = Arc::clone(&noting);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let said = serde_json::from_slice(&body).unwrap();
                let path = head.uri.path().to_owned();
                asked.lock().unwrap().push((head.method, path, said));
                let answer = Event::default();
                let answer = serde_json::to_vec(&answer).unwrap();
                Ok::<_, Infallible>(http::Response::new(Body::from(answer)))
            }
        });
        let client = Client::new(service, "shop");
        (Publisher::new(client, Chance::seeded(7)), asked)
    }

    fn at(second: u64) -> Moment {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap()).unwrap();
        Moment::new(wall, Duration::from_secs(second))
    }

    fn news(name: &str, text: &str) -> News {
        let about = ObjectReference {
            name: Some(name.to_owned()),
            namespace: Some("shop".to_owned()),
            ..ObjectReference::default()
        };
        News::new(about, Kind::Normal, "JobRunning", text)
    }

    #[tokio::test]
    async fn n03_only_the_same_text_is_counted_up() {
        let (publisher, asked) = publisher();
        let publish = async |text: &str, second| {
            let publishing = publisher.publishing(news("orders", text), at(second));
            publishing.await.unwrap();
            asked.lock().unwrap().pop().unwrap()
        };
        let (method, _, first) = publish("job A is at work", 1).await;
        assert_eq!(
            (method, &first["note"]),
            (Method::POST, &json!("job A is at work"))
        );
        let (method, _, other) = publish("job B is at work", 2).await;
        assert_eq!(
            (method, &other["note"]),
            (Method::POST, &json!("job B is at work"))
        );
        assert_ne!(first["metadata"]["name"], other["metadata"]["name"]);

        let (method, path, again) = publish("job B is at work", 3).await;
        assert_eq!(method, Method::PATCH);
        let name = other["metadata"]["name"].as_str().unwrap();
        assert!(path.ends_with(name), "{path} is of {name}");
        assert_eq!(again["series"]["count"], 2);
        assert_eq!(
            again["series"]["lastObservedTime"],
            "2027-01-15T08:00:03.000000Z"
        );
        let (method, ..) = publish("job B is at work", 3 + SERIES_GAP.as_secs()).await;
        assert_eq!(method, Method::POST, "later it is another one");
    }

    #[tokio::test]
    async fn an_event_that_comes_again_is_counted_up_unless_hundreds_came_between() {
        let (publisher, asked) = publisher();
        let publish = async |name: String| {
            let publishing = publisher.publishing(news(&name, "the same"), at(1));
            publishing.await.unwrap();
            asked.lock().unwrap().pop().unwrap().0
        };
        assert_eq!(publish("orders".to_owned()).await, Method::POST);
        assert_eq!(publish("orders".to_owned()).await, Method::PATCH);
        for number in 0..MOST_REMEMBERED {
            assert_eq!(publish(number.to_string()).await, Method::POST);
        }
        assert_eq!(publish("orders".to_owned()).await, Method::POST);
    }

    #[tokio::test]
    async fn names_and_notes_are_as_short_as_the_api_wants_them() {
        let (publisher, _) = publisher();
        let long = format!("{}.{}", "a".repeat(LONGEST_NAME - 1), "b".repeat(16));
        let name = publisher.fresh_name(&news(&long, ""));
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
        let note = news("orders", &"错".repeat(1000)).note;
        assert!(note.len() <= LONGEST_NOTE && note.len() > LONGEST_NOTE - 3);
        assert_eq!(news("orders", "short").note, "short");
    }
}
