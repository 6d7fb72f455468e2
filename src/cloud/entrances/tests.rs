//! What one process leaves to the next.

use futures::FutureExt as _;
use proptest::prelude::*;

use super::*;
use crate::clock;

const MINUTE: Duration = Duration::from_mins(1);

/// Ten calls can be saved up, and five come in six seconds.
const LIMIT: CallLimit = CallLimit {
    calls: 60,
    per: MINUTE,
    is_even: false,
};

const NAMES: [&str; 3] = ["one", "two", "three"];

fn entrances(clock: Clock) -> Entrances {
    let bounds = Bounds {
        call_timeout: Duration::from_secs(30),
        lock_out: LockOut {
            key_window: 5 * MINUTE,
            user_window: 15 * MINUTE,
            pause: 16 * MINUTE,
        },
        throttle_pause: (MINUTE, MINUTE),
        call_limit: LIMIT,
        calls_at_once: 8,
    };
    Entrances::new(bounds, clock, Arc::new(()))
}

/// Those of a process that begins to lead now, after one that has left so many calls.
fn process(clock: Clock, left: u32) -> Entrances {
    let entrances = entrances(clock);
    entrances.take_over(left);
    entrances
}

/// Who uses a pair, for as long as this is held.
fn user(entrances: &Entrances, name: &str) -> Arc<Budget> {
    let credential = Credential::AccessKey {
        access_key: name.into(),
        secret_key: "SK".into(),
        security_token: None,
    };
    let endpoint = "https://gaussdb.ap-southeast-3.myhuaweicloud.com";
    let (entrance, _) = entrances.entrance(&credential, (endpoint, endpoint), "project");
    Arc::clone(entrance.budget())
}

/// Makes so many calls for a change if all of them are there, and says how many that were.
fn make(budget: &Arc<Budget>, calls: u32) -> u32 {
    let allowed = budget.allow(Urgency::Change, calls).now_or_never();
    let Some(Ok(allowance)) = allowed else {
        return 0;
    };
    for _ in 0..calls {
        allowance.spend().now_or_never().unwrap().unwrap().made();
    }
    calls
}

#[tokio::test(start_paused = true)]
async fn n04_the_next_process_begins_with_the_least_that_is_left_and_the_last_one_makes_no_call() {
    let clock = Clock::start();
    let before = process(clock, 0);
    let [busy, quiet] = [NAMES[0], NAMES[1]].map(|name| user(&before, name));
    clock::pause(MINUTE).await;
    assert_eq!(make(&busy, 3), 3);
    let left = before.hand_over();
    assert_eq!(left, 7);
    clock::pause(MINUTE).await;
    for budget in [busy, quiet, user(&before, NAMES[2])] {
        assert_eq!(make(&budget, 1), 0, "it is closed");
    }
    let next = process(clock, left);
    for name in NAMES {
        let budget = user(&next, name);
        assert_eq!(make(&budget, 7), 7, "{name}");
        assert_eq!(make(&budget, 1), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn n04_who_has_just_begun_to_lead_leaves_no_more_than_came_since() {
    let clock = Clock::start();
    let standby = entrances(clock);
    clock::pause(MINUTE).await;
    assert_eq!(standby.hand_over(), 0, "it has never led");
    for (after, left) in [(0, 0), (3, 2), (6, 5), (12, 10), (60, 10)] {
        let leader = entrances(clock);
        clock::pause(MINUTE).await;
        leader.take_over(0);
        clock::pause(Duration::from_secs(after) + Duration::from_millis(1)).await;
        // Earlier processes may have used any pair.
        assert_eq!(leader.hand_over(), left, "after {after} s");
    }
    let leader = process(clock, 4);
    clock::pause(Duration::from_secs(3)).await;
    assert_eq!(leader.hand_over(), 6);
}

#[tokio::test(start_paused = true)]
async fn n04_a_pair_that_nobody_uses_any_more_counts_until_all_its_calls_are_there_again() {
    for (after, left) in [(1, 5), (5, 9), (13, 10)] {
        let clock = Clock::start();
        let leader = process(clock, 0);
        let [busy, quiet] = [NAMES[0], NAMES[1]].map(|name| user(&leader, name));
        clock::pause(MINUTE).await;
        assert_eq!(make(&busy, 5), 5);
        drop(busy);
        clock::pause(Duration::from_secs(after)).await;
        // What nobody uses is forgotten when somebody comes.
        let again = user(&leader, NAMES[1]);
        assert!(Arc::ptr_eq(&quiet, &again));
        let kept = leader.lock().of_pairs.len();
        assert_eq!(kept, if left < 10 { 2 } else { 1 }, "after {after} s");
        assert_eq!(leader.hand_over(), left, "after {after} s");
    }
}

#[tokio::test(start_paused = true)]
async fn n04_a_pair_that_is_used_first_long_after_the_hand_over_begins_with_no_call() {
    let clock = Clock::start();
    let leader = process(clock, 7);
    clock::pause(TAKING_OVER / 2).await;
    assert_eq!(make(&user(&leader, NAMES[0]), 7), 7);
    clock::pause(TAKING_OVER / 2).await;
    assert_eq!(make(&user(&leader, NAMES[1]), 1), 0);
}

/// What happens after how many milliseconds, with which pair and for how many calls.
type Event = (u64, usize, u32, What);

#[derive(Debug, Clone, Copy)]
enum What {
    /// The pair makes calls.
    Calls,
    /// Nobody uses the pair for now.
    IsLeft,
    /// The process ends in good order, and another one leads.
    HandsOver,
    /// The process ends otherwise, and another one leads.
    Crashes,
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        16 => Just(What::Calls),
        2 => Just(What::IsLeft),
        2 => Just(What::HandsOver),
        1 => Just(What::Crashes),
    ]
}

/// When each pair has made its calls.
async fn play(events: Vec<Event>) -> [Vec<Duration>; NAMES.len()] {
    let clock = Clock::start();
    let mut leader = process(clock, 0);
    let mut users = [None, None, None];
    let mut made = [Vec::new(), Vec::new(), Vec::new()];
    for (after, pair, calls, what) in events {
        clock::pause(Duration::from_millis(after)).await;
        match what {
            What::Calls => {
                let budget = users[pair].get_or_insert_with(|| user(&leader, NAMES[pair]));
                let count = make(budget, calls);
                let now = clock.now().uptime;
                made[pair].extend((0..count).map(|_| now));
            }
            What::IsLeft => users[pair] = None,
            What::HandsOver => {
                users = [None, None, None];
                leader = process(clock, leader.hand_over());
            }
            What::Crashes => {
                users = [None, None, None];
                leader = process(clock, 0);
            }
        }
    }
    made
}

proptest! {
    #[test]
    fn n04_no_pair_makes_more_calls_in_a_minute_than_are_allowed_whatever_processes_follow_each_other(
        events in prop::collection::vec((0_u64..3_000, 0..NAMES.len(), 1_u32..6, what()), 1..300),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let made = runtime.block_on(play(events));
        for calls in made {
            for from in &calls {
                let until = *from + MINUTE;
                let within = calls.iter().filter(|at| (*from..until).contains(*at)).count();
                prop_assert!(within <= LIMIT.calls as usize, "{within} from {from:?}");
            }
        }
    }
}
