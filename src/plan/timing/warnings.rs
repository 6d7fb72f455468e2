//! What a person should know of a plan that waits: `status.plan.warnings`.
//!
//! Promises texts that stand still: none has a time or a length in it that moves while the plan waits, so that they cost no write.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{ROOM, Terms};
use crate::{
    calendar::{Freeze, Hours},
    crd::{APPLY_NOW, APPROVE, HistoryEntry, PlanRecord},
    desired::Timing,
    plan::{facts::Facts, history, message::shown},
    preflight::warnings::MOST,
};

/// Warnings of a plan, which may start at `next`.
pub(super) fn of(
    facts: &Facts<'_>,
    terms: &Terms,
    plan: &PlanRecord,
    next: Option<Timestamp>,
) -> Vec<String> {
    let id = &plan.id;
    let timing = facts.desired.timing.as_deref();
    let mut warnings = Vec::new();
    if let Some(timing) = timing {
        approvals(timing, id, &facts.record.history, &mut warnings);
        haste(facts, terms, timing, id, &mut warnings);
    }
    warnings.extend(unread(terms));
    warnings.extend(short(terms, facts.now.wall));
    let is_approved = timing.is_none_or(|timing| timing.approves(id));
    let span = next.map(|next| (plan.made_at.0, next));
    warnings.extend(span.and_then(|span| put_off(terms, facts.now.wall, span, is_approved)));
    let port = facts.desired.port;
    if port.is_doubtful() {
        warnings.push(format!(
            "one page of the vendor's documentation calls port {port} reserved, another allows it: the service may refuse it"
        ));
    }
    if let Some(preflight) = &facts.observed.preflight {
        // What was found for other ports is of another plan.
        if preflight.ports == (plan.from_port, plan.to_port) {
            let room = MOST.saturating_sub(warnings.len());
            warnings.extend(preflight.shown(room));
        }
    }
    warnings
}

/// An approval that counts for another plan.
fn approvals(timing: &Timing, id: &str, history: &[HistoryEntry], warnings: &mut Vec<String>) {
    if !timing.needs_approval || timing.approves(id) {
        return;
    }
    for (what, approved) in [
        (
            format!("the annotation {APPROVE}"),
            &timing.approved_by_annotation,
        ),
        ("spec.approvedPlan".to_owned(), &timing.approved_by_spec),
    ] {
        let stated = approved.as_deref().filter(|approved| !approved.is_empty());
        // One that was used may stay where it is.
        if let Some(approved) = stated.filter(|approved| !history::has_used(history, approved)) {
            warnings.push(format!(
                "{what} approves plan {}, not this one: no plan with that id is due",
                bounded(approved)
            ));
        }
    }
}

/// What becomes of a wish to start now.
fn haste(facts: &Facts<'_>, terms: &Terms, timing: &Timing, id: &str, warnings: &mut Vec<String>) {
    let Some(wanted) = timing.apply_now.as_deref().filter(|id| !id.is_empty()) else {
        return;
    };
    if history::has_used(&facts.record.history, wanted) {
        return;
    }
    if wanted != id {
        warnings.push(format!(
            "the annotation {APPLY_NOW} names plan {}, not this one: no plan with that id is due",
            bounded(wanted)
        ));
        return;
    }
    let at_once = terms.hours.at_once();
    if !timing.approves(id) {
        warnings.push(format!(
            "the annotation {APPLY_NOW} does not replace the approval that this plan needs: approve it as well"
        ));
    }
    if at_once.next(facts.now.wall, terms.takes) != Some(facts.now.wall) {
        let freeze = at_once.freeze_in_the_way(facts.now.wall, terms.takes);
        let why = freeze.map_or_else(
            || {
                "no calendar was read since the operator's start: correct the file of --calendar"
                    .to_owned()
            },
            |freeze| {
                format!(
                    "freeze ({}) from {} until {}",
                    bounded(&freeze.reason),
                    shown(freeze.from),
                    shown(freeze.until)
                )
            },
        );
        warnings.push(format!(
            "the annotation {APPLY_NOW} can't start this plan now: {why}"
        ));
    }
}

/// No window is long enough, or just one.
fn short(terms: &Terms, now: Timestamp) -> Option<String> {
    let Hours {
        windows, missing, ..
    } = &terms.hours;
    // One that is not known is told by the resource itself.
    if windows.is_empty() || missing.is_some() {
        return None;
    }
    let enough = terms.takes.saturating_add(ROOM);
    let longest = terms.hours.longest(now, enough);
    let minutes = |length: Duration| length.as_secs().div_ceil(60);
    let takes = minutes(terms.takes);
    if longest < terms.takes {
        Some(format!(
            "the change can't start inside windows: it may take {takes} min, the longest window has {} min; set duration to {} min or more",
            longest.as_secs() / 60,
            minutes(enough)
        ))
    } else if longest < enough {
        Some(format!(
            "the longest maintenance window leaves too little room and may be missed: set duration to at least {} min ({takes} min for a \
             change, plus {} min)",
            minutes(enough),
            minutes(ROOM)
        ))
    } else {
        None
    }
}

/// The cloud does not tell its window, and others count alone.
fn unread(terms: &Terms) -> Option<String> {
    terms.unread.then(|| {
        "the operator can't read the maintenance window of the instance, so only those of spec.maintenanceWindows count: the credential \
         may lack gaussdbformysql:instance:get or gaussdb:instance:list"
            .to_owned()
    })
}

/// A freeze takes away a moment at which it could have started, since the plan was made; the last such freeze.
fn put_off(
    terms: &Terms,
    now: Timestamp,
    (made, next): (Timestamp, Timestamp),
    is_approved: bool,
) -> Option<String> {
    let without = terms.hours.without_freezes();
    let takes_away = |freeze: &&Freeze| {
        // A start at this moment would end right before the freeze.
        let last = freeze.from.checked_sub(terms.takes).ok();
        let near = last.and_then(|last| last.checked_add(Duration::from_nanos(1)).ok());
        let could = without.next(near.unwrap_or(freeze.from).max(made), terms.takes);
        let reaches_in = |could: &Timestamp| {
            let ends = could.checked_add(terms.takes).unwrap_or(*could);
            *could < freeze.until && (ends > freeze.from || freeze.covers(*could))
        };
        could.filter(reaches_in).is_some_and(|could| could < next)
    };
    let freezes = terms.hours.freezes.iter();
    let before = freezes.filter(|freeze| freeze.until > now && freeze.until <= next);
    let freeze = before
        .filter(takes_away)
        .max_by_key(|freeze| freeze.until)?;
    if is_approved && terms.hours.windows.is_empty() && freeze.covers(now) {
        // The resource itself says this; one that waits for an approval speaks of that.
        return None;
    }
    Some(format!(
        "a freeze ({}) until {} delays this change",
        bounded(&freeze.reason),
        shown(freeze.until)
    ))
}

/// What others have written, to a length that fits.
fn bounded(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        calendar::{Window, WindowParts},
        plan::{facts::Preflight, timing::Wishes},
    };

    fn terms(window: (&[&str], &str, &str), freezes: &[(&str, &str, &str)]) -> Terms {
        let (days, start, duration) = window;
        let window = Window::new(&WindowParts {
            days: Some(days),
            start,
            duration,
            ..WindowParts::default()
        });
        let freezes = freezes.iter().map(|(reason, from, until)| Freeze {
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
            reason: (*reason).to_owned(),
            namespaces: Vec::new(),
        });
        Terms {
            hours: Hours {
                windows: vec![window.unwrap()],
                freezes: freezes.collect(),
                ..Hours::default()
            },
            unread: false,
            takes: Duration::from_mins(10),
            wishes: Wishes([0; 32]),
            nonce: 0,
        }
    }

    #[track_caller]
    fn expect(terms: &Terms, made: &str, now: &str, expected: Option<&str>) {
        let [made, now]: [Timestamp; 2] = [made, now].map(|time| time.parse().unwrap());
        let next = terms.hours.next(now, terms.takes).unwrap();
        let said = put_off(terms, now, (made, next), false);
        match (&said, expected) {
            (None, None) => {}
            (Some(said), Some(reason)) => assert!(said.contains(reason), "{said}"),
            _ => panic!("{said:?}, {expected:?}"),
        }
    }

    #[test]
    fn the_last_freeze_that_takes_an_opening_away_is_named_for_as_long_as_it_lasts() {
        let daily: &[&str] = &["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let year_end = ("year-end", "2026-12-20T00:00:00Z", "2027-01-04T00:00:00Z");
        let nights = terms((daily, "22:00", "6h"), &[year_end]);
        let made = "2026-12-18T09:00:00Z";
        // The plan could start before it.
        expect(&nights, made, "2026-12-18T10:00:00Z", None);
        expect(&nights, made, "2026-12-22T12:00:00Z", Some("year-end"));
        expect(&nights, made, "2027-01-03T23:00:00Z", Some("year-end"));
        expect(&nights, made, "2027-01-04T01:00:00Z", None);
        let stocktaking = (
            "stocktaking",
            "2026-03-07T00:00:00Z",
            "2026-03-08T00:00:00Z",
        );
        let sale = ("sale", "2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z");
        let saturdays = terms((&["Sat"], "02:00", "3h"), &[stocktaking, sale]);
        let made = "2026-03-06T12:00:00Z";
        expect(&saturdays, made, made, Some("stocktaking"));
        expect(
            &saturdays,
            made,
            "2026-03-07T04:55:00Z",
            Some("stocktaking"),
        );
        // Made when the opening that the freeze takes away was over.
        let late = "2026-03-07T06:00:00Z";
        expect(&saturdays, late, late, None);
    }

    #[test]
    fn what_was_found_in_the_cluster_fills_what_is_left_of_eight() {
        let found: Vec<String> = (0..8).map(|number| format!("found {number}")).collect();
        let filled = |own: usize, count: usize, more: usize| {
            let preflight = Preflight {
                ports: (3306, 3307),
                warnings: Arc::from(&found[..count]),
                more,
            };
            preflight.shown(MOST - own)
        };
        assert_eq!(filled(0, 8, 0), found);
        assert_eq!(filled(2, 6, 0), found[..6]);
        let full = filled(2, 8, 1);
        assert_eq!(full.len(), 6);
        assert_eq!(full[..5], found[..5]);
        assert!(full[5].starts_with("and 4 more"), "{full:?}");
        assert_eq!(filled(0, 8, 5).len(), MOST);
        assert!(filled(8, 2, 0).is_empty());
        // What was read from a record names fewer than there is room for.
        let recorded = filled(0, 3, 5);
        assert!(recorded.len() == 4 && recorded[3].starts_with("and 5 more"));
    }
}
