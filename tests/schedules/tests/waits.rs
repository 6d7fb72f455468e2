//! A change waits for no longer than can be proved to be needed: after a rolling upgrade, and after another change.

use std::time::Duration;

use taurus_schedules::{
    Flaw,
    waits::{
        Left, Next, after_a_hand_over, after_an_own_change, after_an_owner_and_its_operator_ended,
    },
};

/// For how long a successor checks that no change from before it runs.
const WHOLE_WAIT: Duration = Duration::from_secs(160);

/// By how much lists may lag, less the time that it takes to see the end of a job.
const LAG: Duration = Duration::from_secs(100);

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn n04_after_a_clean_hand_over_the_first_change_is_sent_within_seconds() {
    for seed in 0..4 {
        let waited = after_a_hand_over(Left::Nothing, None, seed).await;
        assert!(waited <= SOON, "seed {seed}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n04_a_hand_over_with_something_in_flight_costs_the_whole_wait() {
    for left in [
        Left::AJob,
        Left::AFollowedJob,
        Left::AShortTerm,
        Left::AVerifiedChange,
    ] {
        for seed in 0..2 {
            let waited = after_a_hand_over(left, None, seed).await;
            assert!(waited >= WHOLE_WAIT, "{left:?}, seed {seed}: {waited:?}");
        }
    }
}

/// For so long who waits for a proxy leaves it to its owner, which may be made anew.
const PATIENCE: Duration = Duration::from_mins(2);

#[tokio::test(start_paused = true)]
async fn n04_a_clean_hand_over_does_not_shorten_the_wait_for_an_owner_that_was_deleted() {
    for seed in 0..4 {
        let waited = after_an_owner_and_its_operator_ended(None, seed).await;
        assert!(waited >= PATIENCE, "seed {seed}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n05_an_own_change_that_was_verified_holds_no_neighbour_up() {
    for next in [Next::Neighbour, Next::Stranger] {
        for seed in 0..2 {
            let waited = after_an_own_change(next, false, seed).await;
            assert!(waited <= SOON, "{next:?}, seed {seed}: {waited:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn n05_an_own_change_that_was_verified_does_not_hold_up_the_next_one() {
    for seed in 0..2 {
        let waited = after_an_own_change(Next::Same, false, seed).await;
        assert!(waited <= SOON, "seed {seed}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn n05_what_an_earlier_process_did_is_waited_for() {
    for next in [Next::Same, Next::Neighbour] {
        for seed in 0..2 {
            let waited = after_an_own_change(next, true, seed).await;
            assert!(waited >= LAG, "{next:?}, seed {seed}: {waited:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn n04_an_operator_that_takes_every_lease_for_a_clean_one_is_seen() {
    let flaw = Some(Flaw::BelievesEveryLease);
    for left in [Left::AJob, Left::AFollowedJob, Left::AShortTerm] {
        let waited = after_a_hand_over(left, flaw, 0).await;
        assert!(waited < WHOLE_WAIT, "{left:?}: {waited:?}");
    }
    let waited = after_an_owner_and_its_operator_ended(flaw, 0).await;
    assert!(waited < PATIENCE, "{waited:?}");
}
