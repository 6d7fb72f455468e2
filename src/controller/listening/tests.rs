//! An API server that is silent in each of the ways in which one can be, in virtual time.

use std::{
    convert::Infallible,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::channel::mpsc::{self, UnboundedSender};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use k8s_openapi::api::core::v1::Secret;
use kube::{ResourceExt as _, client::Body, core::PartialObjectMeta};
use serde_json::{Value, json};

use super::*;

const ORDER: Ordering = Ordering::SeqCst;
const HEX: &str = "0123456789abcdef0123456789abcdef";
const MINUTE: Duration = Duration::from_mins(1);

/// A collection, and who watches it.
#[derive(Default)]
struct Server {
    version: AtomicU64,
    resources: Mutex<Vec<&'static str>>,
    is_away: AtomicBool,
    lists: AtomicUsize,
    questions: AtomicUsize,
    watches: Mutex<Vec<UnboundedSender<Bytes>>>,
}

impl Server {
    fn answer(
        &self,
        request: &http::Request<Body>,
    ) -> http::Response<UnsyncBoxBody<Bytes, Infallible>> {
        let query = request.uri().query().unwrap_or_default();
        if self.is_away.load(ORDER) {
            let mut answer = http::Response::new(Full::default().boxed_unsync());
            *answer.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            return answer;
        }
        if query.contains("watch=true") {
            let (sender, pieces) = mpsc::unbounded();
            self.watches.lock().unwrap().push(sender);
            let pieces = pieces.map(|piece| Ok(Frame::data(piece)));
            return http::Response::new(StreamBody::new(pieces).boxed_unsync());
        }
        let asked = if query.contains("limit=1&") || query.ends_with("limit=1") {
            &self.questions
        } else {
            &self.lists
        };
        asked.fetch_add(1, ORDER);
        let text = Bytes::from(self.list().to_string());
        http::Response::new(Full::new(text).boxed_unsync())
    }

    fn list(&self) -> Value {
        let version = self.version.load(ORDER).to_string();
        let resources = self.resources.lock().unwrap().clone();
        let items = resources.into_iter().map(|name| {
            json!({
                "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version},
                "spec": {
                    "region": "ap-southeast-3", "projectID": HEX, "instanceID": format!("{HEX}in07"),
                    "proxyID": format!("{HEX}po01"), "port": 3307
                }
            })
        });
        json!({
            "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPortList",
            "metadata": {"resourceVersion": version}, "items": items.collect::<Vec<_>>()
        })
    }

    /// Sends a bookmark to all who watch.
    fn bookmark(&self) {
        let version = self.version.load(ORDER).to_string();
        let bookmark = json!({
            "type": "BOOKMARK",
            "object": {
                "apiVersion": "taurusdb.huaweicloud.com/v1alpha1", "kind": "TaurusProxyPort",
                "metadata": {"resourceVersion": version}
            }
        });
        let text = Bytes::from(format!("{bookmark}\n"));
        for watch in self.watches.lock().unwrap().iter() {
            let _ = watch.unbounded_send(text.clone());
        }
    }
}

/// Somebody who listens to a server.
struct Story {
    server: Arc<Server>,
    heartbeat: Arc<Heartbeat>,
    clock: Clock,
    /// What the lists held that were read so far.
    heard: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Story {
    async fn begin(version: u64, resources: &[&'static str]) -> Self {
        Self::begin_with(version, resources, |client, heartbeat, clock| {
            Listening::to_resources(client, None, heartbeat, clock)
        })
        .await
    }

    /// The same of Secrets, of which nobody is told how long their watch is silent.
    async fn begin_beside(version: u64, secrets: &[&'static str]) -> Self {
        Self::begin_with(version, secrets, |client, _, clock| {
            let all = watcher::Config::default();
            Listening::<PartialObjectMeta<Secret>>::beside(client, None, all, clock)
        })
        .await
    }

    async fn begin_with<K>(
        version: u64,
        resources: &[&'static str],
        listen: impl FnOnce(Client, Arc<Heartbeat>, Clock) -> Listening<K>,
    ) -> Self
    where
        K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
        K: Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let server = Arc::new(Server::default());
        server.version.store(version, ORDER);
        *server.resources.lock().unwrap() = resources.to_vec();
        let answering = Arc::clone(&server);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let answer = answering.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let clock = Clock::start();
        let heartbeat = Arc::new(Heartbeat::default());
        heartbeat.beat(clock.now());
        let client = Client::new(service, "default");
        let listening = listen(client, Arc::clone(&heartbeat), clock);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let noting = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut events = Box::pin(listening.events());
            let mut list = Vec::new();
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init) => list.clear(),
                    Ok(watcher::Event::InitApply(object)) => list.push(object.name_any()),
                    Ok(watcher::Event::InitDone) => noting.lock().unwrap().push(list.clone()),
                    Ok(_) | Err(_) => {}
                }
            }
        });
        let story = Self {
            server,
            heartbeat,
            clock,
            heard,
        };
        story.pass(Duration::from_secs(1)).await;
        assert_eq!(story.lists(), 1);
        story
    }

    async fn pass(&self, time: Duration) {
        clock::pause(time).await;
    }

    fn lists(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    fn silence(&self) -> Duration {
        self.heartbeat.silence(self.clock.now())
    }
}

#[tokio::test(start_paused = true)]
async fn h02_a_collection_that_was_restored_from_a_backup_is_read_anew_within_five_minutes() {
    let story = Story::begin(1000, &["orders", "old"]).await;
    story.pass(2 * MINUTE).await;
    for version in [600, 300] {
        // Nobody tells: the watch waits for versions that were there before.
        *story.server.resources.lock().unwrap() = vec!["orders", "new"];
        story.server.version.store(version, ORDER);
        let before = story.lists();
        story.pass(5 * MINUTE).await;
        assert!(story.lists() > before, "{version}");
        let heard = story.heard.lock().unwrap().last().unwrap().clone();
        assert_eq!(heard, ["orders", "new"], "new ones, and none that are gone");
    }
}

#[tokio::test(start_paused = true)]
async fn h02_an_api_server_that_shows_the_past_gives_no_sign_of_life() {
    let story = Story::begin(1000, &["orders"]).await;
    for _ in 0..5 {
        story.server.version.fetch_add(12, ORDER);
        story.server.bookmark();
        story.pass(MINUTE).await;
    }
    assert!(story.silence() <= MINUTE + Duration::from_secs(1));
    // Its bookmarks go on, with the version that it had before etcd was restored.
    for _ in 0..11 {
        story.server.bookmark();
        story.pass(MINUTE).await;
    }
    assert!(story.silence() >= 10 * MINUTE, "{:?}", story.silence());
    assert!(story.lists() > 1);
    story.server.version.fetch_add(12, ORDER);
    story.pass(MINUTE).await;
    story.server.bookmark();
    story.pass(Duration::from_secs(1)).await;
    assert!(story.silence() < MINUTE);
}

#[tokio::test(start_paused = true)]
async fn f5a_a_watch_that_is_deaf_is_silent_however_often_it_is_asked_for() {
    let story = Story::begin(1000, &["orders"]).await;
    for _ in 0..14 {
        story.server.version.fetch_add(12, ORDER);
        story.pass(MINUTE).await;
    }
    assert!(story.lists() > 3, "it is begun anew again and again");
    assert!(story.silence() >= 14 * MINUTE, "{:?}", story.silence());
    story.server.bookmark();
    story.pass(Duration::from_secs(1)).await;
    assert!(story.silence() < MINUTE);
}

#[tokio::test(start_paused = true)]
async fn h02_who_gets_bookmarks_lists_nothing_anew() {
    let story = Story::begin(1000, &["orders"]).await;
    for _ in 0..30 {
        story.server.version.fetch_add(12, ORDER);
        story.server.bookmark();
        story.pass(MINUTE).await;
        assert!(story.silence() <= MINUTE + Duration::from_secs(1));
    }
    assert!(story.server.questions.load(ORDER) <= 30);
    assert_eq!(story.lists(), 1);
}

#[tokio::test(start_paused = true)]
async fn h02_an_api_server_that_is_away_is_not_asked_for_all_resources() {
    let story = Story::begin(1000, &["orders"]).await;
    story.server.is_away.store(true, ORDER);
    story.pass(4 * MINUTE).await;
    assert_eq!(story.server.lists.load(ORDER), 1);
    assert!(story.silence() >= 4 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a9_secrets_that_were_restored_from_a_backup_are_read_anew_within_five_minutes() {
    let story = Story::begin_beside(1000, &["keys", "old"]).await;
    story.pass(2 * MINUTE).await;
    *story.server.resources.lock().unwrap() = vec!["keys", "new"];
    story.server.version.store(600, ORDER);
    story.pass(5 * MINUTE).await;
    assert_eq!(
        story.heard.lock().unwrap().last().unwrap(),
        &["keys", "new"]
    );
}

#[tokio::test(start_paused = true)]
async fn a9_a_watch_of_secrets_that_is_deaf_is_begun_anew_and_one_that_gets_bookmarks_is_not() {
    let story = Story::begin_beside(1000, &["keys"]).await;
    for _ in 0..30 {
        story.server.version.fetch_add(12, ORDER);
        story.server.bookmark();
        story.pass(MINUTE).await;
    }
    assert_eq!(story.lists(), 1);
    for _ in 0..14 {
        story.server.version.fetch_add(12, ORDER);
        story.pass(MINUTE).await;
    }
    assert!(story.lists() > 3, "{}", story.lists());
}

#[tokio::test(start_paused = true)]
async fn a9_the_silence_of_another_watch_is_no_silence_of_that_of_the_resources() {
    let story = Story::begin_beside(1000, &["keys"]).await;
    for _ in 0..14 {
        story.server.version.fetch_add(12, ORDER);
        story.server.bookmark();
        story.pass(MINUTE).await;
    }
    assert!(
        story.silence() >= 14 * MINUTE,
        "it is no sign of life either"
    );
}
