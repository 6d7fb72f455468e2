//! What will become of a job: decided when it is accepted, so that its state is a function of the clock.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The course of a job. [`JobPlan::default`] runs for a minute, is visible after 3 seconds, and completes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobPlan {
    /// How long it is `Pending` before it runs.
    #[serde(with = "crate::seconds")]
    pub pending: Duration,
    /// How long it runs.
    #[serde(with = "crate::seconds")]
    pub duration: Duration,
    /// How long after its acceptance nobody can query it ("several seconds", says the API page).
    #[serde(with = "crate::seconds")]
    pub visible_after: Duration,
    /// How it ends.
    pub outcome: JobOutcome,
    /// When the list shows the new port of a job that completes.
    pub port_shows: PortShows,
    /// Where clients reach the proxy while it is pending and at work.
    pub port_listens: PortListens,
    /// What stands for the status word while it is pending or running, `null` included.
    #[serde(
        deserialize_with = "even_null",
        skip_serializing_if = "Option::is_none"
    )]
    pub running_word: Option<Value>,
    /// What stands for the status word once it has ended.
    #[serde(
        deserialize_with = "even_null",
        skip_serializing_if = "Option::is_none"
    )]
    pub end_word: Option<Value>,
    /// How long after its acceptance its record is kept: a month, says the API page. The job goes on without it.
    #[serde(with = "crate::seconds")]
    pub record_kept: Duration,
}

impl Default for JobPlan {
    fn default() -> Self {
        Self {
            pending: Duration::ZERO,
            duration: Duration::from_mins(1),
            visible_after: Duration::from_secs(3),
            outcome: JobOutcome::default(),
            port_shows: PortShows::default(),
            port_listens: PortListens::default(),
            running_word: None,
            end_word: None,
            record_kept: Duration::from_hours(30 * 24),
        }
    }
}

impl JobPlan {
    /// Runs for this long.
    pub fn lasting(duration: Duration) -> Self {
        Self {
            duration,
            ..Self::default()
        }
    }

    /// Ends like this.
    pub fn ending(outcome: JobOutcome) -> Self {
        Self {
            outcome,
            ..Self::default()
        }
    }

    /// Ends as failed, for this reason.
    pub fn failing(reason: &str) -> Self {
        Self::ending(JobOutcome::Failed {
            reason: Some(reason.to_owned()),
        })
    }

    /// Can be queried after this long.
    #[must_use]
    pub fn visible_after(self, delay: Duration) -> Self {
        Self {
            visible_after: delay,
            ..self
        }
    }

    /// The list shows the new port then.
    #[must_use]
    pub fn port_shows(self, port_shows: PortShows) -> Self {
        Self { port_shows, ..self }
    }

    /// Clients reach the proxy there meanwhile.
    #[must_use]
    pub fn port_listens(self, port_listens: PortListens) -> Self {
        Self {
            port_listens,
            ..self
        }
    }

    /// While it is pending or running, this stands for the status word.
    #[must_use]
    pub fn running_word(self, word: impl Into<Value>) -> Self {
        Self {
            running_word: Some(word.into()),
            ..self
        }
    }

    /// Once it has ended, this stands for the status word.
    #[must_use]
    pub fn end_word(self, word: impl Into<Value>) -> Self {
        Self {
            end_word: Some(word.into()),
            ..self
        }
    }
}

/// How a job ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobOutcome {
    /// `Completed`; the port is changed.
    #[default]
    Completed,
    /// `Failed`; the port stays.
    Failed {
        /// `fail_reason`; not every failure tells one.
        reason: Option<String>,
    },
    /// `Canceled`; the port stays.
    Canceled,
    /// `Unauthorized` from the moment when it would have run, for ever: it waits for a person.
    Unauthorized,
    /// `Running` for ever.
    NeverEnds,
}

/// When the list shows the new port of a job that completes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortShows {
    /// As soon as the change is accepted, and until its end also when it fails.
    AtOnce,
    /// This much before the job ends (seconds in JSON).
    Before(#[serde(with = "crate::seconds")] Duration),
    /// When the job ends; in mode M4 this means [`PortShows::AtOnce`].
    #[default]
    AtEnd,
    /// This much after the job has ended: the list lags behind (seconds in JSON).
    After(#[serde(with = "crate::seconds")] Duration),
    /// Never: the job claims to have completed and did nothing.
    Never,
}

/// Where clients reach the proxy while a job is pending and at work: no document says it. Connections to a port are cut when the
/// proxy ceases to listen there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortListens {
    /// At the old port until the job ends, then at the one that is in force.
    #[default]
    AtEnd,
    /// At the new port from this much before the job ends (seconds in JSON), but not before it begins to work; a job that does not
    /// complete brings the old one back at its end.
    Before(#[serde(with = "crate::seconds")] Duration),
    /// Nowhere, from when the job begins to work until this much after its end (seconds in JSON).
    Down(#[serde(with = "crate::seconds")] Duration),
}

/// Tells a `null` that is there from an absent field.
fn even_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_written_in_seconds_and_a_null_word_is_not_an_absent_one() {
        let plan: JobPlan = serde_json::from_str(
            r#"{"duration": 1.5, "outcome": {"failed": {"reason": "no disk"}}, "port_shows": {"after": 90},
                "port_listens": {"before": 2}, "end_word": null}"#,
        )
        .unwrap();
        assert_eq!(plan.duration, Duration::from_millis(1500));
        assert_eq!(
            plan.outcome,
            JobOutcome::Failed {
                reason: Some("no disk".to_owned())
            }
        );
        assert_eq!(plan.port_shows, PortShows::After(Duration::from_secs(90)));
        let early = PortListens::Before(Duration::from_secs(2));
        assert_eq!(plan.port_listens, early);
        assert_eq!(
            (plan.running_word.clone(), plan.end_word.clone()),
            (None, Some(Value::Null))
        );
        let again: JobPlan = serde_json::from_value(serde_json::to_value(&plan).unwrap()).unwrap();
        assert_eq!(again, plan);
    }

    #[test]
    fn nonsense_is_refused() {
        for odd in [
            r#"{"duration": -1}"#,
            r#"{"durations": 1}"#,
            r#"{"outcome": "done"}"#,
            r#"{"duration": 1e300}"#,
            r#"{"port_listens": {"down": -1}}"#,
        ] {
            assert!(serde_json::from_str::<JobPlan>(odd).is_err(), "{odd}");
        }
    }
}
