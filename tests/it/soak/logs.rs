//! What the operators' logs may not hold.

use std::path::Path;

use serde_json::Value;

/// The one ERROR that a process may tell: somebody else leads, after we had kept it from renewing its lease.
const DEPOSED: &str = "another process leads, or did meanwhile";

/// What a process that was deposed says last, on a line of its own.
const LAST_WORDS: &str = "taurus-port-operator: ";

/// Lines of level ERROR, panics, secrets, and lines that are no JSON.
pub fn breaches(path: &Path, secret: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| {
        let parsed: Option<Value> = serde_json::from_str(line).ok();
        let ours = match &parsed {
            Some(line) => line["level"] != "ERROR" || line["message"] == DEPOSED,
            None => line.starts_with(LAST_WORDS),
        };
        !ours || line.contains("panicked") || line.contains(secret)
    });
    lines.map(str::to_owned).collect()
}
