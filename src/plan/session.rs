//! What this process remembers of a resource and the record can't tell: by the monotonic clock, since when it has watched
//! and what it has seen. Lost with the process, and then everything is watched anew.

use std::time::Duration;

use crate::{
    cloud::{CloudError, Meaning, ProxyStatus},
    crd::Phase,
    model::{ChangeId, JobState, Moment},
    pace::Pace,
    plan::{
        facts::{Observed, Seen, Trouble},
        record::{Change, Record},
    },
};

/// Repeated sightings of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Uptime of the first.
    pub first: Duration,
    /// Uptime of the latest.
    pub last: Duration,
    /// How many.
    pub count: u32,
}

impl Sighting {
    /// Adds one to what was seen before.
    fn add(before: Option<Self>, now: Moment) -> Self {
        match before {
            Some(before) => Self {
                last: now.uptime,
                count: before.count.saturating_add(1),
                ..before
            },
            None => Self {
                first: now.uptime,
                last: now.uptime,
                count: 1,
            },
        }
    }

    /// Whether it was seen twice, at least `gap` apart.
    pub fn confirmed(&self, gap: Duration) -> bool {
        self.count >= 2 && self.last.saturating_sub(self.first) >= gap
    }
}

/// A change that the cloud refused, or that was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the cloud said.
    pub error: CloudError,
    /// The port that was asked for.
    pub port: u16,
    /// Uptime at which it may be tried again.
    pub until: Duration,
    /// How many times in a row.
    pub count: u32,
}

/// What this process remembers of the change on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The change.
    pub id: ChangeId,
    /// Uptime since when it is watched.
    pub since: Duration,
    /// Uptime at which its job was first known to this process.
    pub job_known: Option<Duration>,
    /// Uptime at which its job was last visible.
    pub job_seen: Option<Duration>,
    /// The job was not found, though it must be visible by now.
    pub job_missing: Option<Sighting>,
    /// The wanted port was seen.
    pub target_seen: Option<Sighting>,
    /// The port before was seen on an active proxy while the task list showed nothing unfinished.
    pub untouched: Option<Sighting>,
    /// The port before was seen after the job's end.
    pub unchanged: Option<Sighting>,
    /// The job had ended long before it was looked at.
    pub ended_long_ago: bool,
    /// How often the job was polled.
    pub polls: u32,
}

/// What this process remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Of the change on record.
    pub watch: Option<Watch>,
    /// The proxy was missing from the list, or the instance was not found.
    pub missing: Option<Sighting>,
    /// Reads failed.
    pub failing: Option<Sighting>,
    /// The last change that was refused or not sent.
    pub refusal: Option<Refusal>,
}

impl Session {
    /// Turns to the change on record; what was remembered of another one is dropped.
    pub fn turn_to(&mut self, change: Option<&Change>, now: Moment) {
        let same = self.watch.as_ref().map(|watch| &watch.id) == change.map(|change| &change.id);
        if !same {
            self.watch = change.map(|change| Watch::new(change.id.clone(), now));
        }
        if let (Some(watch), Some(change)) = (&mut self.watch, change)
            && change.job.is_some()
        {
            watch.job_known.get_or_insert(now.uptime);
        }
    }

    /// Takes in what a look saw. Call it once a look, after [`Self::turn_to`].
    pub fn observe(&mut self, record: &Record, observed: &Observed, now: Moment, pace: &Pace) {
        self.note_failures(observed, now);
        self.note_absence(observed, now);
        if let (Some(watch), Some(change)) = (&mut self.watch, &record.change) {
            watch.note_job(observed, now, pace);
            watch.note_port(change, observed, now, pace);
        }
    }

    /// Remembers that a change was refused or not sent; nothing happens before `wait` is over.
    pub fn refused(
        &mut self,
        error: CloudError,
        port: u16,
        count: u32,
        wait: Duration,
        now: Moment,
    ) {
        self.refusal = Some(Refusal {
            error,
            port,
            until: now.uptime.saturating_add(wait),
            count,
        });
    }

    fn note_failures(&mut self, observed: &Observed, now: Moment) {
        let failed = [trouble(&observed.proxy), trouble(&observed.tasks)]
            .iter()
            .any(Option::is_some)
            || trouble(&observed.job).is_some_and(|trouble| !trouble.is_not_found());
        let read =
            matches!(observed.proxy, Seen::Known(_)) || matches!(observed.job, Seen::Known(_));
        if failed {
            self.failing = Some(Sighting::add(self.failing, now));
        } else if read {
            self.failing = None;
        }
    }

    fn note_absence(&mut self, observed: &Observed, now: Moment) {
        match &observed.proxy {
            Seen::Known(None) => self.missing = Some(Sighting::add(self.missing, now)),
            Seen::Unknown(trouble) if trouble.is_not_found() => {
                self.missing = Some(Sighting::add(self.missing, now));
            }
            Seen::Known(Some(_)) => self.missing = None,
            Seen::NotRead | Seen::Unknown(_) => {}
        }
    }
}

impl Watch {
    fn new(id: ChangeId, now: Moment) -> Self {
        Self {
            id,
            since: now.uptime,
            job_known: None,
            job_seen: None,
            job_missing: None,
            target_seen: None,
            untouched: None,
            unchanged: None,
            ended_long_ago: false,
            polls: 0,
        }
    }

    /// Whether the job's record is gone: not found twice, a gap apart, when it must have been visible.
    pub fn job_lost(&self, pace: &Pace) -> bool {
        self.job_missing
            .is_some_and(|missing| missing.confirmed(pace.proof_gap))
    }

    fn note_job(&mut self, observed: &Observed, now: Moment, pace: &Pace) {
        match &observed.job {
            Seen::Known(job) => {
                self.polls = self.polls.saturating_add(1);
                self.job_seen = Some(now.uptime);
                self.job_missing = None;
                if job.state == JobState::Completed {
                    let cloud_now = job.cloud_time.unwrap_or(now.wall);
                    let age = job.ended.map(|ended| cloud_now.duration_since(ended));
                    let age = age
                        .and_then(|age| Duration::try_from(age).ok())
                        .unwrap_or_default();
                    self.ended_long_ago = age >= pace.long_ago;
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

    fn note_port(&mut self, change: &Change, observed: &Observed, now: Moment, pace: &Pace) {
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
        let idle = observed.tasks == Seen::Known(None) && proxy.status == ProxyStatus::Active;
        if before && settled && idle {
            self.untouched = Some(Sighting::add(self.untouched, now));
        } else if !before || !idle && observed.tasks != Seen::NotRead {
            self.untouched = None;
        }
    }
}

impl Trouble {
    /// Whether the cloud says that what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Cloud(error) if error.meaning == Meaning::NotFound)
    }
}

fn trouble<T>(seen: &Seen<T>) -> Option<&Trouble> {
    match seen {
        Seen::Unknown(trouble) => Some(trouble),
        Seen::NotRead | Seen::Known(_) => None,
    }
}
