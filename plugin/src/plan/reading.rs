//! How old the port may be that a forecast rests on, as far as the status tells.
//!
//! The status has no time of a reading. It has the last request for a look that the operator has answered, and `retry` writes the time
//! as its request: the operator has looked then or later. A port that was moved since the last look is not seen here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Action, Verdict};
use crate::resource::{looked_after, text_at};

/// The verdict; `Unknown` where it says that a new spec changes nothing, and the status shows no look within the limit. What the operator
/// acts on already is left as it is, and so is what may set no port.
pub fn within(limit: Duration, verdict: Verdict, object: &Value, now: Timestamp) -> Verdict {
    let rests_on_the_port = verdict.action == Action::Nothing && verdict.reason.is_none();
    let observes = text_at(object, "/spec/managementPolicy").as_deref() == Some("Observe");
    let generation = |place: &str| object.pointer(place).and_then(Value::as_i64);
    let is_new = generation("/status/observedGeneration") != generation("/metadata/generation");
    if !rests_on_the_port || observes || !is_new {
        return verdict;
    }
    let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
    let message = match looked_after(object) {
        Some(at) if at > now => format!(
            "the last request for a look that the status shows is of {at:.0}, which lies ahead of this machine's clock"
        ),
        Some(at) if now.duration_since(at) <= limit => return verdict,
        Some(at) => format!(
            "the last look that the status shows was asked for at {at:.0}, longer ago than --max-age"
        ),
        None => {
            "the status shows no look that was asked for, so the port may be older than --max-age"
                .to_owned()
        }
    };
    Verdict {
        action: Action::Unknown,
        message: format!("{message}: ask for one with `retry --wait`"),
        ..verdict
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nothing() -> Verdict {
        Verdict {
            action: Action::Nothing,
            from: Some(3400),
            to: Some(3400),
            not_before: None,
            reason: None,
            message: String::new(),
        }
    }

    fn judged(verdict: Verdict, change: impl FnOnce(&mut Value)) -> Verdict {
        let mut object = json!({
            "metadata": {"generation": 2}, "spec": {"port": 3400, "managementPolicy": "Enforce"},
            "status": {"observedGeneration": 1, "port": 3400, "lastHandledRequest": "2026-03-02T11:55:00Z"},
        });
        change(&mut object);
        let now = "2026-03-02T12:00:00Z".parse().unwrap();
        within(Duration::from_mins(10), verdict, &object, now)
    }

    #[test]
    fn a_new_spec_that_rests_on_an_old_reading_is_not_known_to_change_nothing() {
        assert_eq!(judged(nothing(), |_| ()), nothing());
        for (handled, said) in [
            (json!("2026-03-02T11:49:59Z"), "at 2026-03-02T11:49:59Z"),
            (
                json!("2026-03-02T12:00:01Z"),
                "ahead of this machine's clock",
            ),
            (json!("now"), "no look"),
            (Value::Null, "no look"),
        ] {
            let old = judged(nothing(), |object| {
                object["status"]["lastHandledRequest"] = handled;
            });
            assert_eq!(old.action, Action::Unknown, "{old:?}");
            assert!(
                old.message.contains(said) && old.message.contains("retry --wait"),
                "{old:?}"
            );
            assert!(
                old.shown()
                    .starts_with("port 3400, if the proxy has another: ")
            );
        }
    }

    #[test]
    fn what_the_reading_does_not_decide_is_left_as_it_is() {
        let never = |object: &mut Value| object["status"]["lastHandledRequest"] = Value::Null;
        let change = Verdict {
            action: Action::Change,
            ..nothing()
        };
        assert_eq!(judged(change.clone(), never), change);
        let suspended = Verdict {
            reason: Some("Suspended"),
            ..nothing()
        };
        assert_eq!(judged(suspended.clone(), never), suspended);
        let observed = judged(nothing(), |object| {
            never(object);
            object["spec"]["managementPolicy"] = json!("Observe");
        });
        assert_eq!(observed, nothing());
        let acted_on = judged(nothing(), |object| {
            never(object);
            object["status"]["observedGeneration"] = json!(2);
        });
        assert_eq!(acted_on, nothing());
    }
}
