//! What the operator found and did: `status`.
//!
//! `change` is the write-ahead record of the change protocol: it is on the API server before anything is sent to the
//! cloud, and holds the job id as soon as there is one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::HistoryEntry;
use super::plan::PlanRecord;
use super::words::{known_or_default, readable, readable_change, readable_each};

/// The generation that is observed where the operator has written no status yet: the API server shows it by default.
pub const UNOBSERVED: i64 = -1;

/// Status of a proxy's port.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub struct TaurusProxyPortStatus {
    /// Generation that the rest of the status is about.
    #[serde(
        rename = "observedGeneration",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub observed_generation: Option<i64>,

    /// UID of the object that this status was written for, once it is known that no earlier change is still at work on
    /// its proxy. Another UID means that the object is a copy or was restored.
    #[serde(
        rename = "subjectUID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub subject_uid: Option<String>,

    /// Port last read from the proxy while no change was in progress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,

    /// Last wanted port that was seen in place with no change in progress.
    #[serde(
        rename = "appliedPort",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub applied_port: Option<i32>,

    /// Address of the proxy as last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// Name of the proxy as last read.
    #[serde(rename = "proxyName", default, skip_serializing_if = "Option::is_none")]
    pub proxy_name: Option<String>,

    /// Status word of the proxy as last read.
    #[serde(
        rename = "proxyStatus",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub proxy_status: Option<String>,

    /// The change that is due and waits for a window, the end of a freeze or an approval; absent when there is none.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub plan: Option<PlanRecord>,

    /// The change in progress; absent when there is none.
    #[serde(
        default,
        deserialize_with = "readable_change",
        skip_serializing_if = "Option::is_none"
    )]
    pub change: Option<ChangeRecord>,

    /// How the last change ended.
    #[serde(
        rename = "lastChange",
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_change: Option<LastChange>,

    /// The last changes that ended, newest first. Their lengths (`tookSeconds`) set how much of a window must be left; nothing else is
    /// decided by them.
    #[serde(
        default,
        deserialize_with = "readable_each",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(max = 10))]
    pub history: Vec<HistoryEntry>,

    /// Attempts at a port that did not succeed, one entry a port.
    #[serde(
        default,
        deserialize_with = "readable_each",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["port".into()]))]
    pub failures: Vec<FailureRecord>,

    /// Corrections of drift in the last day, for damping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrections: Option<Corrections>,

    /// Value of the request annotation that was last handled.
    #[serde(
        rename = "lastHandledRequest",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub last_handled_request: Option<String>,

    /// The Service that leads to the proxy.
    #[serde(
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub service: Option<PublishedService>,

    /// The ConfigMap that says where applications connect to.
    #[serde(
        rename = "configMap",
        default,
        deserialize_with = "readable",
        skip_serializing_if = "Option::is_none"
    )]
    pub config_map: Option<PublishedConfigMap>,

    /// Exactly one of Ready, Reconciling and Stalled is True.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl TaurusProxyPortStatus {
    /// Whether the operator has written none of it: it is the default of the definition, perhaps with what others have added.
    pub fn is_unobserved(&self) -> bool {
        self.observed_generation == Some(UNOBSERVED)
    }

    /// The condition of Ready, Reconciling and Stalled that is True; there is exactly one in what this operator wrote.
    pub fn main_condition(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| {
            let is_main = matches!(
                condition.type_.as_str(),
                "Ready" | "Reconciling" | "Stalled"
            );
            is_main && condition.status == "True"
        })
    }
}

/// How far a change has come. It only ever moves on.
///
/// A word of a later release is read as [`Self::Intended`]: a job that is on record is followed, and without one the outcome
/// is unknown.
#[derive(
    Serialize,
    Deserialize,
    JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
)]
pub enum Phase {
    /// On record, perhaps sent; without a job id its outcome is unknown.
    #[default]
    Intended,
    /// Accepted by the cloud with a job id.
    Submitted,
    /// The job is done; the port has still to be seen.
    Verifying,
}

/// The write-ahead record of a change.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct ChangeRecord {
    /// Random id of this change.
    pub id: String,
    /// Id of the plan that it carries out, where one was on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Port before the change.
    #[serde(rename = "fromPort")]
    pub from_port: i32,
    /// Port that was asked for.
    #[serde(rename = "toPort")]
    pub to_port: i32,
    /// Generation that asked for it.
    pub generation: i64,
    /// How far it has come.
    #[serde(deserialize_with = "known_or_default")]
    pub phase: Phase,
    /// Which attempt at this port it is, from 1.
    pub attempt: i32,
    /// Job that the cloud answered with.
    #[serde(rename = "jobID", default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// When the intent was recorded.
    #[serde(rename = "intendedAt")]
    pub intended_at: Time,
    /// When the cloud accepted it.
    #[serde(
        rename = "submittedAt",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub submitted_at: Option<Time>,
}

/// How a change ended. A word of a later release is read as [`Self::Void`].
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The port was seen in place.
    Succeeded,
    /// The job failed, or its port was never seen.
    Failed,
    /// It never reached the cloud, as far as can be known.
    #[default]
    Void,
}

/// The last change that ended.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct LastChange {
    /// Random id of the change.
    pub id: String,
    /// Port before the change.
    #[serde(rename = "fromPort")]
    pub from_port: i32,
    /// Port that was asked for.
    #[serde(rename = "toPort")]
    pub to_port: i32,
    /// Job that the cloud answered with.
    #[serde(rename = "jobID", default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// How it ended.
    #[serde(deserialize_with = "known_or_default")]
    pub outcome: Outcome,
    /// When the intent was recorded.
    #[serde(rename = "startedAt")]
    pub started_at: Time,
    /// When its end was seen.
    #[serde(rename = "finishedAt")]
    pub finished_at: Time,
    /// Details of its end: why it failed, or that its end was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Why the last attempt at a port did not succeed. A word of a later release is read as [`Self::OutcomeUnknown`].
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailureCause {
    /// The job failed or was cancelled.
    JobFailed,
    /// The job was completed but the port never changed.
    VerificationFailed,
    /// Nobody can say whether the request arrived; nothing came of it.
    #[default]
    OutcomeUnknown,
    /// The service refuses this port.
    PortRejected,
}

/// Attempts at one port that did not succeed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct FailureRecord {
    /// The port that was asked for.
    pub port: i32,
    /// Attempts that failed.
    #[serde(default)]
    #[schemars(!default)]
    pub failed: i32,
    /// Attempts that never reached the cloud, as far as is known.
    #[serde(default)]
    #[schemars(!default)]
    pub void: i32,
    /// When the last of them ended.
    #[serde(rename = "lastAt")]
    pub last_at: Time,
    /// Why the last of them did not succeed.
    #[serde(deserialize_with = "known_or_default")]
    pub cause: FailureCause,
    /// Another port was wanted since: the entry is forgotten an hour after its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<bool>,
    /// What the cloud said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A Service that leads to the proxy.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct PublishedService {
    /// Name of the Service.
    pub name: String,
    /// Its cluster IP.
    #[serde(rename = "clusterIP", default, skip_serializing_if = "Option::is_none")]
    pub cluster_ip: Option<String>,
    /// Port that applications connect to.
    pub port: i32,
    /// Address and port of the proxy to which it leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// A ConfigMap that says where applications connect to.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
pub struct PublishedConfigMap {
    /// Name of the ConfigMap.
    pub name: String,
}

/// Corrections of drift.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
pub struct Corrections {
    /// When they were verified; at most three in a day.
    #[schemars(length(max = 3))]
    pub times: Vec<Time>,
}
