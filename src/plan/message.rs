//! The words for people.
//!
//! A message is our own text, which says what is and what to do, the time until when it is waited where that is known, and
//! what the other side said. Our own text decides whether a status has changed: the other side's holds request ids and times
//! that differ every time, and a time that moves by seconds is the same time, read from another clock or rounded.

use std::fmt;

use k8s_openapi::jiff::{Timestamp, ToSpan as _};

use crate::{
    crd::{ABANDON_JOB, FailureCause, ManagementPolicy, REQUESTED_AT},
    fleet::{claims::Rival, limits::Limit},
    model::{JobId, Port, ProxyId},
    plan::{
        facts::Trouble,
        step::{By, Cause, Order},
    },
};

/// What one condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Our own text.
    pub own: String,
    /// Until when it is waited, to the second.
    pub until: Option<Timestamp>,
    /// What the other side said, cleaned.
    pub upstream: Option<String>,
}

impl Message {
    /// A text of our own alone.
    pub fn plain(own: impl Into<String>) -> Self {
        Self {
            own: own.into(),
            until: None,
            upstream: None,
        }
    }

    /// The same, with the time until when it is waited.
    #[must_use]
    pub fn until(self, until: Option<Timestamp>) -> Self {
        Self { until, ..self }
    }

    fn quoting(own: impl Into<String>, upstream: impl Into<String>) -> Self {
        let upstream: String = upstream.into();
        Self {
            own: own.into(),
            until: None,
            upstream: Some(upstream).filter(|text| !text.is_empty()),
        }
    }

    /// Whether a stored text says the same, apart from what the other side said.
    pub fn is_said_by(&self, stored: &str) -> bool {
        let Some(rest) = stored.strip_prefix(&self.own) else {
            return false;
        };
        let rest = match self.until {
            Some(until) => after_the_same_time(rest, until),
            None => Some(rest),
        };
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
    }
}

/// What precedes the time until when it is waited.
const UNTIL: &str = "; until ";

/// What follows a stored time that is `until`, give or take what clocks and rounding make of it.
fn after_the_same_time(stored: &str, until: Timestamp) -> Option<&str> {
    const TOLERANCE_SECONDS: i64 = 10;
    let stored = stored.strip_prefix(UNTIL)?;
    let (time, rest) = stored.split_at_checked(shown(until).len())?;
    let time: Timestamp = time.parse().ok()?;
    let differs = time.as_second().abs_diff(until.as_second());
    (differs <= TOLERANCE_SECONDS.unsigned_abs()).then_some(rest)
}

/// A time in RFC 3339, UTC, to the second.
fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl fmt::Display for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.own)?;
        if let Some(until) = self.until {
            write!(formatter, "{UNTIL}{}", shown(until))?;
        }
        match &self.upstream {
            Some(upstream) => write!(formatter, ": {upstream}"),
            None => Ok(()),
        }
    }
}

/// What is said of a resource in order.
pub fn in_order(policy: ManagementPolicy, wanted: Port, actual: Option<u16>) -> Message {
    let actual = actual.map_or("an unknown port".to_owned(), |port| format!("port {port}"));
    Message::plain(match policy {
        ManagementPolicy::Observe if actual != format!("port {wanted}") => {
            format!("the proxy listens on {actual}; only observed, port {wanted} would be set")
        }
        _ => format!("the proxy listens on {actual}"),
    })
}

/// What is said of a cause.
pub fn of(cause: &Cause) -> Message {
    match cause {
        Cause::Starting(order) => starting(*order),
        Cause::JobRunning(job, word) => at_work(job, word.as_deref()),
        Cause::Verifying => {
            Message::plain("the job is done; waiting for the list of proxies to show the port")
        }
        Cause::OutcomeUnknown => Message::plain(
            "whether the last change was begun is not known yet; watching the task list and the port before anything else",
        ),
        Cause::WatchingOutcome(_) => Message::plain(
            "whether the last change was begun is not known; the task list and the port are watched",
        ),
        Cause::ListsLag(job, by) => lists_lag(job.as_ref(), *by),
        Cause::FirstLook => Message::plain("reading the proxy from the cloud for the first time"),
        Cause::Looking => {
            Message::plain("reading the proxy from the cloud, which takes long to answer")
        }
        Cause::WaitingForCalls => Message::plain(
            "waiting to be looked at: more calls of the cloud are wanted than --calls-per-minute allows",
        ),
        Cause::Newcomer => {
            Message::plain("checking that no earlier change is still running on this proxy")
        }
        Cause::BackingOff(cause, said) => quoting_option(
            format!("it is tried again; {}", ended(*cause)),
            said.as_ref(),
        ),
        Cause::ProxyBusy(what) => Message::plain(format!(
            "waiting for another operation on the instance or proxy ({what})"
        )),
        Cause::WaitingForInstance => {
            Message::plain("waiting for another change on the same instance")
        }
        Cause::WaitingForLimit(limit) => reached(limit),
        Cause::Damped => {
            Message::plain("the port was changed elsewhere again; putting it right is put off")
        }
        Cause::Suspended => Message::plain(
            "suspended, and the port is not the wanted one: set spec.suspend to false to go on",
        ),
        Cause::Deleting => {
            Message::plain("the resource is being deleted: no new change is started")
        }
        Cause::Passing(error) => Message::quoting(
            "a call of the cloud failed and is repeated",
            error.to_string(),
        ),
        Cause::WaitingForCredentials(what, until) => {
            Message::plain(format!("{what}; waiting for it until {}", second(*until)))
        }
        Cause::ConfirmingAbsence => Message::plain(
            "the cloud does not show the proxy; looking again before that is believed",
        ),
        Cause::GivenUp(cause, said) => given_up(*cause, said.as_ref()),
        Cause::JobOverdue(job) => {
            let job = job
                .as_ref()
                .map_or("a job of the instance".to_owned(), |job| {
                    format!("job {job}")
                });
            Message::plain(format!(
                "{job} takes longer than spec.changeTimeout; look at it in the cloud's task center"
            ))
        }
        Cause::JobUnauthorized(job) => Message::plain(format!(
            "job {job} waits for authorization: authorize it in the cloud's task center"
        )),
        Cause::DriftDetected(port) => Message::plain(format!(
            "the port was changed elsewhere to {port}, and managementPolicy ApplyOnChange leaves it so"
        )),
        Cause::DriftContested(port) => Message::plain(format!(
            "somebody keeps changing the port to {port}: find out who, then set the annotation {REQUESTED_AT}"
        )),
        Cause::ProxyUnhealthy(word) => Message::plain(format!(
            "the proxy is in state {word}, in which nothing can be changed; see to it in the cloud"
        )),
        Cause::ProxyNotFound => {
            Message::plain("the instance has no such proxy: check spec.proxyID")
        }
        Cause::ProxyClaimed(rival) => claimed(rival),
        Cause::ProxyContested(rival) => Message::plain(format!(
            "{} wants another port for the same proxy, neither port is in place, and neither resource has managed the proxy before: \
             nothing is changed until only one of them is left, or both want the same port",
            named(rival)
        )),
        Cause::TakingOver => Message::plain(
            "another resource managed the same proxy a short while ago, or may still turn out to; this one waits before it takes over",
        ),
        Cause::CrdOutdated => Message::plain(
            "the installed custom resource definition drops the record of a change: install the one of this release",
        ),
        Cause::SpecInvalid(fault) => Message::plain(fault.clone()),
        Cause::Blocked(trouble) => blocked(trouble),
    }
}

/// Who says that a job was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUpBy<'a> {
    /// The resource itself.
    Itself,
    /// This one of the same namespace.
    Neighbour(&'a str),
    /// One of another namespace.
    Foreign,
}

/// What is said where a job is no longer waited for.
pub fn job_given_up(job: &JobId, by: GivenUpBy<'_>) -> Message {
    let by = match by {
        GivenUpBy::Itself => "this resource".to_owned(),
        GivenUpBy::Neighbour(name) => format!("resource {name} of this namespace"),
        GivenUpBy::Foreign => {
            "a resource of another namespace, whose credentials can read the instance,".to_owned()
        }
    };
    Message::plain(format!(
        "job {job} is no longer waited for, as long as {by} has the annotation {ABANDON_JOB}: {job}"
    ))
}

/// What is said where a job is not given up for others.
pub fn job_not_given_up(job: &JobId, proxy: &ProxyId) -> Message {
    Message::plain(format!(
        "the annotation {ABANDON_JOB}: {job} counts for no other namespace: with the credentials of this resource proxy {proxy} \
         can't be seen"
    ))
}

fn claimed(rival: &Rival) -> Message {
    let other = named(rival);
    Message::plain(if rival.is_predecessor() {
        format!(
            "{other} manages the same proxy and wants the same port; this one takes over once that one is deleted"
        )
    } else {
        format!(
            "{other} manages the same proxy: delete one of the two, or set managementPolicy of one to Observe"
        )
    })
}

/// A resource of another namespace is not named: it may be none of the reader's business.
fn named(rival: &Rival) -> String {
    rival.name.as_ref().map_or_else(
        || "a resource of another namespace".to_owned(),
        |name| format!("resource {name} of this namespace"),
    )
}

/// Said when the job is accepted, and again when it is first seen running: the same, lest that cost a write. Any other word
/// of the cloud is shown.
fn at_work(job: &JobId, word: Option<&str>) -> Message {
    let word = word.filter(|word| !word.eq_ignore_ascii_case("running"));
    let word = word.map_or_else(String::new, |word| format!(" ({word})"));
    Message::plain(format!("job {job} is at work{word}"))
}

fn lists_lag(job: Option<&JobId>, by: By) -> Message {
    let job = job.map_or("a job without an id".to_owned(), |job| format!("job {job}"));
    let whose = match by {
        By::Ourselves => "the last change of this resource",
        By::Others => "another change on the instance",
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
    Message::plain(format!(
        "changing the port from {} to {}{doubt}",
        order.from, order.to
    ))
}

fn reached(limit: &Limit) -> Message {
    match limit {
        Limit::Concurrent { most } => Message::plain(format!(
            "{} under way, the most that --max-concurrent-changes allows",
            counted(*most, "change is", "changes are")
        )),
        // When the next one may begin changes with each that begins: it is said once.
        Limit::Hourly { most, next } => Message::quoting(
            format!(
                "{} begun within an hour, the most that --max-changes-per-hour allows",
                counted(*most, "change was", "changes were")
            ),
            format!("the next of those that wait may begin at {}", minute(*next)),
        ),
        Limit::Halted { failed, own, until } => {
            let elsewhere = failed.saturating_sub(own.len());
            let elsewhere = (elsewhere > 0).then(|| format!("{elsewhere} in other namespaces"));
            let names: Vec<String> = own.iter().cloned().chain(elsewhere).collect();
            Message::plain(format!(
                "{} in a row failed on different proxies ({}): no new change begins until {}",
                counted(*failed, "change", "changes"),
                names.join(", "),
                minute(*until)
            ))
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A time of today, rounded up to the minute.
fn minute(time: Timestamp) -> String {
    let up = time.checked_add(59.seconds()).unwrap_or(time);
    up.strftime("%H:%MZ").to_string()
}

/// A time to the second, as Kubernetes writes it.
fn second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn ended(cause: FailureCause) -> &'static str {
    match cause {
        FailureCause::JobFailed => "the change job failed",
        FailureCause::VerificationFailed => {
            "the change job was completed but the port did not change"
        }
        FailureCause::OutcomeUnknown => "the change never arrived, as far as can be known",
        FailureCause::PortRejected => "the service refuses this port",
    }
}

fn given_up(cause: FailureCause, said: Option<&String>) -> Message {
    let advice = match cause {
        FailureCause::PortRejected => "set another spec.port".to_owned(),
        FailureCause::OutcomeUnknown => "it is tried hourly; check the way to the cloud".to_owned(),
        FailureCause::JobFailed | FailureCause::VerificationFailed => format!(
            "nothing more is tried until spec.port changes or the annotation {REQUESTED_AT} is set"
        ),
    };
    // What the other side said comes last, right after what it is about.
    quoting_option(format!("{advice}; {}", ended(cause)), said)
}

fn blocked(trouble: &Trouble) -> Message {
    match trouble {
        Trouble::CredentialsUnset(what)
        | Trouble::CredentialsMissing(what)
        | Trouble::CredentialsInvalid(what) => Message::plain(what.clone()),
        Trouble::Cloud(error) => {
            let own = error
                .code
                .as_ref()
                .map_or("the cloud refuses".to_owned(), |code| {
                    format!("the cloud refuses with {code}")
                });
            Message::quoting(own, error.text.clone())
        }
    }
}

fn quoting_option(own: String, said: Option<&String>) -> Message {
    Message {
        own,
        until: None,
        upstream: said.cloned(),
    }
}
