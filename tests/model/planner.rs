//! Who decides: the operator's own planner, or one that was broken on purpose.

use taurus_port_operator::plan::{self, Decision, facts::Facts, record::Record};

use crate::{clock, state::Ages};

/// The decisions of the operator, its last check, and the few habits of its journal that safety rests on.
///
/// Every method is the real one; whoever wants to see that the model would notice overrides one.
pub trait Planner: Send + Sync + std::fmt::Debug {
    /// What a look makes of the record.
    fn decide(&self, facts: &Facts<'_>) -> Decision {
        plan::decide(facts)
    }

    /// What follows once an outcome has moved the record.
    fn decide_again(&self, facts: &Facts<'_>) -> Decision {
        plan::decide_again(facts)
    }

    /// The record after a request whose outcome is not known.
    fn after_unknown(&self, record: Record) -> Record {
        record
    }

    /// Whether a write from a stale view is refused.
    fn is_fenced(&self) -> bool {
        true
    }

    /// Whether a job id whose write was refused is kept.
    fn keeps_job(&self) -> bool {
        true
    }

    /// For how many ticks a change counts as watched when its intent is acknowledged.
    fn has_watched(&self, _: Ages) -> u8 {
        0
    }

    /// Whether the last check asks for the hours as well.
    fn asks_for_hours(&self) -> bool {
        true
    }

    /// Whether the plan of a change leaves the record with it, and is remembered as used.
    fn uses_plans(&self) -> bool {
        true
    }

    /// Whether the last check, at the first byte, speaks against a request.
    fn objects(&self, ages: Ages, leads: bool) -> bool {
        let too_late = ages.intent.is_some_and(|age| age > clock::SEND_WITHIN);
        too_late || ages.look > clock::OPENING || !leads
    }
}

/// The operator's own.
#[derive(Debug)]
pub struct Real;

impl Planner for Real {}
