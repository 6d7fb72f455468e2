//! Who counts calls of the cloud is told of each, once it has ended.

use std::time::Duration;

use super::{Meaning, Urgency};

/// The calls, as figures name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Operation {
    /// One page of an instance's proxies.
    ListProxies,
    /// The change of a port.
    ChangePort,
    /// One job.
    Job,
    /// One page of the project's tasks.
    Tasks,
    /// The details of up to twenty instances, for their maintenance windows, or of one, for its security group.
    InstanceWindows,
    /// One page of the rules of a security group.
    GroupRules,
    /// A token of IAM, or temporary keys of it or of what the operator runs in.
    Token,
    /// One page of the project's instances. The operator never asks for it; its tools do.
    ListInstances,
}

impl Operation {
    /// Those that the operator makes, and has figures of.
    pub fn iter() -> impl Iterator<Item = Self> {
        [
            Self::ListProxies,
            Self::ChangePort,
            Self::Job,
            Self::Tasks,
            Self::InstanceWindows,
            Self::GroupRules,
            Self::Token,
        ]
        .into_iter()
    }

    /// What is asked for, as people call it.
    pub fn for_people(self) -> &'static str {
        match self {
            Self::ListProxies => "the list of proxies",
            Self::ChangePort => "the change of the port",
            Self::Job => "the job",
            Self::Tasks => "the task list",
            Self::InstanceWindows => "the details of instances",
            Self::GroupRules => "the rules of the security group",
            Self::Token => "the token",
            Self::ListInstances => "the list of instances",
        }
    }
}

/// Counts calls; counting changes nothing.
pub trait CallObserver: Send + Sync {
    /// A call has ended: with an error of this meaning, or well where there is none.
    fn call_ended(&self, _operation: Operation, _meaning: Option<Meaning>, _took: Duration) {}
    /// A call of this urgency is being made.
    fn call_made(&self, _urgency: Urgency) {}
    /// Calls of this urgency were not to be had in time.
    fn call_put_off(&self, _urgency: Urgency) {}
    /// Calls of this urgency were waited for, until the budget had them.
    fn call_waited(&self, _urgency: Urgency, _took: Duration) {}
}

/// Counts nothing.
impl CallObserver for () {}
