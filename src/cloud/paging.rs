//! Lists that come in pages.
//!
//! Promises an end after a bounded number of pages, and each row once.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

pub use self::walk::Walk;
use super::{CloudError, Meaning};

mod walk;

/// No walk reads more pages than this.
pub const MOST_PAGES: usize = 300;

/// A page shorter than the shortest that any version of the documents has as its default is the last one.
pub const SHORTEST_FULL_PAGE: usize = 10;

/// Rows without repeats, in the order in which they were met; a later reading replaces an earlier one.
#[derive(Debug)]
pub struct Rows<T> {
    order: HashMap<String, usize>,
    rows: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self {
            order: HashMap::new(),
            rows: Vec::new(),
        }
    }
}

impl<T> Rows<T> {
    /// Takes the rows of a page, each with what tells it from others. True if one was not there before.
    pub fn extend(&mut self, page: impl IntoIterator<Item = (String, T)>) -> bool {
        let before = self.rows.len();
        for (key, row) in page {
            match self.order.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(self.rows.len());
                    self.rows.push(row);
                }
                Entry::Occupied(entry) => {
                    if let Some(known) = self.rows.get_mut(*entry.get()) {
                        *known = row;
                    }
                }
            }
        }
        self.rows.len() > before
    }

    /// Takes the rows of a later reading.
    pub fn merge(&mut self, later: Self) {
        let mut keys: Vec<(usize, String)> = later
            .order
            .into_iter()
            .map(|(key, place)| (place, key))
            .collect();
        keys.sort_unstable();
        let keys = keys.into_iter().map(|(_, key)| key);
        self.extend(keys.zip(later.rows));
    }

    /// The rows, without room for more: they may be kept for a while.
    pub fn into_values(mut self) -> Vec<T> {
        self.rows.shrink_to_fit();
        self.rows
    }
}

/// Walks over the task list are given up after this: with ten calls a minute, of which five come evenly, they may have 55 pages.
pub const WALK_WITHIN: Duration = Duration::from_mins(10);

/// The task list has more pages than there is time for.
pub fn too_long() -> CloudError {
    let minutes = WALK_WITHIN.as_secs() / 60;
    too_many_tasks(&format!(
        "can be read within {minutes} minutes with the operator's --calls-per-minute, at the pace of the cloud's answers, and a change \
         needs all of them; it is tried again after {minutes} minutes: raise --calls-per-minute if the cloud allows more"
    ))
}

/// The task list has more pages than are read.
pub fn too_many() -> CloudError {
    let minutes = WALK_WITHIN.as_secs() / 60;
    too_many_tasks(&format!(
        "the operator reads ({MOST_PAGES} pages), and a change needs all of them; it is tried again after {minutes} minutes, and begins \
         once the project has fewer recent tasks"
    ))
}

/// Each try costs all these calls, and other resources of the credential wait for theirs: the next one is not soon.
fn too_many_tasks(bound: &str) -> CloudError {
    let text = format!("the project has more tasks than {bound}");
    CloudError {
        retry_after: Some(WALK_WITHIN),
        ..CloudError::local(Meaning::OutOfCalls, text)
    }
}

/// A list that goes on and on.
pub fn endless(what: &str) -> CloudError {
    let text = format!("{what} did not end within {MOST_PAGES} pages");
    CloudError::local(Meaning::Malformed, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_reading_of_a_row_replaces_an_earlier_one() {
        let mut rows = Rows::default();
        assert!(rows.extend([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        assert!(!rows.extend([("a".to_owned(), 3)]));
        let mut other = Rows::default();
        other.extend([("a".to_owned(), 5), ("c".to_owned(), 4)]);
        rows.merge(other);
        assert_eq!(rows.into_values(), [5, 2, 4]);
    }

    #[test]
    fn r03b_more_calls_are_advised_only_where_they_help() {
        let (long, many) = (too_long().text, too_many().text);
        assert!(long.contains("raise --calls-per-minute"), "{long}");
        assert!(!many.contains("--calls-per-minute"), "{many}");
    }
}
