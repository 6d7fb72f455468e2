//! The changes that ended, for people: `status.history`.
//!
//! Nothing is decided by it but how long a change is expected to take, and that a plan was used. Promises that each entry is small: no text of the other side stands in it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{status::Outcome, words::known_or_default};

/// A change that ended.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// Random id of the change.
    pub id: String,
    /// Id of the plan that it carried out, where one was on record: the id that was approved, if an approval was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Port before the change.
    #[serde(rename = "fromPort")]
    pub from_port: i32,
    /// Port that was asked for.
    #[serde(rename = "toPort")]
    pub to_port: i32,
    /// Job that the cloud answered with.
    #[serde(rename = "jobID", default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// What the change was made for.
    #[serde(deserialize_with = "known_or_default")]
    pub trigger: Trigger,
    /// How it ended.
    #[serde(deserialize_with = "known_or_default")]
    pub outcome: Outcome,
    /// When the intent was recorded.
    #[serde(rename = "startedAt")]
    pub started_at: Time,
    /// When its end was seen.
    #[serde(rename = "finishedAt")]
    pub finished_at: Time,
    /// How many seconds passed from the intent to the end of the job, by what the cloud tells of that end; absent where it tells nothing.
    /// Maintenance windows must have room for the longest of the last changes.
    #[serde(
        rename = "tookSeconds",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub took_seconds: Option<i64>,
}

/// What a change was made for. A word of a later release is read as [`Self::Edit`].
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The resource wanted a port that was not in place before.
    #[default]
    Edit,
    /// The wanted port was in place before, and somebody had changed it.
    Drift,
    /// An attempt at the same port just before it did not succeed.
    Retry,
}
