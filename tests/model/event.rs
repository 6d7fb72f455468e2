//! What may happen, one thing at a time.

use crate::{
    act::Fate,
    sky::{Blind, End},
    state::State,
    turn::Mishap,
};

/// A cloud that answers every request in the same useless way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonsense {
    /// Every job fails.
    Fails,
    /// Every job is completed, and the port never moves.
    Lies,
    /// No request arrives, and none is answered.
    Lost,
    /// Every request is refused: something else is at work.
    Busy,
}

/// Something that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A tick passes.
    Tick,
    /// People want another port.
    Want(u16),
    /// A person approves the plan that waits.
    Approve,
    /// The hours in which a change may start begin, or end.
    Toggle,
    /// Somebody else sets the port.
    Drift(u16),
    /// The wall clock jumps by more than every window.
    Jump { ahead: bool },
    /// A process ends, and starts anew.
    Crash(usize),
    /// A second process starts; the first still believes that it leads.
    TakeOver,
    /// The first process learns that it leads no longer, before its term is over.
    Depose,
    /// A job ends, and the list lags behind it or not.
    End { index: usize, end: End, lags: bool },
    /// The list of proxies shows a port from before a job that has just ended, or the one in place again: another replica answers.
    FallBack(u16),
    /// The record of a job is deleted.
    Erase(usize),
    /// An operator looks, on what there is or on what it had in view.
    Look {
        who: usize,
        stale: bool,
        blind: Option<Blind>,
        mishap: Option<Mishap>,
    },
    /// The connection is open.
    Open(usize),
    /// It does not open: nothing is written for the change, nor sent.
    Unopened(usize, Option<Mishap>),
    /// The intent is written.
    Intend(usize, Option<Mishap>),
    /// The request is sent.
    Send(usize, Fate),
    /// It is not sent after all.
    Withdraw(usize, Option<Mishap>),
    /// Its answer is read.
    Receive(usize, Option<Mishap>),
    /// The job id is written at last.
    Keep(usize),
}

impl Nonsense {
    /// For how many ticks it is watched; for ever, where requests come to an end.
    pub fn horizon(self) -> Option<u8> {
        match self {
            Self::Fails => None,
            Self::Lies => Some(12),
            Self::Lost => Some(16),
            Self::Busy => Some(4),
        }
    }

    /// The most requests within the horizon. Where each one fails: four. Where each is a lie: six, because a job that ended
    /// long before it was looked at counts as done, and what follows as drift, which is damped. Where each is lost: at tick 0, 4 (the settle
    /// window and the gap of the proof) and 10 (the same, and two ticks of waiting). Where each is refused: one a tick.
    pub fn most_requests(self) -> i8 {
        match self {
            Self::Fails => 4,
            Self::Lies => 6,
            Self::Lost => 3,
            Self::Busy => 5,
        }
    }
}

impl Event {
    /// Whether it is one of the bounded faults. That who was taken over from begins from an old view goes with the take-over.
    pub fn is_fault(self, state: &State) -> bool {
        match self {
            Self::Tick
            | Self::Want(_)
            | Self::Approve
            | Self::Toggle
            | Self::Depose
            | Self::FallBack(_)
            | Self::Open(_)
            | Self::Keep(_) => false,
            Self::Drift(_)
            | Self::Jump { .. }
            | Self::Crash(_)
            | Self::TakeOver
            | Self::Erase(_) => true,
            Self::End { end, .. } => end != End::Moves,
            Self::Look {
                who,
                stale,
                blind,
                mishap,
            } => stale && !state.is_cut_off(who) || blind.is_some() || mishap.is_some(),
            Self::Unopened(who, mishap) => mishap.is_some() || !state.opens_no_more(who),
            Self::Intend(_, mishap) | Self::Withdraw(_, mishap) | Self::Receive(_, mishap) => {
                mishap.is_some()
            }
            Self::Send(_, fate) => !matches!(fate, Fate::Answered { .. }),
        }
    }
}
