//! A job, and what there is to see of it at which time.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::proxy::{PortEvent, Rank};
use crate::behaviour::Mode;
use crate::clock::{earlier, later};
use crate::plan::{JobOutcome, JobPlan, PortListens, PortShows};

/// What the vendor calls the job of a port change isn't documented; this name follows its neighbours.
pub(crate) const PORT_CHANGE: &str = "GaussDBforMySQLModifyProxyPort";

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) instance: String,
    /// The proxy that it changes; none for other work on the instance.
    pub(crate) proxy: Option<String>,
    /// The port that was asked for.
    pub(crate) port: Option<u16>,
    pub(crate) accepted: Timestamp,
    /// The mode that it was accepted in.
    pub(crate) mode: Mode,
    pub(crate) plan: JobPlan,
    /// True once somebody deleted its record.
    pub(crate) forgotten: bool,
}

/// The documented states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum JobState {
    /// Accepted, not started.
    Pending,
    /// At work.
    Running,
    /// Done.
    Completed,
    /// Given up.
    Failed,
    /// Called off.
    Canceled,
    /// Waits for a person's consent.
    Unauthorized,
}

/// Where a job lets clients reach its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listens {
    /// At no port.
    Nowhere,
    /// At this port.
    At(u16),
}

impl JobState {
    const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Unauthorized,
    ];

    /// The state that is spelt like this, to the letter.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Unauthorized => "Unauthorized",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl Job {
    pub(crate) fn state(&self, now: Timestamp) -> JobState {
        if now < self.starts() {
            return JobState::Pending;
        }
        let ended = self.ended(now).is_some();
        match &self.plan.outcome {
            JobOutcome::Unauthorized => JobState::Unauthorized,
            JobOutcome::Completed if ended => JobState::Completed,
            JobOutcome::Failed { .. } if ended => JobState::Failed,
            JobOutcome::Canceled if ended => JobState::Canceled,
            _ => JobState::Running,
        }
    }

    /// When it ends; none if it never does.
    pub(crate) fn ends(&self) -> Option<Timestamp> {
        match self.plan.outcome {
            JobOutcome::Unauthorized | JobOutcome::NeverEnds => None,
            _ => Some(later(self.starts(), self.plan.duration)),
        }
    }

    /// When it ended, if it has.
    pub(crate) fn ended(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends().filter(|end| *end <= now)
    }

    pub(crate) fn unfinished(&self, now: Timestamp) -> bool {
        self.ended(now).is_none()
    }

    /// Whether it can be queried.
    pub(crate) fn visible(&self, now: Timestamp) -> bool {
        let from = later(self.accepted, self.plan.visible_after);
        let until = later(self.accepted, self.plan.record_kept);
        !self.forgotten && from <= now && now < until
    }

    /// What the field `status` says.
    pub(crate) fn status(&self, now: Timestamp) -> Value {
        let word = if self.unfinished(now) {
            &self.plan.running_word
        } else {
            &self.plan.end_word
        };
        word.clone()
            .unwrap_or_else(|| self.state(now).word().into())
    }

    /// What the field `process` says: a percentage while it runs.
    pub(crate) fn process(&self, now: Timestamp) -> String {
        if self.state(now) != JobState::Running {
            return String::new();
        }
        let done = now.duration_since(self.starts()).as_secs_f64();
        let percent =
            (done / self.plan.duration.as_secs_f64().max(f64::EPSILON) * 100.0).clamp(0.0, 99.0);
        format!("{percent:.0}%")
    }

    pub(crate) fn fail_reason(&self, now: Timestamp) -> &str {
        match &self.plan.outcome {
            JobOutcome::Failed {
                reason: Some(reason),
            } if !self.unfinished(now) => reason,
            _ => "",
        }
    }

    /// Ends it now, like this.
    pub(crate) fn end(&mut self, outcome: JobOutcome, now: Timestamp) {
        let work = now
            .duration_since(self.starts())
            .try_into()
            .unwrap_or_default();
        if now < self.starts() {
            self.plan.pending = now
                .duration_since(self.accepted)
                .try_into()
                .unwrap_or_default();
        }
        self.plan.duration = work;
        self.plan.outcome = outcome;
    }

    /// What it does to its proxy's port.
    pub(super) fn port_event(&self) -> Option<PortEvent> {
        let port = self.port?;
        let real = self.plan.outcome == JobOutcome::Completed;
        let shows = match self.plan.port_shows {
            PortShows::AtEnd if self.mode == Mode::M4 => PortShows::AtOnce,
            shows => shows,
        };
        let effective = self.ends().unwrap_or(Timestamp::MAX);
        let shown_from = match shows {
            PortShows::AtOnce => self.accepted,
            PortShows::Before(lead) => earlier(effective, lead).max(self.accepted),
            PortShows::AtEnd => effective,
            PortShows::After(lag) => later(effective, lag),
            PortShows::Never => return None,
        };
        let shown_until = if real { Timestamp::MAX } else { effective };
        Some(PortEvent {
            port,
            effective,
            rank: Rank::Job,
            real,
            shown_from,
            shown_until,
        })
    }

    /// Where it lets clients reach its proxy; nothing while it leaves that as it is.
    pub(super) fn listens(&self, now: Timestamp) -> Option<Listens> {
        let port = self.port?;
        let starts = self.starts();
        match self.plan.port_listens {
            _ if now < starts || self.plan.outcome == JobOutcome::Unauthorized => None,
            PortListens::AtEnd => None,
            PortListens::Before(lead) => {
                let ends = self.ends().filter(|ends| now < *ends)?;
                (earlier(ends, lead) <= now).then_some(Listens::At(port))
            }
            PortListens::Down(lag) => {
                let until = self.ends().map(|ends| later(ends, lag));
                until
                    .is_none_or(|until| now < until)
                    .then_some(Listens::Nowhere)
            }
        }
    }

    fn starts(&self) -> Timestamp {
        later(self.accepted, self.plan.pending)
    }
}
