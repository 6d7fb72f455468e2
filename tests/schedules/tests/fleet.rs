//! Fleets of thousands under a budget of calls, in virtual time.

use std::collections::HashMap;

use taurus_port_operator::cloud::budget::CallLimit;
use taurus_schedules::{Call, Fleet, Kind};
use tokio::time::{Duration, sleep};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn limit(calls: u32) -> CallLimit {
    CallLimit { calls, per: MINUTE }
}

/// A fleet that has come to rest under a process without a limit that anybody would feel.
async fn settled(instances: usize, on_each: usize) -> Fleet {
    let mut fleet = Fleet::new(instances, on_each, 3306);
    fleet.start(CallLimit::unfelt(), HOUR);
    while fleet.ready() < instances * on_each {
        sleep(MINUTE).await;
        assert!(fleet.now() < HOUR, "{} are ready", fleet.ready());
    }
    fleet
}

/// The most calls in any minute.
fn most_in_a_minute(calls: &[Call]) -> usize {
    let mut first = 0;
    let sizes = calls.iter().enumerate().map(|(last, call)| {
        while calls[first].at + MINUTE <= call.at {
            first += 1;
        }
        last - first + 1
    });
    sizes.max().unwrap_or(0)
}

/// How often each instance was listed.
fn lists(calls: &[Call]) -> HashMap<usize, usize> {
    let mut lists = HashMap::new();
    for call in calls {
        if let Kind::List(instance) = call.kind {
            *lists.entry(instance).or_default() += 1;
        }
    }
    lists
}

#[tokio::test(start_paused = true)]
async fn no_minute_sees_more_calls_than_are_allowed_and_a_change_waits_for_no_sweep() {
    const INSTANCES: usize = 5_000;
    let mut fleet = settled(INSTANCES, 2).await;
    let before = fleet.calls().len();
    let mut waits = Vec::new();
    for process in 0..3 {
        // Each one begins where another has just spent what there was.
        fleet.start(limit(60), Duration::ZERO);
        for edit in 0..3 {
            sleep(HOUR).await;
            let (proxy, asked) = (process * 1_000 + edit * 10, fleet.now());
            fleet.want(proxy, 3307);
            sleep(MINUTE).await;
            let calls = fleet.calls();
            let change = calls.iter().find(|call| call.kind == Kind::Change(proxy));
            let change = change.unwrap_or_else(|| panic!("not made: {}", fleet.said(proxy)));
            waits.push(change.at - asked);
        }
    }
    let calls = fleet.calls().split_off(before);
    assert!(
        most_in_a_minute(&calls) <= 60,
        "{}",
        most_in_a_minute(&calls)
    );
    let longest = waits.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(3), "{waits:?}");
    assert_eq!(fleet.ready(), 2 * INSTANCES);

    // Of 50 calls a minute that come, seven tenths are for sweeps; of those none is left unused.
    let last_hours = 3 * 60;
    let since = fleet.now() - last_hours * MINUTE;
    let swept = calls.iter().filter(|call| call.at >= since).count();
    let most = 35 * last_hours as usize;
    assert!(
        (most * 9 / 10..most + 60).contains(&swept),
        "{swept} of {most}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_settled_fleet_costs_a_list_for_each_instance_and_nothing_else() {
    const INSTANCES: usize = 2_500;
    let mut fleet = settled(INSTANCES, 4).await;
    // As many as it takes to look at each instance every ten minutes.
    fleet.start(limit(600), Duration::ZERO);
    sleep(HOUR).await;
    let (versions, requests, before) = (fleet.versions(), fleet.requests(), fleet.calls().len());
    let hours = 12;
    sleep(hours * HOUR).await;
    assert_eq!(fleet.versions(), versions, "nothing is written");
    // The Secret is read anew once a minute, by all who come at that moment.
    let secrets = u64::from(hours) * 60 * 8;
    let asked = fleet.requests() - requests;
    assert!(asked <= secrets, "{asked} requests to the API server");
    let calls = fleet.calls().split_off(before);
    assert!(calls.iter().all(|call| matches!(call.kind, Kind::List(_))));
    let sweeps = hours as usize * 6;
    let most = INSTANCES * sweeps * 105 / 100;
    assert!(calls.len() <= most, "{} calls, {most} at most", calls.len());
    let lists = lists(&calls);
    let fewest = (0..INSTANCES).map(|instance| lists.get(&instance).copied().unwrap_or(0));
    let fewest = fewest.min().unwrap();
    assert!(fewest >= sweeps - 1, "{fewest} lists of an instance");
    assert!(most_in_a_minute(&calls) <= 600);
}
