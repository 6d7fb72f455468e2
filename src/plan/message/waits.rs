//! What is said of a change that waits for a limit over all resources.

use super::{Message, shown};
use crate::fleet::limits::Limit;

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
