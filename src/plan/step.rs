//! What a decision says: small, and with its reason as a value. Texts are made at the edge.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{CloudError, Meaning},
    crd::FailureCause,
    fleet::claims::{Opening, Other, Rival},
    model::{Class, JobId, Moment, Port, Reason},
    permits::limits::Limit,
    plan::{admitting::Verdict, facts::Trouble},
};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// In order; look again at the next resync.
    Rest,
    /// In order as far as is known, but the last look failed: say nothing, look again after a while.
    Keep(Duration),
    /// Hold back for a reason and look again after a while.
    Hold(Cause, Duration),
    /// Read the task list and then the list of proxies, and decide anew.
    LookAtTasks,
    /// Move the record on, without any call, and decide anew.
    Advance(Progress),
    /// Change the port.
    Change(Order),
}

/// A change that shall be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// The port that the proxy has.
    pub from: u16,
    /// The port to ask for.
    pub to: Port,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

/// How the record moves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// No change from before this object is at work.
    Vetted,
    /// A request was handled: what only a person may lift is lifted.
    RequestHandled(String),
    /// The job is done, or there was nothing to do: the port has to be seen.
    JobDone,
    /// The change was made; the port that was seen last, which may have moved on since.
    Succeeded(u16),
    /// The change failed.
    Failed(FailureCause, String),
    /// The same of a change whose job nobody has seen end.
    SeemsDone(u16),
    /// The change never arrived, as far as can be known.
    Void(String),
}

/// The attempt that follows one that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Why the last one did not succeed.
    pub cause: FailureCause,
    /// What the other side said of it.
    pub said: Option<String>,
    /// Which attempt follows, from 1.
    pub attempt: u32,
    /// How many are made at most; nothing where there is no such bound.
    pub most: Option<u32>,
    /// When it follows.
    pub at: Timestamp,
}

/// When a wait ends, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// What is waited for is over then, at the latest.
    Until(Timestamp),
    /// It ends then or later: something else has to be seen as well, or another try is made, which may not work.
    NotBefore(Timestamp),
    /// Its turn comes about then: others may give theirs back, or come between.
    TurnAt(Timestamp),
    /// The change starts then or later.
    StartsFrom(Timestamp),
    /// The same of a change that needs an approval, which may be given before.
    StartsApprovedFrom(Timestamp),
    /// What became of the last change is decided then or later.
    DecidesFrom(Timestamp),
}

impl End {
    /// The time at which people expect to hear something else.
    pub fn promised(self) -> Option<Timestamp> {
        match self {
            Self::Until(at) | Self::TurnAt(at) => Some(at),
            Self::NotBefore(_)
            | Self::StartsFrom(_)
            | Self::StartsApprovedFrom(_)
            | Self::DecidesFrom(_) => None,
        }
    }
}

/// Why a step holds back, with what there is to say about it. A time in it is fixed when the wait begins: it would cost a write of the
/// status with each look otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    test,
    derive(strum::EnumDiscriminants),
    strum_discriminants(derive(strum::EnumIter))
)]
pub enum Cause {
    /// A change begins.
    Starting(Order),
    /// A change has ended, and another one is due.
    Next(Order),
    /// The cloud works on the change; the job's word, or nothing while the job can't be queried yet.
    JobRunning(JobId, Option<String>),
    /// The job is done; the port has still to be seen, until then.
    Verifying {
        /// Until when at the latest, where that is known.
        until: Option<Timestamp>,
        /// Whether there was a job: none, where the service had nothing to do.
        has_job: bool,
    },
    /// Whether the change was begun is not known. When something may be concluded at the earliest, if nothing is at work.
    OutcomeUnknown(Option<Timestamp>),
    /// The change was begun, and the cloud knows its job no longer. When the job counts as over at the latest.
    JobLost(JobId, Option<Timestamp>),
    /// The change was begun, and a person has given its job up. When something may be concluded at the earliest.
    JobAbandoned(JobId, Option<Timestamp>),
    /// A list shows another port than that of a change which was verified a short while ago.
    ListBehind {
        /// The port in the list.
        shown: u16,
        /// The port of the change.
        changed: u16,
        /// When the list is believed.
        until: Timestamp,
    },
    /// No change from before this object may still be running; that is sure when the wait is over. Why it has to be waited for.
    Newcomer(Doubt),
    /// Whether the change was begun is not known, and is watched until then before anything is concluded.
    WatchingOutcome(Timestamp),
    /// A change on the instance completed a short while ago: lists may lag behind it until the wait is over. Its job, and
    /// who made it.
    ListsLag(Option<JobId>, By),
    /// A job on the instance was given up a short while ago, and may have ended just before: lists may lag behind it until the
    /// wait is over.
    GivenUpLately(JobId),
    /// A task on the instance has failed a short while ago: lists may show what it took back until the wait is over.
    FailedLately,
    /// The proxy is read for the first time.
    FirstLook,
    /// The cloud takes long to answer.
    Looking,
    /// More calls of the cloud are wanted than may be made; a look has its time about then.
    WaitingForCalls(Timestamp),
    /// An attempt did not succeed; the next follows.
    BackingOff(Retry),
    /// The wanted port is shown, though the job that was to set it has just failed.
    JustFailed {
        /// What the cloud said of the job.
        said: Option<String>,
        /// When the list is believed.
        believed_at: Timestamp,
    },
    /// Somebody else's operation is at work.
    ProxyBusy(String),
    /// The port is in place, and what leads applications to it could not be written yet; what the API server said.
    Publishing(Option<String>),
    /// The port is in place, and a greeting has to be read there.
    Probing {
        /// Where.
        place: String,
        /// Until when it is tried in a row, at the latest.
        until: Option<Timestamp>,
    },
    /// The port is in place, and no greeting was read there.
    NotReachable {
        /// Where.
        place: String,
        /// What came of it.
        said: String,
    },
    /// Another change of ours is at work on the instance; whose, where that is known.
    WaitingForInstance(Option<Other>),
    /// A limit over all resources is reached.
    WaitingForLimit(Limit),
    /// A correction of drift is put off.
    Damped {
        /// The port that was found.
        port: u16,
        /// When it is put right.
        at: Timestamp,
    },
    /// No window is open, or none for as long as a change takes.
    WaitingForWindow {
        /// The window of the instance, which would count as well, can't be read.
        unread: bool,
        /// How long a change takes, as far as is known.
        takes: Duration,
        /// When it may start, if that is known.
        next: Option<Timestamp>,
        /// The last freeze and its end, where freezes leave no window within a year.
        frozen: Option<(String, Timestamp)>,
    },
    /// The window of the instance is the only one, and the cloud has not told it; why.
    WindowUnknown(String),
    /// A freeze of the operator's calendar is in force, or near.
    Frozen {
        /// Why.
        reason: String,
        /// When the freeze begins.
        from: Timestamp,
        /// When the freeze ends.
        until: Timestamp,
        /// When it may start, if that is known.
        next: Option<Timestamp>,
    },
    /// There is no calendar, though there should be one; why.
    WithoutCalendar(String),
    /// Nobody has approved the plan yet.
    WaitingForApproval {
        /// Its id.
        plan: String,
        /// What it does.
        order: Order,
        /// When it may start at the earliest, where that is not now.
        next: Option<Timestamp>,
    },
    /// The security group of the instance does not let in at the new port whom it lets in at the old one, or nobody knows.
    NotAdmitted {
        /// The port that goes, and the one that comes.
        ports: (u16, u16),
        /// What was found.
        verdict: Box<Verdict>,
        /// When it is looked at again.
        at: Timestamp,
    },
    /// The resource is suspended.
    Suspended,
    /// The resource is being deleted.
    Deleting,
    /// A call failed in a way that passes by itself. When the next try is made, where the wait for it was asked for, or is the only
    /// one.
    Passing(CloudError, Option<Timestamp>),
    /// The Secret is not there, and may come soon: what is missing, and until when that is waited for.
    WaitingForCredentials(String, Timestamp),
    /// Not found, perhaps: looked for once more then.
    ConfirmingAbsence(Timestamp),
    /// As often tried as it is.
    GivenUp {
        /// Why the attempts did not succeed.
        cause: FailureCause,
        /// What the other side said of the last.
        said: Option<String>,
        /// When there is another attempt all the same.
        at: Option<Timestamp>,
        /// How many attempts were made.
        made: u32,
    },
    /// The job takes too long.
    JobOverdue {
        /// The job, if its id is known.
        job: Option<JobId>,
        /// When it began, if that is known.
        since: Option<Timestamp>,
    },
    /// The job waits for an authorization.
    JobUnauthorized(JobId),
    /// The policy leaves drift alone; the port that was found.
    DriftDetected(u16),
    /// Somebody else changes the port again and again.
    DriftContested {
        /// The port that was found.
        port: u16,
        /// When it is put right all the same.
        until: Timestamp,
    },
    /// The proxy can't be changed in its state; the cloud's word.
    ProxyUnhealthy(String),
    /// The same while a change of unknown outcome is on record, which may be what the word is about.
    NotActive(String),
    /// A field that only the operator can check has a value that can't be; which, and why.
    SpecFault(String),
    /// The proxy is not there.
    ProxyNotFound,
    /// Another resource manages the proxy.
    ProxyClaimed(Rival),
    /// Nobody may move the proxy: several resources want ports for it that are not in place, and none is known to have managed it.
    ProxyContested(Rival),
    /// Another resource may own the proxy, or did until a short while ago.
    TakingOver(Opening),
    /// The definition of the resource is too old.
    CrdOutdated,
    /// The cloud can't be called, or refused for a reason that a person has to mend. When a refused change is tried again.
    Blocked(Trouble, Option<Timestamp>),
}

/// Why a change may be at work that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// This process has not worked for long enough to know.
    Start,
    /// The status was restored, or somebody else has edited it.
    Status,
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// This operator, for this resource.
    Ourselves,
    /// Somebody else, or this operator for another proxy.
    Others,
}

impl Step {
    /// Whether a change that is on record goes on, and so counts among those under way. One that is blocked or overdue, or of
    /// which nothing was heard for a while, does not: nobody knows for how long.
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Hold(cause, _) => {
                let reason = cause.reason();
                let unheard = cause.is_unasked()
                    || matches!(
                        reason,
                        Reason::CloudUnreachable
                            | Reason::Throttled
                            | Reason::MalformedAnswer
                            | Reason::RequestRefused
                    );
                reason.class() != Class::Stalled && !unheard
            }
            Self::Rest | Self::Keep(_) | Self::LookAtTasks | Self::Advance(_) | Self::Change(_) => {
                true
            }
        }
    }
}

impl Cause {
    /// When the wait for it ends, where its text has no time of its own. `delay` is how long a step waits for it from now on.
    pub fn end(&self, now: Moment, delay: Duration) -> Option<End> {
        let after = |wait: Duration| now.wall.checked_add(wait).ok().map(End::Until);
        match self {
            Self::WatchingOutcome(at) | Self::ListBehind { until: at, .. } => Some(End::Until(*at)),
            Self::Verifying { until: at, .. }
            | Self::Probing { until: at, .. }
            | Self::JobLost(_, at) => at.map(End::Until),
            Self::Newcomer(_)
            | Self::ListsLag(..)
            | Self::GivenUpLately(_)
            | Self::FailedLately
            | Self::TakingOver(_) => after(delay),
            // The earliest time of the next try: more refusals put that off.
            Self::Blocked(Trouble::Cloud(error), _) if error.meaning == Meaning::Locked => {
                let at = error.retry_after?;
                now.wall.checked_add(at).ok().map(End::NotBefore)
            }
            Self::WaitingForCalls(at) => Some(End::TurnAt(*at)),
            Self::ConfirmingAbsence(at) => Some(End::NotBefore(*at)),
            Self::WaitingForWindow { next: at, .. } | Self::Frozen { next: at, .. } => {
                at.map(End::StartsFrom)
            }
            Self::WaitingForApproval { next: at, .. } => at.map(End::StartsApprovedFrom),
            Self::OutcomeUnknown(at) => at.map(End::DecidesFrom),
            Self::JobAbandoned(_, at) | Self::Passing(_, at) | Self::Blocked(_, at) => {
                at.map(End::NotBefore)
            }
            Self::Starting(_)
            | Self::Next(_)
            | Self::JobRunning(..)
            | Self::FirstLook
            | Self::Looking
            | Self::BackingOff(_)
            | Self::JustFailed { .. }
            | Self::ProxyBusy(_)
            | Self::Publishing(_)
            | Self::NotReachable { .. }
            | Self::WaitingForInstance(_)
            | Self::WaitingForLimit(_)
            | Self::Damped { .. }
            | Self::WithoutCalendar(_)
            | Self::WindowUnknown(_)
            | Self::NotAdmitted { .. }
            | Self::Suspended
            | Self::Deleting
            | Self::WaitingForCredentials(..)
            | Self::GivenUp { .. }
            | Self::JobOverdue { .. }
            | Self::JobUnauthorized(_)
            | Self::DriftDetected(_)
            | Self::DriftContested { .. }
            | Self::ProxyUnhealthy(_)
            | Self::NotActive(_)
            | Self::SpecFault(_)
            | Self::ProxyNotFound
            | Self::ProxyClaimed(_)
            | Self::ProxyContested(_)
            | Self::CrdOutdated => None,
        }
    }

    /// When the window opens that is waited for, or the freeze ends.
    pub fn opens(&self) -> Option<Timestamp> {
        match self {
            Self::WaitingForWindow { next, .. } => *next,
            Self::Frozen { next, until, .. } => Some(next.map_or(*until, |next| next.min(*until))),
            _ => None,
        }
    }

    /// When something else follows, where its own text has that time. People look then, so the operator does too.
    pub fn follows(&self) -> Option<Timestamp> {
        match self {
            Self::BackingOff(retry) => Some(retry.at),
            Self::Damped { at, .. }
            | Self::WaitingForCredentials(_, at)
            | Self::NotAdmitted { at, .. } => Some(*at),
            Self::JustFailed { believed_at, .. } => Some(*believed_at),
            Self::DriftContested { until, .. }
            | Self::WaitingForLimit(Limit::Halted { until, .. }) => Some(*until),
            Self::GivenUp { at, .. } => *at,
            _ => None,
        }
    }

    /// Whether no call was made, since those that are under way get no answer.
    fn is_unasked(&self) -> bool {
        matches!(self, Self::Passing(error, _) if error.meaning == Meaning::Unasked)
    }

    /// The reason that stands for it in the status.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Starting(_) | Self::Next(_) | Self::JobRunning(..) => Reason::JobRunning,
            Self::FirstLook | Self::Looking => Reason::ReadingCloud,
            Self::Verifying { .. } => Reason::Verifying,
            Self::OutcomeUnknown(_)
            | Self::WatchingOutcome(_)
            | Self::JobLost(..)
            | Self::JobAbandoned(..) => Reason::OutcomeUnknown,
            Self::Newcomer(_) => Reason::CheckingEarlierChanges,
            Self::ListsLag(..)
            | Self::ListBehind { .. }
            | Self::GivenUpLately(_)
            | Self::FailedLately => Reason::CloudListsLag,
            Self::BackingOff(_) | Self::JustFailed { .. } | Self::Damped { .. } => {
                Reason::BackingOff
            }
            Self::ProxyBusy(_) => Reason::ProxyBusy,
            Self::Publishing(_) => Reason::Publishing,
            Self::Probing { .. } => Reason::Probing,
            Self::NotReachable { .. } => Reason::NotReachable,
            Self::WaitingForInstance(_) => Reason::WaitingForInstance,
            Self::WaitingForLimit(Limit::Halted { .. }) => Reason::RolloutHalted,
            Self::WaitingForLimit(Limit::Concurrent { .. } | Limit::Hourly { .. })
            | Self::WaitingForCalls(_) => Reason::WaitingForBudget,
            Self::WaitingForWindow { .. } | Self::WindowUnknown(_) => Reason::WaitingForWindow,
            Self::Frozen { .. } | Self::WithoutCalendar(_) => Reason::ChangeFreeze,
            Self::WaitingForApproval { .. } => Reason::WaitingForApproval,
            Self::NotAdmitted { .. } => Reason::PreflightFailed,
            Self::Suspended | Self::Deleting => Reason::Suspended,
            Self::WaitingForCredentials(..) => Reason::WaitingForCredentials,
            Self::ConfirmingAbsence(_) => Reason::ConfirmingAbsence,
            Self::GivenUp { cause, .. } => given_up(*cause),
            Self::JobOverdue { .. } => Reason::JobOverdue,
            Self::JobUnauthorized(_) => Reason::JobUnauthorized,
            Self::DriftDetected(_) => Reason::DriftDetected,
            Self::DriftContested { .. } => Reason::DriftContested,
            Self::ProxyUnhealthy(_) | Self::NotActive(_) => Reason::ProxyUnhealthy,
            Self::SpecFault(_) => Reason::SpecInvalid,
            Self::ProxyNotFound => Reason::ProxyNotFound,
            // As after a rename: nothing is wrong, and it goes on by itself once the other one is deleted.
            Self::ProxyClaimed(rival) if rival.is_predecessor() => Reason::TakingOver,
            Self::ProxyClaimed(_) => Reason::ProxyClaimed,
            Self::ProxyContested(_) => Reason::ProxyContested,
            Self::TakingOver(_) => Reason::TakingOver,
            Self::CrdOutdated => Reason::CrdOutdated,
            Self::Blocked(Trouble::CredentialsUnset(_) | Trouble::CredentialsMissing(_), _) => {
                Reason::CredentialsMissing
            }
            Self::Blocked(Trouble::CredentialsInvalid(_), _) => Reason::CredentialsInvalid,
            Self::Passing(error, _) | Self::Blocked(Trouble::Cloud(error), _) => {
                of_meaning(error.meaning)
            }
        }
    }
}

/// The reason that stands for a kind of error.
fn of_meaning(meaning: Meaning) -> Reason {
    match meaning {
        Meaning::Busy => Reason::ProxyBusy,
        Meaning::Throttled => Reason::Throttled,
        // Nobody was asked: it is the operator that makes no more calls.
        Meaning::OutOfCalls | Meaning::Unasked => Reason::WaitingForBudget,
        Meaning::Slow => Reason::CloudSlow,
        Meaning::Withdrawn => Reason::ChangeNotSent,
        Meaning::Transient => Reason::CloudUnreachable,
        // A verdict on the port is on record, and comes from there.
        Meaning::UnknownRefusal | Meaning::Rejected => Reason::RequestRefused,
        Meaning::Malformed => Reason::MalformedAnswer,
        Meaning::Unauthenticated => Reason::CredentialsInvalid,
        Meaning::ClockSkew => Reason::ClockSkew,
        Meaning::Locked => Reason::CredentialsLocked,
        Meaning::Denied => Reason::PermissionDenied,
        Meaning::NotFound => Reason::InstanceNotFound,
        Meaning::Blocked => Reason::InstanceBlocked,
        Meaning::EndpointNotAllowed => Reason::EndpointNotAllowed,
        Meaning::RegionUnknown => Reason::RegionUnknown,
        Meaning::TlsFailed => Reason::TlsFailed,
    }
}

fn given_up(cause: FailureCause) -> Reason {
    match cause {
        FailureCause::JobFailed => Reason::JobFailed,
        FailureCause::VerificationFailed => Reason::VerificationFailed,
        FailureCause::OutcomeUnknown => Reason::AttemptsVoid,
        FailureCause::PortRejected => Reason::PortRejected,
    }
}
