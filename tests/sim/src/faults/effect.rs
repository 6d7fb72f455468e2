//! What a rule does to a request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ErrorShape, Oddity, RetryAfter};
use crate::{Answer, Behaviour, BehaviourChange};

/// On which side of the service's work something happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The work is not done yet; where the request ends here, it never is.
    #[default]
    BeforeWork,
    /// The work is done: a change has started its job.
    AfterWork,
}

/// How an answer gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection is reset.
    Reset,
    /// The connection is closed in good order.
    Close,
    /// The connection stays open and silent: a black hole.
    Silence,
}

/// What a rule does to a request. In JSON an object with one key, such as `{"latency": 2.5}`; times are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// The request arrives later, by the real clock.
    Latency(#[serde(with = "crate::seconds")] Duration),
    /// The request waits until it is released, its rule is removed, or a time of the simulator's clock has passed.
    Hold {
        /// Where it waits.
        at: Stage,
        /// For how long at most; for ever without it.
        #[serde(
            default,
            with = "crate::seconds::optional",
            skip_serializing_if = "Option::is_none"
        )]
        at_most: Option<Duration>,
    },
    /// There is no answer. Ends the request.
    Lose {
        /// Whether the work is done.
        at: Stage,
        /// What the caller sees.
        how: Loss,
    },
    /// The work is done, the answer's head and a part of its body are sent, then the connection is reset. Ends the
    /// request.
    CutBody {
        /// How many bytes of the body arrive; half of it without a number.
        #[serde(default)]
        after: Option<usize>,
    },
    /// The work is done, and the answer's body comes in small parts with pauses by the real clock. Ends the request.
    SlowBody {
        /// How many bytes come at once, at least 1.
        bytes: usize,
        /// The pause before each part (seconds in JSON).
        #[serde(with = "crate::seconds")]
        every: Duration,
    },
    /// Another answer than the service's own. Ends the request.
    Respond {
        /// Whether the work is done.
        at: Stage,
        /// The answer.
        answer: Answer,
    },
    /// The gateway throttles: 429 with APIGW.0308, without the work. Ends the request.
    Throttle {
        /// When to come again, in each form; without it nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<RetryAfter>,
    },
    /// An error in one of the shapes that are met in the field. Ends the request.
    Error {
        /// Whether the work is done; before it by default.
        #[serde(default)]
        at: Stage,
        /// HTTP status; without it the documented one of the code, and 500 for a code that isn't documented.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The whole code, such as `DBS.200047`.
        code: String,
        /// The shape of the body; without it that of whom the code belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<ErrorShape>,
    },
    /// The service's own answer with this HTTP status instead of its own.
    Status(u16),
    /// Pages of lists hold no more than this, whatever limit was asked for.
    PageCap(usize),
    /// Reads tell what was true this long ago (seconds in JSON): ports that the list shows, and jobs.
    Lag(#[serde(with = "crate::seconds")] Duration),
    /// The instance or proxy with this id isn't there.
    Hide(String),
    /// The answer has these oddities.
    Odd(Vec<Oddity>),
    /// The service behaves with these switches changed. `clock_skew` is none of them: signatures are judged before rules
    /// are.
    Behave(BehaviourChange),
}

impl Effect {
    /// The request waits, before the work, until it is released.
    pub fn hold_before() -> Self {
        Self::Hold {
            at: Stage::BeforeWork,
            at_most: None,
        }
    }

    /// The work is done; the answer waits until it is released.
    pub fn hold_after() -> Self {
        Self::Hold {
            at: Stage::AfterWork,
            at_most: None,
        }
    }

    /// The work is done and the answer lost, like this.
    pub fn lose_answer(how: Loss) -> Self {
        Self::Lose {
            at: Stage::AfterWork,
            how,
        }
    }

    /// The request is lost on its way, like this.
    pub fn lose_request(how: Loss) -> Self {
        Self::Lose {
            at: Stage::BeforeWork,
            how,
        }
    }

    /// Nothing is done and nothing answered.
    pub fn black_hole() -> Self {
        Self::lose_request(Loss::Silence)
    }

    /// This answer, without the work.
    pub fn respond(answer: Answer) -> Self {
        Self::Respond {
            at: Stage::BeforeWork,
            answer,
        }
    }

    /// This answer, after the work was done.
    pub fn respond_after_work(answer: Answer) -> Self {
        Self::Respond {
            at: Stage::AfterWork,
            answer,
        }
    }

    /// 429 without the work; `retry_after` says when to come again.
    pub fn throttle(retry_after: Option<RetryAfter>) -> Self {
        Self::Throttle { retry_after }
    }

    /// The documented error with this code, without the work: see
    /// [`DOCUMENTED_ERRORS`](crate::DOCUMENTED_ERRORS).
    pub fn documented(code: &str) -> Self {
        Self::Error {
            at: Stage::BeforeWork,
            status: None,
            code: code.to_owned(),
            shape: None,
        }
    }

    /// An error in this shape, without the work.
    pub fn error(status: u16, code: &str, shape: ErrorShape) -> Self {
        Self::Error {
            at: Stage::BeforeWork,
            status: Some(status),
            code: code.to_owned(),
            shape: Some(shape),
        }
    }

    /// An error in this shape, after the work was done.
    pub fn error_after_work(status: u16, code: &str, shape: ErrorShape) -> Self {
        Self::Error {
            at: Stage::AfterWork,
            status: Some(status),
            code: code.to_owned(),
            shape: Some(shape),
        }
    }

    /// The service behaves with what differs from the default.
    pub fn behave(change: impl FnOnce(&mut Behaviour)) -> Self {
        let mut behaviour = Behaviour::default();
        change(&mut behaviour);
        Self::Behave(BehaviourChange::between(&Behaviour::default(), &behaviour))
    }

    /// 409 with this code: another operation is at work.
    pub fn busy(code: &str) -> Self {
        Self::respond(Answer::error(
            409,
            code,
            "another operation is running on the instance",
        ))
    }

    pub(super) fn ends_the_request(&self) -> bool {
        match self {
            Self::Lose { .. }
            | Self::CutBody { .. }
            | Self::SlowBody { .. }
            | Self::Respond { .. }
            | Self::Throttle { .. }
            | Self::Error { .. } => true,
            Self::Latency(_)
            | Self::Hold { .. }
            | Self::Status(_)
            | Self::PageCap(_)
            | Self::Lag(_)
            | Self::Hide(_)
            | Self::Odd(_)
            | Self::Behave(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_written_as_in_the_manual() {
        for (json, effect) in [
            (
                r#"{"latency":2.5}"#,
                Effect::Latency(Duration::from_millis(2500)),
            ),
            (r#"{"hold":{"at":"after_work"}}"#, Effect::hold_after()),
            (
                r#"{"hold":{"at":"before_work","at_most":5}}"#,
                Effect::Hold {
                    at: Stage::BeforeWork,
                    at_most: Some(Duration::from_secs(5)),
                },
            ),
            (
                r#"{"lose":{"at":"after_work","how":"reset"}}"#,
                Effect::lose_answer(Loss::Reset),
            ),
            (
                r#"{"lose":{"at":"before_work","how":"silence"}}"#,
                Effect::black_hole(),
            ),
            (
                r#"{"cut_body":{"after":null}}"#,
                Effect::CutBody { after: None },
            ),
            (
                r#"{"respond":{"at":"before_work","answer":{"status":502,"headers":[["Retry-After","3"]],"body":"no"}}}"#,
                Effect::respond(Answer::new(502, "no").header("Retry-After", "3")),
            ),
            (r#"{"page_cap":2}"#, Effect::PageCap(2)),
            (
                r#"{"slow_body":{"bytes":16,"every":0.5}}"#,
                Effect::SlowBody {
                    bytes: 16,
                    every: Duration::from_millis(500),
                },
            ),
            (r#"{"throttle":{}}"#, Effect::throttle(None)),
            (
                r#"{"throttle":{"retry_after":{"date":30}}}"#,
                Effect::throttle(Some(RetryAfter::Date(Duration::from_secs(30)))),
            ),
            (
                r#"{"error":{"at":"after_work","status":502,"code":"DBS.108000","shape":"html"}}"#,
                Effect::error_after_work(502, "DBS.108000", ErrorShape::Html),
            ),
            (
                r#"{"behave":{"accepts_33060":true}}"#,
                Effect::behave(|behaviour| behaviour.accepts_33060 = true),
            ),
            (
                r#"{"error":{"at":"before_work","code":"DBS.200316"}}"#,
                Effect::documented("DBS.200316"),
            ),
            (r#"{"status":202}"#, Effect::Status(202)),
            (r#"{"lag":90}"#, Effect::Lag(Duration::from_secs(90))),
            (r#"{"hide":"x"}"#, Effect::Hide("x".to_owned())),
            (
                r#"{"odd":["port_text","unknown_fields"]}"#,
                Effect::Odd(vec![Oddity::PortText, Oddity::UnknownFields]),
            ),
        ] {
            assert_eq!(
                serde_json::from_str::<Effect>(json).unwrap(),
                effect,
                "{json}"
            );
            assert_eq!(serde_json::to_string(&effect).unwrap(), json);
        }
        assert!(
            serde_json::from_str::<Effect>(r#"{"lose":{"at":"after","how":"reset"}}"#).is_err()
        );
    }
}
