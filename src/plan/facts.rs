//! What decisions are made on, besides the wishes and the record: what was seen of the cloud and of the fleet.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;

use crate::{
    cloud::{CloudError, Job, Proxy, Task},
    crd::ManagementPolicy,
    desired::Desired,
    fleet::claims::{Opening, Other, Standing},
    model::{JobId, Moment},
    pace::Pace,
    permits::limits::Limit,
    plan::{admitting::Admission, record::Record, session::Session, timing::Terms},
    preflight::warnings,
};

/// A read of the cloud, as a value: a failed one proves nothing, and says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seen<T> {
    /// It was not looked at.
    #[default]
    NotRead,
    /// It was read.
    Known(T),
    /// It could not be read.
    Unknown(Trouble),
}

/// Why the cloud could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No Secret is named, and there are no default credentials that may be used.
    CredentialsUnset(String),
    /// There is no such Secret, or it may not be read; either may come any moment.
    CredentialsMissing(String),
    /// The Secret holds no usable credentials.
    CredentialsInvalid(String),
    /// The call failed.
    Cloud(CloudError),
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The proxy in the instance's list; `Known(None)` where the list lacks it.
    pub proxy: Seen<Option<Proxy>>,
    /// Whether the list that was read may lack the proxy though it is there.
    pub list_has_gaps: bool,
    /// Whether `proxy` is what is on record, and was not read now.
    pub is_recalled: bool,
    /// The job on record.
    pub job: Seen<Job>,
    /// How long it is until a poll of the job may have a call that nobody else needs, where there is one.
    pub spare_call_in: Option<Duration>,
    /// Jobs are so many that a list of running tasks stands in for polls.
    pub by_list: bool,
    /// The proxy in a list that was read while the job is at work, for people alone: nothing follows from it.
    pub beside: Seen<Option<Proxy>>,
    /// The task that counts as unfinished on the instance and holds it back the longest, from a task list that was read
    /// before the list of proxies; `Known(None)` where there is none.
    pub tasks: Seen<Option<Task>>,
    /// That task has completed, and counts for so much longer.
    pub tasks_clear_in: Option<Duration>,
    /// A task of the instance came to nothing a short while ago: for so much longer the list of proxies may show a port that was taken
    /// back.
    pub failed_lately: Option<Duration>,
    /// The jobs that were given up and would hold the instance back otherwise.
    pub passed_over: Vec<JobId>,
    /// Since when the task list knows of what is at work.
    pub tasks_since: Option<Moment>,
    /// The cloud's own time when it told of its tasks, where that was asked for and told.
    pub cloud_time: Option<Timestamp>,
    /// Whether the task list shows that a task of the instance has ended that was begun when the change on record must have been
    /// over, by its recorded time and `changeTimeout`.
    pub outlived: bool,
    /// Jobs that were given up, by an annotation on a resource of the instance whose word counts.
    pub abandoned: BTreeSet<JobId>,
    /// How the resource stands to others that name the same proxy.
    pub standing: Standing,
    /// For whom a resource waits whose standing is open.
    pub opening: Opening,
    /// Whether another change of ours is at work on the instance.
    pub instance_taken: bool,
    /// Whose that is, where it is known.
    pub goes_first: Option<Other>,
    /// The limit over all resources for which a permit was refused.
    pub limit: Option<Limit>,
    /// Whether the installed definition dropped the record of a change.
    pub record_pruned: bool,
    /// What holds for the time of changes; nothing where they may start at any time.
    pub terms: Option<Box<Terms>>,
    /// What the change that is due would break in the cluster, where that was looked at.
    pub preflight: Option<Preflight>,
    /// What the security group of the instance means for the change that is due, where that was looked at.
    pub admission: Option<Box<Admission>>,
}

/// What a change would break in the cluster, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// The port that goes, and the one that comes.
    pub ports: (i32, i32),
    /// The first warnings; none where nothing was found.
    pub warnings: Arc<[String]>,
    /// How many more there are.
    pub more: usize,
}

impl Preflight {
    /// As many warnings as there is room for; where that is too little, the last one says how many more there are.
    pub fn shown(&self, room: usize) -> Vec<String> {
        let (count, more) = (self.warnings.len(), self.more);
        if more == 0 && count <= room {
            return self.warnings.to_vec();
        }
        let Some(first) = room.checked_sub(1) else {
            return Vec::new();
        };
        let first = first.min(count);
        let mut shown: Vec<String> = self.warnings.iter().take(first).cloned().collect();
        shown.push(warnings::and_more(count - first + more));
        shown
    }
}

impl Observed {
    /// Whether a read of the cloud has failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.proxy, Seen::Unknown(_))
            || matches!(self.job, Seen::Unknown(_))
            || matches!(self.tasks, Seen::Unknown(_))
    }
}

/// Everything that a decision may rest on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// What is on record.
    pub record: &'a Record,
    /// What was just seen.
    pub observed: &'a Observed,
    /// What this process remembers.
    pub session: &'a Session,
    /// Now.
    pub now: Moment,
    /// For how long this process has led.
    pub leading_for: Duration,
    /// The durations.
    pub pace: &'a Pace,
    /// How often a settled resource is looked at.
    pub resync: Duration,
}

impl Facts<'_> {
    /// How long ago a recorded time was. One that lay in the future when this process first saw it counts as that moment.
    pub fn age(&self, time: Timestamp) -> Duration {
        self.session.age(time, self.now)
    }

    /// The wall clock's time at an uptime that is yet to come, for people.
    pub fn shown_at(&self, uptime: Duration) -> Option<Timestamp> {
        let left = uptime.saturating_sub(self.now.uptime);
        (!left.is_zero()).then(|| self.now.after(left))
    }

    /// Whether it is known that no change from before this object is at work.
    pub fn is_vetted(&self) -> bool {
        self.record.vetted && self.session.doubted.is_none()
    }

    /// Whether the resource only observes its proxy.
    pub fn observes(&self) -> bool {
        self.desired.policy == ManagementPolicy::Observe
    }
}
