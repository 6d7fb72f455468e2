//! The labels of figures: each value is a word of this program.

use prometheus_client::encoding::EncodeLabelSet;

use crate::{
    controller::{act::Outcome as Answer, meter::Ending},
    crd::Outcome,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EndingLabel {
    pub(super) ending: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LaneLabel {
    pub(super) call: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct HeldLabel {
    pub(super) held: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CallLabels {
    pub(super) operation: &'static str,
    pub(super) meaning: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabel {
    pub(super) operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct UrgencyLabel {
    pub(super) urgency: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OutcomeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PublicationLabel {
    pub(super) reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ProbeLabel {
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AnswerLabel {
    pub(super) answer: &'static str,
}

impl EndingLabel {
    pub(super) fn of(ending: Ending) -> Self {
        let ending = match ending {
            Ending::Done => "done",
            Ending::Failed => "failed",
            Ending::Panicked => "panicked",
        };
        Self { ending }
    }
}

impl OutcomeLabel {
    pub(super) fn of(outcome: Outcome) -> Self {
        let outcome = match outcome {
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::Void => "void",
        };
        Self { outcome }
    }
}

impl AnswerLabel {
    pub(super) fn of(answer: &Answer) -> Self {
        let answer = match answer {
            Answer::Accepted(_) => "accepted",
            Answer::NothingToDo => "nothing_to_do",
            Answer::Refused(_) => "refused",
            Answer::NotSent(_) => "not_sent",
            Answer::Unknown(_) => "unknown",
            Answer::Withdrawn(_) => "withdrawn",
        };
        Self { answer }
    }
}
