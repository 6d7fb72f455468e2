//! The words for people.
//!
//! A message is our own text, which says what is and what to do, the time until when it is waited where that is known, and
//! what the other side said. Our own text decides whether a status has changed: the other side's holds request ids and times
//! that differ every time, and a time that moves by seconds is the same time, read from another clock or rounded.

use std::fmt;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::excerpt,
    crd::{ABANDON_JOB, FailureCause, ManagementPolicy, REQUESTED_AT},
    desired::Desired,
    model::{JobId, Port},
    plan::step::{By, Cause, Doubt, End, Order, Retry},
};

pub mod admission;
mod others;
mod refusals;
mod waits;

pub use others::{GivenUpBy, job_given_up, job_not_given_up};

/// What one condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Our own text.
    pub own: String,
    /// When the wait ends, to the second.
    pub end: Option<End>,
    /// What the other side said, cleaned.
    pub upstream: Option<String>,
}

impl Message {
    /// A text of our own alone.
    pub fn plain(own: impl Into<String>) -> Self {
        Self::quoting_option(own, None)
    }

    /// The same, with the time at which the wait ends.
    #[must_use]
    pub fn ending(self, end: Option<End>) -> Self {
        Self { end, ..self }
    }

    /// The same, said while a change from one port to another is on record; `anew` where an operator before has watched it as well.
    #[must_use]
    pub fn during(self, (from, to): (u16, u16), anew: bool) -> Self {
        let anew = if anew {
            "; the operator has restarted since, and watches it from the beginning again"
        } else {
            ""
        };
        Self {
            own: bounded(format!("port {from} to {to}: {}{anew}", self.own)),
            ..self
        }
    }

    /// The same, of a change that puts right what moved without the operator.
    #[must_use]
    pub fn correcting(self, order: Order) -> Self {
        Self {
            own: bounded(format!(
                "the proxy listens on port {}, though port {} was in place before: {}",
                order.from, order.to, self.own
            )),
            ..self
        }
    }

    /// A text of our own, and what it rests on: that alone causes no write.
    pub fn quoting(own: impl Into<String>, upstream: impl Into<String>) -> Self {
        Self::quoting_option(own, Some(upstream.into()))
    }

    /// What says nothing, as a text that was a secret as a whole, is left out.
    pub(super) fn quoting_option(own: impl Into<String>, upstream: Option<String>) -> Self {
        Self {
            own: bounded(own.into()),
            end: None,
            upstream: upstream
                .map(bounded)
                .filter(|text| excerpt::says_something(text)),
        }
    }

    /// Whether a stored text says the same, apart from what the other side said.
    pub fn is_said_by(&self, stored: &str) -> bool {
        let Some(rest) = after_the_same_words(stored, &self.own) else {
            return false;
        };
        let rest = match self.end {
            Some(end) => {
                let (before, time, after) = end.parts();
                let rest = rest.strip_prefix(before);
                rest.and_then(|rest| after_the_same_time(rest, time)?.strip_prefix(after))
            }
            None => Some(rest),
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    }
}

impl End {
    /// What precedes its time, the time, and what follows.
    fn parts(self) -> (&'static str, Timestamp, &'static str) {
        const EARLIEST: &str = " at the earliest";
        match self {
            Self::Until(time) => ("; until ", time, ""),
            Self::NotBefore(time) => ("; not before ", time, ""),
            Self::TurnAt(time) => ("; its turn comes at about ", time, ""),
            Self::StartsFrom(time) => ("; the change starts at ", time, EARLIEST),
            Self::StartsApprovedFrom(time) => (
                "; even when approved, the change does not start before ",
                time,
                "",
            ),
            Self::DecidesFrom(time) => ("; the operator decides at ", time, EARLIEST),
        }
    }
}

/// The longest part of a message, in bytes: a whole one has some 2 KiB, whatever it names.
const LONGEST_PART: usize = 1024;

/// A part of a message, cut on a character boundary where it is too long.
fn bounded(mut part: String) -> String {
    const MARK: char = '…';
    if part.len() > LONGEST_PART {
        part.truncate(part.floor_char_boundary(LONGEST_PART - MARK.len_utf8()));
        part.push(MARK);
    }
    part
}

/// How long a time is, as it is shown.
const SHOWN: usize = "2026-03-02T16:40:05Z".len();

/// What follows a stored text that says the same as `own`: the same words, and times in them that are the same, each read anew.
fn after_the_same_words<'a>(stored: &'a str, own: &str) -> Option<&'a str> {
    if let Some(rest) = stored.strip_prefix(own) {
        return Some(rest);
    }
    let (mut own, mut stored) = (own, stored);
    while !own.is_empty() {
        let time = own.get(..SHOWN).and_then(|time| time.parse().ok());
        if let Some(time) = time {
            stored = after_the_same_time(stored, time)?;
            own = own.get(SHOWN..)?;
        } else {
            let letter = own.chars().next()?;
            stored = stored.strip_prefix(letter)?;
            own = own.strip_prefix(letter)?;
        }
    }
    Some(stored)
}

/// What follows a stored time that is `time`, give or take what clocks and rounding make of it.
fn after_the_same_time(stored: &str, time: Timestamp) -> Option<&str> {
    const TOLERANCE_SECONDS: i64 = 10;
    let (known, rest) = stored.split_at_checked(SHOWN)?;
    let known: Timestamp = known.parse().ok()?;
    let differs = known.as_second().abs_diff(time.as_second());
    (differs <= TOLERANCE_SECONDS.unsigned_abs()).then_some(rest)
}

/// The last time that a stored message names after the word until; nothing where it names none.
pub(super) fn told_until(stored: &str) -> Option<Timestamp> {
    let (_, after) = stored.rsplit_once("until ")?;
    after.get(..SHOWN)?.parse().ok()
}

/// A time in RFC 3339, UTC, to the second.
pub(super) fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.own)?;
        if let Some(end) = self.end {
            let (before, time, after) = end.parts();
            write!(formatter, "{before}{}{after}", shown(time))?;
        }
        match &self.upstream {
            Some(upstream) => write!(formatter, ": {upstream}"),
            None => Ok(()),
        }
    }
}

/// What is said of a resource in order.
pub fn in_order(desired: &Desired, actual: Option<u16>) -> Message {
    let wanted = desired.port;
    let actual = actual.map_or("an unknown port".to_owned(), |port| format!("port {port}"));
    Message::plain(match desired.policy {
        ManagementPolicy::Observe if actual != format!("port {wanted}") => {
            format!(
                "the proxy listens on {actual}; managementPolicy is Observe, so port {wanted} is not set"
            )
        }
        ManagementPolicy::Enforce | ManagementPolicy::ApplyOnChange if desired.suspended => {
            format!(
                "the proxy listens on {actual}; spec.suspend is true, so no change starts until it is false"
            )
        }
        _ => format!("the proxy listens on {actual}"),
    })
}

/// What is said of a cause, to whom wants `desired`.
#[expect(clippy::too_many_lines, reason = "a row for each cause")]
pub fn of(cause: &Cause, desired: &Desired) -> Message {
    match cause {
        Cause::Starting(order) => starting(*order),
        Cause::Next(order) => Message::plain(format!(
            "the change before has ended; the port is to be changed from {} to {} next",
            order.from, order.to
        )),
        Cause::JobRunning(job, word) => at_work(job, word.as_deref()),
        Cause::Verifying { has_job: true, .. } => Message::plain(
            "the job is done; waiting for the cloud's list of proxies to show the new port",
        ),
        Cause::Verifying { has_job: false, .. } => Message::plain(
            "the cloud began no job, as it had nothing to do; waiting for its list of proxies to show the new port",
        ),
        Cause::OutcomeUnknown(_) => Message::plain(
            "it is not known whether the cloud began the last change; its task list and the port are watched, and nothing is sent \
             meanwhile",
        ),
        Cause::WatchingOutcome(_) => Message::plain(
            "it is not known whether the cloud began the last change; its task list and the port are watched before anything is sent",
        ),
        Cause::ListsLag(job, by) => lists_lag(job.as_ref(), *by),
        Cause::GivenUpLately(job) => Message::plain(format!(
            "job {job} was given up by annotation and may have ended just before; the next change waits while the cloud's lists may lag \
             behind it"
        )),
        Cause::FailedLately => Message::plain(
            "a task of the instance has failed less than two minutes ago; the next change waits while the cloud's lists may still show \
             a port that was taken back",
        ),
        Cause::FirstLook => {
            Message::plain("reading the proxy from the cloud, which was not read for this spec yet")
        }
        Cause::Looking => Message::plain(
            "reading the proxy from the cloud: waiting for its answer, or for a call that the operator's --calls-per-minute allows",
        ),
        Cause::JobLost(job, _) => Message::plain(format!(
            "job {job} changes the port, and the cloud no longer knows it; watching the task list and the port before anything else"
        )),
        Cause::JobAbandoned(job, _) => Message::plain(format!(
            "job {job} was given up by annotation; watching the task list and the port before anything else"
        )),
        Cause::ListBehind { shown, changed, .. } => Message::plain(format!(
            "the list of proxies shows port {shown}, though the last change left port {changed}: a list may lag behind a change by two \
             minutes, so it is read again before it is believed"
        )),
        Cause::WaitingForCalls(_) => Message::plain(
            "waiting for a free call of the cloud: the calls that the operator's --calls-per-minute, or the cloud, allows this \
             credential at the moment are taken by other looks; the operator looks at this one when its turn comes",
        ),
        Cause::Newcomer(doubt) => Message::plain(format!(
            "checking that no earlier change is still running on this proxy, since {}",
            match doubt {
                Doubt::Start => "the operator has just started",
                Doubt::Status =>
                    "the status of this resource was restored, or edited by somebody else",
            }
        )),
        Cause::BackingOff(retry) => backing_off(retry),
        Cause::JustFailed { said, believed_at } => Message::quoting_option(
            format!(
                "the job failed, though the cloud shows port {} now; if it still does at {believed_at}, the change counts as made",
                desired.port
            ),
            said.clone(),
        ),
        Cause::ProxyBusy(what) => Message::plain(format!(
            "waiting for another operation on the instance or proxy ({what})"
        )),
        Cause::Publishing(said) => Message::quoting_option(
            format!(
                "port {} is in place, but the API server did not take the Service, EndpointSlice or ConfigMap for applications, which \
                 may still lead to the old port; the operator writes them again within a minute",
                desired.port
            ),
            said.clone(),
        ),
        Cause::Probing { place, .. } => Message::plain(format!(
            "port {} is in place, and spec.probe is Require: a MySQL greeting has still to be read at {place}",
            desired.port
        )),
        Cause::NotReachable { place, said } => Message::plain(format!(
            "port {} is in place, and spec.probe is Require, but no MySQL greeting was read at {place}: {said}; the operator tries again \
             at each resync, or each hour if connections are taken without a greeting",
            desired.port
        )),
        Cause::WaitingForInstance(first) => others::goes_first(first.as_ref()),
        Cause::WaitingForLimit(limit) => waits::reached(limit),
        Cause::Damped { port, at } => Message::plain(format!(
            "the proxy listens on port {port}, though the operator set port {wanted} again within the last day; it sets port {wanted} \
             again at {at} at the earliest",
            wanted = desired.port
        )),
        Cause::WaitingForWindow {
            unread,
            takes,
            next,
            frozen,
        } => waits::for_window(desired, *unread, *takes, *next, frozen.as_ref()),
        Cause::Frozen {
            reason,
            from,
            until,
            ..
        } => waits::frozen(desired, reason, (*from, *until)),
        Cause::WithoutCalendar(why) => waits::without_calendar(why),
        Cause::WindowUnknown(why) => waits::window_unknown(desired, why),
        Cause::WaitingForApproval { plan, order, next } => {
            waits::for_approval(plan, *order, next.is_some())
        }
        Cause::NotAdmitted { ports, verdict, at } => admission::of(*ports, verdict, *at),
        Cause::Suspended => Message::plain(format!(
            "spec.suspend is true, so no change to port {} starts; once it is false, the operator judges anew, and may change the port, \
             which cuts connections",
            desired.port
        )),
        Cause::Deleting => Message::plain(
            "the resource is being deleted, so no new change is started; it stays until the owner of its finalizer removes that",
        ),
        Cause::WaitingForCredentials(what, until) => {
            // The pace of tests has fractions of seconds.
            let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
            Message::plain(format!("{what}; waiting for it until {until}"))
        }
        Cause::Passing(error, _) => refusals::passing(error),
        Cause::ConfirmingAbsence(_) => Message::plain(
            "the cloud does not show the proxy; the operator looks for it once more before it reports it missing",
        ),
        Cause::GivenUp {
            cause,
            said,
            at,
            made,
        } => given_up(*cause, said.clone(), at.map(|at| (at, *made)), desired.port),
        Cause::JobOverdue { job, since } => overdue(job.as_ref(), *since, desired),
        Cause::JobUnauthorized(job) => Message::plain(format!(
            "job {job} waits for authorization: authorize it in the cloud's task center"
        )),
        // The port may come from somebody else, or from a change of this resource whose job failed and moved it all the same.
        Cause::DriftDetected(port) => Message::plain(format!(
            "the proxy listens on port {port}; port {} was in place before, and managementPolicy ApplyOnChange does not set it again: \
             set spec.port to {port}, or managementPolicy to Enforce",
            desired.port
        )),
        Cause::DriftContested { port, until } => Message::plain(format!(
            "the proxy listens on port {port}, though the operator set port {} again three times within a day: find out what sets port \
             {port} and stop it. The operator tries nothing before {until}, and goes on by itself then; a new value of the annotation \
             {REQUESTED_AT} lets it go on at once. To keep port {port}, set spec.port to {port}; to leave all as it is, set spec.suspend \
             to true",
            desired.port
        )),
        Cause::ProxyUnhealthy(word) => Message::plain(format!(
            "the proxy's status in the cloud is {word}, and its port can't be changed in that state: repair it in the cloud's console"
        )),
        Cause::NotActive(word) => Message::plain(format!(
            "the proxy's status in the cloud has not been ACTIVE ({word}) and the change has been watched for longer than \
             spec.changeTimeout: look in the task center whether something is at work on it, and repair the proxy only if nothing is"
        )),
        Cause::SpecFault(fault) => Message::plain(fault.clone()),
        Cause::ProxyNotFound => Message::plain(
            "the cloud's list of proxies of spec.instanceID lacks spec.proxyID: if the proxy was deleted, delete this resource; if an \
             id is wrong, delete it and create it anew, since ids can't be changed",
        ),
        Cause::ProxyClaimed(rival) => others::claimed(rival, desired.port),
        Cause::ProxyContested(rival) => others::contested(rival),
        Cause::TakingOver(whom) => others::taking_over(whom),
        Cause::CrdOutdated => Message::plain(
            "the installed CustomResourceDefinition taurusproxyports.taurusdb.huaweicloud.com is outdated: it drops a part of the \
             record of a change, so the operator does not change the port; in the sources of the operator's release run kubectl apply \
             --server-side --force-conflicts -k crds; the operator goes on within five minutes of that",
        ),
        Cause::Blocked(trouble, again) => refusals::blocked(trouble, *again, desired),
    }
}

/// Said when the job is accepted, and again when it is first seen running: the same, for another text would cost a write. Any
/// other word of the cloud is shown.
fn at_work(job: &JobId, word: Option<&str>) -> Message {
    let word = word.filter(|word| !word.eq_ignore_ascii_case("running"));
    let word = word.map_or_else(String::new, |word| format!(" ({word})"));
    Message::plain(format!("job {job} is at work{word}"))
}

fn lists_lag(job: Option<&JobId>, by: By) -> Message {
    let job = job.map_or("a job without an id".to_owned(), |job| format!("job {job}"));
    let whose = match by {
        By::Ourselves => "the last change of this resource",
        By::Others => "a task of the instance",
    };
    Message::plain(format!(
        "{whose} ({job}) has just completed; the next one waits while the cloud's lists may lag behind it"
    ))
}

fn starting(order: Order) -> Message {
    let doubt = if order.to.is_doubtful() {
        " (reserved by the vendor's user guide; the service decides)"
    } else {
        ""
    };
    let attempt = match order.attempt {
        0 | 1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    Message::plain(format!(
        "changing the port from {} to {}{attempt}{doubt}",
        order.from, order.to
    ))
}

fn backing_off(retry: &Retry) -> Message {
    let most = retry
        .most
        .map_or_else(String::new, |most| format!(" of {most}"));
    let own = format!(
        "attempt {}{most} is due at {}, and also needs an open window (if any are set), an approval (if Manual) and a free place under the \
         limits; {}",
        retry.attempt,
        retry.at,
        ended(retry.cause)
    );
    Message::quoting_option(own, retry.said.clone())
}

fn overdue(job: Option<&JobId>, since: Option<Timestamp>, desired: &Desired) -> Message {
    let name = job.map_or("a job of the instance".to_owned(), |job| {
        format!("job {job}")
    });
    let since = since.map_or_else(String::new, |since| format!(" since {since}"));
    let give_up = job.map_or_else(String::new, |job| {
        format!(". If it is dead there, set the annotation {ABANDON_JOB} to {job}")
    });
    Message::plain(format!(
        "{name} has not ended{since}, which is longer than spec.changeTimeout ({} min): look it up in the cloud's task center. If it is \
         alive, nothing has to be done: the operator follows it to its end{give_up}",
        desired.change_timeout.as_secs().div_ceil(60)
    ))
}

fn ended(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::JobFailed => "the change job failed",
        FailureCause::VerificationFailed => {
            "the cloud reported the change as done, but the port did not change"
        }
        FailureCause::OutcomeUnknown => {
            "the last attempt left the port as it was; its end is not known"
        }
        FailureCause::PortRejected => "the cloud refuses this port",
    }
}

fn given_up(
    cause: FailureCause,
    said: Option<String>,
    next: Option<(Timestamp, u32)>,
    port: Port,
) -> Message {
    let own = match (cause, next) {
        (FailureCause::PortRejected, _) => {
            format!("set another spec.port; the cloud refuses port {port}")
        }
        (_, Some((at, made))) => format!(
            "{made} attempts left the port as it was: look at status.lastChange; where no job is named, check web proxies and firewalls \
             between the operator and the cloud. The next attempt is due at {at}; the annotation {REQUESTED_AT} asks for it sooner"
        ),
        (cause, None) => format!(
            "nothing more is tried until spec.port changes or the annotation {REQUESTED_AT} has a new value; {}",
            ended(cause)
        ),
    };
    // What the other side said comes last, right after what it is about.
    Message::quoting_option(own, said)
}

#[cfg(test)]
mod tests;
