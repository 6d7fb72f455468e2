//! What is said of a change that waits for a limit over all resources, or for its moment.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::{Message, shown};
use crate::{
    crd::{APPROVE, Approval, InstanceWindow},
    desired::Desired,
    permits::limits::Limit,
    plan::{step::Order, timing::ROOM},
};

/// No window is open, or none for long enough.
pub fn for_window(
    desired: &Desired,
    unread: bool,
    takes: Duration,
    next: Option<Timestamp>,
    frozen: Option<&(String, Timestamp)>,
) -> Message {
    let (port, (whose, others)) = (desired.port, windows(desired, unread));
    if let Some((reason, until)) = frozen {
        return Message::plain(format!(
            "port {port} waits: no maintenance window ({whose}) of the next year is free of freezes; the last freeze ({reason}) lasts until \
             {}; the operator's administrator can edit the calendar",
            shown(*until)
        ));
    }
    let minutes = |length: Duration| length.as_secs().div_ceil(60);
    let (needed, enough) = (minutes(takes), minutes(takes.saturating_add(ROOM)));
    Message::plain(match next {
        Some(_) => format!(
            "port {port} waits for a maintenance window ({whose}) with at least {needed} min left of it"
        ),
        None => format!(
            "port {port} can't be set: a change on this instance may take {needed} min, and no maintenance window ({whose}) within a year is \
             that long: set a spec.maintenanceWindows entry of at least {enough} min{others}"
        ),
    })
}

/// Where the windows of a resource are stated, and what else a person can do where they are too short.
fn windows(desired: &Desired, unread: bool) -> (&'static str, &'static str) {
    let timing = desired.timing.as_deref();
    let has_own = timing.is_some_and(|timing| !timing.windows.is_empty());
    match (has_own, desired.follows_instance()) {
        (true, false) => ("spec.maintenanceWindows", ""),
        (true, true) if unread => (
            "spec.maintenanceWindows; that of the instance can't be read",
            "",
        ),
        (true, true) => ("spec.maintenanceWindows, or the one of the instance", ""),
        (false, true) => ("the one of the instance", ""),
        (false, false) => (
            "the operator's calendar",
            ", or ask the operator's administrator for one",
        ),
    }
}

/// The cloud has not told when the window of the instance is.
pub fn window_unknown(desired: &Desired, why: &str) -> Message {
    Message::quoting(
        format!(
            "port {} waits: spec.instanceWindow is {:?}, and the instance's maintenance window is not known; the operator asks again at each \
             --resync. If the call is denied, grant gaussdbformysql:instance:get or gaussdb:instance:list; if the cloud has no window, set \
             spec.maintenanceWindows",
            desired.port,
            InstanceWindow::Follow
        ),
        why,
    )
}

/// A freeze is in force, or near.
pub fn frozen(desired: &Desired, reason: &str, (from, until): (Timestamp, Timestamp)) -> Message {
    Message::plain(format!(
        "port {} waits: freeze ({reason}) of the operator's calendar lasts from {} until {}; a change that could run into it does not start",
        desired.port,
        shown(from),
        shown(until)
    ))
}

/// There should be a calendar, and none was read.
pub fn without_calendar(why: &str) -> Message {
    Message::quoting(
        "no change starts: the operator has read no calendar since its start; its administrator must correct the file of --calendar (check \
         it with check-calendar)",
        why,
    )
}

/// Nobody has approved the plan, which waits for a time as well, or may.
pub fn for_approval(plan: &str, order: Order, has_time: bool) -> Message {
    let manual = Approval::Manual;
    let beside = if has_time {
        // The time follows.
        ", at any time"
    } else {
        "; status.plan.waitsFor lists all that the change waits for"
    };
    Message::plain(format!(
        "plan {plan} (port {} to {}) needs an approval, since spec.approval is {manual:?}: set spec.approvedPlan or the annotation \
         {APPROVE} to {plan}{beside}",
        order.from, order.to
    ))
}

/// A limit that is reached.
pub fn reached(limit: &Limit) -> Message {
    match limit {
        Limit::Concurrent { most, deleted } => {
            let of_deleted = match deleted {
                0 => String::new(),
                1 => " (1 of a resource that was deleted meanwhile)".to_owned(),
                more => format!(" ({more} of resources that were deleted meanwhile)"),
            };
            Message::plain(format!(
                "{} under way or about to begin{of_deleted}, the most that the operator's --max-concurrent-changes allows; this one begins when its turn has come",
                counted(*most, "change is", "changes are")
            ))
        }
        // When the next one may begin changes with each that begins: it is said once.
        Limit::Hourly { most, next } => Message::quoting(
            format!(
                "{} about to begin, the most that the operator's --max-changes-per-hour allows",
                counted(
                    *most,
                    "change began in the last hour or is",
                    "changes began in the last hour or are"
                )
            ),
            next.map_or_else(
                || "this one begins when its turn has come".to_owned(),
                |next| format!("those that wait begin one by one, from {next} on"),
            ),
        ),
        Limit::Halted { failed, own, until } => {
            let elsewhere = failed.saturating_sub(own.len());
            let elsewhere = (elsewhere > 0).then(|| format!("{elsewhere} in other namespaces"));
            let names: Vec<String> = own.iter().cloned().chain(elsewhere).collect();
            Message::plain(format!(
                "{} in a row failed on different proxies ({}), the limit of the operator's --halt-after-failures: find out why; \
                 --halt-for lets no new change begin until {}",
                counted(*failed, "change", "changes"),
                names.join(", "),
                shown(*until),
            ))
        }
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
