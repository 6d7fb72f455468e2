//! What a user states about when a change may start: windows and approval.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// A time that comes again, in which a change may start.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceWindow {
    /// Days on which it begins: Mon to Sun; every day when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 7))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub days: Vec<Day>,

    /// Which of these days of a month count, 1 to 5: with days Tue and weeksOfMonth 2 the second Tuesday; all when absent.
    #[serde(
        rename = "weeksOfMonth",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(length(min = 1, max = 5), inner(range(min = 1, max = 5)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub weeks_of_month: Vec<i32>,

    /// When it begins, as hours and minutes of the time zone. Where the clocks skip that time, it begins right after what they skip; where
    /// they show it twice, at the first of both.
    #[schemars(regex(pattern = rules::TIME_OF_DAY), length(max = 5))]
    #[x_kube(validation = rules::form(rules::TIME_OF_DAY, "start must be a time from 00:00 to 23:59, as HH:MM in quotes"))]
    pub start: String,

    /// How long it lasts: 30m to 24h, in elapsed time. Units h, m and s.
    #[schemars(regex(pattern = rules::DURATION), length(max = 16))]
    #[x_kube(validation = rules::window_duration())]
    pub duration: String,

    /// Name of the time zone in the IANA data, such as Europe/Berlin; UTC when absent.
    #[serde(rename = "timeZone", default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = rules::TIME_ZONE), length(max = 64))]
    #[x_kube(validation = rules::form(rules::TIME_ZONE, "timeZone must be a name of the IANA data, such as Europe/Berlin"))]
    pub time_zone: Option<String>,
}

/// A day of the week.
#[derive(
    Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr,
)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// Whether changes may also start inside the maintenance window that the cloud has for the instance. `Ignore` (also when absent): it does not
/// count. `Follow`: it is one more window, beside those of maintenanceWindows.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstanceWindow {
    /// It does not count.
    #[default]
    Ignore,
    /// It is one more window.
    Follow,
}

/// Who lets a change start. `Automatic` (also when absent): nobody has to. `Manual`: a person approves each plan, by spec.approvedPlan or
/// by an annotation.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approval {
    /// Nobody has to.
    #[default]
    Automatic,
    /// A person approves each plan.
    Manual,
}
