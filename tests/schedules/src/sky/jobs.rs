//! A job: how it goes, and what its record says.

use taurus_port_operator::model::{JobId, JobState};

/// How the next accepted change goes; times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    pub visible_after: u64,
    pub takes: u64,
    pub end: End,
    /// It ends, but its record says for ever that it runs.
    pub sticks: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Moves,
    Fails,
    /// Completed, but the port stays as it was.
    Lies,
    /// Failed, but the port has moved.
    MovesAndFails,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Work {
    pub id: JobId,
    pub proxy: usize,
    pub(super) to: u16,
    pub(super) accepted: u64,
    pub(super) course: Course,
    pub ended: bool,
    pub erased: bool,
}

impl Work {
    pub(super) fn ends(&self) -> u64 {
        self.accepted.saturating_add(self.course.takes)
    }

    /// The port that it sets.
    pub fn to(&self) -> u16 {
        self.to
    }

    /// Whether its proxy listens at the new port by now, where it does so for so long before the end.
    pub fn listens_early(&self, early: u64, now: u64) -> bool {
        early > 0 && self.course.end == End::Moves && self.ends() <= now.saturating_add(early)
    }

    /// When it ended, as far as its record says.
    pub(super) fn ends_on_record(&self) -> Option<u64> {
        (self.ended && !self.course.sticks).then(|| self.ends())
    }

    /// The same as a list shows it that is as old as `then`.
    pub(super) fn ends_on_list(&self, then: u64) -> Option<u64> {
        self.ends_on_record().filter(|ends| *ends <= then)
    }

    /// Whether a list shows it that is as old as `then`. An old list hides no job for longer than one may be hidden anyhow.
    pub(super) fn is_listed(&self, now: u64, then: u64) -> bool {
        self.visible(now) && self.accepted <= then
    }

    pub(super) fn visible(&self, now: u64) -> bool {
        !self.erased && self.accepted + self.course.visible_after <= now
    }

    /// Whether it is over, though its record says that it runs.
    pub fn is_stuck(&self) -> bool {
        self.ended && self.course.sticks && !self.erased
    }

    /// What its record says.
    pub(super) fn state(&self) -> JobState {
        self.state_if(self.ended)
    }

    /// What a list says that is as old as `then`.
    pub(super) fn state_on_list(&self, then: u64) -> JobState {
        self.state_if(self.ended && self.ends() <= then)
    }

    fn state_if(&self, ended: bool) -> JobState {
        let word = match (ended, self.course.end) {
            (false, _) => "Running",
            (true, _) if self.course.sticks => "Running",
            (true, End::Fails | End::MovesAndFails) => "Failed",
            (true, End::Moves | End::Lies) => "Completed",
        };
        JobState::from_word(Some(word))
    }
}
