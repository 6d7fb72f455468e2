//! The columns that people watch.

use std::fmt;

use crate::Result;

/// Prints one line with the columns of `kubectl get` that change.
pub const COMMAND: [&str; 7] = [
    "get",
    "tpp",
    "orders",
    "-n",
    "demo",
    "-o",
    "custom-columns=DESIRED:.spec.port,ACTUAL:.status.port,READY:.status.conditions[?(@.type=='Ready')].status,\
     REASON:.status.conditions[?(@.type=='Ready')].reason,MESSAGE:.status.conditions[?(@.type=='Ready')].message",
];

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub desired: String,
    pub actual: String,
    pub ready: String,
    reason: String,
    message: String,
}

impl Row {
    /// Reads what the command prints: a line of titles and one row.
    pub fn read(output: &str) -> Result<Self> {
        let line = output.lines().nth(1).ok_or("kubectl printed no row")?;
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap_or_default().to_owned();
        Ok(Self {
            desired: word(),
            actual: word(),
            ready: word(),
            reason: word(),
            message: words.collect::<Vec<_>>().join(" "),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            desired,
            actual,
            ready,
            reason,
            message,
        } = self;
        write!(
            formatter,
            "desired {desired}  actual {actual:6}  ready {ready:8} {reason:14} {message}"
        )
    }
}
