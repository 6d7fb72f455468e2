//! Planners that were broken on purpose: the model must see what is wrong with each.

use std::time::Duration;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use taurus_port_operator::{
    cloud::ProxyStatus,
    crd::Phase,
    plan::{
        self, Decision,
        facts::{Facts, Observed, Seen},
        record::Record,
        session::{Session, Sighting},
        settle,
        step::{Cause, Progress, Step},
    },
};

use crate::{
    event::Nonsense,
    planner::{Planner, Real},
    properties::{
        APPROVED, ENDS_TRULY, HOURS, INTENT_FIRST, LED, LOOK_FIRST, NO_JOB_LOST, NOT_FOR_NOTHING,
        NOT_GIVEN_UP, ONE_AT_WORK, READY_IS_PROVEN, REST, STATUS, USED_ONCE,
    },
    protocol::{Bounds, Protocol},
    sky::{Mode, proxy},
    state::Ages,
};

/// Explores until it is found how `rule` can be broken, and says in how many steps.
fn steps_until_broken(
    planner: impl Planner + 'static,
    bounds: Bounds,
    rule: &'static str,
) -> Option<usize> {
    let checker = Protocol::new(planner, bounds)
        .checker()
        .threads(2)
        .finish_when(HasDiscoveries::AnyOf([rule].into()))
        .spawn_bfs()
        .join();
    let path = checker.discovery(rule)?;
    Some(path.into_actions().len())
}

/// A broken planner is caught by this rule.
fn is_caught(planner: impl Planner + 'static, bounds: Bounds, rule: &'static str) {
    let tried = format!("{planner:?} keeps \"{rule}\" within {bounds:?}");
    let steps = steps_until_broken(planner, bounds, rule);
    assert!(steps.is_some(), "{tried}");
}

/// The mode in which the service itself protects nobody.
fn bounds(edits: u8, faults: u8) -> Bounds {
    Bounds {
        modes: vec![Mode::Doubling],
        edits,
        faults,
        jumps: false,
        gate: false,
        nonsense: None,
    }
}

/// Decides as the real planner does, on another memory.
fn with_session(facts: &Facts<'_>, change: impl FnOnce(&mut Session)) -> Decision {
    let mut session = facts.session.clone();
    session.turn_to(facts.record.change.as_ref(), facts.now);
    change(&mut session);
    plan::decide(&Facts {
        session: &session,
        ..*facts
    })
}

#[derive(Debug)]
struct SkipsTheWait;

impl Planner for SkipsTheWait {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        with_session(facts, |session| {
            if let Some(watch) = &mut session.watch {
                watch.since = Duration::ZERO;
            }
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_does_not_wait_until_a_job_must_be_visible_is_caught() {
    is_caught(SkipsTheWait, bounds(0, 1), NOT_GIVEN_UP);
}

#[derive(Debug)]
struct TrustsIntendedAt;

impl Planner for TrustsIntendedAt {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        with_session(facts, |session| {
            if let (Some(watch), Some(change)) = (&mut session.watch, &facts.record.change) {
                let recorded = facts.now.since(change.intended_at);
                watch.since = watch.since.min(facts.now.uptime.saturating_sub(recorded));
            }
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_trusts_a_recorded_time_is_caught_when_the_wall_clock_has_jumped() {
    is_caught(TrustsIntendedAt, bounds(0, 2), NOT_GIVEN_UP);
}

#[derive(Debug)]
struct BelievesWhatWasTakenBack;

impl Planner for BelievesWhatWasTakenBack {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let observed = Observed {
            failed_lately: None,
            ..facts.observed.clone()
        };
        plan::decide(&Facts {
            observed: &observed,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_believes_a_list_that_lags_behind_a_failed_job_is_caught() {
    let bounds = Bounds {
        modes: vec![Mode::Hasty],
        ..bounds(0, 2)
    };
    is_caught(BelievesWhatWasTakenBack, bounds, READY_IS_PROVEN);
}

#[derive(Debug)]
struct TakesFailureForAbsence;

impl Planner for TakesFailureForAbsence {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let Seen::Unknown(_) = facts.observed.tasks else {
            return plan::decide(facts);
        };
        let port = facts.record.port.unwrap_or_default();
        let observed = Observed {
            tasks: Seen::Known(None),
            proxy: Seen::Known(Some(proxy(port, ProxyStatus::Active))),
            ..facts.observed.clone()
        };
        plan::decide(&Facts {
            observed: &observed,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_takes_a_failed_read_for_no_job_is_caught() {
    is_caught(TakesFailureForAbsence, bounds(0, 1), LOOK_FIRST);
}

#[derive(Debug)]
struct ForgetsJob;

impl Planner for ForgetsJob {
    fn keeps_job(&self) -> bool {
        false
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_forgets_a_job_id_on_a_conflict_is_caught() {
    is_caught(ForgetsJob, bounds(0, 1), NO_JOB_LOST);
    is_caught(ForgetsJob, bounds(1, 0), NO_JOB_LOST);
}

#[derive(Debug)]
struct BelievesCompleted;

impl Planner for BelievesCompleted {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut decision = plan::decide(facts);
        let verifying = matches!(decision.step, Step::Hold(Cause::Verifying { .. }, _));
        if let Some(change) = decision.record.change.clone().filter(|_| verifying) {
            let progress = Progress::Succeeded(change.to);
            decision.record = settle::advance(decision.record, progress, facts.now);
            decision.step = Step::Rest;
        }
        decision
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_believes_a_completed_job_without_its_port_is_caught() {
    is_caught(BelievesCompleted, bounds(0, 0), READY_IS_PROVEN);
}

#[derive(Debug)]
struct SendsAgain;

impl Planner for SendsAgain {
    fn after_unknown(&self, record: Record) -> Record {
        Record {
            change: None,
            ..record
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_sends_again_after_an_unknown_outcome_is_caught() {
    is_caught(SendsAgain, bounds(0, 1), ONE_AT_WORK);
}

#[derive(Debug)]
struct WritesOverOthers;

impl Planner for WritesOverOthers {
    fn is_fenced(&self) -> bool {
        false
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_ignores_a_newer_generation_is_caught() {
    is_caught(WritesOverOthers, bounds(1, 0), INTENT_FIRST);
}

#[derive(Debug)]
struct DropsWhatRuns;

impl Planner for DropsWhatRuns {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut record = facts.record.clone();
        record
            .change
            .take_if(|change| change.generation != facts.desired.generation);
        plan::decide(&Facts {
            record: &record,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_drops_a_change_at_work_for_a_newer_generation_is_caught() {
    is_caught(DropsWhatRuns, bounds(1, 0), STATUS);
}

#[derive(Debug)]
struct GivesUpAfterOneRead;

impl Planner for GivesUpAfterOneRead {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let decision = plan::decide(facts);
        let mut session = decision.session.clone();
        let Some(watch) = &mut session.watch else {
            return decision;
        };
        let Some(seen) = watch.untouched else {
            return decision;
        };
        watch.untouched = Some(Sighting {
            first: Duration::ZERO,
            count: 2,
            ..seen
        });
        plan::decide_again(&Facts {
            session: &session,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_gives_up_after_a_single_read_is_caught() {
    is_caught(GivesUpAfterOneRead, bounds(0, 2), NOT_GIVEN_UP);
}

#[derive(Debug)]
struct ReadyWithoutLook;

impl Planner for ReadyWithoutLook {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let decision = plan::decide(facts);
        let blind = matches!(facts.observed.proxy, Seen::Unknown(_));
        if blind && facts.record.change.is_none() {
            Decision {
                step: Step::Rest,
                ..decision
            }
        } else {
            decision
        }
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_says_ready_from_the_record_without_a_look_is_caught() {
    is_caught(ReadyWithoutLook, bounds(0, 1), READY_IS_PROVEN);
}

#[derive(Debug)]
struct SendsLate;

impl Planner for SendsLate {
    fn objects(&self, ages: Ages, leads: bool) -> bool {
        let intent = None;
        Real.objects(Ages { intent, ..ages }, leads)
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_sends_long_after_the_intent_is_caught() {
    is_caught(SendsLate, bounds(0, 1), NOT_GIVEN_UP);
}

/// Takes the port from before the last change for a third one, while the list may lag behind that change.
#[derive(Debug)]
struct KnowsNoEcho;

impl Planner for KnowsNoEcho {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut record = facts.record.clone();
        let last = record.last.take();
        let verifying = matches!(&record.change, Some(change) if change.phase == Phase::Verifying);
        if !verifying {
            return plan::decide(facts);
        }
        let facts = Facts {
            record: &record,
            ..*facts
        };
        let mut decision = with_session(&facts, |session| session.verified = None);
        if decision.record.last.is_none() {
            decision.record.last = last;
        }
        decision
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn n05_who_takes_a_list_that_falls_back_for_a_third_port_is_caught() {
    is_caught(KnowsNoEcho, bounds(1, 0), ENDS_TRULY);
}

/// Makes the last check before the connection is opened, when all is well; whatever comes then is not checked.
#[derive(Debug)]
struct ChecksEarly;

impl Planner for ChecksEarly {
    fn objects(&self, _: Ages, _: bool) -> bool {
        Real.objects(Ages::default(), true)
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_checks_before_the_connection_is_open_is_caught() {
    is_caught(ChecksEarly, bounds(0, 0), LOOK_FIRST);
    is_caught(ChecksEarly, bounds(0, 1), LED);
    is_caught(ChecksEarly, bounds(0, 1), NOT_GIVEN_UP);
}

/// Makes the last check when its intent is acknowledged, and is held up between that and the first byte.
#[derive(Debug)]
struct ChecksBeforeItIsHeldUp;

impl Planner for ChecksBeforeItIsHeldUp {
    fn objects(&self, ages: Ages, _: bool) -> bool {
        let held_up = ages.intent.unwrap_or_default();
        let look = ages.look - held_up;
        let intent = Some(0);
        Real.objects(
            Ages {
                look,
                intent,
                ..ages
            },
            true,
        )
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_is_held_up_between_the_last_check_and_the_first_byte_is_caught() {
    is_caught(ChecksBeforeItIsHeldUp, bounds(0, 0), LOOK_FIRST);
    is_caught(ChecksBeforeItIsHeldUp, bounds(0, 1), LED);
    is_caught(ChecksBeforeItIsHeldUp, bounds(0, 1), NOT_GIVEN_UP);
}

/// The look counts as old only from when the connection was open.
#[derive(Debug)]
struct CountsFromTheOpening;

impl Planner for CountsFromTheOpening {
    fn objects(&self, ages: Ages, leads: bool) -> bool {
        let look = ages.line.unwrap_or_default();
        Real.objects(Ages { look, ..ages }, leads)
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_counts_the_age_of_the_look_from_the_opening_is_caught() {
    is_caught(CountsFromTheOpening, bounds(0, 0), LOOK_FIRST);
}

#[derive(Debug)]
struct TrustsTheLease;

impl Planner for TrustsTheLease {
    fn objects(&self, ages: Ages, _: bool) -> bool {
        Real.objects(ages, true)
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_does_not_look_at_the_lease_at_the_first_byte_is_caught() {
    is_caught(TrustsTheLease, bounds(0, 1), LED);
}

/// The change counts as watched while its connection opens, when it is not on record yet.
#[derive(Debug)]
struct WatchesFromTheOpening;

impl Planner for WatchesFromTheOpening {
    fn has_watched(&self, ages: Ages) -> u8 {
        ages.look
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_watches_a_change_from_the_opening_is_caught() {
    is_caught(WatchesFromTheOpening, bounds(0, 1), NOT_GIVEN_UP);
}

#[derive(Debug)]
struct NeverLearns;

impl Planner for NeverLearns {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let record = Record {
            failures: Vec::new(),
            ..facts.record.clone()
        };
        plan::decide(&Facts {
            record: &record,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_forgets_what_failed_is_caught() {
    for nonsense in [Nonsense::Fails, Nonsense::Lies, Nonsense::Lost] {
        let bounds = Bounds {
            nonsense: Some(nonsense),
            ..bounds(0, 0)
        };
        is_caught(NeverLearns, bounds, NOT_FOR_NOTHING);
    }
}

fn gated(faults: u8) -> Bounds {
    Bounds {
        gate: true,
        ..bounds(0, faults)
    }
}

/// Never finds an hour in which a change may start.
#[derive(Debug)]
struct NeverStarts;

impl Planner for NeverStarts {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut observed = facts.observed.clone();
        if let Some(terms) = &mut observed.terms {
            terms.hours.missing = Some("no calendar".into());
        }
        plan::decide(&Facts {
            observed: &observed,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_lets_nothing_begin_that_may_is_caught() {
    is_caught(NeverStarts, gated(0), REST);
}

/// Asks for the time and the approval of a first attempt alone.
#[derive(Debug)]
struct AsksOnlyAtFirst;

impl Planner for AsksOnlyAtFirst {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        if facts.record.failures.is_empty() {
            return plan::decide(facts);
        }
        let observed = Observed {
            terms: None,
            ..facts.observed.clone()
        };
        plan::decide(&Facts {
            observed: &observed,
            ..*facts
        })
    }

    fn asks_for_hours(&self) -> bool {
        false
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_asks_the_gate_at_the_first_attempt_alone_is_caught() {
    is_caught(AsksOnlyAtFirst, gated(1), APPROVED);
    is_caught(AsksOnlyAtFirst, gated(1), HOURS);
}

/// Asks for the hours when it decides, and not at the first byte.
#[derive(Debug)]
struct AsksForHoursEarly;

impl Planner for AsksForHoursEarly {
    fn asks_for_hours(&self) -> bool {
        false
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_does_not_ask_for_the_hours_at_the_first_byte_is_caught() {
    is_caught(AsksForHoursEarly, gated(0), HOURS);
}

/// Leaves the plan of a change on record, and does not remember that it was used.
#[derive(Debug)]
struct KeepsUsedPlans;

impl Planner for KeepsUsedPlans {
    fn uses_plans(&self) -> bool {
        false
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_does_not_use_an_approval_up_is_caught() {
    is_caught(KeepsUsedPlans, gated(1), USED_ONCE);
}

/// Takes whatever a person has approved for an approval of what waits.
#[derive(Debug)]
struct TakesAnyApproval;

impl Planner for TakesAnyApproval {
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        let mut desired = facts.desired.clone();
        if let Some(timing) = desired.timing.as_mut() {
            timing.needs_approval &= timing.approved_by_annotation.is_none();
        }
        plan::decide(&Facts {
            desired: &desired,
            ..*facts
        })
    }
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "takes minutes where nothing is optimised: make harnesses"
)]
fn who_takes_any_approval_is_caught() {
    is_caught(TakesAnyApproval, gated(1), APPROVED);
}
