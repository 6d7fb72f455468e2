//! The admin server over real HTTP, on a port of its own.

mod https;

use std::time::Duration;

use futures::FutureExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;
use crate::{
    clock::Clock,
    health::{heartbeat::Heartbeat, work::Work},
    model::Moment,
};

struct Served {
    address: SocketAddr,
    readiness: Arc<Readiness>,
    heartbeat: Arc<Heartbeat>,
    work: Arc<Work>,
    clock: Clock,
}

/// A server on a free port, asked over the network as the kubelet would.
fn served() -> Served {
    served_with(Arc::default())
}

fn served_with(calendar: Arc<Store>) -> Served {
    let bound = Bound::new(([127, 0, 0, 1], 0).into()).unwrap();
    served_at(bound, calendar)
}

fn served_at(bound: Bound, calendar: Arc<Store>) -> Served {
    let clock = Clock::with_head_start(Duration::from_hours(2));
    let heartbeat = Arc::new(Heartbeat::default());
    let work = Arc::new(Work::default());
    let readiness = Arc::new(Readiness::new());
    let ask = Box::new(|| async { true }.boxed());
    let admin = Admin {
        liveness: Arc::new(Liveness::new(
            Arc::clone(&heartbeat),
            Arc::clone(&work),
            clock,
            ask,
        )),
        readiness: Arc::clone(&readiness),
        metrics: Arc::default(),
        calendar,
    };
    let address = bound.address();
    tokio::spawn(bound.serve(admin));
    Served {
        address,
        readiness,
        heartbeat,
        work,
        clock,
    }
}

impl Served {
    async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let served = served();
    let (status, text) = served.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        text.contains("not ready: the Kubernetes API server was not reached yet"),
        "{text}"
    );
    served.readiness.missing("the CRD is not installed");
    let (status, text) = served.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(
        text.ends_with("not ready: the CRD is not installed\n"),
        "{text}"
    );
    served.readiness.standby("orders-1 leads");
    let (status, text) = served.get("/readyz").await;
    assert_eq!(status, 200);
    assert!(
        text.ends_with("ready to take over: orders-1 leads\n"),
        "{text}"
    );
    served.readiness.ready();
    assert_eq!(served.get("/readyz").await.0, 200);
    served.readiness.stopping();
    let (status, text) = served.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(text.ends_with("not ready: stopping\n"), "{text}");
    assert_eq!(served.get("/livez").await.0, 200, "who stops is alive");
}

#[tokio::test]
async fn a_calendar_that_can_not_be_read_is_told_and_takes_nobody_out_of_service() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calendar.yaml");
    std::fs::write(&path, "freezes: []").unwrap();
    let calendar = Arc::new(Store::open(path.to_str()).await);
    let served = served_with(Arc::clone(&calendar));
    served.readiness.ready();
    assert!(served.get("/readyz").await.1.ends_with("\nready\n"));
    std::fs::write(&path, "freezes: [").unwrap();
    calendar.look_again().await;
    let (status, text) = served.get("/readyz").await;
    assert_eq!(status, 200);
    let told = "the last good one is in force: ";
    assert!(
        text.contains(told) && text.contains("calendar.yaml"),
        "{text}"
    );
    // A process that begins now has none.
    let calendar = Arc::new(Store::open(path.to_str()).await);
    let served = served_with(calendar);
    served.readiness.ready();
    let (status, text) = served.get("/readyz").await;
    assert!(
        status == 200 && text.contains("and no change starts: "),
        "{text}"
    );
}

#[tokio::test]
async fn a_stuck_process_is_not_alive() {
    let served = served();
    assert_eq!(served.get("/livez").await.0, 200);
    let now = served.clock.now();
    let uptime = now.uptime.checked_sub(Duration::from_secs(1000)).unwrap();
    served.heartbeat.beat(Moment { uptime, ..now });
    let (status, text) = served.get("/livez").await;
    assert_eq!(status, 503);
    assert!(text.contains("silent for 100"), "{text}");
    served.heartbeat.beat(served.clock.now());
    assert_eq!(served.get("/livez").await.0, 200);
    let hanging = served.work.begin(Moment {
        uptime: now.uptime.checked_sub(Duration::from_mins(45)).unwrap(),
        ..now
    });
    let (status, text) = served.get("/livez").await;
    assert_eq!(status, 503);
    assert!(
        text.contains("a reconcile has been at work for 270"),
        "{text}"
    );
    drop(hanging);
    assert_eq!(served.get("/livez").await.0, 200);
}

#[tokio::test]
async fn figures_are_served_as_open_metrics() {
    let served = served();
    let (status, text) = served.get("/metrics").await;
    assert_eq!(status, 200);
    assert!(
        text.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{text}"
    );
    assert!(
        text.contains("\ntaurus_undecodable_resources 0\n"),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn other_paths_are_not_there() {
    assert_eq!(served().get("/").await.0, 404);
}

#[tokio::test]
async fn a_taken_address_is_named_with_the_way_out() {
    let served = served();
    let error = Bound::new(served.address).err().unwrap().to_string();
    assert!(error.contains(&served.address.to_string()), "{error}");
    assert!(
        error.contains("--admin-address (TAURUS_ADMIN_ADDRESS)"),
        "{error}"
    );
}

/// A connection that sends the begin of a request and no more.
async fn half_a_request(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nx:")
        .await
        .unwrap();
    stream
}

#[tokio::test]
async fn r12_half_sent_requests_take_no_room_from_others() {
    let served = served();
    let mut halves = Vec::new();
    for _ in 0..5 * connections::MOST {
        halves.push(half_a_request(served.address).await);
        if halves.len() % connections::MOST == 0 {
            assert_eq!(served.get("/livez").await.0, 200);
        }
    }
    // The oldest were closed to make room, all but the last ones.
    let room = halves.len() - connections::MOST;
    for half in halves.iter_mut().take(room) {
        let mut rest = Vec::new();
        // Closed, or reset.
        let _ = half.read_to_end(&mut rest).await;
    }
    assert_eq!(served.get("/livez").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn r12_a_request_that_does_not_come_is_not_waited_for() {
    let served = served();
    for beginning in ["", "GET /livez HTTP/1.1\r\nhost: operator\r\n"] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let began = served.clock.now();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        let waited = served.clock.now().elapsed(began.uptime);
        let longest = 2 * connections::HEAD_WITHIN;
        assert!(waited < longest, "{beginning:?}: {waited:?}");
    }
}
