//! Words of a later release, as a rollback leaves them behind: they must not make a record unreadable, nor the job in it.

use serde::{
    Deserialize, Deserializer,
    de::{IntoDeserializer as _, value::StringDeserializer},
};

/// Reads one of a closed set of words. A word that this release does not know is read as the default of the set.
pub fn known_or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    let word: StringDeserializer<D::Error> = String::deserialize(deserializer)?.into_deserializer();
    Ok(T::deserialize(word).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::status::{FailureCause, Outcome, Phase, TaurusProxyPortStatus};

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
    fn what_is_no_word_is_refused() {
        assert!(status(&json!(1), "Failed", "JobFailed").is_err());
    }
}
