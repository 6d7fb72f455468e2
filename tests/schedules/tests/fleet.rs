//! Fleets of thousands under a budget of calls, in virtual time.
//!
//! What calls there were is what the journal of the simulated cloud says.

use std::collections::{HashMap, VecDeque};

use k8s_openapi::jiff::Timestamp;
use taurus_port_operator::{cloud::budget::CallLimit, permits::limits::Limits};
use taurus_schedules::{Call, Fleet, Terms};
use taurus_sim::Operation;
use tokio::time::{Duration, sleep};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A fleet that has come to rest under a process without a limit that anybody would feel.
async fn settled(instances: usize, on_each: usize) -> Fleet {
    let mut fleet = Fleet::new(instances, on_each, 3306).await;
    fleet.start(Terms {
        calls: CallLimit::unfelt(),
        head_start: HOUR,
        ..Terms::shipped(0)
    });
    while fleet.ready() < instances * on_each {
        sleep(MINUTE).await;
        assert!(fleet.now() < HOUR, "{} are ready", fleet.ready());
    }
    fleet
}

/// The most calls in any minute.
fn most_in_a_minute(calls: &[Call]) -> usize {
    let mut minute = VecDeque::new();
    let sizes = calls.iter().map(|call| {
        minute.push_back(call.at);
        while minute.pop_front_if(|at| *at + MINUTE <= call.at).is_some() {}
        minute.len()
    });
    sizes.max().unwrap_or(0)
}

/// How often each instance was listed.
fn lists(calls: &[Call]) -> HashMap<usize, usize> {
    let mut lists = HashMap::new();
    for call in calls {
        if let (Operation::List, Some(instance)) = (call.operation, call.of) {
            *lists.entry(instance).or_default() += 1;
        }
    }
    lists
}

fn changes(calls: &[Call]) -> usize {
    Call::count(calls, Operation::Change)
}

/// How long it took from now until a proxy was changed; within a minute.
async fn change(fleet: &Fleet, proxy: usize) -> Duration {
    let asked = fleet.now();
    fleet.want(proxy, 3307);
    sleep(MINUTE).await;
    let calls = fleet.calls();
    let is_it = |call: &&Call| call.operation == Operation::Change && call.of == Some(proxy);
    let change = calls.iter().find(is_it);
    assert!(change.is_some(), "not made: {}", fleet.said(proxy));
    change.map_or(Duration::MAX, |call| call.at.saturating_sub(asked))
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn no_minute_sees_more_calls_than_are_allowed_and_a_change_waits_for_no_sweep() {
    calls_stay_within(1_000).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute: make fleets"]
async fn no_minute_sees_more_calls_than_are_allowed_in_a_fleet_of_ten_thousand() {
    calls_stay_within(5_000).await;
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn calls_stay_within(instances: usize) {
    let mut fleet = settled(instances, 2).await;
    // An independent judge: the gateway lets no more through than the operator may make, whatever process makes them.
    fleet.let_through(Some(60));
    let before = fleet.calls().len();
    let mut waits = Vec::new();
    for number in 0..3 {
        // Each one begins where another has just spent what there was.
        fleet.start(Terms::shipped(60));
        for edit in 0..3 {
            sleep(HOUR).await;
            waits.push(change(&fleet, number * 100 + edit * 10).await);
        }
    }
    let calls = fleet.calls().split_off(before);
    let most = most_in_a_minute(&calls);
    assert!(most <= 60, "{most}");
    assert!(!calls.iter().any(|call| call.throttled));
    let longest = waits.iter().max().unwrap();
    assert!(*longest < Duration::from_secs(3), "{waits:?}");
    assert_eq!(fleet.ready(), 2 * instances);

    // Of 50 calls a minute that come, seven tenths are for sweeps; of those none is left unused.
    let minutes = 3 * 60;
    let since = fleet.now().saturating_sub(minutes * MINUTE);
    let swept = calls.iter().filter(|call| call.at >= since).count();
    let most = 35 * minutes as usize;
    assert!(
        (most * 9 / 10..most + 60).contains(&swept),
        "{swept} of {most}"
    );
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn a_gateway_that_lets_fewer_calls_through_is_obeyed_and_what_it_lets_through_later_is_used()
{
    let mut fleet = settled(1_000, 1).await;
    // Nobody has told the operator.
    fleet.let_through(Some(30));
    fleet.start(Terms::shipped(60));
    sleep(HOUR).await;
    let before = fleet.calls().len();
    sleep(4 * HOUR).await;
    let calls = fleet.calls().split_off(before);
    let throttled = calls.iter().filter(|call| call.throttled).count();
    let through = calls.len() - throttled;
    assert!(
        throttled * 20 <= through,
        "{throttled} were too many, {through} were not"
    );
    assert!(
        through * 2 >= 4 * 60 * 30,
        "{through} of {} were made",
        4 * 60 * 30
    );
    assert!(change(&fleet, 1).await < MINUTE);

    fleet.let_through(None);
    sleep(HOUR).await;
    let before = fleet.calls().len();
    sleep(HOUR).await;
    let calls = fleet.calls().len() - before;
    assert!(calls * 10 >= 60 * 35 * 9, "{calls} in an hour");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn a_settled_fleet_costs_a_list_for_each_instance_and_nothing_else() {
    a_settled_fleet_costs_lists_alone(250, 60, 3).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute: make fleets"]
async fn a_settled_fleet_of_ten_thousand_costs_a_list_for_each_instance_and_nothing_else() {
    a_settled_fleet_costs_lists_alone(2_500, 600, 12).await;
}

#[expect(clippy::unwrap_used, reason = "a helper of tests")]
async fn a_settled_fleet_costs_lists_alone(instances: usize, calls: u32, hours: u32) {
    let mut fleet = settled(instances, 4).await;
    // As many as it takes to look at each instance every ten minutes.
    fleet.start(Terms::shipped(calls));
    sleep(HOUR).await;
    let (versions, requests, before) = (fleet.versions(), fleet.requests(), fleet.calls().len());
    sleep(hours * HOUR).await;
    assert_eq!(fleet.versions(), versions, "nothing is written");
    // The Secret is read anew once a minute, by all who come at that moment.
    let secrets = u64::from(hours) * 60 * 8;
    let asked = fleet.requests() - requests;
    assert!(asked <= secrets, "{asked} requests to the API server");
    let most_a_minute = calls as usize;
    let calls = fleet.calls().split_off(before);
    assert!(calls.iter().all(|call| call.operation == Operation::List));
    let sweeps = hours as usize * 6;
    let most = instances * sweeps * 105 / 100;
    assert!(calls.len() <= most, "{} calls, {most} at most", calls.len());
    let lists = lists(&calls);
    let fewest = (0..instances).map(|instance| lists.get(&instance).copied().unwrap_or(0));
    let fewest = fewest.min().unwrap();
    assert!(fewest >= sweeps - 1, "{fewest} lists of an instance");
    assert!(most_in_a_minute(&calls) <= most_a_minute);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn b18_a_large_settled_fleet_survives_restarts_without_a_write_or_a_storm() {
    const INSTANCES: usize = 1_000;
    let mut fleet = settled(INSTANCES, 2).await;
    let (versions, before) = (fleet.versions(), fleet.calls().len());
    for _ in 0..3 {
        fleet.start(Terms::shipped(240));
        sleep(10 * MINUTE).await;
    }
    assert_eq!(fleet.versions(), versions, "nothing is written");
    let calls = fleet.calls().split_off(before);
    assert_eq!(changes(&calls), 0);
    assert!(most_in_a_minute(&calls) <= 240);
    let since = fleet.now().saturating_sub(10 * MINUTE);
    let last: Vec<Call> = calls.into_iter().filter(|call| call.at >= since).collect();
    assert_eq!(
        lists(&last).len(),
        INSTANCES,
        "all were looked at within ten minutes"
    );
    let mut seconds = HashMap::new();
    for call in &last {
        *seconds.entry(call.at.as_secs()).or_insert(0) += 1;
    }
    let busiest = seconds.values().max().unwrap();
    assert!(*busiest <= 25, "{busiest} calls in one second");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn b35_one_instance_that_is_refused_for_ever_costs_a_large_fleet_next_to_nothing() {
    const INSTANCES: usize = 1_000;
    let mut fleet = settled(INSTANCES, 1).await;
    fleet.start(Terms::shipped(240));
    sleep(HOUR).await;
    fleet.refuse(7);
    let before = fleet.calls().len();
    sleep(2 * HOUR).await;
    assert!(change(&fleet, 8).await < Duration::from_secs(3));
    let lists = lists(&fleet.calls().split_off(before));
    assert!(
        lists[&7] <= 2 * 20,
        "{} lists of what is refused",
        lists[&7]
    );
    let others = (0..INSTANCES).filter(|instance| *instance != 7);
    let fewest = others.map(|instance| lists[&instance]).min().unwrap();
    assert!(fewest >= 11, "{fewest} lists of another one in two hours");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn a13_running_jobs_hold_nobody_up() {
    running_jobs_hold_nobody_up(200).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "takes a minute: make fleets"]
async fn a13_a_thousand_running_jobs_hold_nobody_up() {
    running_jobs_hold_nobody_up(1_000).await;
}

#[expect(clippy::indexing_slicing, reason = "a helper of tests")]
async fn running_jobs_hold_nobody_up(jobs: usize) {
    let mut fleet = settled(jobs + 1, 1).await;
    fleet.let_jobs_take(50 * MINUTE);
    let most = 1_200;
    fleet.start(Terms {
        changes: Limits {
            concurrent: 1_100,
            hourly: 2_000,
            ..Limits::default()
        },
        ..Terms::shipped(most)
    });
    sleep(10 * MINUTE).await;
    for proxy in 0..jobs {
        fleet.want(proxy, 3307);
    }
    // A task list of so many pages is read before each of them.
    sleep(45 * MINUTE).await;
    let begun = fleet.calls();
    assert_eq!(changes(&begun), jobs);
    // All of them run: now the last one wants another port.
    let took = change(&fleet, jobs).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    let polls = fleet.calls().split_off(begun.len());
    let single = Call::count(&polls, Operation::Job);
    assert!(single < 100, "{single} polls of single jobs in a minute");
    sleep(HOUR).await;
    let calls = fleet.calls();
    assert_eq!((changes(&calls), fleet.ready()), (jobs + 1, jobs + 1));
    assert!(most_in_a_minute(&calls[begun.len()..]) <= most as usize);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn changes_are_made_beside_thousands_of_tasks_an_hour_of_somebody_else() {
    const INSTANCES: usize = 10;
    let mut fleet = settled(INSTANCES, 1).await;
    fleet.start(Terms::shipped(60));
    let busy = async |minutes: u32| {
        for _ in 0..minutes {
            fleet.work_elsewhere(INSTANCES - 1, 50);
            sleep(MINUTE).await;
        }
    };
    busy(60).await;
    // The tasks of an hour have more pages than there are calls in the time for which a look is good.
    let mut read = Vec::new();
    for proxy in 0..INSTANCES - 1 {
        let before = fleet.calls().len();
        fleet.want(proxy, 3307);
        busy(3).await;
        let calls = fleet.calls().split_off(before);
        assert_eq!(changes(&calls), 1, "{}", fleet.said(proxy));
        read.push(Call::count(&calls, Operation::Tasks));
    }
    let (first, later) = read.split_first().unwrap();
    assert!((60..120).contains(first), "{read:?} pages of tasks");
    assert!(
        later.iter().all(|pages| *pages <= 20),
        "{read:?} pages of tasks"
    );
}

/// Changes so many proxies at once, in jobs that take so long: how late the end of a job is seen at most, and how many polls there
/// are.
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper of tests"
)]
async fn ends_of_jobs(proxies: usize, takes: Duration, calls: CallLimit) -> (Duration, usize) {
    let mut fleet = settled(proxies, 1).await;
    fleet.let_jobs_take(takes);
    fleet.start(Terms {
        calls,
        changes: Limits {
            concurrent: proxies,
            ..Limits::default()
        },
        ..Terms::shipped(0)
    });
    sleep(MINUTE).await;
    fleet.forget_calls();
    (0..proxies).for_each(|proxy| fleet.want(proxy, 3307));
    let mut ready = HashMap::new();
    while ready.len() < proxies {
        sleep(Duration::from_millis(100)).await;
        let new = (0..proxies).filter(|proxy| fleet.is_ready(*proxy));
        for proxy in new {
            ready.entry(proxy).or_insert_with(|| fleet.now());
        }
        assert!(fleet.now() < 3 * HOUR, "{} are ready", ready.len());
    }
    let calls = fleet.calls();
    let changes = calls
        .iter()
        .filter(|call| call.operation == Operation::Change);
    let late = changes.map(|call| ready[&call.of.unwrap()].saturating_sub(call.at + takes));
    (late.max().unwrap(), Call::count(&calls, Operation::Job))
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_is_seen_at_most_an_eighth_of_its_length_late_and_sooner_where_calls_are_idle()
 {
    let usual = CallLimit {
        calls: 60,
        per: MINUTE,
        is_even: false,
    };
    for (jobs, takes, calls, latest, most) in [
        (1, 5, usual, 2, 6),
        (1, 40, usual, 3, 36),
        (1, 300, usual, 11, 100),
        (20, 5, CallLimit::unfelt(), 3, 5),
        (20, 40, CallLimit::unfelt(), 6, 5),
    ] {
        let (late, polls) = ends_of_jobs(jobs, Duration::from_secs(takes), calls).await;
        let what = format!("{jobs} jobs of {takes} s, {calls:?}: {late:?} late, {polls} polls");
        println!("{what}");
        assert!(late <= Duration::from_secs(latest), "{what}");
        assert!(polls <= most * jobs, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn r07_two_spellings_of_one_address_make_no_second_owner() {
    let fleet = settled(1, 1).await;
    fleet.make_twin(0, 1, 3308);
    sleep(24 * HOUR).await;
    let calls = fleet.calls();
    let changes = calls
        .iter()
        .filter(|call| call.operation == Operation::Change);
    assert_eq!(changes.count(), 0, "the two fight over the port");
    let twin = fleet.said(1);
    assert!(twin.contains("ProxyClaimed"), "{twin}");
    assert_eq!(fleet.ready(), 1);
}

/// The list of proxies may lag behind a task that somebody else has had done, whatever this machine's clock shows.
#[tokio::test(start_paused = true)]
async fn a_machine_whose_clock_is_ahead_sees_the_tasks_that_have_just_ended() {
    for ahead in [Duration::ZERO, MINUTE, 3 * HOUR, 400 * 24 * HOUR] {
        let fleet = settled(1, 1).await;
        fleet.clock_is_ahead(ahead);
        fleet.work_elsewhere(0, 1);
        sleep(MINUTE / 6).await;
        let asked = fleet.now();
        fleet.want(0, 3307);
        sleep(5 * MINUTE).await;
        let calls = fleet.calls();
        let mut changes = calls
            .iter()
            .filter(|call| call.operation == Operation::Change);
        let waited = changes.next().map(|call| call.at.saturating_sub(asked));
        let waited = waited.unwrap_or_default();
        // It ended after five seconds, and counts for two minutes.
        let expected = MINUTE * 3 / 2..MINUTE * 5 / 2;
        assert!(expected.contains(&waited), "{ahead:?}: {waited:?}");
        assert_eq!(fleet.ready(), 1, "{}", fleet.said(0));
    }
}

/// The time that is said of the turn of a resource to be looked at, if that is said of it.
fn booked(fleet: &Fleet, number: usize) -> Option<Timestamp> {
    let said = fleet.said(number);
    let (_, rest) = said.split_once("waiting for a free call of the cloud: ")?;
    let (_, time) = rest.split_once("; its turn comes at about ")?;
    let (time, _) = time.split_at_checked("2026-03-02T08:00:00Z".len())?;
    time.parse().ok()
}

#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn n04_who_waits_for_a_call_says_when_its_turn_comes() {
    const INSTANCES: usize = 60;
    let mut fleet = settled(INSTANCES, 1).await;
    for number in 0..INSTANCES {
        fleet.observe(number);
    }
    fleet.start(Terms::shipped(10));
    sleep(HOUR).await;
    assert_eq!(fleet.ready(), INSTANCES);
    let asked = fleet.wall();
    for number in 0..INSTANCES {
        fleet.want(number, 3307);
    }
    sleep(Duration::from_secs(10)).await;
    let told = (0..INSTANCES).map(|number| booked(&fleet, number));
    let told: Vec<_> = told.collect();
    assert!(told.iter().flatten().count() > INSTANCES * 9 / 10);
    // Three and a half calls a minute are for them.
    let last = told.iter().flatten().max().unwrap();
    let last = last.duration_since(asked).as_secs() / 60;
    assert!((15..=18).contains(&last), "the last one after {last} min");
    let mut seen = HashMap::new();
    while fleet.ready() < INSTANCES {
        sleep(Duration::from_secs(5)).await;
        for number in (0..INSTANCES).filter(|number| booked(&fleet, *number).is_none()) {
            seen.entry(number).or_insert_with(|| fleet.wall());
        }
        assert!(fleet.wall() < asked + HOUR, "{} are ready", fleet.ready());
    }
    for (number, told) in told.iter().enumerate() {
        let Some(told) = told else { continue };
        // Those that come sooner take each other's turns.
        let differs = told.duration_since(seen[&number]).as_secs().abs();
        assert!(differs < 300, "{number}: {differs} s");
    }
}

/// Lists have their time about once an hour, and probes each ten minutes all the same.
#[tokio::test(start_paused = true)]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
async fn probes_go_on_while_the_list_waits_for_its_time() {
    const INSTANCES: usize = 300;
    let mut fleet = settled(INSTANCES, 1).await;
    fleet.start(Terms::shipped(CallLimit::LEAST));
    fleet.require_greeting(0);
    fleet.want(0, 3307);
    let asked = fleet.now();
    while fleet.reason(0) != "NotReachable" {
        sleep(Duration::from_secs(10)).await;
        let waited = fleet.now().saturating_sub(asked);
        assert!(waited < 4 * HOUR, "{}", fleet.said(0));
    }
    let before = fleet.probes(3307);
    sleep(2 * HOUR).await;
    let made = fleet.probes(3307) - before;
    assert!((10..=13).contains(&made), "{made}");
    fleet.greet_at(3307);
    sleep(11 * MINUTE).await;
    assert!(fleet.is_ready(0), "{}", fleet.said(0));
}
