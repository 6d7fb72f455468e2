//! Lists of an API server that is made up, whose objects are as large as tenants like.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::json;

use super::*;
use crate::preflight::reader::Scope;

const KIB: usize = 1 << 10;

/// An answer comes in pieces of this length.
const PIECE: usize = 16 * KIB;

struct Server {
    /// How long a text each object has.
    lengths: Vec<usize>,
    /// How many objects were asked for, each time.
    asked: Mutex<Vec<usize>>,
    /// How many bytes were taken of its answers.
    taken: AtomicUsize,
}

impl Server {
    fn new(lengths: Vec<usize>) -> Arc<Self> {
        Arc::new(Self {
            lengths,
            asked: Mutex::default(),
            taken: AtomicUsize::new(0),
        })
    }

    fn page(&self, query: &str) -> Bytes {
        let number = |name: &str| {
            let mut parts = query.split('&');
            parts.find_map(|part| part.strip_prefix(name)?.parse::<usize>().ok())
        };
        let limit = number("limit=").unwrap();
        self.asked.lock().unwrap().push(limit);
        let from = number("continue=").unwrap_or_default();
        let until = from.saturating_add(limit).min(self.lengths.len());
        let items: Vec<_> = (from..until)
            .map(|at| json!({"name": at, "text": "x".repeat(self.lengths[at])}))
            .collect();
        let token = (until < self.lengths.len()).then(|| until.to_string());
        let page = json!({"metadata": {"continue": token}, "items": items});
        Bytes::from(page.to_string())
    }
}

fn client(server: &Arc<Server>) -> Client {
    let server = Arc::clone(server);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let page = server.page(request.uri().query().unwrap_or_default());
        let starts = (0..page.len()).step_by(PIECE);
        let pieces = starts.map(|at| page.slice(at..page.len().min(at + PIECE)));
        let pieces: Vec<Bytes> = pieces.collect();
        let counting = Arc::clone(&server);
        let pieces = stream::iter(pieces).map(move |piece| {
            counting.taken.fetch_add(piece.len(), Ordering::SeqCst);
            Ok::<_, Infallible>(Frame::data(piece))
        });
        let body: UnsyncBoxBody<Bytes, Infallible> = StreamBody::new(pieces).boxed_unsync();
        async move { Ok::<_, Infallible>(http::Response::new(body)) }
    });
    Client::new(service, "shop")
}

#[derive(Deserialize)]
struct Named {
    name: usize,
}

/// The objects that were read, and where that has ended.
async fn read(server: &Arc<Server>, bounds: Bounds) -> (Vec<usize>, End) {
    let client = client(server);
    let listing = Listing {
        client: &client,
        path: "/apis/shop/v1/things".to_owned(),
        metadata_alone: false,
        bounds,
    };
    let mut names = Vec::new();
    let each = listing.each(|object: Named| {
        names.push(object.name);
        true
    });
    let end = each.await.unwrap();
    (names, end)
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end_or_to_as_many_objects_as_are_looked_at() {
    let bounds = Scope::Network.bounds();
    let server = Server::new(vec![10; 120]);
    let (names, end) = read(&server, bounds).await;
    assert_eq!(end, End::Whole);
    assert_eq!(names, (0..120).collect::<Vec<_>>());
    assert_eq!(*server.asked.lock().unwrap(), [50, 50, 50]);
    let (names, end) = read(&Server::new(vec![10; 700]), bounds).await;
    assert_eq!((names.len(), end), (500, End::TooMany));
    assert_eq!(
        read(&Server::new(vec![10; 500]), bounds).await.1,
        End::Whole
    );
}

#[tokio::test]
async fn no_more_is_taken_of_an_answer_than_a_page_may_have_nor_of_all_than_a_list_may_have() {
    let bounds = Scope::Network.bounds();
    let server = Server::new(vec![100 * KIB; 500]);
    let (names, end) = read(&server, bounds).await;
    assert_eq!(end, End::TooLarge);
    assert!(!names.is_empty() && names.len() < 500, "{}", names.len());
    let asked = server.asked.lock().unwrap().clone();
    assert_eq!(asked[..4], [50, 25, 12, 6], "until a page fits");
    // Each answer may be longer by the piece that was too much.
    let most = bounds.bytes + asked.len() * PIECE;
    let taken = server.taken.load(Ordering::SeqCst);
    assert!(taken <= most, "{taken} of {most}");
}

#[tokio::test]
async fn an_object_that_is_too_large_is_passed_over_and_those_beside_it_are_read() {
    let bounds = Scope::Network.bounds();
    let mut lengths = vec![10; 20];
    lengths[7] = 300 * KIB;
    let (names, end) = read(&Server::new(lengths), bounds).await;
    assert_eq!((names.len(), end), (19, End::TooLarge));
    assert!(!names.contains(&7));
    // One that no page has room for ends it.
    let server = Server::new(vec![2048 * KIB; 3]);
    let (names, end) = read(&server, bounds).await;
    assert_eq!((names.len(), end), (0, End::TooLarge));
    assert!(server.taken.load(Ordering::SeqCst) <= 7 * (bounds.page_bytes + PIECE));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_not_kept() {
    let server = Server::new(vec![10; 120]);
    let client = client(&server);
    let listing = Listing {
        client: &client,
        path: "/apis/shop/v1/things".to_owned(),
        metadata_alone: false,
        bounds: Scope::Network.bounds(),
    };
    let mut count = 0;
    let each = listing.each(|_: Named| {
        count += 1;
        count < 60
    });
    assert_eq!(each.await.unwrap(), End::TooLarge);
    assert_eq!(count, 60);
    assert_eq!(server.asked.lock().unwrap().len(), 2, "no page after that");
}
