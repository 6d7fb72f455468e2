//! Records that this release can't read as a whole: words of a later release, as a rollback leaves them behind, and records of
//! which an older definition has dropped a part. They must not make the resource unreadable, nor the job in it.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IntoDeserializer as _, value::StringDeserializer},
};
use serde_json::Value;

use super::status::{ChangeRecord, Phase};

/// Reads one of a closed set of words. A word that this release does not know is read as the default of the set.
pub fn known_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let word: StringDeserializer<D::Error> = String::deserialize(deserializer)?.into_deserializer();
    Ok(T::deserialize(word).unwrap_or_default())
}

/// Reads what is there, or nothing if it can't be read.
pub fn readable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// Reads those of a list that can be read.
pub fn readable_each<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let values = Vec::<Value>::deserialize(deserializer)?;
    let read = |value| serde_json::from_value(value).ok();
    Ok(values.into_iter().filter_map(read).collect())
}

/// Reads a change. One that can't be read is not nothing, for it may be at work: it has ports that none of ours has, and was
/// begun in the future, which counts as now.
pub fn readable_change<'de, D>(deserializer: D) -> Result<Option<ChangeRecord>, D::Error>
where
    D: Deserializer<'de>,
{
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.map(|value| {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        let unreadable = ChangeRecord {
            id: id.to_owned(),
            plan: None,
            from_port: -1,
            to_port: -1,
            generation: 0,
            phase: Phase::Intended,
            attempt: 1,
            job_id: None,
            intended_at: Time(Timestamp::MAX),
            submitted_at: None,
        };
        serde_json::from_value(value).unwrap_or(unreadable)
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::status::{FailureCause, Outcome, TaurusProxyPortStatus},
        *,
    };
    use crate::plan::record::Change;

    fn status(
        phase: &Value,
        outcome: &str,
        cause: &str,
    ) -> serde_json::Result<TaurusProxyPortStatus> {
        let at = "2026-01-01T00:00:00Z";
        serde_json::from_value(json!({
            "change": {
                "id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": phase, "attempt": 1,
                "jobID": "job-1", "intendedAt": at
            },
            "lastChange": {
                "id": "b", "fromPort": 3305, "toPort": 3306, "outcome": outcome, "startedAt": at, "finishedAt": at
            },
            "failures": [{"port": 3309, "failed": 1, "void": 0, "cause": cause, "lastAt": at}],
        }))
    }

    fn words(status: TaurusProxyPortStatus) -> (Phase, Outcome, FailureCause) {
        let (change, last) = (status.change.unwrap(), status.last_change.unwrap());
        assert_eq!(change.job_id.as_deref(), Some("job-1"), "it is not lost");
        (change.phase, last.outcome, status.failures[0].cause)
    }

    #[test]
    fn known_words_are_read_as_they_are() {
        let read = status(&json!("Verifying"), "Failed", "PortRejected").unwrap();
        let known = (
            Phase::Verifying,
            Outcome::Failed,
            FailureCause::PortRejected,
        );
        assert_eq!(words(read), known);
    }

    #[test]
    fn words_of_a_later_release_are_read_as_what_promises_least() {
        let read = status(&json!("Draining"), "Superseded", "NodeLost").unwrap();
        let least = (Phase::Intended, Outcome::Void, FailureCause::OutcomeUnknown);
        assert_eq!(words(read), least);
    }

    #[test]
    fn c12a_a_change_that_can_not_be_read_is_one_that_is_not_ours() {
        let read = status(&json!(1), "Failed", "JobFailed").unwrap();
        let change = read.change.unwrap();
        assert_eq!(change.id, "c");
        assert_eq!(Change::of(&change), None);
        for field in [
            "id",
            "fromPort",
            "toPort",
            "generation",
            "phase",
            "attempt",
            "intendedAt",
        ] {
            let mut change = json!({
                "id": "c", "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": "Intended", "attempt": 1,
                "intendedAt": "2026-01-01T00:00:00Z"
            });
            change.as_object_mut().unwrap().remove(field);
            let read: TaurusProxyPortStatus =
                serde_json::from_value(json!({"change": change})).unwrap();
            assert_eq!(Change::of(&read.change.unwrap()), None, "{field}");
        }
    }

    #[test]
    fn an_end_or_an_attempt_that_can_not_be_read_makes_nothing_else_unreadable() {
        let read: TaurusProxyPortStatus = serde_json::from_value(json!({
            "lastChange": {"id": "b"}, "port": 3306,
            "failures": [
                {"port": 3308}, {"port": 3309, "cause": "JobFailed", "lastAt": "2026-01-01T00:00:00Z"}
            ]
        }))
        .unwrap();
        assert_eq!((read.last_change, read.port), (None, Some(3306)));
        assert_eq!(read.failures.len(), 1);
    }
}
