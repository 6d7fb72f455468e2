//! How long this process may still act as the one that leads.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::lease::TERM;
use crate::model::Moment;

/// Whether this process leads; shared by the one who campaigns and those who act.
#[derive(Debug)]
pub struct Leadership(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// There is no election: this process is the only one.
    Alone,
    /// Another process leads, or none does yet.
    Standby,
    Leading(Term),
    /// Another process has led since: whatever this one remembers may be out of date.
    Deposed,
}

#[derive(Debug, Clone, Copy)]
struct Term {
    /// Uptime at which it began.
    since: Duration,
    /// When the last renewal that succeeded was sent: nobody else counts from an earlier moment.
    renewed: Moment,
    /// Whether the process that led before left nothing in flight.
    goes_on: bool,
}

impl Leadership {
    /// Of a process that is the only one, by the word of whoever runs it.
    pub fn alone() -> Self {
        Self(Mutex::new(State::Alone))
    }

    /// Of a process that stands for election.
    pub fn standby() -> Self {
        Self(Mutex::new(State::Standby))
    }

    /// Of a process that leads since then.
    #[cfg(test)]
    pub(crate) fn leading(renewed: Moment) -> Self {
        let leadership = Self::standby();
        leadership.renewed(renewed);
        leadership
    }

    /// For how long this process may still act; nothing if it may not.
    ///
    /// Counted by both clocks: the monotonic one stands still while a machine is suspended. A wall clock that is set forward
    /// costs a pause until the next renewal, and one that is set back is of no account.
    pub fn time_left(&self, now: Moment) -> Option<Duration> {
        match *self.lock() {
            State::Alone => Some(Duration::MAX),
            State::Standby | State::Deposed => None,
            State::Leading(term) => {
                let monotonic = now.elapsed(term.renewed.uptime);
                let passed = monotonic.max(now.since(term.renewed.wall));
                TERM.checked_sub(passed).filter(|left| !left.is_zero())
            }
        }
    }

    /// Uptime since which this process has led; zero where there is no election.
    pub fn since(&self) -> Duration {
        match *self.lock() {
            State::Leading(term) => term.since,
            State::Alone | State::Standby | State::Deposed => Duration::ZERO,
        }
    }

    /// Whether the process that led before left nothing in flight: nothing from before this one has to be waited for.
    pub fn has_nothing_before_it(&self) -> bool {
        matches!(*self.lock(), State::Leading(term) if term.goes_on)
    }

    /// The process that led before left nothing in flight.
    pub(super) fn goes_on(&self) {
        if let State::Leading(term) = &mut *self.lock() {
            term.goes_on = true;
        }
    }

    /// Whether another process has led since.
    pub fn is_over(&self) -> bool {
        matches!(*self.lock(), State::Deposed)
    }

    /// The lease was taken, or renewed, by a write that was sent at this moment. A term that had run out goes on: nobody
    /// else has held the lease since.
    pub(super) fn renewed(&self, sent: Moment) {
        let mut state = self.lock();
        match &mut *state {
            State::Alone | State::Deposed => {}
            State::Standby => {
                *state = State::Leading(Term {
                    since: sent.uptime,
                    renewed: sent,
                    goes_on: false,
                });
            }
            State::Leading(term) => term.renewed = sent,
        }
    }

    /// Another process has, or had, the lease, or it is about to be given back. There is no way back from this.
    pub(super) fn over(&self) {
        *self.lock() = State::Deposed;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn at(uptime: u64, wall: i64) -> Moment {
        let wall = Timestamp::from_second(1_800_000_000 + wall).unwrap();
        Moment::new(wall, Duration::from_secs(uptime))
    }

    #[test]
    fn a_term_lasts_from_the_sending_of_its_last_renewal() {
        let leadership = Leadership::standby();
        assert_eq!(leadership.time_left(at(100, 0)), None);
        leadership.renewed(at(100, 0));
        leadership.renewed(at(105, 5));
        assert_eq!(leadership.since(), Duration::from_secs(100));
        let left = leadership.time_left(at(109, 9));
        assert_eq!(left, Some(Duration::from_secs(11)));
        assert_eq!(leadership.time_left(at(120, 20)), None, "to the second");
        leadership.renewed(at(150, 50));
        assert!(leadership.time_left(at(151, 51)).is_some(), "it goes on");
        assert_eq!(leadership.since(), Duration::from_secs(100));
    }

    #[test]
    fn a_suspended_machine_and_a_jump_forward_end_it_and_a_jump_back_does_not() {
        let leadership = Leadership::standby();
        leadership.renewed(at(100, 0));
        assert_eq!(leadership.time_left(at(101, 120)), None, "suspended");
        assert!(leadership.time_left(at(101, -120)).is_some());
        assert_eq!(leadership.time_left(at(115, -120)), None);
    }

    #[test]
    fn who_was_deposed_never_leads_again_and_who_is_alone_always_does() {
        let leadership = Leadership::standby();
        leadership.renewed(at(100, 0));
        leadership.over();
        leadership.renewed(at(101, 1));
        assert_eq!(leadership.time_left(at(101, 1)), None);
        let alone = Leadership::alone();
        assert!(alone.time_left(at(1_000_000, 0)).is_some());
        assert_eq!(alone.since(), Duration::ZERO);
    }
}
