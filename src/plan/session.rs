//! What this process remembers of a resource and the record can't tell: by the monotonic clock, since when it has watched
//! and what it has seen. Lost with the process, and then everything is watched anew.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{CloudError, Meaning, ProxyStatus, auth::fingerprint::Fingerprint},
    crd::{Phase, PlanRecord},
    model::{ChangeId, JobId, Moment},
    pace::Pace,
    plan::{
        facts::{Observed, Seen, Trouble},
        record::{Change, Record},
        settle,
        step::{Progress, Step},
    },
};

mod awaited;
mod first_seen;
mod spent;
mod watch;

pub use awaited::Awaited;
use first_seen::FirstSeen;
use spent::Spent;
pub use watch::{Shown, Watch};

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
    /// Adds one to what was seen before, where little is kept of what was not.
    fn note(seen: &mut Option<Box<Self>>, now: Moment) {
        let before = seen.take().map(|seen| *seen);
        *seen = Some(Box::new(Self::add(before, now)));
    }

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

/// How long a change took.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Took {
    /// The change.
    pub change: ChangeId,
    /// From its intent to the end of its job.
    pub length: Duration,
    /// This process has sent it. Of any other the length is only bounded: another machine may have had another time.
    pub is_measured: bool,
}

/// What this process remembers. Of a settled resource it is little: the rest is apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Session {
    /// Of the change on record.
    pub watch: Option<Box<Watch>>,
    /// The proxy was missing from the list, or the instance was not found.
    pub missing: Option<Box<Sighting>>,
    /// Reads of the job or of the list of proxies failed.
    pub failing: Option<Box<Sighting>>,
    /// Reads of the task list failed.
    pub tasks_failing: Option<Box<Sighting>>,
    /// Somebody else's operation was at work.
    pub busy: Option<Box<Sighting>>,
    /// Uptime at which the record turned out to be restored, or a watched change to be taken from it by somebody else.
    pub doubted: Option<Box<Duration>>,
    /// A Secret that is missing.
    pub awaited: Option<Box<Awaited>>,
    /// The last change that was refused or not sent.
    pub refusal: Option<Box<Refusal>>,
    /// The last change that this process sent and saw in place.
    pub verified: Option<Box<Verified>>,
    /// How long the last change took that succeeded, where its job's end is known.
    pub took: Option<Box<Took>>,
    /// The credential that was used at last.
    pub credential: Option<Fingerprint>,
    /// How old the times on record were when they were first seen, of those that something may wait for.
    pub ages: Option<Box<Ages>>,
    /// The job of the change on record, where that does not name it yet.
    pub unsaved: Option<Box<UnsavedJob>>,
    /// The jobs that are given up.
    pub given_up: Option<Box<FirstSeen<JobId>>>,
    /// The last changes that were refused, withdrawn or not sent: they may still be on record, and nothing of them is at work.
    pub spent: Option<Box<Spent>>,
    /// When the last plan was made that was used: none that is as old may be used, wherever it comes from.
    pub plan_used: Option<Box<Timestamp>>,
    /// Whether this process has said Ready of the object, by what it saw.
    pub said_ready: bool,
}

/// Recorded times, each with its age when it was first seen. One in the future, as of a machine whose clock was ahead, was new then.
/// From then on each grows older by the monotonic clock: a wall clock that is set ends no wait.
type Ages = FirstSeen<Timestamp, Duration>;

/// A job that the cloud has named and that is not on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsavedJob {
    /// Its change.
    pub change: ChangeId,
    /// The job.
    pub job: JobId,
    /// When the cloud accepted it.
    pub accepted: Timestamp,
}

/// A change that this process sent and whose port it saw in place after the end of its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its job.
    pub job: JobId,
    /// The port that it brought.
    pub to: u16,
    /// Uptime at which it was verified.
    pub at: Duration,
}

impl Session {
    /// Turns to the change on record; what was remembered of another one is dropped.
    pub fn turn_to(&mut self, change: Option<&Change>, now: Moment) {
        let same = self.watch.as_ref().map(|watch| &watch.id) == change.map(|change| &change.id);
        if !same {
            self.watch = change.map(|change| Box::new(Watch::new(change.id.clone(), now)));
        }
        if let (Some(watch), Some(change)) = (&mut self.watch, change) {
            if change.job.is_some() {
                watch.job_known.get_or_insert(now.uptime);
            }
            if change.phase == Phase::Verifying {
                watch.verifying.get_or_insert(now.uptime);
            }
        }
    }

    /// A change of this process was refused, withdrawn or not sent. `plan` is the one that it was made for, where that may be used again.
    pub fn spend(&mut self, change: &ChangeId, plan: Option<PlanRecord>) {
        self.spent.get_or_insert_default().add(change, plan);
    }

    /// What was decided stands in the status by now.
    pub fn note_word(&mut self, step: &Step) {
        self.said_ready |= *step == Step::Rest;
    }

    /// What is on record, with the job that only this process knows, and without a change of which it knows that nothing is at work: the
    /// write that takes that from the record may have failed. Ready that stands in the status of an object of which this process has said
    /// so is its own word: a session is of one UID, and so needs no clock to tell that object from another one.
    pub fn complete(&self, mut record: Record) -> Record {
        record.ready |= record.says_ready && self.said_ready;
        if self
            .spent
            .as_ref()
            .is_some_and(|spent| spent.take_from(&mut record))
        {
            record.spent = true;
            return record;
        }
        let Some(unsaved) = &self.unsaved else {
            return record;
        };
        let lacks_it = |change: &mut Change| change.id == unsaved.change && change.job.is_none();
        if let Some(change) = record.change.take_if(lacks_it) {
            let change = settle::submitted(change, unsaved.job.clone(), unsaved.accepted);
            record.change = Some(change);
        }
        record
    }

    /// Uptime at which this process last heard that the job of a change is at work, or else first knew of the job or of the change;
    /// nothing where it does not watch it.
    pub fn heard_of(&self, change: &Change) -> Option<Duration> {
        let watch = self.watch.as_ref().filter(|watch| watch.id == change.id)?;
        Some(watch.job_seen.or(watch.job_known).unwrap_or(watch.since))
    }

    /// The job that the cloud has named and that is not on record.
    pub fn unsaved_job(&self) -> Option<&JobId> {
        self.unsaved.as_ref().map(|unsaved| &unsaved.job)
    }

    /// The record as it stands names the job, or no longer has the change.
    pub fn forget_saved(&mut self, record: &Record) {
        self.unsaved.take_if(|unsaved| {
            let change = record.change.as_ref();
            change.is_none_or(|change| change.id != unsaved.change || change.job.is_some())
        });
    }

    /// Takes in the times that decisions rest on. Nothing waits for one that is older than the longest wait. One that is still in the
    /// future is kept all the same: forgotten, it would be new again.
    pub fn note_times(&mut self, record: &Record, now: Moment, pace: &Pace) {
        let counts =
            |time: &Timestamp| self.age(*time, now).min(now.since(*time)) < pace.drift_window;
        let times: Vec<Timestamp> = record.times().filter(counts).collect();
        FirstSeen::keep(&mut self.ages, times.into_iter(), now.uptime, |time| {
            now.since(*time)
        });
    }

    /// How long ago a recorded time was.
    pub fn age(&self, time: Timestamp, now: Moment) -> Duration {
        let seen = self.ages.as_ref().and_then(|ages| ages.of(&time));
        seen.map_or_else(
            || now.since(time),
            |(age, seen)| age.saturating_add(now.elapsed(seen)),
        )
    }

    /// Meets the record as it was delivered, before anything is written: what is missing from it may be at work.
    pub fn meet(&mut self, record: &Record, now: Moment) {
        let on_record = |id: &ChangeId| {
            let current = record
                .change
                .as_ref()
                .is_some_and(|change| change.id == *id);
            let last = record
                .last
                .as_ref()
                .is_some_and(|last| last.id == id.as_str());
            current || last
        };
        let taken_away = self
            .watch
            .as_ref()
            .is_some_and(|watch| !on_record(&watch.id));
        if taken_away {
            self.doubted = Some(Box::new(now.uptime));
        } else if record.restored {
            self.doubted.get_or_insert_with(|| Box::new(now.uptime));
        }
    }

    /// For how long a change that is not on record may still begin or become visible; nothing where there is none.
    pub fn in_doubt_for(&self, now: Moment, pace: &Pace) -> Option<Duration> {
        let since = self.doubted.as_deref()?;
        let left = pace.settle_window().saturating_sub(now.elapsed(*since));
        (!left.is_zero()).then_some(left)
    }

    /// A plan was used: the change that it was made for may have been sent.
    pub fn use_plan(&mut self, plan: Option<&PlanRecord>) {
        if let Some(plan) = plan {
            self.plan_used = Some(Box::new(plan.made_at.0));
        }
    }

    /// The cloud accepted the change that is watched, as this process sent it.
    pub fn accepted(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.sent_here = true;
        }
    }

    /// Takes in that `change` moves on, and forgets what no longer counts.
    pub fn note_progress(&mut self, progress: &Progress, change: Option<&Change>, now: Moment) {
        if let (Progress::Succeeded(seen), Some(change)) = (progress, change) {
            self.verified = self.verified_by(change, *seen, now).map(Box::new);
            let watch = self.watch.as_ref().filter(|watch| watch.id == change.id);
            self.took = watch.and_then(|watch| {
                Some(Box::new(Took {
                    change: change.id.clone(),
                    length: watch.took?,
                    is_measured: watch.sent_here,
                }))
            });
        }
        match progress {
            Progress::Vetted => self.doubted = None,
            // Somebody has seen to it; but who was told to wait waits.
            Progress::RequestHandled(_) => {
                let told_to_wait = |meaning| matches!(meaning, Meaning::Busy | Meaning::Throttled);
                self.refusal
                    .take_if(|refusal| !told_to_wait(refusal.error.meaning));
            }
            Progress::JobDone
            | Progress::Succeeded(_)
            | Progress::SeemsDone(_)
            | Progress::Failed(..) => {
                self.refusal = None;
            }
            Progress::Void(_) => {}
        }
    }

    fn verified_by(&self, change: &Change, seen: u16, now: Moment) -> Option<Verified> {
        let watch = self.watch.as_ref().filter(|watch| watch.id == change.id)?;
        let job = change.job.clone().filter(|_| watch.sent_here)?;
        (seen == change.to).then_some(Verified {
            job,
            to: change.to,
            at: now.uptime,
        })
    }

    /// A credential is used. What was refused to another one says nothing of it. True if it is another one than before.
    pub fn use_credential(&mut self, credential: Fingerprint) -> bool {
        let before = self.credential.replace(credential);
        if before.is_some_and(|before| before != credential) {
            self.refusal
                .take_if(|refusal| is_about_credentials(refusal.error.meaning));
        }
        before != Some(credential)
    }

    /// Nothing is to be done: what was in the way no longer is.
    pub fn rest(&mut self) {
        self.tasks_failing = None;
        self.busy = None;
    }

    /// For how much longer a job that was given up may be one that ended just before, so that lists lag behind its end; nothing
    /// once that is over.
    pub fn may_have_just_ended(&self, job: &JobId, now: Moment, pace: &Pace) -> Option<Duration> {
        let given_up = self.given_up.as_ref().and_then(|jobs| jobs.of(job));
        let since = given_up.map_or(now.uptime, |((), since)| since);
        let left = pace.list_lag.saturating_sub(now.elapsed(since));
        (!left.is_zero()).then_some(left)
    }

    /// Takes in what a look saw. Call it once a look, after [`Self::turn_to`].
    pub fn observe(&mut self, record: &Record, observed: &Observed, now: Moment, pace: &Pace) {
        let given_up = observed.abandoned.iter().cloned();
        FirstSeen::keep(&mut self.given_up, given_up, now.uptime, |_| ());
        self.note_failures(observed, now);
        self.note_absence(observed, now);
        self.note_others(observed, now);
        // The task list may lag as long as the other one.
        let counts = pace.list_lag.saturating_mul(2);
        self.verified
            .take_if(|verified| now.elapsed(verified.at) >= counts);
        let begun = record.change.as_ref();
        let begun = begun.map_or(Duration::ZERO, |change| self.age(change.intended_at, now));
        if let (Some(watch), Some(change)) = (&mut self.watch, &record.change) {
            watch.note_shown(observed, now);
            watch.note_job(observed, begun, now, pace);
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
        self.refusal = Some(Box::new(Refusal {
            error,
            port,
            until: now.uptime.saturating_add(wait),
            count,
        }));
    }

    fn note_failures(&mut self, observed: &Observed, now: Moment) {
        match &observed.tasks {
            Seen::Unknown(_) => Sighting::note(&mut self.tasks_failing, now),
            Seen::Known(_) => self.tasks_failing = None,
            Seen::NotRead => {}
        }
        let unreadable =
            matches!(&observed.proxy, Seen::Known(Some(proxy)) if proxy.port.is_none());
        let failed = unreadable
            || trouble(&observed.proxy).is_some()
            || trouble(&observed.job).is_some_and(|trouble| !trouble.is_not_found());
        let read =
            matches!(observed.proxy, Seen::Known(_)) || matches!(observed.job, Seen::Known(_));
        if failed {
            Sighting::note(&mut self.failing, now);
        } else if read {
            self.failing = None;
        }
    }

    fn note_absence(&mut self, observed: &Observed, now: Moment) {
        match &observed.proxy {
            Seen::Known(None) => Sighting::note(&mut self.missing, now),
            Seen::Unknown(trouble) if trouble.is_not_found() => {
                Sighting::note(&mut self.missing, now);
            }
            Seen::Known(Some(_)) => self.missing = None,
            Seen::NotRead | Seen::Unknown(_) => {}
        }
    }

    fn note_others(&mut self, observed: &Observed, now: Moment) {
        let changing = matches!(&observed.proxy, Seen::Known(Some(proxy))
            if matches!(proxy.status, ProxyStatus::Changing(_)));
        if changing || matches!(observed.tasks, Seen::Known(Some(_))) {
            Sighting::note(&mut self.busy, now);
        } else if observed.tasks == Seen::Known(None) {
            self.busy = None;
        }
    }
}

impl Trouble {
    /// Whether the cloud says that what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Cloud(error) if error.meaning == Meaning::NotFound)
    }
}

fn is_about_credentials(meaning: Meaning) -> bool {
    matches!(
        meaning,
        Meaning::Unauthenticated | Meaning::ClockSkew | Meaning::Locked | Meaning::Denied
    )
}

fn trouble<T>(seen: &Seen<T>) -> Option<&Trouble> {
    match seen {
        Seen::Unknown(trouble) => Some(trouble),
        Seen::NotRead | Seen::Known(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    fn refused(meaning: Meaning) -> Session {
        let now = Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO);
        let mut session = Session::default();
        let error = CloudError::local(meaning, "no");
        session.refused(error, 3307, 1, Duration::from_mins(5), now);
        session
    }

    fn credential(data: &str) -> Fingerprint {
        Fingerprint::of([data.as_bytes()])
    }

    #[test]
    fn another_credential_lifts_the_wait_that_its_predecessor_was_told_and_no_other() {
        for (meaning, lifted) in [
            (Meaning::Unauthenticated, true),
            (Meaning::ClockSkew, true),
            (Meaning::Locked, true),
            (Meaning::Denied, true),
            (Meaning::Busy, false),
            (Meaning::Throttled, false),
            (Meaning::Rejected, false),
            (Meaning::Blocked, false),
            (Meaning::UnknownRefusal, false),
        ] {
            let mut session = refused(meaning);
            session.use_credential(credential("old"));
            session.use_credential(credential("old"));
            assert!(session.refusal.is_some(), "{meaning:?}");
            session.use_credential(credential("new"));
            assert_eq!(session.refusal.is_none(), lifted, "{meaning:?}");
        }
    }

    fn intended(bits: u128) -> Change {
        Change {
            id: ChangeId::from_bits(bits),
            plan: None,
            from: 3306,
            to: 3307,
            generation: 1,
            phase: Phase::Intended,
            attempt: 1,
            job: None,
            intended_at: Timestamp::UNIX_EPOCH,
            submitted_at: None,
        }
    }

    #[test]
    fn a_change_that_never_left_is_not_waited_for_though_it_is_still_on_record() {
        let change = intended;
        let record = |change| Record {
            change: Some(change),
            ..Record::default()
        };
        let mut session = Session::default();
        session.spend(&change(1).id, None);
        let completed = session.complete(record(change(1)));
        assert_eq!((completed.change, completed.spent), (None, true));
        assert!(session.complete(record(change(2))).change.is_some());
        // The intent of an earlier one may come to the record late.
        (2..5).for_each(|bits| session.spend(&change(bits).id, None));
        for bits in 1..5 {
            assert_eq!(session.complete(record(change(bits))).change, None);
        }
        session.spend(&change(5).id, None);
        assert!(
            session.complete(record(change(1))).change.is_some(),
            "little is kept"
        );
        session.spend(&change(1).id, None);
        let with_job = Change {
            job: Some(JobId::parse("4d1f0a77-c2b9-4e5f-8a60-31d7be92c405").unwrap()),
            ..change(1)
        };
        assert!(session.complete(record(with_job)).change.is_some());
    }

    #[test]
    fn a_plan_stands_whose_change_never_left() {
        let plan = |id: &str| PlanRecord {
            id: id.to_owned(),
            from_port: 3306,
            to_port: 3307,
            made_at: Time(Timestamp::UNIX_EPOCH),
            nonce: Some(0),
            not_before: None,
            waits_for: Vec::new(),
            warnings: Vec::new(),
        };
        let record = |plan| Record {
            change: Some(intended(1)),
            plan,
            ..Record::default()
        };
        let mut session = Session::default();
        session.spend(&intended(1).id, Some(plan("approved")));
        // The record of a change takes the place of its plan.
        let completed = session.complete(record(None));
        assert_eq!(completed.plan, Some(plan("approved")));
        let completed = session.complete(record(Some(plan("newer"))));
        assert_eq!(completed.plan, Some(plan("newer")));
    }

    #[test]
    fn h16_a_recorded_time_in_the_future_is_new_only_once() {
        let (pace, start) = (Pace::real(), Timestamp::UNIX_EPOCH);
        let ahead = start + Duration::from_hours(24 * 30);
        let record = Record {
            corrections: vec![ahead],
            ..Record::default()
        };
        let at = |hours| {
            Moment::new(
                start + Duration::from_hours(hours),
                Duration::from_hours(hours),
            )
        };
        let mut session = Session::default();
        for hours in 0..60 {
            session.note_times(&record, at(hours), &pace);
            assert_eq!(session.age(ahead, at(hours)), Duration::from_hours(hours));
        }
    }
}
