//! A rolling upgrade costs a new resource no wait where the operator before left nothing in flight, and the whole wait where it
//! did.

use std::time::Duration;

use taurus_schedules::handover::{LONGEST_PAUSE, Left, wait_after};

/// For how long a successor checks that no change from before it runs.
const WHOLE_WAIT: Duration = Duration::from_secs(160);

#[tokio::test(start_paused = true)]
async fn n04_after_a_clean_hand_over_the_first_change_is_sent_within_seconds() {
    for seed in 0..10 {
        let waited = wait_after(Left::Nothing, seed).await;
        let most = LONGEST_PAUSE + Duration::from_secs(5);
        assert!(waited <= most, "seed {seed}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n04_a_hand_over_with_something_in_flight_costs_the_whole_wait() {
    for left in [Left::AJob, Left::AFollowedJob, Left::AShortTerm] {
        for seed in 0..5 {
            let waited = wait_after(left, seed).await;
            assert!(waited >= WHOLE_WAIT, "{left:?}, seed {seed}: {waited:?}");
        }
    }
}
