//! What the vendor leaves open, or does differently from place to place, as switches.
//!
//! Promises that the default of each switch is what is documented or, where nothing is, the most plausible.

mod change;
mod throttling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::Oddity;

pub use change::BehaviourChange;
pub use throttling::{ThrottledBy, Throttling};

/// What the service shows and takes while a port change runs. Which one is true is documented nowhere.
///
/// In all of them the task list shows the running job as soon as it is visible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// The list shows a status that isn't ACTIVE; a second change is busy.
    M1,
    /// The list shows ACTIVE and the old port; a second change is busy.
    #[default]
    M2,
    /// As M2, but a second change is accepted as a second job.
    M3,
    /// The list shows the new port at once; a second change is busy.
    M4,
}

impl Mode {
    /// All modes, for tests that hold in each.
    pub const ALL: [Self; 4] = [Self::M1, Self::M2, Self::M3, Self::M4];
}

/// The switches. [`Behaviour::default`] is the documented behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// What is seen of a running change, where the proxy has no mode of its own.
    pub mode: Mode,
    /// The proxy's status word during a change in [`Mode::M1`]. None is documented for TaurusDB; the default is the word that
    /// the sister service RDS documents for its proxies.
    pub changing_status: String,
    /// Whose unfinished jobs make a change busy.
    pub busy_scope: BusyScope,
    /// The refusal while a job runs. Other codes seen in the field: DBS.200047, .201015, .212033, .05000084.
    pub busy: Refusal,
    /// The refusal when proxy or instance have a status other than ACTIVE.
    pub wrong_status: Refusal,
    /// Statuses that have a refusal of their own: of frozen objects, full storage and backups, as documented.
    pub refusals_by_status: BTreeMap<String, Refusal>,
    /// The refusal of a port that is out of range or reserved. Other candidates: DBS.200001, .280364, .05000032.
    pub bad_port: Refusal,
    /// Whether port 33060 is taken: the API reference doesn't reserve it, the user guide does.
    pub accepts_33060: bool,
    /// The answer to a change to the port that is in force.
    pub same_port: SamePort,
    /// The answer to a query for a job that isn't known, or not yet.
    pub missing_job: MissingJob,
    /// The answer for an instance that isn't there.
    pub missing_instance: MissingInstance,
    /// What `offset` of the task list counts; its page doesn't say.
    pub task_offset: TaskOffset,
    /// Whether the task list refuses `offset=0`, which no client of the vendor's sends.
    pub refuses_task_offset_0: bool,
    /// The page of the proxy list when no `limit` is given: 100 in newer pages, 10 in older ones.
    pub default_limit: usize,
    /// How often somebody may call; as often as they like without it.
    pub throttling: Option<Throttling>,
    /// Departures from the documented types, in all answers.
    pub odd: BTreeSet<Oddity>,
    /// How long a new token is good for.
    #[serde(with = "crate::seconds")]
    pub token_lifetime: Duration,
    /// How far the service's clock, by which it judges signatures, is ahead of this machine's; seconds in JSON.
    #[serde(with = "signed_seconds")]
    pub clock_skew: SignedDuration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            changing_status: "PORT_MODIFYING".to_owned(),
            busy_scope: BusyScope::default(),
            busy: Refusal::new(409, "DBS.200019"),
            wrong_status: Refusal::new(409, "DBS.201014"),
            refusals_by_status: documented_refusals(),
            bad_port: Refusal::new(400, "DBS.200461"),
            accepts_33060: false,
            same_port: SamePort::default(),
            missing_job: MissingJob::default(),
            missing_instance: MissingInstance::default(),
            task_offset: TaskOffset::default(),
            refuses_task_offset_0: false,
            default_limit: 100,
            throttling: None,
            odd: BTreeSet::new(),
            token_lifetime: Duration::from_hours(24),
            clock_skew: SignedDuration::ZERO,
        }
    }
}

impl Behaviour {
    /// The refusal of a change in this status.
    pub(crate) fn refusal_in(&self, status: &str) -> &Refusal {
        self.refusals_by_status
            .get(status)
            .unwrap_or(&self.wrong_status)
    }
}

fn documented_refusals() -> BTreeMap<String, Refusal> {
    [
        ("FROZEN", 400, "DBS.280449"),
        ("STORAGE FULL", 409, "DBS.200316"),
        ("BACKING UP", 409, "DBS.201205"),
    ]
    .map(|(status, http, code)| (status.to_owned(), Refusal::new(http, code)))
    .into()
}

/// A refusal with a selectable code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The whole code, such as `DBS.200019`.
    pub code: String,
}

impl Refusal {
    /// A refusal with this HTTP status and this code.
    pub fn new(status: u16, code: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
        }
    }
}

/// Whose unfinished jobs make a change busy (not documented).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusyScope {
    /// Those of the whole instance.
    #[default]
    Instance,
    /// Those of the proxy alone.
    Proxy,
}

/// `job_id` in the answer to a change that changes nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamePort {
    /// `{"job_id": null}`
    #[default]
    Null,
    /// `{}`
    Absent,
    /// `{"job_id": ""}`
    Empty,
}

/// How a job that can't be found is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingJob {
    /// 400 with DBS.200543, as documented.
    #[default]
    Code,
    /// 404 with the same code.
    NotFound,
    /// 200 with `{"job": null}`.
    NullJob,
}

/// How an instance that isn't there is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingInstance {
    /// 404 with DBS.200002.
    #[default]
    NotFound,
    /// 404 with DBS.201028.
    NotFound201028,
    /// 400 with DBS.201028.
    BadRequest201028,
    /// 409 with DBS.200932 from the proxy list, 404 with DBS.200002 from all else.
    Conflict200932,
}

/// What `offset` of the task list counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOffset {
    /// Pages; the first is 1. So the vendor's Terraform provider reads the list.
    #[default]
    Pages,
    /// Items; the first is 0.
    ItemsFromZero,
    /// Items; the first is 1.
    ItemsFromOne,
}

impl TaskOffset {
    /// All countings, for tests that hold under each.
    pub const ALL: [Self; 3] = [Self::Pages, Self::ItemsFromZero, Self::ItemsFromOne];

    /// How many items lie before the page. Without an offset none do; 0 stands for the first item or page.
    pub(crate) fn skipped(self, offset: Option<usize>, limit: usize) -> usize {
        let before = offset.unwrap_or_default();
        match self {
            Self::ItemsFromZero => before,
            Self::ItemsFromOne => before.saturating_sub(1),
            Self::Pages => before.saturating_sub(1).saturating_mul(limit),
        }
    }
}

/// Serde for a span of time that may be negative: whole seconds.
mod signed_seconds {
    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &SignedDuration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SignedDuration, D::Error> {
        i64::deserialize(deserializer).map(SignedDuration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_skips_what_its_counting_says() {
        for (counting, offset, skipped) in [
            (TaskOffset::ItemsFromZero, None, 0),
            (TaskOffset::ItemsFromZero, Some(0), 0),
            (TaskOffset::ItemsFromZero, Some(1), 1),
            (TaskOffset::ItemsFromOne, None, 0),
            (TaskOffset::ItemsFromOne, Some(0), 0),
            (TaskOffset::ItemsFromOne, Some(1), 0),
            (TaskOffset::ItemsFromOne, Some(11), 10),
            (TaskOffset::Pages, None, 0),
            (TaskOffset::Pages, Some(1), 0),
            (TaskOffset::Pages, Some(3), 20),
        ] {
            assert_eq!(
                counting.skipped(offset, 10),
                skipped,
                "{counting:?} {offset:?}"
            );
        }
    }

    #[test]
    fn a_behaviour_survives_json_and_a_misspelt_switch_does_not() {
        let behaviour = Behaviour {
            clock_skew: SignedDuration::from_secs(-90),
            ..Behaviour::default()
        };
        let json = serde_json::to_value(&behaviour).unwrap();
        assert_eq!(json["clock_skew"], -90);
        assert_eq!(
            serde_json::from_value::<Behaviour>(json).unwrap(),
            behaviour
        );
        assert!(serde_json::from_str::<Behaviour>(r#"{"mod": "M1"}"#).is_err());
    }
}
