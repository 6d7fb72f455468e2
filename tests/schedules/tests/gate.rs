//! Schedules in which people also say when changes may start, and approve them.

use taurus_schedules::{Flaw, play_gated};

/// How many are played here, fewer where nothing is optimised.
const MANY: u64 = if cfg!(debug_assertions) { 30 } else { 1000 };

/// How many are played at most until a fault is seen.
const MOST: u64 = 3000;

#[test]
fn no_change_begins_outside_its_hours_or_for_an_approval_that_was_used_and_what_may_begin_does() {
    let mut requests = 0;
    for seed in 0..MANY {
        let verdict = play_gated(seed, None, false);
        requests += verdict.requests;
        let breaches = verdict.breaches;
        assert!(breaches.is_empty(), "gated schedule {seed}\n{breaches:#?}");
    }
    assert!(requests as u64 > MANY, "{requests}");
}

fn is_seen(flaw: Flaw, what: &str) {
    let shows = |seed: &u64| {
        let breaches = play_gated(*seed, Some(flaw), false).breaches;
        breaches.iter().any(|breach| breach.contains(what))
    };
    assert!(
        (0..MOST).any(|seed| shows(&seed)),
        "no schedule shows {flaw:?}"
    );
}

#[test]
fn an_operator_that_knows_of_no_calendar_is_seen() {
    is_seen(Flaw::OverlooksTheCalendar, "outside its hours");
}

#[test]
fn an_operator_that_takes_any_approval_is_seen() {
    is_seen(Flaw::TakesAnyApproval, "without approval");
}
