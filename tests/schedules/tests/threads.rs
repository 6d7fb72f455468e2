//! A fleet on several threads, in real time.
//!
//! Schedules play on one thread, where nothing comes between two steps that wait for nothing. Here the operator, put together as it
//! is shipped, runs on four threads, with few seats and a budget that is dry most of the time, over the simulator of the cloud and
//! an API server in memory whose answers take a random time. People edit, delete and make resources on threads of their own. How
//! the threads interleave is chance: `THREADS_RUNS=50 cargo test --workspace --test threads -- --ignored` tries more
//! of it.

use std::sync::Arc;

use taurus_port_operator::{cloud::budget::CallLimit, permits::limits::Limits};
use taurus_schedules::{Fleet, Tenant, Terms};
use taurus_sim::Operation;
use tokio::time::{Duration, Instant, sleep};

const INSTANCES: usize = 30;
/// So many proxies are on each instance.
const ON_EACH: usize = 2;
const RESOURCES: usize = INSTANCES * ON_EACH;
const NAMESPACES: usize = 5;

/// Nothing takes longer, however busy the machine is.
const AT_LAST: Duration = Duration::from_mins(10);

/// A process that has led for long, with hours in minutes.
fn process() -> Terms {
    Terms {
        calls: CallLimit {
            calls: 60,
            per: Duration::from_millis(200),
            is_even: false,
        },
        changes: Limits {
            concurrent: INSTANCES / 4,
            hourly: usize::MAX,
            ..Limits::default()
        },
        head_start: Duration::from_hours(1),
        concurrency: 4,
        faster: 60,
        flaw: None,
    }
}

fn make(fleet: &Fleet, number: usize, port: u16) {
    let namespace = format!("team-{}", number % NAMESPACES);
    let tenant = if number.is_multiple_of(3) {
        Tenant::Other
    } else {
        Tenant::One
    };
    fleet.make_in(&namespace, (number, number / ON_EACH), port, tenant);
}

async fn until_ready(fleet: &Fleet, when: &str) {
    let deadline = Instant::now() + AT_LAST;
    while !(fleet.ready() == RESOURCES && fleet.is_idle()) {
        let late = (0..RESOURCES).find(|number| !fleet.is_ready(*number));
        assert!(
            Instant::now() < deadline,
            "{when}: {} are ready, {}",
            fleet.ready(),
            late.map_or_else(
                || "and something is under way".to_owned(),
                |late| fleet.said(late)
            )
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// How many changes each proxy was asked for since this was called last.
#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
fn changes(fleet: &Fleet) -> Vec<usize> {
    let mut changes = vec![0; RESOURCES];
    for call in fleet.calls() {
        if let (Operation::Change, Some(proxy)) = (call.operation, call.of) {
            changes[proxy] += 1;
        }
    }
    fleet.forget_calls();
    changes
}

/// All resources want another port, and each gets it with one request.
async fn change_all(fleet: &Fleet, port: u16, when: &str) {
    for number in 0..RESOURCES {
        fleet.want(number, port);
    }
    until_ready(fleet, when).await;
    assert_eq!(changes(fleet), [1; RESOURCES], "{when}");
}

/// What a person does to each third resource, to and fro: more than a turn takes, and less. Gives how many wishes there were.
#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
async fn meddle(fleet: Arc<Fleet>, person: usize) -> Vec<usize> {
    let mut wishes = vec![0; RESOURCES];
    for round in 0..3_u16 {
        for number in (person..RESOURCES).step_by(3) {
            if (number + usize::from(round)).is_multiple_of(7) {
                fleet.delete(number);
                make(&fleet, number, 3400 + round);
            } else {
                fleet.want(number, 3400 + round);
            }
            wishes[number] += 1;
            sleep(Duration::from_millis(rand::random_range(0..12))).await;
        }
    }
    wishes
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn run(number: usize) {
    let mut fleet = Fleet::without_resources(INSTANCES, ON_EACH, 3306).await;
    fleet.answer_after(Duration::from_millis(2));
    fleet.let_jobs_take(Duration::from_millis(100));
    for number in 0..RESOURCES {
        make(&fleet, number, 3306);
    }
    fleet.start(process());
    until_ready(&fleet, &format!("run {number}, at the start")).await;
    assert_eq!(changes(&fleet), [0; RESOURCES]);
    change_all(&fleet, 3307, &format!("run {number}, one edit of each")).await;
    let fleet = Arc::new(fleet);
    let people = [0, 1, 2].map(|person| tokio::spawn(meddle(Arc::clone(&fleet), person)));
    let mut wishes = vec![0; RESOURCES];
    for person in people {
        for (all, own) in wishes.iter_mut().zip(person.await.unwrap()) {
            *all += own;
        }
    }
    until_ready(&fleet, &format!("run {number}, after all edits")).await;
    let changes = changes(&fleet);
    let mut of_each = changes.iter().zip(&wishes);
    assert!(
        of_each.all(|(changes, wishes)| changes <= wishes),
        "run {number}: {changes:?} changes for {wishes:?} wishes"
    );
    change_all(&fleet, 3309, &format!("run {number}, one edit after all")).await;
    assert_eq!(fleet.panics(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "in real time, sixty times as fast as shipped: a busy machine is too slow for it"]
async fn n01_on_several_threads_each_resource_gets_what_it_wants_with_one_request() {
    let runs = std::env::var("THREADS_RUNS").map_or(1, |runs| runs.parse().unwrap());
    for number in 0..runs {
        run(number).await;
    }
}
