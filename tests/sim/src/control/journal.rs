//! Reading the journal, and waiting for what it will say.

use std::time::Duration;

use super::Control;
use crate::journal::{Entry, Filter, Outcome};

/// How many entries a timeout shows.
const SHOWN: usize = 20;

/// What was waited for didn't come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not within {within:?}; the last requests were:\n{last}")]
pub struct Waited {
    /// How long it was waited for.
    pub within: Duration,
    /// The last requests, a line each.
    pub last: String,
}

impl Control {
    /// All requests that are kept, oldest first.
    pub fn journal(&self) -> Vec<Entry> {
        self.entries(&Filter::all())
    }

    /// The requests that meet some conditions, oldest first.
    pub fn entries(&self, filter: &Filter) -> Vec<Entry> {
        self.shared
            .world()
            .journal
            .entries()
            .iter()
            .filter(|entry| filter.fits(entry))
            .cloned()
            .collect()
    }

    /// The same as JSON lines: an object for each request, oldest first.
    pub fn export_journal(&self, filter: &Filter) -> String {
        let lines = self.entries(filter);
        // Entries hold nothing that JSON can't say.
        let lines = lines
            .iter()
            .filter_map(|entry| serde_json::to_string(entry).ok());
        lines.map(|line| line + "\n").collect()
    }

    /// How many requests meet some conditions.
    pub fn count(&self, filter: &Filter) -> usize {
        self.shared
            .world()
            .journal
            .entries()
            .iter()
            .filter(|entry| filter.fits(entry))
            .count()
    }

    /// Forgets all requests; numbers go on.
    pub fn clear_journal(&self) {
        self.shared.world().journal.clear();
        self.shared.journal_changed();
    }

    /// Waits for the `nth` (from 1) request that meets some conditions. One that a rule or chaos disturbs counts as soon as it has
    /// arrived; any other one has been worked on, so that time which passes afterwards passes for its job. Neither need have its answer
    /// yet. The bound is real time.
    pub async fn wait_for_request(
        &self,
        filter: &Filter,
        nth: usize,
        within: Duration,
    ) -> Result<Entry, Waited> {
        self.wait_until(within, |control| {
            let entry = control
                .entries(filter)
                .into_iter()
                .nth(nth.saturating_sub(1))?;
            let is_disturbed = !(entry.faults.is_empty() && entry.chaos.is_empty());
            let is_over = entry.work_done || entry.outcome != Outcome::Open;
            (is_disturbed || is_over).then_some(entry)
        })
        .await
    }

    /// Waits until `look` finds what it looks for. It is called at once, and whenever a request arrives, is worked on or
    /// answered. The bound is real time.
    pub async fn wait_until<T>(
        &self,
        within: Duration,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, Waited> {
        let mut changes = self.shared.journal_changes.subscribe();
        let found = async {
            loop {
                if let Some(found) = look(self) {
                    return found;
                }
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await; // can't be: `self` holds the sender
                }
            }
        };
        match tokio::time::timeout(within, found).await {
            Ok(found) => Ok(found),
            Err(_) => Err(Waited {
                within,
                last: self.last_lines(),
            }),
        }
    }

    fn last_lines(&self) -> String {
        let mut world = self.shared.world();
        let entries = world.journal.entries();
        let last = entries.iter().skip(entries.len().saturating_sub(SHOWN));
        last.map(Entry::to_string).collect::<Vec<_>>().join("\n")
    }
}
