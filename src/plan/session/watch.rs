//! What this process remembers of the change on record: since when it watches it, and what it saw meanwhile.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::Sighting;
use crate::{
    calendar::WITHOUT_EXPERIENCE,
    cloud::ProxyStatus,
    crd::Phase,
    model::{ChangeId, JobState, Moment},
    pace::Pace,
    plan::{
        facts::{Observed, Seen},
        record::Change,
    },
};

/// What this process remembers of the change on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The change.
    pub id: ChangeId,
    /// Uptime since when it is watched.
    pub since: Duration,
    /// Whether this process sent it, and the cloud named its job in the answer.
    pub sent_here: bool,
    /// Uptime at which its job was first known to this process.
    pub job_known: Option<Duration>,
    /// Uptime at which its job was last visible.
    pub job_seen: Option<Duration>,
    /// The word of the cloud for what the job was doing then.
    pub job_word: Option<String>,
    /// The job was not found, though it must be visible by now.
    pub job_missing: Option<Sighting>,
    /// The wanted port was seen.
    pub target_seen: Option<Sighting>,
    /// The port before was seen on an active proxy while the task list showed nothing unfinished.
    pub untouched: Option<Sighting>,
    /// The port before was seen after the job's end.
    pub unchanged: Option<Sighting>,
    /// Uptime at which the job's end was first on record here, for people.
    pub verifying: Option<Duration>,
    /// The job had ended long before it was looked at.
    pub ended_long_ago: bool,
    /// How long it took from the intent to the job's end, as far as the cloud told that end. Where another process sent it, only
    /// the clocks of both tell: then it is no longer than what is assumed where nothing is known.
    pub took: Option<Duration>,
    /// How often the job was polled.
    pub polls: u32,
    /// The port that a list showed at last, for people.
    pub shown: Option<Shown>,
}

/// A port that a list of proxies showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The port.
    pub port: u16,
    /// When it was shown first, after another one or none.
    pub since: Timestamp,
}

impl Watch {
    pub(super) fn new(id: ChangeId, now: Moment) -> Self {
        Self {
            id,
            since: now.uptime,
            sent_here: false,
            job_known: None,
            job_seen: None,
            job_word: None,
            job_missing: None,
            target_seen: None,
            untouched: None,
            unchanged: None,
            verifying: None,
            ended_long_ago: false,
            took: None,
            polls: 0,
            shown: None,
        }
    }

    /// Whether the job's record is gone: not found twice, a gap apart, when it must have been visible.
    pub fn job_lost(&self, pace: &Pace) -> bool {
        self.job_missing
            .is_some_and(|missing| missing.confirmed(pace.proof_gap))
    }

    /// `begun` says how long ago the intent was, by the record.
    pub(super) fn note_job(
        &mut self,
        observed: &Observed,
        begun: Duration,
        now: Moment,
        pace: &Pace,
    ) {
        match &observed.job {
            Seen::Known(job) => {
                self.polls = self.polls.saturating_add(1);
                self.job_seen = Some(now.uptime);
                self.job_word = job.state.word().map(str::to_owned);
                self.job_missing = None;
                if job.state == JobState::Completed {
                    let cloud_now = job.cloud_time.unwrap_or(now.wall);
                    let age = job.ended.map(|ended| cloud_now.duration_since(ended));
                    let age = age.and_then(|age| Duration::try_from(age).ok());
                    // One that ended before it began tells of a clock, and the operator's clock tells nothing of the cloud's.
                    let took = age.filter(|_| job.cloud_time.is_some());
                    self.took = took.and_then(|age| self.until(age, begun, now));
                    self.ended_long_ago = age.unwrap_or_default() >= pace.long_ago;
                }
            }
            Seen::Unknown(trouble) if trouble.is_not_found() => {
                self.polls = self.polls.saturating_add(1);
                let known = self.job_known.unwrap_or(now.uptime);
                if now.elapsed(known) >= pace.job_visible_within {
                    self.job_missing = Some(Sighting::add(self.job_missing, now));
                }
            }
            Seen::NotRead | Seen::Unknown(_) => {}
        }
    }

    /// How long it took from the intent until a time of this `age`.
    fn until(&self, age: Duration, begun: Duration, now: Moment) -> Option<Duration> {
        if self.sent_here {
            return now.elapsed(self.since).checked_sub(age);
        }
        let took = begun.checked_sub(age)?;
        Some(took.min(WITHOUT_EXPERIENCE))
    }

    pub(super) fn note_shown(&mut self, observed: &Observed, now: Moment) {
        let port = [&observed.proxy, &observed.beside]
            .into_iter()
            .find_map(|seen| match seen {
                Seen::Known(Some(proxy)) => proxy.port,
                Seen::Known(None) | Seen::NotRead | Seen::Unknown(_) => None,
            });
        let Some(port) = port else { return };
        if self.shown.is_none_or(|shown| shown.port != port) {
            let since = now.wall;
            self.shown = Some(Shown { port, since });
        }
    }

    pub(super) fn note_port(
        &mut self,
        change: &Change,
        observed: &Observed,
        now: Moment,
        pace: &Pace,
    ) {
        let Seen::Known(Some(proxy)) = &observed.proxy else {
            return;
        };
        if proxy.port == Some(change.to) {
            self.target_seen = Some(Sighting::add(self.target_seen, now));
        }
        let before = proxy.port == Some(change.from);
        if change.phase == Phase::Verifying && before {
            self.unchanged = Some(Sighting::add(self.unchanged, now));
        }
        // The two reads that prove that nothing was begun must both lie after the time in which something could begin.
        let settled = now.elapsed(self.since) >= pace.settle_window();
        let active = proxy.status == ProxyStatus::Active;
        if !before || !active || matches!(observed.tasks, Seen::Known(Some(_))) {
            self.untouched = None;
        } else if settled && observed.tasks == Seen::Known(None) {
            self.untouched = Some(Sighting::add(self.untouched, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Job;

    #[test]
    fn how_long_a_change_took_is_told_by_one_clock_or_counts_little() {
        let (pace, minutes) = (Pace::real(), |count| Duration::from_mins(count));
        let sent = Timestamp::UNIX_EPOCH + minutes(100);
        // The clock of this machine was set meanwhile.
        let now = Moment::new(sent + minutes(500), minutes(30));
        let ended = Job {
            state: JobState::Completed,
            fail_reason: None,
            ended: Some(sent + minutes(18)),
            cloud_time: Some(sent + minutes(20)),
        };
        let observed = Observed {
            job: Seen::Known(ended),
            ..Observed::default()
        };
        let took = |sent_here| {
            let begun = Moment::new(sent, minutes(10));
            let mut watch = Watch {
                sent_here,
                ..Watch::new(ChangeId::from_bits(1), begun)
            };
            watch.note_job(&observed, minutes(500), now, &pace);
            watch.took
        };
        assert_eq!(took(true), Some(minutes(18)));
        assert_eq!(took(false), Some(WITHOUT_EXPERIENCE));
    }
}
