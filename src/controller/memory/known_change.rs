//! The change on record as this process knows it, while a definition of the resource drops some of its record.
//!
//! Relies on the id of a change: nobody else begins one of the same id. Promises that a change which this process follows is not
//! forgotten for what a definition drops, neither its job nor that there is one, whether it drops it of what is written or of what is read;
//! and that what somebody else takes from the record stays taken.

use crate::{
    crd::{ChangeRecord, TaurusProxyPortStatus},
    plan::record::Change,
};

/// A change on record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KnownChange {
    change: ChangeRecord,
    /// The resource for which the status was written.
    subject: Option<String>,
    /// Whether the API server has less of it.
    pub(super) is_cut: bool,
    /// Whether it was missing when the resource was read last: somebody has taken it away, or a definition hides it.
    pub(super) is_missing: bool,
}

impl KnownChange {
    /// One of which a definition has dropped something.
    pub(super) fn cut(change: ChangeRecord, subject: Option<String>) -> Box<Self> {
        Box::new(Self {
            change,
            subject,
            is_cut: true,
            is_missing: false,
        })
    }

    /// A definition hides it.
    pub(super) fn is_hidden(&mut self) {
        (self.is_cut, self.is_missing) = (true, false);
    }

    /// Whether what is stored is what a definition has left of this change.
    fn is_more_than(
        &self,
        stored: &ChangeRecord,
        is_readable: bool,
        subject: Option<&String>,
    ) -> bool {
        let is_same = stored.id == self.change.id;
        if is_readable {
            let lacks_job = stored.job_id.is_none() && self.change.job_id.is_some();
            let lacks_subject = subject.is_none() && self.subject.is_some();
            is_same && (lacks_job || lacks_subject)
        } else {
            is_same || stored.id.is_empty()
        }
    }
}

/// Completes the change of a status, and gives what is known of it from then on.
pub(super) fn complete(
    known: Option<Box<KnownChange>>,
    status: &mut TaurusProxyPortStatus,
) -> Option<Box<KnownChange>> {
    let ended = status.last_change.as_ref().map(|last| last.id.as_str());
    let known = known.filter(|known| ended != Some(known.change.id.as_str()));
    let Some(stored) = &mut status.change else {
        let mut known = known?;
        if known.is_cut {
            status.change = Some(known.change.clone());
            status.subject_uid.clone_from(&known.subject);
        } else {
            known.is_missing = true;
        }
        return Some(known);
    };
    let is_readable = Change::of(stored).is_some();
    match known {
        Some(known) if known.is_more_than(stored, is_readable, status.subject_uid.as_ref()) => {
            *stored = known.change.clone();
            status.subject_uid.clone_from(&known.subject);
            Some(KnownChange::cut(known.change, known.subject))
        }
        _ if is_readable => Some(Box::new(KnownChange {
            change: stored.clone(),
            subject: status.subject_uid.clone(),
            is_cut: false,
            is_missing: false,
        })),
        // It may be anybody's.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(id: &str) -> Value {
        json!({
            "id": id, "fromPort": 3306, "toPort": 3307, "generation": 1, "phase": "Submitted", "attempt": 2,
            "jobID": "job-1", "intendedAt": "2026-01-01T00:00:00Z", "submittedAt": "2026-01-01T00:00:01Z"
        })
    }

    fn status(change: Option<Value>) -> TaurusProxyPortStatus {
        let status = change.map_or(json!({}), |change| json!({"change": change}));
        serde_json::from_value(status).unwrap()
    }

    /// What is known after a status was seen whole.
    fn known() -> Option<Box<KnownChange>> {
        let known = complete(None, &mut status(Some(change("c"))));
        assert!(known.as_ref().is_some_and(|known| !known.is_cut));
        known
    }

    #[test]
    fn c12a_whichever_field_of_a_change_is_dropped_the_process_that_follows_it_knows_it() {
        let fields = change("c").as_object().unwrap().clone();
        for field in fields.keys().filter(|field| *field != "submittedAt") {
            let mut dropped = change("c");
            dropped.as_object_mut().unwrap().remove(field);
            let mut seen = status(Some(dropped));
            let after = complete(known(), &mut seen);
            assert_eq!(seen, status(Some(change("c"))), "{field}");
            assert!(after.as_ref().unwrap().is_cut, "{field}");
            // The definition was put right, and the whole record was written again.
            let after = complete(after, &mut seen);
            assert!(!after.unwrap().is_cut, "{field}");
        }
    }

    #[test]
    fn c12a_a_change_that_an_own_write_has_lost_is_known_until_it_has_ended() {
        let cut = KnownChange::cut(known().unwrap().change, None);
        let mut seen = status(None);
        let after = complete(Some(cut), &mut seen);
        assert_eq!(seen, status(Some(change("c"))));
        let mut ended: TaurusProxyPortStatus = serde_json::from_value(json!({"lastChange": {
            "id": "c", "fromPort": 3306, "toPort": 3307, "outcome": "Succeeded",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"
        }}))
        .unwrap();
        assert_eq!(complete(after, &mut ended), None);
        assert_eq!(ended.change, None);
    }

    #[test]
    fn what_is_missing_is_known_as_that_and_comes_back_where_a_definition_hides_it() {
        let mut seen = status(None);
        let mut after = complete(known(), &mut seen).unwrap();
        assert_eq!(seen.change, None);
        assert!(after.is_missing && !after.is_cut);
        after.is_hidden();
        let after = complete(Some(after), &mut seen).unwrap();
        assert_eq!(seen, status(Some(change("c"))));
        assert!(after.is_cut && !after.is_missing);
    }

    #[test]
    fn what_somebody_puts_on_the_record_stays_there() {
        let mut other = status(Some(change("d")));
        let after = complete(known(), &mut other).unwrap();
        assert_eq!((after.change.id.as_str(), after.is_cut), ("d", false));
        let mut strange = change("e");
        strange["attempt"] = Value::Null;
        let mut strange = status(Some(strange));
        assert_eq!(complete(known(), &mut strange), None);
    }
}
