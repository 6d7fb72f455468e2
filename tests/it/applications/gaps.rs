//! For how long a move of the port keeps applications from their database, at the shipped pace: the figures of `docs/applications.md`.
//!
//! Each move goes to a port that was never used before. At all ports but the two of a move a decoy listens, at the address of the proxy:
//! no application may ever meet one. Nothing here judges how long anything took, which depends on the machine.
//!
//! Each course has a network, a cluster and applications of its own. Several run at once, since the operator mostly waits: the second of two
//! changes of a proxy for the cloud's lists, which may lag.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use kube::api::DeleteParams;
use serde_json::json;
use taurus_sim::{PortListens, sample};
use tokio::net::TcpStream;

use super::{
    decoys::Decoys,
    figures::{Figures, TITLES},
    needed,
    network::PROXIES,
    pool::{self, Pool, Settings},
    stage::{PORT, Stage, job},
};
use crate::{
    stories::publication,
    world::{NAME, PATIENCE, netns},
};

/// How many moves there are with each way of the cloud together, where nobody says otherwise.
const MOVES: u16 = 100;

/// So many courses run at once, where nobody says otherwise.
const AT_ONCE: usize = 4;

/// Tells a part which course is its own.
const COURSE: &str = "GAPS_COURSE";

/// The port of the first move.
const FIRST: u16 = 4000;

/// How long before the end of its job a proxy listens at the new port, where it does not wait for that.
const EARLY: Duration = Duration::from_secs(4);

#[taurus_needs::test]
#[ignore = "about 40 minutes: make gaps"]
fn moves_at_the_shipped_pace() {
    needed();
    let all = courses().len();
    let next = AtomicUsize::new(0);
    let plays = || {
        let taken = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|course| *course < all);
        while let Some(course) = taken() {
            let environment = [(COURSE, &*course.to_string())];
            let played = netns::play_aloud("applications::gaps::part_moves", &environment);
            let figures: Vec<_> = played
                .lines()
                .filter(|line| line.starts_with('|'))
                .collect();
            println!("{}", figures.join("\n"));
        }
    };
    println!("| moves | application | {TITLES} |");
    thread::scope(|scope| {
        for _ in 0..number("GAPS_AT_ONCE").map_or(AT_ONCE, usize::from) {
            scope.spawn(plays);
        }
    });
}

/// A number of the environment.
fn number(name: &str) -> Option<u16> {
    let set = env::var(name).ok().filter(|text| !text.is_empty());
    set.map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number"))
    })
}

/// Moves of one kind.
struct Course {
    name: &'static str,
    probe: Option<&'static str>,
    listens: PortListens,
    settings: Settings,
    moves: u16,
}

fn courses() -> [Course; 6] {
    let quarter = number("GAPS_MOVES").unwrap_or(MOVES).div_ceil(4);
    let course = |name, probe, listens| Course {
        name,
        probe,
        listens,
        settings: Settings::Checks,
        moves: quarter,
    };
    let of_settings = |name, settings| Course {
        settings,
        moves: quarter.div_ceil(4),
        ..course(name, Some("Report"), PortListens::AtEnd)
    };
    let early = PortListens::Before(EARLY);
    [
        course("moves at the job's end, no probe", None, PortListens::AtEnd),
        course(
            "moves at the job's end, probe",
            Some("Report"),
            PortListens::AtEnd,
        ),
        course("moves before the job's end, no probe", None, early),
        course("moves before the job's end, probe", Some("Report"), early),
        of_settings("as the pools are by themselves", Settings::Defaults),
        of_settings("queries that are repeated", Settings::Retries),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of the test above"]
async fn part_moves() {
    let place = number(COURSE).expect("it is said which course to play");
    let mut courses = courses().into_iter();
    let course = courses.nth(place.into()).expect("there is that course");
    let all = course.moves;
    let stage = Stage::set("1", job(Duration::from_secs(10))).await;
    let mut decoys = Decoys::default();
    for port in FIRST..FIRST + all {
        decoys.open(port).await;
    }
    stage
        .world
        .patch(json!({"spec": {"probe": course.probe}}))
        .await;
    let pools = Pool::all(&stage.host, PORT, course.settings);
    for pool in &pools {
        pool.queries_again().await;
    }
    let mut figures: Vec<Figures> = pools.iter().map(|_| Figures::default()).collect();
    for (number, port) in (FIRST..FIRST + all).enumerate() {
        eprintln!("{}: {} of {all}", course.name, number + 1);
        moves(&stage, &mut decoys, &pools, &mut figures, &course, port).await;
    }
    // The harness has begun a line.
    println!();
    for (pool, figures) in pools.iter().zip(&figures) {
        println!("| {} | {} | {figures} |", course.name, pool.name);
    }
    drop(pools);
    assert_eq!(decoys.met(), 0, "connections to a wrong port");
    let moved: Vec<u16> = (FIRST..FIRST + all).collect();
    assert_eq!(stage.world.accepted(), moved, "each change once");
    let first = std::iter::once(i32::from(sample::PORT));
    let expected: Vec<i32> = first.chain(moved.into_iter().map(i32::from)).collect();
    assert_eq!(publication::ports(&stage.ports), expected);
    assert_eq!(
        stage.cluster_ip().await,
        stage.host,
        "nobody is told of another address"
    );
    if place == 0 {
        ends(&stage).await;
    }
}

/// One move: each worker of each application queries again after it.
async fn moves(
    stage: &Stage,
    decoys: &mut Decoys,
    pools: &[Pool],
    figures: &mut [Figures],
    course: &Course,
    port: u16,
) {
    // So polls of the job come at other times each time.
    let lasts = Duration::from_secs(6) + Duration::from_millis(700) * u32::from(port % 12);
    let job = job(lasts).port_listens(course.listens);
    stage.world.sim.next_job_of(sample::PROXY, job);
    decoys.close(port).await;
    let began = pool::now();
    stage.world.want_now(port).await;
    let listens = until_listening(port).await;
    for (pool, figures) in pools.iter().zip(figures) {
        let reconnects = pool.until_back(listens).await;
        let tally = pool.since(began);
        figures.add(tally.failed, tally.gap, reconnects);
    }
    stage.until_ready(port).await;
    if let Some(before) = port.checked_sub(1).filter(|before| *before >= FIRST) {
        decoys.open(before).await;
    }
}

/// Waits until the proxy can be connected to at this port; says since when.
async fn until_listening(port: u16) -> u64 {
    let connecting = async {
        while TcpStream::connect((PROXIES[0], port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        pool::now()
    };
    let listens = tokio::time::timeout(PATIENCE, connecting).await;
    listens.expect("the proxy listens at its new port")
}

/// The resource is deleted: connections that are open stay, and nobody opens another one.
async fn ends(stage: &Stage) {
    let pools = Pool::all(&stage.host, PORT, Settings::Checks);
    for pool in &pools {
        pool.queries_again().await;
    }
    let began = pool::now();
    let api = stage.world.api();
    api.delete(NAME, &DeleteParams::default()).await.unwrap();
    let services = stage.services();
    let is_gone = async || {
        let found = services.get_opt(publication::SERVICE).await.unwrap();
        found.is_none()
    };
    stage
        .world
        .until_true_async("the Service is gone", is_gone)
        .await;
    for pool in &pools {
        pool.queries_again().await;
    }
    for pool in &pools {
        println!(
            "| deletion: queries, failed, longest gap in ms | {} | {} |",
            pool.name,
            pool.since(began)
        );
    }
    for pool in Pool::all(&stage.host, PORT, Settings::Checks) {
        pool.until_failed().await;
    }
}
