//! The change protocol for a change on record: followed to its end, whatever was lost on the way.
//!
//! Rests on the record, on what was seen, and on what this process has watched by its monotonic clock. A failed read and a
//! recorded time prove nothing here: each end of a change needs reads that succeeded.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{Proxy, ProxyStatus, Task},
    crd::{FailureCause, Phase},
    fleet::tasks,
    model::{JobId, JobState, Moment},
    pace::{self, Pace},
    plan::{
        backoff,
        facts::{Facts, Seen, Trouble},
        record::Change,
        session::Watch,
        step::{Cause, Progress, Step},
        trouble,
    },
};

/// How many successful reads of the old port it takes to call a verification failed.
const VERIFY_READS: u32 = 4;

/// What is known of a job whose record does not tell its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobEnd {
    /// It may be at work; it counts as over at this uptime.
    Ahead(Duration),
    /// It has ended, but lists may lag behind that until this uptime.
    Lately(Duration),
    /// It has ended, and lists show what it left; so too where there was no job.
    Past,
}

impl JobEnd {
    /// The uptime before which nothing is concluded from the port.
    fn at(self) -> Duration {
        match self {
            Self::Ahead(at) | Self::Lately(at) => at,
            Self::Past => Duration::ZERO,
        }
    }

    fn is_ahead(self) -> bool {
        matches!(self, Self::Ahead(_))
    }
}

/// A change of which the cloud tells nothing.
#[derive(Debug, Clone, Copy)]
struct Unresolved<'a> {
    /// Its job, if it was named.
    job: Option<&'a JobId>,
    /// Whether a person has given that up.
    given_up: bool,
    /// What is known of the job's end.
    end: JobEnd,
}

impl Unresolved<'_> {
    /// What is said of it while nothing is concluded before `at`.
    fn meanwhile(self, at: Option<Timestamp>) -> Cause {
        match self.job {
            None => Cause::OutcomeUnknown(at),
            Some(job) if self.given_up => Cause::JobAbandoned(job.clone(), at),
            Some(job) => Cause::JobLost(job.clone(), at),
        }
    }

    /// What is said of it once the list has shown the port before for long enough.
    fn came_to_nothing(self, from: u16) -> String {
        let how = match self.job {
            None => "no job of the change became known".to_owned(),
            Some(job) if self.given_up => format!("job {job} was given up by annotation"),
            Some(job) => format!("the cloud no longer knows job {job}"),
        };
        format!("{how}, and the list of proxies shows port {from} as before")
    }
}

/// Decides on the change on record.
pub fn follow(facts: &Facts<'_>, change: &Change, watch: &Watch) -> Step {
    let given_up = change
        .job
        .as_ref()
        .is_some_and(|job| facts.observed.abandoned.contains(job));
    match (change.phase, &change.job) {
        (Phase::Verifying, _) => verify(facts, change, watch),
        (_, Some(job)) if !given_up && !watch.job_lost(facts.pace) => {
            poll(facts, change, watch, job)
        }
        (_, job) => {
            // A job whose record is gone may still be cutting connections. One that was given up is over, by the word of
            // the person who gave it up.
            let last_seen = watch.job_seen.unwrap_or(watch.since);
            // Where it has just ended, the list may not show it yet.
            let longest = facts.change_timeout().saturating_add(facts.pace.list_lag);
            let waited = facts.now.elapsed(last_seen) >= longest;
            let over = job.is_none() || given_up || waited || is_history(facts, change, watch);
            // So it may be with one that was given up: nobody says when it ended.
            let lately = job.as_ref().filter(|_| given_up).and_then(|job| {
                let session = facts.session;
                session.may_have_just_ended(job, facts.now, facts.pace)
            });
            let end = match lately {
                _ if !over => JobEnd::Ahead(last_seen.saturating_add(longest)),
                Some(left) => JobEnd::Lately(facts.now.uptime.saturating_add(left)),
                None => JobEnd::Past,
            };
            let of = Unresolved {
                job: job.as_ref(),
                given_up,
                end,
            };
            unresolved(facts, change, watch, of)
        }
    }
}

/// A job that is known: only its own word moves it.
fn poll(facts: &Facts<'_>, change: &Change, watch: &Watch, job: &JobId) -> Step {
    let age = facts.now.elapsed(watch.job_known.unwrap_or(watch.since));
    let observed = &facts.observed;
    let again = backoff::poll(age, observed.by_list, observed.spare_call_in, facts.pace);
    // What was said of a job that was seen at work stands when it can't be read for once.
    let meanwhile = Cause::JobRunning(job.clone(), watch.job_word.clone());
    let seen = match &facts.observed.job {
        Seen::Known(seen) => seen,
        Seen::Unknown(trouble) if !trouble.is_not_found() => {
            return troubled(facts, trouble, meanwhile);
        }
        Seen::NotRead if let Seen::Unknown(trouble) = &facts.observed.proxy => {
            return troubled(facts, trouble, meanwhile);
        }
        Seen::NotRead | Seen::Unknown(_) => return Step::Hold(meanwhile, again),
    };
    match &seen.state {
        JobState::Completed => Step::Advance(Progress::JobDone),
        JobState::Failed(word) => {
            let reason = seen
                .fail_reason
                .clone()
                .unwrap_or_else(|| format!("{word}, without a reason"));
            Step::Advance(Progress::Failed(FailureCause::JobFailed, reason))
        }
        JobState::Unauthorized => Step::Hold(Cause::JobUnauthorized(job.clone()), again),
        _ if overdue(facts, change) => {
            let cause = Cause::JobOverdue {
                job: Some(job.clone()),
                since: Some(change.submitted_at.unwrap_or(change.intended_at)),
            };
            Step::Hold(cause, facts.pace.stuck_poll)
        }
        JobState::Pending | JobState::Running(_) => Step::Hold(meanwhile, again),
    }
}

/// Whether the job of a change, which the cloud does not know, must be over: its record is older than the cloud keeps any, or the
/// instance has seen later tasks to their end since it must have been over. The recorded times may be of a clock that was behind:
/// who has sent it itself knows better.
fn is_history(facts: &Facts<'_>, change: &Change, watch: &Watch) -> bool {
    let sent = watch.job_known.filter(|_| watch.sent_here);
    if sent.is_some_and(|at| facts.now.elapsed(at) < facts.change_timeout()) {
        return false;
    }
    let begun = change.submitted_at.unwrap_or(change.intended_at);
    let age = facts
        .observed
        .cloud_time
        .map(|now| now.duration_since(begun));
    let age = age.and_then(|age| Duration::try_from(age).ok());
    age.is_some_and(|age| age >= facts.pace.jobs_kept) || facts.observed.outlived
}

/// A change of unknown outcome, or whose job's record is gone or no longer believed. It came to nothing if the port before is
/// seen twice, unless the list may lag behind the job's end.
fn unresolved(facts: &Facts<'_>, change: &Change, watch: &Watch, of: Unresolved<'_>) -> Step {
    let (pace, end) = (facts.pace, of.end);
    let watched = facts.now.elapsed(watch.since);
    if watched < pace.settle_window() {
        let left = pace.settle_window().saturating_sub(watched);
        let settled = watch.since.saturating_add(pace.settle_window());
        let cause = match of.job {
            None => Cause::WatchingOutcome(facts.now.after(left)),
            Some(_) => of.meanwhile(facts.shown_at(settled.max(end.at()))),
        };
        return Step::Hold(cause, left.min(pace.poll_longest));
    }
    let meanwhile = of.meanwhile(facts.shown_at(end.at()));
    let rest = rest(facts, watched, end);
    let stuck = watched >= facts.change_timeout();
    let task = match (&facts.observed.tasks, &facts.observed.proxy) {
        (Seen::NotRead, Seen::Unknown(trouble)) if !trouble.is_not_found() => {
            return troubled(facts, trouble, meanwhile.clone());
        }
        (Seen::NotRead, _) => return Step::LookAtTasks,
        (Seen::Unknown(trouble), _) => {
            let failing = facts.session.tasks_failing.as_deref();
            return trouble::during_change(facts, trouble, failing, meanwhile.clone());
        }
        (Seen::Known(task), _) => task,
    };
    let done = |port| {
        if change.job.is_some() {
            Step::Advance(Progress::SeemsDone(port))
        } else if port == change.to {
            Step::Advance(Progress::JobDone)
        } else {
            Step::Advance(Progress::Succeeded(port))
        }
    };
    let proxy = match found(facts, meanwhile.clone()) {
        Ok(proxy) => proxy,
        // A proxy may be missing from the list while a job is at work on it.
        Err(Step::Advance(_)) if task.is_some() || end.is_ahead() => {
            let hold = Step::Hold(meanwhile, rest);
            let task = task.as_ref().filter(|_| stuck);
            return task
                .and_then(|task| overdue_task(facts, task))
                .unwrap_or(hold);
        }
        Err(step) => return step,
    };
    if let Some(task) = task {
        // A list that fell back may have shown the port for as long as it lags before the change began.
        let longest = facts.change_timeout().saturating_add(pace.list_lag);
        let left = watch
            .target_seen
            .map(|seen| longest.saturating_sub(facts.now.elapsed(seen.first)));
        let in_place = left.is_some_and(|left| left.is_zero());
        return if in_place && proxy.port == Some(change.to) {
            done(change.to)
        } else if let Some(clear) = facts.observed.tasks_clear_in {
            let clear_at = facts.now.uptime.saturating_add(clear);
            let at = facts.shown_at(clear_at.max(end.at()));
            Step::Hold(of.meanwhile(at), clear.min(rest))
        } else if stuck
            && proxy.port != Some(change.to)
            && let Some(step) = overdue_task(facts, task)
        {
            step
        } else {
            let left = left.filter(|left| !left.is_zero()).unwrap_or(rest);
            Step::Hold(meanwhile, rest.min(left.max(pace.poll_longest)))
        };
    }
    match proxy.port {
        Some(port)
            if port == change.to
                && let Some(left) = facts.observed.failed_lately =>
        {
            let believed = facts.now.uptime.saturating_add(left).max(end.at());
            Step::Hold(
                of.meanwhile(facts.shown_at(believed)),
                left.min(pace.poll_longest),
            )
        }
        Some(port) if port != change.from && !end.is_ahead() => done(port),
        Some(port) if port != change.from => Step::Hold(meanwhile, rest),
        Some(_) if proxy.status != ProxyStatus::Active => {
            not_active(facts, proxy, stuck, of.job.map(|_| meanwhile))
        }
        Some(_)
            if end == JobEnd::Past
                && watch
                    .untouched
                    .is_some_and(|seen| seen.confirmed(pace.proof_gap)) =>
        {
            Step::Advance(Progress::Void(of.came_to_nothing(change.from)))
        }
        Some(_) => untouched(facts, watch, of, rest),
        None => troubled(facts, &trouble::unreadable_port(), meanwhile),
    }
}

/// What follows from a task that has been at work for longer than a change may take: the one that is seen last may be somebody
/// else's, and young. That is judged by the cloud's own time where its list has told it.
fn overdue_task(facts: &Facts<'_>, task: &Task) -> Option<Step> {
    let may_take = facts.change_timeout();
    let cloud_now = facts.observed.cloud_time.unwrap_or(facts.now.wall);
    let is_overdue = |created| tasks::age(created, cloud_now) >= may_take;
    let ends = facts.observed.tasks_clear_in.is_some();
    let overdue = !ends && task.created.is_none_or(is_overdue);
    let cause = || Cause::JobOverdue {
        job: task.job.clone(),
        since: task.created,
    };
    overdue.then(|| Step::Hold(cause(), facts.pace.stuck_poll))
}

/// The job is done: believed only when the list shows the port.
fn verify(facts: &Facts<'_>, change: &Change, watch: &Watch) -> Step {
    // The count begins when the port before is seen for the first time.
    let begun = watch.unchanged.map(|seen| seen.first);
    let begun = begun.or(watch.verifying).unwrap_or(facts.now.uptime);
    let until = facts.shown_at(begun.saturating_add(facts.pace.verify_window));
    let has_job = change.job.is_some();
    let verifying = Cause::Verifying { until, has_job };
    let proxy = match found(facts, verifying.clone()) {
        Ok(proxy) => proxy,
        Err(step) => return step,
    };
    let reads = watch.unchanged.map_or(0, |seen| seen.count);
    let again = pace::doubling((facts.pace.poll_first, facts.pace.poll_longest), reads);
    match proxy.port {
        None => troubled(facts, &trouble::unreadable_port(), verifying),
        Some(port) if port != change.to && is_echo(facts, watch, port) => {
            Step::Hold(verifying, again)
        }
        Some(port) if port != change.from => Step::Advance(Progress::Succeeded(port)),
        Some(port) if watch.target_seen.is_some() || watch.ended_long_ago => {
            Step::Advance(Progress::Succeeded(port))
        }
        Some(_) => match watch.unchanged {
            Some(seen)
                if seen.count >= VERIFY_READS
                    && seen.last.saturating_sub(seen.first) >= facts.pace.verify_window =>
            {
                let said = if has_job {
                    "the job was completed but the port did not change"
                } else {
                    "the cloud began no job, as if there were nothing to do, but shows the port before"
                };
                let said = said.to_owned();
                Step::Advance(Progress::Failed(FailureCause::VerificationFailed, said))
            }
            _ => Step::Hold(verifying, again),
        },
    }
}

/// What follows where the service says that the port is as it is wanted: it has to be seen.
pub fn nothing_to_do(now: Moment, pace: &Pace) -> Step {
    let until = now.after(pace.verify_window);
    let verifying = Cause::Verifying {
        until: Some(until),
        has_job: false,
    };
    Step::Hold(verifying, pace.poll_first)
}

/// Whether a list may show `port` only because it lags behind the change before this one: then it is no third port. That change
/// counts as no older than this process has led, whatever the wall clock shows.
fn is_echo(facts: &Facts<'_>, watch: &Watch, port: u16) -> bool {
    let lag = facts.pace.list_lag;
    let verified = facts.session.verified.as_deref();
    let own = verified.is_some_and(|own| facts.now.elapsed(own.at) < lag);
    let recorded = facts.record.last.as_ref().is_some_and(|last| {
        let known = facts.age(last.finished_at.0).min(facts.leading_for);
        last.from_port == i32::from(port) && known < lag
    });
    facts.now.elapsed(watch.since) < lag && (own || recorded)
}

/// The proxy, or what to do while it can't be seen.
fn found<'a>(facts: &Facts<'a>, meanwhile: Cause) -> Result<&'a Proxy, Step> {
    match &facts.observed.proxy {
        Seen::Known(Some(proxy)) => Ok(proxy),
        Seen::Known(None) => Err(missing(facts, meanwhile)),
        Seen::Unknown(trouble) if trouble.is_not_found() => Err(missing(facts, meanwhile)),
        Seen::Unknown(trouble) => Err(troubled(facts, trouble, meanwhile)),
        Seen::NotRead => Err(Step::Hold(meanwhile, facts.pace.poll_first)),
    }
}

/// The job or the list of proxies can't be read.
fn troubled(facts: &Facts<'_>, trouble: &Trouble, meanwhile: Cause) -> Step {
    let failing = facts.session.failing.as_deref();
    trouble::during_change(facts, trouble, failing, meanwhile)
}

/// The list shows the port before, which has to be seen twice, and late enough.
fn untouched(facts: &Facts<'_>, watch: &Watch, of: Unresolved<'_>, rest: Duration) -> Step {
    let (pace, end) = (facts.pace, of.end);
    let seen = watch.untouched.map_or(facts.now.uptime, |seen| seen.first);
    let proven = seen.saturating_add(pace.proof_gap).max(end.at());
    let left = Some(proven.saturating_sub(facts.now.uptime)).filter(|left| !left.is_zero());
    let again = if end.is_ahead() && rest > pace.poll_longest {
        rest.max(pace.proof_gap)
    } else {
        pace.proof_gap
    };
    let wait = left.map_or(pace.proof_gap, |left| left.min(again));
    Step::Hold(of.meanwhile(facts.shown_at(proven)), wait)
}

/// How long a change is left alone of which the cloud tells nothing: each look takes several calls, and before its job must be over
/// nothing can be concluded from them. It grows with the time for which the change was watched.
fn rest(facts: &Facts<'_>, watched: Duration, end: JobEnd) -> Duration {
    let pace = facts.pace;
    let grown = (watched / 8).min(pace.list_lag).max(pace.poll_longest);
    if end.is_ahead() {
        let left = end.at().saturating_sub(facts.now.uptime);
        grown.min(left.max(pace.poll_longest))
    } else {
        grown
    }
}

/// During a change a proxy is believed gone only after long.
fn missing(facts: &Facts<'_>, meanwhile: Cause) -> Step {
    match &facts.session.missing {
        Some(seen) if seen.confirmed(facts.pace.missing_during_change) => {
            Step::Advance(Progress::Void("the proxy is no longer there".to_owned()))
        }
        _ => Step::Hold(meanwhile, facts.pace.poll_longest),
    }
}

/// Where a job of one's own is known, the word may be of that: then `own` is said.
fn not_active(facts: &Facts<'_>, proxy: &Proxy, stuck: bool, own: Option<Cause>) -> Step {
    let word = proxy.status.word().to_owned();
    if stuck {
        Step::Hold(Cause::NotActive(word), facts.pace.stuck_poll)
    } else {
        let cause = own.unwrap_or(Cause::ProxyBusy(word));
        Step::Hold(cause, facts.pace.poll_longest)
    }
}

/// By the wall clock, which may be wrong: nothing but words follows from it.
fn overdue(facts: &Facts<'_>, change: &Change) -> bool {
    let begun = change.submitted_at.unwrap_or(change.intended_at);
    facts.age(begun) >= facts.change_timeout()
}

impl Facts<'_> {
    /// `changeTimeout`, at this pace.
    pub fn change_timeout(&self) -> Duration {
        self.pace.of_user(self.desired.change_timeout)
    }
}
