//! The change that is due and waits for its moment: `status.plan`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change that is due and has not started.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct PlanRecord {
    /// Stands for the resource, what its spec says, both ports, `madeAt` and `nonce`: another plan has another id, and an approval counts
    /// for one id only.
    pub id: String,
    /// Port that the proxy has.
    #[serde(rename = "fromPort")]
    pub from_port: i32,
    /// Port that will be asked for.
    #[serde(rename = "toPort")]
    pub to_port: i32,
    /// When it was made: later than each plan of this resource before it.
    #[serde(rename = "madeAt")]
    pub made_at: Time,
    /// A random number, so that nobody knows the id before the plan is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<i64>,
    /// The next time at which windows and freezes let it start; absent if it may start now, and where no such time is known.
    #[serde(rename = "notBefore", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// What it waits for: `Window`; `Freeze` (also: no calendar was read); `Approval`; `Preflight` (the
    /// security group of the instance, where `spec.preflight` is `Require`); `Budget` (a limit of the operator, or a halt); `Instance` (other
    /// work on the instance or proxy).
    #[serde(rename = "waitsFor", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub waits_for: Vec<WaitsFor>,
    /// What a person should know before it starts, or why it can't; also what it would break, such as a `NetworkPolicy` or the instance's
    /// security group that lets only the old port through, where the operator may read that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub warnings: Vec<String>,
}

/// What a plan waits for.
#[derive(
    Serialize,
    Deserialize,
    JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum WaitsFor {
    /// A maintenance window.
    Window,
    /// The end of a freeze; also: no calendar was read.
    Freeze,
    /// A person's approval of this plan.
    Approval,
    /// The security group of the instance.
    Preflight,
    /// A limit of the operator over all resources, or a halt.
    Budget,
    /// Other work on the instance or proxy.
    Instance,
}
