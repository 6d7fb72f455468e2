//! Whether the installed definition of the resource keeps all of the record.
//!
//! The API server drops what its definition does not have, and says nothing. A change whose job id is dropped would be taken
//! for one of unknown outcome, and attempts that are dropped would be made again. So what was stored is compared with what was
//! sent, and before a change the whole record is sent in a dry run, also the fields that the change would need only later.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::Status;

use super::{Journal, JournalError, Making};
use crate::{
    crd::{
        ChangeRecord, Corrections, FailureCause, FailureRecord, LastChange, Outcome, Phase,
        PlanRecord, TaurusProxyPort, TaurusProxyPortStatus, WaitsFor,
    },
    model::Moment,
};

/// What was last seen of a definition.
#[derive(Debug, Default)]
pub struct Definition(Mutex<Seen>);

/// Uptimes of what was seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// It kept all of the record.
    whole_at: Option<Duration>,
    /// It dropped something.
    outdated_at: Option<Duration>,
}

impl Definition {
    /// Whether that is less than `good_for` ago.
    pub fn is_known(&self, now: Moment, good_for: Duration) -> bool {
        let whole_at = self.seen().whole_at;
        whole_at.is_some_and(|at| now.elapsed(at) < good_for)
    }

    /// It kept all of the record, said an answer to what was asked then. Where another resource has seen something dropped since, the
    /// answer is of the past.
    pub fn was_whole(&self, asked: Moment) {
        let mut seen = self.seen();
        if seen.outdated_at.is_none_or(|at| at < asked.uptime) {
            seen.whole_at = seen.whole_at.max(Some(asked.uptime));
        }
    }

    /// It has dropped something.
    pub fn is_outdated(&self, now: Moment) {
        *self.seen() = Seen {
            whole_at: None,
            outdated_at: Some(now.uptime),
        };
    }

    /// It may be another one by now: it is asked again before the next change.
    pub fn may_be_another(&self, now: Moment) {
        // Nor does an answer count to what was asked before.
        self.is_outdated(now);
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Journal {
    /// Whether the installed definition keeps all of the record, by a write that takes no effect; nothing where the API server
    /// does not tell, as with a webhook that takes no dry runs.
    ///
    /// # Errors
    ///
    /// That the object was changed or is gone, or that the API server can't be reached.
    pub async fn is_definition_whole(
        &self,
        object: &TaurusProxyPort,
    ) -> Result<Option<bool>, JournalError> {
        let specimen = specimen(self.clock.now());
        match self.replace(object, &specimen, Making::Dry).await {
            Ok(shown) => Ok(Some(keeps(&specimen, shown.status.as_ref()))),
            Err(JournalError::Unreadable(_)) => Ok(Some(false)),
            Err(JournalError::Kubernetes(kube::Error::Api(refusal)))
                if refusal.code < 500 && refusal.code != TOO_MANY_REQUESTS =>
            {
                Ok(is_about_status(&refusal).then_some(false))
            }
            Err(error) => Err(error),
        }
    }
}

/// The answer of an API server that is asked too much: it tells later.
const TOO_MANY_REQUESTS: u16 = 429;

/// Whether what was stored holds all of the record that was sent. Of what only people read nothing is asked.
pub(super) fn keeps(sent: &TaurusProxyPortStatus, stored: Option<&TaurusProxyPortStatus>) -> bool {
    let text = |status: TaurusProxyPortStatus| serde_json::to_value(status).ok();
    stored.is_some_and(|stored| text(record(sent)) == text(record(stored)))
}

/// What decisions rest on.
fn record(status: &TaurusProxyPortStatus) -> TaurusProxyPortStatus {
    TaurusProxyPortStatus {
        address: None,
        proxy_name: None,
        proxy_status: None,
        service: None,
        config_map: None,
        history: Vec::new(),
        conditions: Vec::new(),
        change: status.change.clone().map(|change| ChangeRecord {
            plan: None,
            ..change
        }),
        ..status.clone()
    }
}

/// A plan as it waits. A definition that lacks it also lacks what the spec says about the time of changes: an API server hides that, and
/// the change would seem to need nobody's approval.
fn plan(now: Moment) -> PlanRecord {
    PlanRecord {
        id: "0".to_owned(),
        from_port: 3306,
        to_port: 3307,
        made_at: Time(now.wall),
        nonce: Some(1),
        not_before: Some(Time(now.wall)),
        waits_for: vec![WaitsFor::Window],
        warnings: vec!["0".to_owned()],
    }
}

/// A record with every field that there is.
fn specimen(now: Moment) -> TaurusProxyPortStatus {
    let (id, job, text) = ("0".to_owned(), Some("0".to_owned()), Some("0".to_owned()));
    let at = Time(now.wall);
    TaurusProxyPortStatus {
        observed_generation: Some(1),
        subject_uid: text.clone(),
        port: Some(3306),
        applied_port: Some(3306),
        address: None,
        proxy_name: None,
        proxy_status: None,
        plan: Some(plan(now)),
        change: Some(ChangeRecord {
            id: id.clone(),
            // For people alone.
            plan: None,
            from_port: 3306,
            to_port: 3307,
            generation: 1,
            phase: Phase::Verifying,
            attempt: 1,
            job_id: job.clone(),
            intended_at: at.clone(),
            submitted_at: Some(at.clone()),
        }),
        last_change: Some(LastChange {
            id,
            from_port: 3306,
            to_port: 3307,
            job_id: job,
            outcome: Outcome::Failed,
            started_at: at.clone(),
            finished_at: at.clone(),
            message: text.clone(),
        }),
        // For people alone.
        history: Vec::new(),
        failures: vec![FailureRecord {
            port: 3307,
            failed: 1,
            void: 1,
            last_at: at.clone(),
            cause: FailureCause::JobFailed,
            superseded: Some(true),
            message: text.clone(),
        }],
        corrections: Some(Corrections { times: vec![at] }),
        last_handled_request: text,
        service: None,
        config_map: None,
        conditions: Vec::new(),
    }
}

/// Whether the API server refuses a field of the status, as a definition does that knows fewer words.
fn is_about_status(refusal: &Status) -> bool {
    let details = refusal.details.iter();
    let mut causes = details.flat_map(|details| &details.causes);
    causes.any(|cause| cause.field.starts_with("status."))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;
    use serde_json::Value;

    use super::*;

    fn now() -> Moment {
        Moment::new(Timestamp::UNIX_EPOCH, Duration::ZERO)
    }

    #[test]
    fn an_answer_from_before_something_was_dropped_says_nothing() {
        let at = |second| Moment::new(Timestamp::UNIX_EPOCH, Duration::from_secs(second));
        let good_for = Duration::from_mins(10);
        let definition = Definition::default();
        definition.was_whole(at(1));
        assert!(definition.is_known(at(2), good_for));
        // Asked for at the second 3, and answered after another resource has seen at the second 4 what was dropped.
        definition.is_outdated(at(4));
        definition.was_whole(at(3));
        assert!(!definition.is_known(at(5), good_for));
        definition.was_whole(at(6));
        assert!(definition.is_known(at(7), good_for));
        // An answer that took longer than a later one prolongs nothing and takes nothing back.
        definition.was_whole(at(5));
        assert!(!definition.is_known(at(606), good_for));
    }

    /// All places of a value where a field can be dropped.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let place = format!("{at}/{name}");
                    found.push(place.clone());
                    places(value, &place, found);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    places(item, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn c12a_whichever_field_of_the_record_is_dropped_it_is_noticed() {
        let whole = specimen(now());
        assert!(keeps(&whole, Some(&whole)));
        assert!(!keeps(&whole, None));
        let value = serde_json::to_value(&whole).unwrap();
        let mut all = Vec::new();
        places(&value, "", &mut all);
        assert!(all.len() > 30, "{all:?}");
        for place in all {
            let (parent, field) = place.rsplit_once('/').unwrap();
            let mut pruned = value.clone();
            let parent = pruned.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(field);
            let stored = serde_json::from_value::<TaurusProxyPortStatus>(pruned);
            let kept = stored.is_ok_and(|stored| keeps(&whole, Some(&stored)));
            assert!(!kept, "{place}");
        }
    }

    #[test]
    fn what_only_people_read_is_not_asked_for() {
        let sent = TaurusProxyPortStatus {
            address: Some("10.0.0.1".to_owned()),
            ..specimen(now())
        };
        assert!(keeps(&sent, Some(&specimen(now()))));
    }
}
