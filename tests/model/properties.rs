//! What must hold in every state, and what must come up in some.

use stateright::Property;
use taurus_port_operator::crd::Outcome;

use crate::{
    clock,
    protocol::Protocol,
    rules::Rule,
    state::{At, State},
};

pub const ONE_AT_WORK: &str = "no two changes of ours at work";
pub const INTENT_FIRST: &str = "no request without its intent on record";
pub const LOOK_FIRST: &str = "no request without a look that succeeded";
pub const LED: &str = "no request after the end of the term";
pub const NOT_FOR_NOTHING: &str = "no request for nothing";
pub const NO_JOB_LOST: &str = "no job id is lost";
pub const NOT_GIVEN_UP: &str = "no change is given up while it may be at work";
pub const READY_IS_PROVEN: &str = "ready only when verified";
pub const ENDS_TRULY: &str = "a change ends with a port that is in place";
pub const STATUS: &str = "the rules of status";
pub const HOURS: &str = "no request outside its hours";
pub const APPROVED: &str = "no request without an approval of its plan";
pub const USED_ONCE: &str = "no approval is used for two requests";
pub const REST: &str = "it comes to rest";

type Properties = Vec<Property<Protocol>>;

/// All that is asked for within the bounds of the model.
pub fn of(model: &Protocol) -> Properties {
    let bounds = &model.bounds;
    let mut all = always();
    if bounds.nonsense.is_none() {
        all.push(Property::always(REST, |model: &Protocol, state: &State| {
            state.broken.is_some() || model.comes_to_rest(state)
        }));
        all.push(Property::sometimes(
            "a change succeeds",
            |_: &Protocol, state: &State| ended(state, Outcome::Succeeded),
        ));
        all.push(Property::sometimes(
            "a request may leave whose connection took as long to open as it may",
            |model: &Protocol, state: &State| {
                let mut crew = state.crew.iter().flatten();
                crew.any(|operator| match operator.at {
                    At::Acknowledged { ages, .. } => {
                        let opening = ages.line.map(|line| ages.look - line);
                        opening == Some(clock::OPENING) && !model.objects(operator, state.open)
                    }
                    _ => false,
                })
            },
        ));
    }
    if bounds.faults > 0 {
        all.extend(with_faults());
    }
    if bounds.gate {
        all.extend(with_a_gate());
    }
    all
}

fn with_a_gate() -> Properties {
    vec![
        Property::always(HOURS, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::OutsideHours)
        }),
        Property::always(APPROVED, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::Unapproved)
        }),
        Property::always(USED_ONCE, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::ApprovalUsedTwice)
        }),
        Property::sometimes(
            "a plan that is approved waits for its hours",
            |_: &Protocol, state: &State| {
                let plan = state
                    .object
                    .status
                    .as_ref()
                    .and_then(|paper| paper.plan.as_ref());
                let approved = plan.is_some_and(|plan| state.object.approved == Some(plan.id));
                approved && !state.open
            },
        ),
        Property::sometimes(
            "a request is held back by hours that end after its intent",
            |_: &Protocol, state: &State| {
                let mut crew = state.crew.iter().flatten();
                !state.open && crew.any(|one| matches!(one.at, At::Acknowledged { .. }))
            },
        ),
        Property::sometimes(
            "a plan waits beside an approval of another one",
            |_: &Protocol, state: &State| {
                let plan = state
                    .object
                    .status
                    .as_ref()
                    .and_then(|paper| paper.plan.as_ref());
                let approved = state.object.approved;
                approved.is_some() && plan.is_some_and(|plan| approved != Some(plan.id))
            },
        ),
    ]
}

fn always() -> Properties {
    vec![
        Property::always(ONE_AT_WORK, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::TwoAtWork)
        }),
        Property::always(INTENT_FIRST, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::PutWithoutIntent)
        }),
        Property::always(LOOK_FIRST, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::PutUnseen)
        }),
        Property::always(LED, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::PutWithoutLease)
        }),
        Property::always(NOT_FOR_NOTHING, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::PutForNothing)
        }),
        Property::always(NO_JOB_LOST, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::JobLost)
        }),
        Property::always(NOT_GIVEN_UP, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::GivenUpEarly)
        }),
        Property::always(READY_IS_PROVEN, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::ReadyUnproven)
        }),
        Property::always(ENDS_TRULY, |_: &Protocol, state: &State| {
            state.broken != Some(Rule::EndUntrue)
        }),
        Property::always(STATUS, |_: &Protocol, state: &State| {
            !matches!(state.broken, Some(Rule::Status(_)))
        }),
    ]
}

fn with_faults() -> Properties {
    vec![
        Property::sometimes("a change fails", |_: &Protocol, state: &State| {
            ended(state, Outcome::Failed)
        }),
        Property::sometimes("a change turns out void", |_: &Protocol, state: &State| {
            ended(state, Outcome::Void)
        }),
        Property::sometimes(
            "a deposed operator writes the job id that it holds",
            |_: &Protocol, state: &State| {
                let mut crew = state.crew.iter().flatten();
                crew.any(|operator| operator.at == At::Kept)
            },
        ),
        Property::sometimes(
            "a change is decided on by two operators at once",
            |_: &Protocol, state: &State| {
                let deciding = |at: &At| matches!(at, At::Ordered { .. } | At::Acknowledged { .. });
                let mut crew = state.crew.iter();
                crew.all(|one| one.as_ref().is_some_and(|one| deciding(&one.at)))
            },
        ),
    ]
}

/// Whether the last change ended so.
fn ended(state: &State, outcome: Outcome) -> bool {
    let paper = state.object.status.as_ref();
    let last = paper.and_then(|paper| paper.last.as_ref());
    last.is_some_and(|last| last.outcome == outcome)
}
