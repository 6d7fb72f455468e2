//! What has come of cases, counted.

use std::{fmt, time::Duration};

use super::case::Case;

/// What has come of one case.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told {
    /// How often its process was killed; less often than asked for where the story ended earlier.
    pub kills: usize,
    /// Whether all of them struck requests that have no effect.
    pub only_reads: bool,
    /// How many changes the cloud accepted.
    pub changes: usize,
    /// How many of them were not due.
    pub repeated: usize,
    /// How many requests there were, of either side.
    pub requests: [usize; 2],
}

/// What has come of all of them.
#[derive(Debug, Default)]
pub struct Totals {
    runs: usize,
    kills: usize,
    changes: usize,
    repeated: usize,
    stuck: usize,
    failed: Vec<Case>,
    pub took: Duration,
}

impl Totals {
    /// Adds a case, and says so where something was wrong: the message of what failed, if it did.
    pub fn add(&mut self, case: &Case, told: &Result<Told, String>) {
        self.runs += 1;
        match told {
            Ok(told) => {
                self.kills += told.kills;
                self.changes += told.changes;
                self.repeated += told.repeated;
                if told.repeated == 0 {
                    return;
                }
                eprintln!("a change was made again: {told:?}");
            }
            Err(message) => {
                self.stuck += 1;
                eprintln!("{message}");
            }
        }
        eprintln!("again: KILL='{case}' make kills");
        self.failed.push(case.clone());
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Takes the cases of another count in.
    pub fn join(&mut self, other: Self) {
        self.runs += other.runs;
        self.kills += other.kills;
        self.changes += other.changes;
        self.repeated += other.repeated;
        self.stuck += other.stuck;
        self.failed.extend(other.failed);
        self.took += other.took;
    }

    /// Panics where anything was wrong, and names each case.
    pub fn hold(&self) {
        println!("{self}");
        let failed: Vec<_> = self
            .failed
            .iter()
            .map(|case| format!("KILL='{case}' make kills"))
            .collect();
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            runs,
            kills,
            changes,
            repeated,
            stuck,
            ..
        } = self;
        let took = self.took.as_secs();
        write!(
            formatter,
            "{kills} kills in {runs} runs, {changes} changes, {repeated} repeated, {stuck} stuck, {took} s"
        )
    }
}
