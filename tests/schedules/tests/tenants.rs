//! Tenants that share an operator, and newcomers beside resources at work: nobody waits for what others want, in virtual time.
//!
//! As in `fleet.rs`, the operator is put together as it is shipped, and what calls there were is what the journal of the
//! simulated cloud says. What is measured is printed: `docs/reliability.md` has the figures.

use std::collections::HashMap;

use taurus_port_operator::{cloud::budget::CallLimit, permits::limits::Limits};
use taurus_schedules::{Call, Fleet, SILENT, Tenant, Terms};
use taurus_sim::Operation;
use tokio::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// For so long a new process makes no change: another one may have led before it, and what that one sent shows by then.
const WINDOW: Duration = Duration::from_secs(160);

/// A sweep comes so long after a look at the earliest: half a resync.
const FIRST_SWEEP: Duration = Duration::from_mins(5);

/// How many resources one tenant makes at once.
const NEWCOMERS: usize = 1_000;

/// A process as it is shipped, that has run for a while.
fn process(calls: u32) -> Terms {
    Terms {
        head_start: HOUR,
        ..Terms::shipped(calls)
    }
}

/// A process that has just begun.
fn fresh() -> Terms {
    Terms {
        head_start: Duration::ZERO,
        ..process(60)
    }
}

fn measured(what: &str, took: Duration) {
    measured_of(NEWCOMERS, what, took);
}

/// For who reads the output.
#[expect(clippy::print_stdout, reason = "figures of a test")]
fn measured_of(resources: usize, what: &str, took: Duration) {
    println!("{resources} resources: {what}: {took:.2?}");
}

/// A process with a single resource at rest, of this tenant, and proxies for newcomers.
async fn one_at_rest(newcomers: usize, tenant: Tenant) -> Fleet {
    let mut fleet = Fleet::without_resources(newcomers + 1, 1, 3306).await;
    fleet.make(0, 3306, tenant);
    fleet.start(process(60));
    until(&fleet, MINUTE, |fleet| fleet.is_ready(0)).await;
    sleep(2 * MINUTE).await;
    fleet
}

/// Three proxies, the first of which have a resource at rest of these tenants, under a process with few calls and one change at a time.
async fn one_change_at_a_time(tenants: &[Tenant]) -> Fleet {
    let mut fleet = Fleet::without_resources(3, 1, 3306).await;
    for (number, tenant) in tenants.iter().enumerate() {
        fleet.make(number, 3306, *tenant);
    }
    let one_at_a_time = Limits {
        concurrent: 1,
        ..Limits::default()
    };
    fleet.start(Terms {
        changes: one_at_a_time,
        ..process(10)
    });
    until(&fleet, 10 * MINUTE, |fleet| fleet.ready() == tenants.len()).await;
    sleep(10 * MINUTE).await;
    fleet
}

fn arrive(fleet: &Fleet, newcomers: usize) {
    for number in 1..=newcomers {
        fleet.make(number, 3306, Tenant::One);
    }
}

/// How long it takes from now until something holds, to a tenth of a second.
async fn until(fleet: &Fleet, longest: Duration, holds: impl Fn(&Fleet) -> bool) -> Duration {
    let took = fleet.until(longest, holds).await;
    assert!(took.is_some(), "not within {longest:?}: {}", fleet.said(0));
    took.unwrap_or_default()
}

/// The first change of a proxy since then.
fn change_of(fleet: &Fleet, proxy: usize, since: Duration) -> Option<Duration> {
    let is_it = |call: &Call| {
        call.operation == Operation::Change && call.of == Some(proxy) && call.at >= since
    };
    let calls = fleet.calls();
    let change = calls.iter().find(|call| is_it(call));
    change.map(|call| call.at.saturating_sub(since))
}

/// How long it takes from an edit to the change of the port.
async fn edit(fleet: &Fleet, proxy: usize, longest: Duration) -> Duration {
    let asked = fleet.now();
    fleet.want(proxy, 3307);
    changed(fleet, proxy, asked, longest).await
}

/// How long it takes from then to the change of the port.
#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn changed(fleet: &Fleet, proxy: usize, asked: Duration, longest: Duration) -> Duration {
    until(fleet, longest, |fleet| {
        change_of(fleet, proxy, asked).is_some()
    })
    .await;
    change_of(fleet, proxy, asked).unwrap()
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_r04_an_edit_of_another_tenant_does_not_wait_for_newcomers() {
    let fleet = one_at_rest(NEWCOMERS, Tenant::Other).await;
    arrive(&fleet, NEWCOMERS);
    sleep(MINUTE).await;
    assert!(fleet.ready() < NEWCOMERS, "{} are ready", fleet.ready());
    let took = edit(&fleet, 0, MINUTE).await;
    measured("edit of another tenant to its change", took);
    assert!(took <= 2 * SECOND, "{took:?}");
    // It is counted once the answer is there.
    until(&fleet, MINUTE, |fleet| !fleet.edits_sent().is_empty()).await;
    let counted = fleet.edits_sent();
    assert!(
        matches!(counted[..], [(false, counted)] if counted <= took),
        "the service level counts the same: {counted:?}"
    );
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_an_edit_of_the_same_tenant_does_not_wait_for_newcomers_either() {
    let fleet = one_at_rest(NEWCOMERS, Tenant::One).await;
    arrive(&fleet, NEWCOMERS);
    sleep(MINUTE).await;
    let took = edit(&fleet, 0, MINUTE).await;
    measured("edit of the same tenant to its change", took);
    assert!(took <= 2 * SECOND, "{took:?}");
}

/// A process that has just begun, and finds so many new resources of the first tenant that want this port, beside one at rest of
/// this tenant. There is one proxy more.
async fn fresh_beside(newcomers: usize, port: u16, tenant: Tenant) -> Fleet {
    let mut fleet = one_at_rest(newcomers + 1, tenant).await;
    fleet.stop();
    for number in 1..=newcomers {
        fleet.make(number, port, Tenant::One);
    }
    fleet.start(fresh());
    fleet
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_r04_in_a_fresh_process_an_edit_does_not_wait_for_newcomers() {
    for (tenant, whose) in [(Tenant::Other, "another"), (Tenant::One, "the same")] {
        for after in [SECOND, 5 * SECOND, 20 * SECOND, WINDOW + 10 * SECOND] {
            let fleet = fresh_beside(NEWCOMERS, 3306, tenant).await;
            sleep(after).await;
            assert!(fleet.ready() < NEWCOMERS, "{} are ready", fleet.ready());
            let took = edit(&fleet, 0, MINUTE).await;
            let what = format!(
                "edit of {whose} tenant {after:?} after the start of a process to its change"
            );
            measured_of(NEWCOMERS, &what, took);
            // The five calls of a change are there six seconds after the start at the latest.
            let at_first = (6 * SECOND).saturating_sub(after);
            assert!(took <= at_first.max(SECOND) + SECOND, "{what}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_r04_in_a_fresh_process_a_new_resource_waits_for_its_window_and_not_for_others() {
    let fleet = fresh_beside(NEWCOMERS, 3306, Tenant::Other).await;
    let began = fleet.now();
    sleep(20 * SECOND).await;
    fleet.make(NEWCOMERS + 1, 3307, Tenant::Other);
    let took = changed(&fleet, NEWCOMERS + 1, began, 10 * MINUTE).await;
    measured_of(
        NEWCOMERS,
        "start of a process to the change of a new resource of another tenant",
        took,
    );
    // As any wait, this one ends by up to a tenth later, by chance.
    let longest = WINDOW + WINDOW.saturating_sub(20 * SECOND) / 10 + 2 * SECOND;
    assert!((WINDOW..=longest).contains(&took), "{took:?}");
}

/// How long it takes from the end of a job to Ready, while so many arrive; in the process that has sent it or in the next one.
async fn follow(newcomers: usize, in_fresh: bool) -> Duration {
    let mut fleet = one_at_rest(newcomers, Tenant::One).await;
    edit(&fleet, 0, MINUTE).await;
    let ends = fleet.now() + 40 * SECOND;
    // The job is on record.
    sleep(SECOND).await;
    arrive(&fleet, newcomers);
    if in_fresh {
        fleet.start(fresh());
    }
    until(&fleet, HOUR, |fleet| fleet.is_ready(0)).await;
    fleet.now().saturating_sub(ends)
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03_newcomers_of_the_same_credential_do_not_hold_up_a_job() {
    for (in_fresh, process) in [(false, "the same process"), (true, "the next process")] {
        let alone = follow(0, in_fresh).await;
        let beside = follow(NEWCOMERS, in_fresh).await;
        measured_of(0, &format!("end of a job to Ready, in {process}"), alone);
        measured(&format!("end of a job to Ready, in {process}"), beside);
        // Of the rate of 50 calls a minute 20 are for jobs: a poll comes each three seconds, and up to a tenth later, by chance.
        let most = alone + Duration::from_millis(3_400);
        assert!(beside <= most, "{beside:?}, alone {alone:?}");
    }
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_a_suspension_is_seen_at_once_by_all_though_there_are_no_calls() {
    let fleet = one_at_rest(NEWCOMERS, Tenant::Other).await;
    arrive(&fleet, NEWCOMERS);
    suspend(&fleet, "a process that has run for long").await;
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_in_a_fresh_process_a_suspension_is_seen_at_once_by_all() {
    // Each of them would be changed when the window of the process is over.
    let fleet = fresh_beside(NEWCOMERS, 3307, Tenant::Other).await;
    suspend(&fleet, "a fresh process").await;
    // By now some were looked at, and it is not over yet.
    let suspended = |number: &usize| fleet.said(*number).contains("\"Suspended\"");
    assert_eq!((1..=NEWCOMERS).filter(suspended).count(), NEWCOMERS);
    sleep(WINDOW).await;
    assert_eq!(fleet.count(Operation::Change), 0);
    assert_eq!((1..=NEWCOMERS).filter(suspended).count(), NEWCOMERS);
}

/// A few of these are suspended, and then all.
async fn suspend(fleet: &Fleet, process: &str) {
    sleep(20 * SECOND).await;
    assert!(fleet.ready() < NEWCOMERS, "{} are ready", fleet.ready());
    // One of the other tenant, one that was looked at, one that waits and the last of those that wait.
    let some = [0, 1, NEWCOMERS / 2, NEWCOMERS];
    for number in &some {
        fleet.suspend(*number);
    }
    let stopped = |fleet: &Fleet| some.iter().all(|number| fleet.is_stopped(*number));
    let took = until(fleet, MINUTE, stopped).await;
    measured(&format!("four suspended in {process}"), took);
    assert!(took <= SECOND, "{took:?}");
    // All others at once: each takes a write of its status, four at a time.
    let others = (0..=NEWCOMERS).filter(|number| !some.contains(number));
    others.for_each(|number| fleet.suspend(number));
    let all = |fleet: &Fleet| (0..=NEWCOMERS).all(|number| fleet.is_stopped(number));
    let took = until(fleet, MINUTE, all).await;
    measured(&format!("all suspended in {process}"), took);
    assert!(took <= 3 * SECOND, "{took:?}");
    sleep(2 * MINUTE).await;
    assert_eq!(fleet.count(Operation::Change), 0);
}

/// Newcomers that wait are deleted in this way, and another one comes at once.
async fn after_deletions(delete: impl Fn(&Fleet, usize)) {
    let mut fleet = one_at_rest(NEWCOMERS + 2, Tenant::One).await;
    arrive(&fleet, NEWCOMERS);
    sleep(5 * SECOND).await;
    // This one comes behind the others and stays.
    fleet.make(NEWCOMERS + 1, 3306, Tenant::One);
    sleep(10 * SECOND).await;
    for number in 1..=NEWCOMERS {
        delete(&fleet, number);
    }
    fleet.make(NEWCOMERS + 2, 3306, Tenant::One);
    let last = |fleet: &Fleet| fleet.is_ready(NEWCOMERS + 2);
    let took = until(&fleet, HOUR, last).await;
    assert!(took <= 10 * SECOND, "{took:?}");
    let moved_up = |fleet: &Fleet| fleet.is_ready(NEWCOMERS + 1);
    let took = until(&fleet, HOUR, moved_up).await;
    assert!(took <= MINUTE, "{took:?}");
    fleet.stop();
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r10_what_was_deleted_leaves_its_calls_to_others() {
    after_deletions(Fleet::delete).await;
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r10_what_somebodys_finalizer_keeps_leaves_its_calls_to_others() {
    after_deletions(Fleet::mark_deleted).await;
}

/// Five changes are begun, their resources deleted or not, and their credential is revoked: another tenant's edit.
async fn share(delete: bool) -> Duration {
    let fleet = Fleet::amid_changes(process(600), 5 * MINUTE).await;
    if delete {
        (0..5).for_each(|number| fleet.delete(number));
    }
    fleet.revoke();
    let asked = fleet.now();
    fleet.want(5, 3307);
    sleep(20 * SECOND).await;
    let all = "5 changes are under way or about to begin";
    let of_whom = if delete {
        " (5 of resources that were deleted meanwhile)"
    } else {
        ""
    };
    let waits = format!(
        "{all}{of_whom}, the most that the operator's --max-concurrent-changes allows; this one begins when its turn has come"
    );
    let said = fleet.said(5);
    assert!(said.contains(&waits), "{said}");
    changed(&fleet, 5, asked, 25 * HOUR).await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r05_changes_of_deleted_resources_give_their_share_back() {
    for delete in [false, true] {
        let took = share(delete).await;
        assert!(took <= 3 * MINUTE, "deleted: {delete}, {took:?}");
    }
}

/// Five changes go on for longer than changes do, so that others have their share: another tenant's edit after a deletion.
#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r05_a_share_that_was_given_back_stays_so_when_its_resource_is_deleted() {
    let fleet = Fleet::amid_changes(process(600), 3 * HOUR).await;
    sleep(HOUR).await;
    (0..5).for_each(|number| fleet.delete(number));
    // By then each was heard of again.
    sleep(MINUTE).await;
    let took = edit(&fleet, 5, HOUR).await;
    assert!(took <= 5 * SECOND, "{took:?}");
}

/// Anybody may name any project, with whatever credential.
#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn who_was_never_let_into_a_project_does_not_slow_down_those_who_belong_there() {
    let fleet = one_at_rest(1, Tenant::One).await;
    fleet.put_off(1, 10 * MINUTE);
    for _ in 0..3 {
        fleet.make(1, 3306, Tenant::Other);
        fleet.observe(1);
        sleep(10 * SECOND).await;
        let took = edit(&fleet, 0, MINUTE).await;
        assert!(took <= 2 * SECOND, "{took:?}");
        sleep(10 * MINUTE).await;
        fleet.want(0, 3306);
        sleep(10 * MINUTE).await;
        fleet.delete(1);
    }
    let stranger = |call: &&Call| call.operation == Operation::List && call.of == Some(1);
    let calls = fleet.calls();
    let tries = calls.iter().filter(stranger).count();
    assert!(
        (3..=9).contains(&tries),
        "it waits as it was asked to: {tries}"
    );
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r11_a_secret_that_is_no_credential_is_read_once_a_minute_by_all_together() {
    const RESOURCES: usize = 40;
    let mut fleet = Fleet::new(RESOURCES, 1, 3306).await;
    fleet.start(Terms {
        calls: CallLimit::unfelt(),
        ..process(0)
    });
    until(&fleet, 5 * MINUTE, |fleet| fleet.ready() == RESOURCES).await;
    fleet.spoil();
    // By then all have noticed, and have said so.
    sleep(20 * MINUTE).await;
    let before = fleet.requests();
    sleep(10 * MINUTE).await;
    let asked = fleet.requests() - before;
    assert!(asked <= 11, "{asked} requests");
}

/// How many of these are lists of an instance that was listed before. Each must be that of a sweep, which comes half a resync
/// after the list before it at the earliest.
fn swept(calls: &[Call]) -> usize {
    let mut listed = HashMap::new();
    let lists = calls.iter().filter(|c| c.operation == Operation::List);
    let again = lists.filter_map(|list| Some((list, listed.insert(list.of, list.at)?)));
    let again: Vec<(&Call, Duration)> = again.collect();
    for (list, before) in &again {
        let apart = list.at.saturating_sub(*before);
        assert!(apart >= FIRST_SWEEP, "{list:?}, {apart:?} after another");
    }
    again.len()
}

/// All of these are made at once, with a budget of 60 calls a minute: the calls until they are Ready, and how long it took.
async fn install(resources: usize, observed: bool, head_start: Duration) -> (Vec<Call>, Duration) {
    let mut fleet = Fleet::new(resources, 1, 3306).await;
    if observed {
        (0..resources).for_each(|number| fleet.observe(number));
    }
    fleet.start(Terms {
        head_start,
        ..process(60)
    });
    let took = until(&fleet, HOUR, |fleet| fleet.ready() == resources).await;
    (fleet.calls(), took)
}

/// How many sweeps there may be beside first looks within this: of seven tenths of 50 calls a minute two of seven are for them.
fn sweeps(took: Duration) -> usize {
    let seconds = took.saturating_sub(FIRST_SWEEP).as_secs();
    usize::try_from(seconds / 6 + 1).unwrap_or(usize::MAX)
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03_a_newcomer_costs_one_list() {
    let (calls, took) = install(300, false, HOUR).await;
    let swept = swept(&calls);
    assert_eq!(Call::count(&calls, Operation::List) - swept, 300);
    assert!(swept <= sweeps(took), "{swept} sweeps in {took:?}");
    // A walk of three pages serves all that come within a minute.
    let walks = 3 * (took.as_secs() / 60 + 1);
    let tasks = u64::try_from(Call::count(&calls, Operation::Tasks)).unwrap_or(u64::MAX);
    assert!(tasks <= walks, "{tasks} pages of tasks in {took:?}");
    measured_of(300, "new resources Ready", took);
    // Of 50 calls a minute, three are for pages and after five minutes ten for sweeps: 50 t = 300 + 3 (t + 1) + 10 (t - 5).
    assert!(took <= MINUTE * 253 / 37, "{took:?}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03_what_is_only_observed_is_ready_as_fast_as_it_can_be_read() {
    let (calls, took) = install(300, true, Duration::ZERO).await;
    let swept = swept(&calls);
    assert_eq!(calls.len() - swept, 300, "something else was called");
    assert!(swept <= sweeps(took), "{swept} sweeps in {took:?}");
    measured_of(300, "observed resources Ready", took);
    // 50 calls a minute come: these take six minutes.
    let own = 300 * MINUTE / 50;
    assert!(took <= own * 11 / 10, "{took:?}, the calls alone {own:?}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn f4c_a_change_is_made_in_a_cloud_that_takes_ten_seconds_to_answer() {
    let fleet = one_at_rest(0, Tenant::One).await;
    fleet.answer_after(10 * SECOND);
    let took = edit(&fleet, 0, 5 * MINUTE).await;
    assert!(took <= MINUTE, "{took:?}");
    sleep(5 * MINUTE).await;
    assert_eq!(fleet.count(Operation::Change), 1);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn f4c_a_cloud_that_is_too_slow_for_a_change_is_told_as_that_and_nothing_is_put_on_record() {
    let fleet = one_at_rest(0, Tenant::One).await;
    fleet.answer_after(20 * SECOND);
    fleet.want(0, 3307);
    for _ in 0..60 {
        sleep(10 * SECOND).await;
        let said = fleet.said(0);
        assert!(said.contains("change: None"), "an intent: {said}");
    }
    assert_eq!(fleet.count(Operation::Change), 0);
    let said = fleet.said(0);
    assert!(said.contains("the cloud is slow"), "{said}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n01_who_waits_for_calls_holds_no_place_of_a_change() {
    let fleet = one_change_at_a_time(&[Tenant::One, Tenant::One, Tenant::Other]).await;
    edit(&fleet, 0, MINUTE).await;
    until(&fleet, 10 * MINUTE, |fleet| fleet.is_ready(0)).await;
    // The calls of the first change are missing to the second one of the same credential, not to the other tenant.
    let asked = fleet.now();
    fleet.want(1, 3307);
    sleep(3 * SECOND).await;
    let took = edit(&fleet, 2, MINUTE).await;
    assert!(took <= 5 * SECOND, "{took:?}");
    assert_eq!(change_of(&fleet, 1, asked), None, "it had to wait");
    until(&fleet, 20 * MINUTE, |fleet| fleet.ready() == 3).await;
    assert_eq!(fleet.count(Operation::Change), 3);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03b_a_walk_over_too_many_tasks_is_given_up_and_its_permit_long_before() {
    let fleet = one_change_at_a_time(&[Tenant::One, Tenant::Other]).await;
    // Their pages take each of the tenants a quarter of an hour.
    fleet.work_elsewhere(2, 3_000);
    sleep(MINUTE).await;
    fleet.forget_calls();
    fleet.want(0, 3307);
    sleep(SECOND).await;
    fleet.want(1, 3307);
    let says = |number, text| move |fleet: &Fleet| fleet.said(number).contains(text);
    let bound = "more tasks than can be read within 10 minutes";
    until(&fleet, MINUTE, says(1, "--max-concurrent-changes")).await;
    let took = until(&fleet, 15 * MINUTE, says(0, bound)).await;
    assert!((8 * MINUTE..10 * MINUTE).contains(&took), "{took:?}");
    // The other one began when the look of the first was good for nothing any more, not when it ended.
    let later = until(&fleet, 12 * MINUTE, says(1, bound)).await;
    assert!(later < 2 * MINUTE, "{later:?}");
    let pages = fleet.count(Operation::Tasks);
    assert!((90..=112).contains(&pages), "{pages} pages");
    assert_eq!(fleet.count(Operation::Change), 0);
    // After an hour those tasks count no longer.
    until(&fleet, 2 * HOUR, |fleet| fleet.ready() == 2).await;
    assert_eq!(fleet.count(Operation::Change), 2);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn r03b_tasks_that_had_ended_when_they_were_seen_last_are_not_asked_for() {
    let fleet = one_at_rest(0, Tenant::One).await;
    fleet.work_elsewhere(0, 150);
    sleep(10 * SECOND).await;
    edit(&fleet, 0, 10 * MINUTE).await;
    until(&fleet, 10 * MINUTE, |fleet| fleet.is_ready(0)).await;
    sleep(7 * HOUR).await;
    fleet.forget_calls();
    let asked = fleet.now();
    fleet.want(0, 3308);
    until(&fleet, MINUTE, |fleet| change_of(fleet, 0, asked).is_some()).await;
    let calls = fleet.calls();
    assert_eq!(Call::count(&calls, Operation::Job), 0, "before the change");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn many_who_follow_the_windows_of_their_instances_share_the_calls_for_them() {
    const FOLLOWERS: usize = 200;
    let mut fleet = Fleet::without_resources(FOLLOWERS, 1, 3306).await;
    for number in 0..FOLLOWERS {
        fleet.make(number, 3306, Tenant::One);
        fleet.follow_window(number);
    }
    fleet.start(process(60));
    let took = until(&fleet, HOUR, |fleet| fleet.ready() == FOLLOWERS).await;
    let details = fleet.count(Operation::Details);
    measured_of(FOLLOWERS, "following windows: all Ready", took);
    assert!(took <= 6 * MINUTE, "{took:?}");
    // One for twenty, and a read of the first who came alone.
    assert!(details <= FOLLOWERS / 20 + 2, "{details} calls");
    sleep(HOUR).await;
    let again = fleet.count(Operation::Details) - details;
    let sweeps = 6;
    assert!(
        again <= 2 * sweeps * FOLLOWERS / 20,
        "{again} calls in an hour"
    );
    let edit = until(&fleet, MINUTE, |fleet| fleet.is_ready(0));
    fleet.observe(0);
    assert!(edit.await <= 5 * SECOND);
}

/// Reads of a silent host take as long as a call may; all who make them wait aside.
#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn hosts_that_never_answer_take_no_turn_of_others() {
    const AT_EACH: usize = 40;
    let fleet = one_at_rest(SILENT * AT_EACH, Tenant::One).await;
    for number in 0..SILENT * AT_EACH {
        fleet.make_at_silent_host(number + 1, number % SILENT);
    }
    for (port, after) in [(3307, 0), (3308, 5), (3309, 20), (3310, 61)] {
        sleep(after * SECOND).await;
        let changes = |fleet: &Fleet| fleet.count(Operation::Change);
        let before = changes(&fleet);
        fleet.want(0, port);
        let took = until(&fleet, MINUTE, |fleet| changes(fleet) > before).await;
        measured_of(AT_EACH, "edit beside silent hosts to its change", took);
        assert!(took <= 2 * SECOND, "{took:?}");
        let ready = until(&fleet, 5 * MINUTE, |fleet| fleet.is_ready(0)).await;
        assert!(ready < 5 * MINUTE, "{}", fleet.said(0));
        // The next one would wait until lists have followed.
        sleep(3 * MINUTE).await;
    }
}

/// Three hundred at rest, under few calls.
async fn three_hundred_at_rest() -> Fleet {
    let mut fleet = Fleet::new(300, 1, 3306).await;
    fleet.start(process(60));
    until(&fleet, 30 * MINUTE, |fleet| fleet.ready() == 300).await;
    sleep(10 * MINUTE).await;
    fleet
}

/// As many as one commit may edit, of a single credential.
const EDITED: usize = 20;

/// One commit wants another port of them, once somebody has approved it: how long it takes until each has a plan.
async fn edit_some(fleet: &Fleet) -> Duration {
    for number in 0..EDITED {
        fleet.want_if_approved(number, 3307);
    }
    until(fleet, HOUR, |fleet| {
        (0..EDITED).all(|number| fleet.has_plan(number))
    })
    .await
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n04_the_look_after_an_edit_stays_urgent_once_the_edit_is_acknowledged() {
    let fleet = three_hundred_at_rest().await;
    let took = edit_some(&fleet).await;
    measured_of(EDITED, "edits of one credential to the last plan", took);
    assert!(took <= MINUTE, "{took:?}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n04_a_request_of_one_that_waits_for_approval_is_handled_once_the_cloud_was_looked_at() {
    let fleet = three_hundred_at_rest().await;
    edit_some(&fleet).await;
    sleep(MINUTE).await;
    let asked = fleet.now();
    for number in 0..EDITED {
        fleet.ask(number, "again");
    }
    let handled = |fleet: &Fleet, number| fleet.handled(number).is_some();
    let took = until(&fleet, HOUR, |fleet| {
        let looked = |number| {
            let calls = fleet.calls();
            calls
                .iter()
                .any(|call| call.of == Some(number) && call.at >= asked)
        };
        for number in (0..EDITED).filter(|number| handled(fleet, *number)) {
            assert!(looked(number), "{number} was not looked at");
        }
        (0..EDITED).all(|number| handled(fleet, number))
    })
    .await;
    assert!(took <= MINUTE, "{took:?}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n04_who_waits_for_calls_hears_of_an_edit_of_the_calendar() {
    const FREEZE: &str =
        "freezes: [{from: 2020-01-01T00:00:00Z, until: 2099-01-01T00:00:00Z, reason: stop}]";
    let mut fleet = three_hundred_at_rest().await;
    fleet.set_calendar(FREEZE).unwrap();
    for number in 0..300 {
        fleet.want(number, 3307);
    }
    let frozen = |fleet: &Fleet| {
        let is_frozen = |number: &usize| fleet.reason(*number) == "ChangeFreeze";
        (0..300).filter(is_frozen).count()
    };
    until(&fleet, HOUR, |fleet| frozen(fleet) == 300).await;
    // A new process knows of nobody who waits, and its first looks take minutes.
    fleet.start(process(60));
    sleep(MINUTE).await;
    // Twice, and the second edit counts.
    fleet.set_calendar(&FREEZE.replace("stop", "halt")).unwrap();
    sleep(SECOND).await;
    fleet.set_calendar("freezes: []").unwrap();
    let took = until(&fleet, HOUR, |fleet| frozen(fleet) == 0).await;
    measured_of(300, "end of a freeze to the last that says so", took);
    assert!(took <= MINUTE, "{took:?}");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n04_a_proxy_that_was_busy_is_looked_at_again_soon_where_a_change_waits_for_it() {
    let fleet = three_hundred_at_rest().await;
    fleet.show_status(7, "ADDING READ REPLICAS");
    fleet.want(7, 3307);
    let busy = |fleet: &Fleet| fleet.reason(7) == "ProxyBusy";
    until(&fleet, MINUTE, busy).await;
    sleep(10 * MINUTE).await;
    fleet.show_status(7, "ACTIVE");
    let took = changed(&fleet, 7, fleet.now(), HOUR).await;
    measured_of(1, "end of other work on a proxy to its change", took);
    assert!(took <= 3 * MINUTE, "{took:?}");
}
