//! Old faults of fleets, put back one by one: what is measured in `tenants.rs` tells them.
//!
//! Each is measured twice, without the fault and with it.

use taurus_port_operator::cloud::budget::CallLimit;
use taurus_schedules::{Flaw, Fleet, Tenant, Terms};
use taurus_sim::Operation;
use tokio::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// So many resources come at once.
const NEWCOMERS: usize = 60;

/// A process as it is shipped but for a fault, that has run for a while.
fn process(calls: u32, flaw: Option<Flaw>) -> Terms {
    Terms {
        head_start: HOUR,
        flaw,
        ..Terms::shipped(calls)
    }
}

/// A single resource at rest, of this tenant, and proxies for newcomers.
async fn one_at_rest(tenant: Tenant, terms: Terms) -> Fleet {
    let mut fleet = Fleet::without_resources(NEWCOMERS + 2, 1, 3306).await;
    fleet.make(0, 3306, tenant);
    fleet.start(terms);
    let took = until(&fleet, HOUR, |fleet| fleet.is_ready(0)).await;
    assert!(took < HOUR, "{}", fleet.said(0));
    sleep(10 * MINUTE).await;
    fleet
}

fn arrive(fleet: &Fleet) {
    for number in 1..=NEWCOMERS {
        fleet.make(number, 3306, Tenant::One);
    }
}

/// How long it takes from now until something holds, to a tenth of a second; that long at most.
async fn until(fleet: &Fleet, longest: Duration, holds: impl Fn(&Fleet) -> bool) -> Duration {
    fleet.until(longest, holds).await.unwrap_or(longest)
}

fn changes(fleet: &Fleet) -> usize {
    fleet.count(Operation::Change)
}

/// How long it takes from an edit to the change of the port.
async fn edit(fleet: &Fleet, proxy: usize, longest: Duration) -> Duration {
    let before = changes(fleet);
    fleet.want(proxy, 3307);
    until(fleet, longest, |fleet| changes(fleet) > before).await
}

async fn edit_beside_newcomers(flaw: Option<Flaw>) -> Duration {
    let fleet = one_at_rest(Tenant::One, process(60, flaw)).await;
    arrive(&fleet);
    sleep(10 * SECOND).await;
    edit(&fleet, 0, MINUTE).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_who_waits_for_calls_on_its_seat_is_seen() {
    let took = edit_beside_newcomers(None).await;
    assert!(took <= 3 * SECOND, "{took:?}");
    let took = edit_beside_newcomers(Some(Flaw::WaitsOnItsSeat)).await;
    assert!(took > 3 * SECOND, "{took:?}");
}

async fn end_of_a_job(flaw: Option<Flaw>) -> Duration {
    let fleet = one_at_rest(Tenant::One, process(60, flaw)).await;
    edit(&fleet, 0, MINUTE).await;
    arrive(&fleet);
    until(&fleet, HOUR, |fleet| fleet.is_ready(0)).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03_first_looks_that_are_as_urgent_as_changes_are_seen() {
    let took = end_of_a_job(None).await;
    assert!(took <= 55 * SECOND, "{took:?}");
    let took = end_of_a_job(Some(Flaw::HurriesNewcomers)).await;
    assert!(took > 55 * SECOND, "{took:?}");
}

/// Five changes are begun, their resources are deleted, and their credential is revoked: another tenant's edit.
async fn share(flaw: Option<Flaw>) -> Duration {
    let terms = Terms {
        head_start: 48 * HOUR,
        ..process(600, flaw)
    };
    let fleet = Fleet::amid_changes(terms, 5 * MINUTE).await;
    (0..5).for_each(|number| fleet.delete(number));
    fleet.revoke();
    edit(&fleet, 5, 2 * HOUR).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r05_shares_of_deleted_resources_that_are_kept_are_seen() {
    let took = share(None).await;
    assert!(took <= 3 * MINUTE, "{took:?}");
    let took = share(Some(Flaw::KeepsShares)).await;
    assert!(took > 3 * MINUTE, "{took:?}");
}

/// How long the first look at a resource takes that comes after many were made by mistake and deleted.
async fn after_deleted_ones(flaw: Option<Flaw>) -> Duration {
    let fleet = one_at_rest(Tenant::One, process(60, flaw)).await;
    arrive(&fleet);
    sleep(5 * SECOND).await;
    (1..=NEWCOMERS).for_each(|number| fleet.delete(number));
    sleep(10 * SECOND).await;
    fleet.make(NEWCOMERS + 1, 3306, Tenant::One);
    let last = |fleet: &Fleet| fleet.is_ready(NEWCOMERS + 1);
    until(&fleet, HOUR, last).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r10_deleted_resources_that_keep_their_places_are_seen() {
    let took = after_deleted_ones(None).await;
    assert!(took <= 10 * SECOND, "{took:?}");
    let took = after_deleted_ones(Some(Flaw::OverlooksDeletions)).await;
    assert!(took > 10 * SECOND, "{took:?}");
}

async fn change_in_a_slow_cloud(flaw: Option<Flaw>) -> Duration {
    let fleet = one_at_rest(Tenant::One, process(60, flaw)).await;
    fleet.answer_after(10 * SECOND);
    edit(&fleet, 0, 5 * MINUTE).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn f4c_a_look_whose_parts_follow_each_other_is_seen() {
    let took = change_in_a_slow_cloud(None).await;
    assert!(took <= MINUTE, "{took:?}");
    let took = change_in_a_slow_cloud(Some(Flaw::LooksOneByOne)).await;
    assert!(took > MINUTE, "{took:?}");
}

/// How many requests the API server gets in ten minutes for a Secret that is no credential and that many name.
async fn reads_of_a_secret(flaw: Option<Flaw>) -> u64 {
    const RESOURCES: usize = 40;
    let mut fleet = Fleet::new(RESOURCES, 1, 3306).await;
    fleet.start(Terms {
        calls: CallLimit::unfelt(),
        ..process(0, flaw)
    });
    until(&fleet, 5 * MINUTE, |fleet| fleet.ready() == RESOURCES).await;
    fleet.spoil();
    sleep(20 * MINUTE).await;
    let before = fleet.requests();
    sleep(10 * MINUTE).await;
    fleet.requests() - before
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r11_a_secret_that_each_resource_reads_for_itself_is_seen() {
    let asked = reads_of_a_secret(None).await;
    assert!(asked <= 11, "{asked} requests");
    let asked = reads_of_a_secret(Some(Flaw::ReadsSecretsAlone)).await;
    assert!(asked > 100, "{asked} requests");
}

/// How long it takes until a resource says that there are more tasks than can be read.
async fn end_of_a_walk(flaw: Option<Flaw>) -> Duration {
    let fleet = one_at_rest(Tenant::One, process(10, flaw)).await;
    fleet.work_elsewhere(2, 3_000);
    sleep(MINUTE).await;
    fleet.want(0, 3307);
    let bound = "more tasks than can be read within 10 minutes";
    until(&fleet, 15 * MINUTE, |fleet| fleet.said(0).contains(bound)).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03b_a_walk_without_an_end_is_seen() {
    let took = end_of_a_walk(None).await;
    assert!(took < 12 * MINUTE, "{took:?}");
    let took = end_of_a_walk(Some(Flaw::WalksForEver)).await;
    assert!(took >= 15 * MINUTE, "{took:?}");
}
