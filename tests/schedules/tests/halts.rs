//! The halt after failed changes, where their ends become known in an unusual way.

use taurus_schedules::{Fleet, Tenant, Terms};
use taurus_sim::Operation;
use tokio::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// So many failed changes in a row halt all others.
const HALTS: usize = 3;

/// So many changes as halt all others are under way, and will fail after five minutes; one more resource is at rest.
async fn amid_failing_changes() -> Fleet {
    let mut fleet = Fleet::without_resources(HALTS + 1, 1, 3306).await;
    for number in 0..=HALTS {
        fleet.make(number, 3306, Tenant::One);
    }
    fleet.let_jobs_fail(5 * MINUTE);
    fleet.start(Terms {
        head_start: 60 * MINUTE,
        ..Terms::shipped(600)
    });
    let rests = fleet.until(5 * MINUTE, |fleet| fleet.ready() == HALTS + 1);
    assert!(rests.await.is_some(), "{}", fleet.said(0));
    (0..HALTS).for_each(|number| fleet.want(number, 3307));
    let begun = fleet.until(MINUTE, |fleet| fleet.count(Operation::Change) == HALTS);
    assert!(begun.await.is_some(), "{}", fleet.said(0));
    fleet
}

/// The one that was at rest wants another port when those changes have failed.
async fn is_halted(fleet: &Fleet) -> bool {
    // The job of a deleted resource is asked for each 15 s.
    sleep(5 * MINUTE + 20 * SECOND).await;
    fleet.want(HALTS, 3307);
    sleep(10 * SECOND).await;
    fleet.said(HALTS).contains("RolloutHalted")
}

#[tokio::test(start_paused = true)]
async fn ends_count_for_the_halt() {
    assert!(is_halted(&amid_failing_changes().await).await);
}

#[tokio::test(start_paused = true)]
async fn ends_count_for_the_halt_where_the_answers_to_their_writes_get_lost() {
    let fleet = amid_failing_changes().await;
    fleet.lose_answers_to_ends();
    assert!(is_halted(&fleet).await, "{}", fleet.said(HALTS));
}

#[tokio::test(start_paused = true)]
async fn failed_changes_of_deleted_resources_count_for_the_halt() {
    let fleet = amid_failing_changes().await;
    (0..HALTS).for_each(|number| fleet.delete(number));
    assert!(is_halted(&fleet).await, "{}", fleet.said(HALTS));
}
