//! What a person should know of a plan that waits: `status.plan.warnings`.
//!
//! Promises texts that stand still: none has a time or a length in it that moves while the plan waits, so that they cost no write.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::Terms;
use crate::{
    calendar::{Freeze, Hours},
    controller::read::Timing,
    crd::{APPLY_NOW, APPROVE, HistoryEntry, PlanRecord},
    plan::{facts::Facts, history, message::shown},
};

/// How much longer than a change a window should be: the operator comes within seconds of its opening, but reads the cloud first, and
/// others may be ahead.
const ROOM: Duration = Duration::from_mins(2);

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
            "port {port} is reserved by one page of the service and allowed by another: it may be refused"
        ));
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
            "the annotation {APPLY_NOW} does not stand for an approval, which this plan needs as well"
        ));
    }
    if at_once.next(facts.now.wall, terms.takes) != Some(facts.now.wall) {
        warnings.push(format!(
            "the annotation {APPLY_NOW} can't start this plan now: a freeze is in force or begins too soon, or the operator has read no calendar"
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
            "no maintenance window is as long as a change on this instance may take ({takes} min): the longest has {} min",
            longest.as_secs() / 60
        ))
    } else if longest < enough {
        Some(format!(
            "the longest maintenance window is just about as long as a change on this instance may take ({takes} min), and may be missed: \
             make it {} min longer than that",
            minutes(ROOM)
        ))
    } else {
        None
    }
}

/// The cloud does not tell its window, and others count alone.
fn unread(terms: &Terms) -> Option<String> {
    let why = terms.unread.as_deref()?;
    Some(format!(
        "the maintenance window of the instance is not known, so that only those of spec.maintenanceWindows count: {}",
        why.chars().take(200).collect::<String>()
    ))
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
        let near = freeze.from.checked_sub(terms.takes).unwrap_or(freeze.from);
        let could = without.next(near.max(made), terms.takes);
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
        "a freeze ({}) until {} puts it off",
        bounded(&freeze.reason),
        shown(freeze.until)
    ))
}

/// What others have written, to a length that fits.
fn bounded(text: &str) -> String {
    text.chars().take(64).collect()
}
