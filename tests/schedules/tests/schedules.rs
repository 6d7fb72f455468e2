//! As many schedules as fit into every run of the tests, and proof that the checks see faults.

use taurus_schedules::{Flaw, play, play_with, told};

/// How many are played here, fewer where nothing is optimised; `make schedules` plays a million.
const MANY: u64 = if cfg!(debug_assertions) { 30 } else { 300 };

/// How many are played at most until a fault is seen.
const MOST: u64 = 3000;

#[test]
fn whatever_happens_to_operators_no_promise_is_broken() {
    let mut requests = 0;
    for seed in 0..MANY {
        let verdict = play(seed);
        requests += verdict.requests;
        let breaches = verdict.breaches;
        assert!(
            breaches.is_empty(),
            "make schedules SEED={seed}\n{breaches:#?}"
        );
    }
    println!("{MANY} schedules were played, with {requests} changes");
    assert!(
        requests as u64 > MANY,
        "schedules without changes show nothing"
    );
}

#[test]
fn a_schedule_is_the_same_whenever_it_is_played() {
    for seed in 0..MANY / 10 {
        let (first, second) = (told(seed), told(seed));
        assert!(first.trace.len() > 5);
        assert_eq!(first.trace, second.trace, "seed {seed}");
    }
}

/// Plays until a breach says `what`.
#[expect(clippy::print_stdout, reason = "a helper of tests")]
fn is_seen(flaw: Flaw, what: &str) {
    let shows = |seed: &u64| {
        let breaches = play_with(*seed, Some(flaw), false).breaches;
        breaches.iter().any(|breach| breach.contains(what))
    };
    let seed = (0..MOST).find(shows);
    assert!(seed.is_some(), "no schedule shows {flaw:?}");
    println!("{flaw:?} is seen in schedule {seed:?}");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn an_api_server_that_takes_writes_from_stale_views_is_seen() {
    is_seen(Flaw::NoComparison, "S8");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn a_client_that_repeats_a_change_is_seen() {
    is_seen(Flaw::Repeats, "a change is sent twice for one intent");
}

#[test]
fn two_operators_that_both_lead_are_seen() {
    is_seen(Flaw::BothLead, "and does not lead");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn a_job_id_that_is_never_on_record_is_seen() {
    is_seen(Flaw::ForgetsJobs, "job ids are lost");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn r02_an_operator_that_counts_from_before_the_record_exists_is_seen() {
    is_seen(Flaw::CountsFromTheOpening, "is at work");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn r01_a_last_check_before_something_that_takes_its_time_is_seen() {
    is_seen(Flaw::ChecksEarly, "too late after its intent");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn c12a_an_api_server_that_hides_what_it_drops_is_seen() {
    is_seen(Flaw::HidesPruning, "though the definition lacks");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn h13_an_operator_that_believes_strangers_is_seen() {
    is_seen(Flaw::BelievesStrangers, "is at work");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn h15_an_operator_that_waits_for_nobody_is_seen() {
    is_seen(Flaw::WaitsForNobody, "moves the proxy of");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn h15_an_operator_for_whom_age_decides_is_seen() {
    is_seen(Flaw::AgeDecides, "wants as it is");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn r07_an_operator_that_takes_two_spellings_for_two_places_is_seen() {
    is_seen(Flaw::TakesSpellingsForPlaces, "moves the proxy of");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn r09_an_operator_that_believes_lists_from_before_its_change_is_seen() {
    is_seen(Flaw::BelievesOldLists, "and a change has brought");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn r04b_an_operator_that_tells_nobody_of_jobs_of_deleted_resources_is_seen() {
    is_seen(Flaw::TellsNobody, "nobody is told");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn h12_an_operator_that_blames_the_cloud_for_what_it_held_back_is_seen() {
    is_seen(Flaw::BlamesTheCloud, "no call has failed");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn c12b_an_operator_that_never_tries_a_definition_again_is_seen() {
    is_seen(Flaw::NeverForgivesADefinition, "CRDOutdated");
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn h03_n02_an_operator_that_wakes_nobody_is_seen() {
    is_seen(Flaw::WakesNobody, "waits for a resource that is gone");
}
