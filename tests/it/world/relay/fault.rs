//! What goes wrong, for which requests, and how often.

use std::time::Duration;

use super::{Call, answer::Prepared};

/// When something happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the API server has heard of it.
    Before,
    /// Once the API server has answered.
    After,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Effect {
    /// This answer, and the API server hears of nothing.
    Answer(Prepared),
    /// A watch that says at once that its position is too old, and ends.
    Expire,
    /// The API server's answer, of which every piece comes later by this.
    DelayEvents(Duration),
    /// The beginning of the API server's answer, of so many bytes; then the connection ends.
    CutBody(usize),
    /// The connection ends without an answer.
    Cut(Stage),
    /// There is no answer, and the connection stays, until the fault is removed.
    Silence(Stage),
}

/// Which requests a fault is about.
#[derive(Debug, Clone)]
enum Calls {
    All,
    Only(Vec<Call>),
    AllBut(Vec<Call>),
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    calls: Calls,
    skip: usize,
    times: usize,
    pub(super) effect: Effect,
}

impl Fault {
    /// Whatever is asked.
    pub fn on_all(effect: Effect) -> Self {
        Self {
            calls: Calls::All,
            skip: 0,
            times: usize::MAX,
            effect,
        }
    }

    /// Every request of these kinds.
    pub fn on(calls: &[Call], effect: Effect) -> Self {
        Self {
            calls: Calls::Only(calls.to_vec()),
            ..Self::on_all(effect)
        }
    }

    /// Every request of another kind than these.
    pub fn on_all_but(calls: &[Call], effect: Effect) -> Self {
        Self {
            calls: Calls::AllBut(calls.to_vec()),
            ..Self::on_all(effect)
        }
    }

    /// The `nth` of them only, counted from 1.
    pub fn nth(self, nth: usize) -> Self {
        Self {
            skip: nth - 1,
            times: 1,
            ..self
        }
    }

    /// The first so many of them.
    pub fn first(self, times: usize) -> Self {
        Self { times, ..self }
    }

    pub(super) fn is_about(&self, call: &Call) -> bool {
        match &self.calls {
            Calls::All => true,
            Calls::Only(calls) => calls.contains(call),
            Calls::AllBut(calls) => !calls.contains(call),
        }
    }

    /// Whether it strikes the request that it meets as this one, counted from 1.
    pub(super) fn takes(&self, met: usize) -> bool {
        met > self.skip && met - self.skip <= self.times
    }
}

impl Effect {
    /// A refusal with this status.
    pub fn refuse(status: u16) -> Self {
        Self::Answer(Prepared::refusal(status))
    }

    /// A refusal that says when to come again.
    pub fn refuse_for(status: u16, seconds: u32) -> Self {
        Self::Answer(Prepared::refusal(status).retry_after(seconds))
    }

    /// An answer that was given before.
    pub fn replay(body: String) -> Self {
        Self::Answer(Prepared::recorded(body))
    }
}
