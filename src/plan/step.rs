//! What a decision says: small, and with its reason as a value. Texts are made at the edge.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{CloudError, Meaning},
    crd::FailureCause,
    fleet::{claims::Rival, limits::Limit},
    model::{Class, JobId, Port, Reason},
    plan::facts::Trouble,
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

/// Why a step holds back, with what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A change begins.
    Starting(Order),
    /// A change has ended, and another one is due.
    Next(Order),
    /// The cloud works on the change; the job's word, or nothing while the job can't be queried yet.
    JobRunning(JobId, Option<String>),
    /// The job is done; the port has still to be seen.
    Verifying,
    /// Whether the change was begun is not known.
    OutcomeUnknown,
    /// The change was begun, and the cloud knows its job no longer.
    JobLost(JobId),
    /// The change was begun, and a person has given its job up.
    JobAbandoned(JobId),
    /// A list shows another port than that of a change which was verified a short while ago.
    ListBehind {
        /// The port in the list.
        shown: u16,
        /// The port of the change.
        changed: u16,
    },
    /// No change from before this object may still be running; that is sure when the wait is over.
    Newcomer,
    /// Whether the change was begun is not known, and is watched for so much longer before anything is concluded.
    WatchingOutcome(Duration),
    /// A change on the instance completed a short while ago: lists may lag behind it until the wait is over. Its job, and
    /// who made it.
    ListsLag(Option<JobId>, By),
    /// A job on the instance was given up a short while ago, and may have ended just before: lists may lag behind it until the
    /// wait is over.
    GivenUpLately(JobId),
    /// The proxy is read for the first time.
    FirstLook,
    /// The cloud takes long to answer.
    Looking,
    /// More calls of the cloud are wanted than may be made; a look has its time later.
    WaitingForCalls,
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
    /// Another change of ours is at work on the instance.
    WaitingForInstance,
    /// A limit over all resources is reached.
    WaitingForLimit(Limit),
    /// A correction of drift is put off.
    Damped {
        /// The port that was found.
        port: u16,
        /// When it is put right.
        at: Timestamp,
    },
    /// The resource is suspended.
    Suspended,
    /// The resource is being deleted.
    Deleting,
    /// A call failed in a way that passes by itself.
    Passing(CloudError),
    /// The Secret is not there, and may come soon: what is missing, and until when that is waited for.
    WaitingForCredentials(String, Timestamp),
    /// Not found, perhaps.
    ConfirmingAbsence,
    /// As often tried as it is.
    GivenUp {
        /// Why the attempts did not succeed.
        cause: FailureCause,
        /// What the other side said of the last.
        said: Option<String>,
        /// When there is another attempt all the same.
        at: Option<Timestamp>,
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
    /// The proxy is not there.
    ProxyNotFound,
    /// Another resource manages the proxy.
    ProxyClaimed(Rival),
    /// Nobody may move the proxy: several resources want ports for it that are not in place, and none is known to have managed it.
    ProxyContested(Rival),
    /// Another resource may own the proxy, or did until a short while ago.
    TakingOver,
    /// The definition of the resource is too old.
    CrdOutdated,
    /// The cloud can't be called, or refused for a reason that a person has to mend.
    Blocked(Trouble),
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
                let unheard = matches!(
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
    /// When the wait for it ends for sure, where `delay` is how long a step waits for it and the cause itself has no time. Of a
    /// credential that is held back it is the earliest time of the next try: more refusals put that off.
    pub fn ends_in(&self, delay: Duration) -> Option<Duration> {
        match self {
            Self::WatchingOutcome(left) => Some(*left),
            Self::Newcomer | Self::ListsLag(..) | Self::GivenUpLately(_) | Self::TakingOver => {
                Some(delay)
            }
            Self::Blocked(Trouble::Cloud(error)) if error.meaning == Meaning::Locked => {
                error.retry_after
            }
            _ => None,
        }
    }

    /// The reason that stands for it in the status.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Starting(_) | Self::Next(_) | Self::JobRunning(..) => Reason::JobRunning,
            Self::FirstLook | Self::Looking => Reason::ReadingCloud,
            Self::Verifying => Reason::Verifying,
            Self::OutcomeUnknown
            | Self::WatchingOutcome(_)
            | Self::JobLost(_)
            | Self::JobAbandoned(_) => Reason::OutcomeUnknown,
            Self::Newcomer => Reason::CheckingEarlierChanges,
            Self::ListsLag(..) | Self::ListBehind { .. } | Self::GivenUpLately(_) => {
                Reason::CloudListsLag
            }
            Self::BackingOff(_) | Self::JustFailed { .. } | Self::Damped { .. } => {
                Reason::BackingOff
            }
            Self::ProxyBusy(_) => Reason::ProxyBusy,
            Self::WaitingForInstance => Reason::WaitingForInstance,
            Self::WaitingForLimit(Limit::Halted { .. }) => Reason::RolloutHalted,
            Self::WaitingForLimit(Limit::Concurrent { .. } | Limit::Hourly { .. })
            | Self::WaitingForCalls => Reason::WaitingForBudget,
            Self::Suspended | Self::Deleting => Reason::Suspended,
            Self::WaitingForCredentials(..) => Reason::WaitingForCredentials,
            Self::ConfirmingAbsence => Reason::ConfirmingAbsence,
            Self::GivenUp { cause, .. } => given_up(*cause),
            Self::JobOverdue { .. } => Reason::JobOverdue,
            Self::JobUnauthorized(_) => Reason::JobUnauthorized,
            Self::DriftDetected(_) => Reason::DriftDetected,
            Self::DriftContested { .. } => Reason::DriftContested,
            Self::ProxyUnhealthy(_) => Reason::ProxyUnhealthy,
            Self::ProxyNotFound => Reason::ProxyNotFound,
            // As after a rename: nothing is wrong, and it goes on by itself once the other one is deleted.
            Self::ProxyClaimed(rival) if rival.is_predecessor() => Reason::TakingOver,
            Self::ProxyClaimed(_) => Reason::ProxyClaimed,
            Self::ProxyContested(_) => Reason::ProxyContested,
            Self::TakingOver => Reason::TakingOver,
            Self::CrdOutdated => Reason::CrdOutdated,
            Self::Blocked(Trouble::CredentialsUnset(_) | Trouble::CredentialsMissing(_)) => {
                Reason::CredentialsMissing
            }
            Self::Blocked(Trouble::CredentialsInvalid(_)) => Reason::CredentialsInvalid,
            Self::Passing(error) | Self::Blocked(Trouble::Cloud(error)) => {
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
        Meaning::OutOfCalls => Reason::WaitingForBudget,
        Meaning::Slow => Reason::CloudSlow,
        Meaning::Withdrawn => Reason::ChangeNotSent,
        Meaning::Transient | Meaning::Unasked => Reason::CloudUnreachable,
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
