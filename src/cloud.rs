//! The few calls of the cloud's API that this operator makes.
//!
//! [`Cloud`] is what the rest of the operator sees; [`http`] implements it over the network. Every call is bounded
//! in time and size, reads are repeatable, and the one write, [`Line::change_port`], is made at most once and
//! only with proof that its intent is on record.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::auth::secret::Credential,
    model::{InstanceId, JobId, JobState, Moment, ProxyId},
    permits::Permit,
    place::Subject,
};

mod acknowledged;
pub mod auth;
pub mod authorities;
pub mod budget;
pub mod connector;
pub mod defaults;
pub mod dial;
pub mod egress;
pub mod entrances;
pub mod error;
pub mod excerpt;
#[cfg(test)]
pub mod fake;
pub mod groups;
pub mod http;
mod lanes;
pub mod last_check;
mod line;
pub mod names;
pub mod observer;
pub(crate) mod paging;
mod reads;
pub mod request;
mod spans;
mod throttle;
mod tls;
pub mod trust;
pub mod wire;

pub use acknowledged::Acknowledged;
pub use budget::{Booked, Urgency};
pub use error::{CloudError, Meaning};
pub use groups::{GroupRule, SecurityGroup};
pub use last_check::LastCheck;

#[cfg(test)]
mod mutated;

/// The calls, made with one credential in one project.
pub trait Cloud: Send + Sync {
    /// The same cloud for calls of this urgency, so many of which have been waited for already; further ones wait each for
    /// itself, and those that are not made go back when it is dropped. First looks and sweeps are not waited for: where there is
    /// no call for one, that is an error with [`Meaning::OutOfCalls`].
    fn turn(
        &self,
        urgency: Urgency,
        calls: u32,
    ) -> BoxFuture<'_, Result<Arc<dyn Cloud>, CloudError>>;

    /// Books the time of a look that is not for a change: so those of a large fleet come one after the other, and leave calls
    /// for changes and jobs.
    fn book(&self, urgency: Urgency) -> Booked;

    /// How long it is until the next poll of this job, which was polled just now, may have a call that nobody else needs; nothing where
    /// nobody counts calls, or none will be left over.
    fn spare_call_in(&self, _job: &JobId) -> Option<Duration> {
        None
    }

    /// All proxies of an instance, over all pages (`GET …/instances/{id}/proxies`).
    ///
    /// An instance that is not there is an error with [`Meaning::NotFound`].
    fn list_proxies<'a>(
        &'a self,
        instance: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Proxies, CloudError>>;

    /// One job (`GET …/jobs?id=`). Every shape of "no such job" is an error with [`Meaning::NotFound`].
    fn job<'a>(&'a self, id: &'a JobId) -> BoxFuture<'a, Result<Job, CloudError>>;

    /// The project's recent and unfinished tasks (`GET …/immediate-jobs`): one walk with status Pending, one with
    /// Running, in this order, and one without status filter over tasks begun since `since`, begun when that with Pending has
    /// ended. Where this machine's clock is ahead of the cloud's, it is moved back by as much. Repeats are dropped.
    fn tasks(&self, since: Timestamp) -> BoxFuture<'_, Result<TaskList, CloudError>>;

    /// The project's running tasks: the walk with status Running alone.
    fn running(&self) -> BoxFuture<'_, Result<TaskList, CloudError>>;

    /// The maintenance windows of instances (`GET …/instances/details`), each as the cloud writes it: hours of the day in UTC, as
    /// `18:00-22:00`. Instances that are not there, or have none, are left out. One call, for at most [`request::DETAILS_AT_ONCE`].
    fn instance_windows<'a>(
        &'a self,
        _: &'a [InstanceId],
    ) -> BoxFuture<'a, Result<Vec<(InstanceId, String)>, CloudError>> {
        Box::pin(async {
            let text = "this cloud tells no maintenance windows";
            Err(CloudError::local(Meaning::Transient, text))
        })
    }

    /// Whether security groups are read, since the operator was asked to.
    fn reads_groups(&self) -> bool {
        false
    }

    /// The id of the security group of an instance (`GET …/instances/details`), if the cloud tells one.
    fn group_of<'a>(
        &'a self,
        _: &'a InstanceId,
    ) -> BoxFuture<'a, Result<Option<String>, CloudError>> {
        Box::pin(async { Ok(None) })
    }

    /// The rules of a security group for what comes in, over all pages (`GET …/vpc/security-group-rules` of VPC, which is another endpoint
    /// with a budget of its own: its calls are paid for here, one by one).
    fn group_rules<'a>(
        &'a self,
        _group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<GroupRule>, CloudError>> {
        Box::pin(async {
            let text = "this cloud tells no rules of security groups";
            Err(CloudError::local(Meaning::Transient, text))
        })
    }

    /// Opens a connection of its own for one change: name look-up, TCP, TLS and, where tokens are used, a token.
    ///
    /// An error here means that no byte of the change was sent.
    fn open_line(&self) -> BoxFuture<'_, Result<Box<dyn Line>, CloudError>>;
}

/// Makes connections to the cloud; no call is made by it.
pub trait Connect: Send + Sync {
    /// A connection for one place and credential, or why the place may not be called.
    fn connect(
        &self,
        subject: &Subject,
        credential: Credential,
    ) -> Result<Arc<dyn Cloud>, CloudError>;
}

/// A connection that is open and has carried nothing yet, good for one change of a port.
pub trait Line: Send {
    /// Asks `check`, writes `PUT …/proxy/{id}/port` at once and reads the answer. Never repeated, whatever comes.
    ///
    /// The permit is held by the caller for as long as the change may be at work.
    fn change_port<'a>(
        self: Box<Self>,
        intent: Acknowledged,
        permit: &'a Permit,
        check: LastCheck<'a>,
    ) -> BoxFuture<'a, ChangeAnswer>;
}

/// The proxies of an instance, as far as they could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Those that could be read.
    pub rows: Vec<Proxy>,
    /// Whether something was left out, or what should be a list was none: then one that is missing may be there.
    pub has_gaps: bool,
}

impl From<Vec<Proxy>> for Proxies {
    fn from(rows: Vec<Proxy>) -> Self {
        Self {
            rows,
            has_gaps: false,
        }
    }
}

impl std::ops::Deref for Proxies {
    type Target = [Proxy];

    fn deref(&self) -> &[Proxy] {
        &self.rows
    }
}

/// A proxy as the cloud's list shows it; only what is used, all else in the answer is ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `pool_id`.
    pub id: ProxyId,
    /// `name`, cut to a length that fits a status field.
    pub name: String,
    /// `status`.
    pub status: ProxyStatus,
    /// `address`, if it is not empty.
    pub address: Option<String>,
    /// `port`; nothing if it is absent, null, zero or no number. Digits in text are taken as a number.
    pub port: Option<u16>,
}

/// A database instance as the project's list shows it, for those who look for proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `id`.
    pub id: InstanceId,
    /// `name`.
    pub name: String,
    /// `status`, as the cloud wrote it.
    pub status: String,
    /// `tags`.
    pub tags: BTreeMap<String, String>,
}

/// Stands for a status that the cloud does not tell.
const NO_STATUS: &str = "no status";

/// What a proxy's status word means for us (API page "Querying Proxy Instances").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyStatus {
    /// Usable: a change may start.
    Active,
    /// `ABNORMAL`, `FAILED`, `DELETED`, `FROZEN` or no status: a person has to look; the word as the cloud wrote it.
    Unhealthy(String),
    /// Anything else, words with blanks and unknown ones included: something is at work, wait.
    Changing(String),
}

impl ProxyStatus {
    /// What a word of the cloud means; also one that was kept as [`Self::word`] gives it.
    pub fn of(word: Option<&str>) -> Self {
        let word = word.unwrap_or(NO_STATUS);
        match word.to_ascii_uppercase().as_str() {
            "ACTIVE" => Self::Active,
            // The last but one is a word of the sister service RDS; what is frozen does not thaw by itself.
            "ABNORMAL" | "FAILED" | "DELETED" | "FROZEN" | "NO STATUS" => {
                Self::Unhealthy(word.to_owned())
            }
            _ => Self::Changing(word.to_owned()),
        }
    }

    /// The word, as the cloud wrote it.
    pub fn word(&self) -> &str {
        match self {
            Self::Active => "ACTIVE",
            Self::Unhealthy(word) | Self::Changing(word) => word,
        }
    }
}

/// A job as `GET …/jobs?id=` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its state.
    pub state: JobState,
    /// `fail_reason`, cleaned and cut; nothing if it is empty.
    pub fail_reason: Option<String>,
    /// `ended`, if it is there and can be read.
    pub ended: Option<Timestamp>,
    /// The cloud's own time when it answered (`Date` header), for ages; nothing if it can't be read.
    pub cloud_time: Option<Timestamp>,
}

/// The project's task list, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskList {
    /// The tasks, each job once.
    pub tasks: Vec<Task>,
    /// The cloud's own time at the end of the reading (`Date` header); nothing if it can't be read.
    pub cloud_time: Option<Timestamp>,
    /// When the walks began that show what is at work, if that was not at once: what came after the walk with status Pending
    /// is in the one without filter.
    pub begun: Option<Moment>,
}

/// A row of the task list; it names the instance but no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// `job_id`; nothing if the row has none that can be read (it still counts as a task).
    pub job: Option<JobId>,
    /// `instance_id`; nothing if it can't be read: then the task may be of any instance.
    pub instance: Option<InstanceId>,
    /// `status`.
    pub state: JobState,
    /// `created_time`.
    pub created: Option<Timestamp>,
    /// `ended_time`.
    pub ended: Option<Timestamp>,
}

/// What became of one request to change a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// 2xx with a job id: the change is at work.
    Accepted(JobId),
    /// 2xx and valid JSON whose `job_id` is absent, null or empty: the port stood there already.
    NothingToDo,
    /// Any 409, or another 4xx with a recognised code of the service or its gateway: nothing was begun.
    Refused(CloudError),
    /// No byte of the request left.
    NotSent(CloudError),
    /// The last check spoke against it: no byte of the request left.
    Withdrawn(&'static str),
    /// Everything else: the change may be at work or not.
    Unknown(CloudError),
}
