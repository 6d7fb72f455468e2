//! The heartbeat beats with each sign of life of a watch, over real HTTP.

use std::time::Duration;

use axum::{Router, body, extract::State, routing::get};
use futures::{StreamExt as _, channel::mpsc};
use kube::Config;
use tokio::{net::TcpListener, sync::Mutex};

use super::*;
use crate::model::Moment;

const COLLECTION: &str = "/apis/taurusdb.huaweicloud.com/v1alpha1/taurusproxyports";

type Pieces = Arc<Mutex<Option<mpsc::UnboundedReceiver<Bytes>>>>;

/// A server whose answer for the collection comes in the pieces that the test sends.
async fn server(pieces: mpsc::UnboundedReceiver<Bytes>) -> Client {
    // An error means that another test was quicker.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = async |State(pieces): State<Pieces>| {
        let pieces = pieces.lock().await.take().unwrap();
        body::Body::from_stream(pieces.map(Ok::<_, std::convert::Infallible>))
    };
    let router = Router::new()
        .route(COLLECTION, get(answer))
        .route(&format!("{COLLECTION}/orders"), get(async || "one"))
        .with_state(Arc::new(Mutex::new(Some(pieces))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    Client::try_from(Config::new(address.parse().unwrap())).unwrap()
}

fn request(path: &str) -> Request<Body> {
    let request = Request::get(path);
    request.body(Body::from(Vec::new())).unwrap()
}

#[tokio::test]
async fn every_piece_of_the_watch_is_heard_and_nothing_else() {
    const LONG: Duration = Duration::from_hours(1);
    let (sender, pieces) = mpsc::unbounded();
    let clock = Clock::with_head_start(2 * LONG);
    let heartbeat = Arc::new(Heartbeat::default());
    let plural = "taurusproxyports".to_owned();
    let client = client(server(pieces).await, plural, Arc::clone(&heartbeat), clock);
    let hush = || {
        let now = clock.now();
        let uptime = now.uptime.checked_sub(LONG).unwrap();
        heartbeat.beat(Moment { uptime, ..now });
    };
    let silent = || heartbeat.silence(clock.now()) >= LONG;

    hush();
    let path = format!("{COLLECTION}/orders");
    let answer = client.send(request(&path)).await.unwrap();
    answer.into_body().collect().await.unwrap();
    assert!(silent(), "one resource is not the watch");

    let watch = format!("{COLLECTION}?allowWatchBookmarks=true&watch=true");
    let answer = client.send(request(&watch)).await.unwrap();
    assert!(silent(), "f5a: that an answer begins is no sign of life");
    let mut body = answer.into_body();
    for _ in 0..2 {
        hush();
        sender
            .unbounded_send(Bytes::from_static(b"bookmark"))
            .unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "bookmark");
        assert!(!silent(), "a piece came");
    }
}
