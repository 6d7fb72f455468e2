//! Every request that reached the simulator, and what became of it.
//!
//! Promises that an entry is there before anything is done about its request, is complete before its answer leaves, and
//! holds no secret.

mod entry;
mod filter;
mod mask;

use std::collections::VecDeque;

pub use entry::{Entry, Outcome, Reply};
pub use filter::Filter;
pub(crate) use mask::{body, headers};

/// The last requests, oldest first.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    limit: usize,
    /// How many there were, those that are no longer kept included.
    count: u64,
}

impl Journal {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            limit: limit.max(1),
            count: 0,
        }
    }

    /// The number of the next request; the first is 1.
    pub(crate) fn next_number(&self) -> u64 {
        self.count + 1
    }

    pub(crate) fn open(&mut self, entry: Entry) {
        self.count = entry.number;
        self.entries.push_back(entry);
        if self.entries.len() > self.limit {
            self.entries.pop_front();
        }
    }

    /// Changes an entry, if it is still kept.
    pub(crate) fn update(&mut self, number: u64, change: impl FnOnce(&mut Entry)) {
        let place = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number);
        if let Some(entry) = place.ok().and_then(|place| self.entries.get_mut(place)) {
            change(entry);
        }
    }

    pub(crate) fn entries(&mut self) -> &[Entry] {
        self.entries.make_contiguous()
    }

    /// Drops the entries and their room; numbers go on.
    pub(crate) fn clear(&mut self) {
        self.entries = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entries_go_first_and_numbers_go_on() {
        let mut journal = Journal::new(2);
        for _ in 0..3 {
            let number = journal.next_number();
            journal.open(Entry::example(number));
        }
        journal.update(1, |entry| entry.body = "lost".to_owned());
        journal.update(3, |entry| entry.body = "kept".to_owned());
        let numbers = |journal: &mut Journal| -> Vec<_> {
            journal.entries().iter().map(|entry| entry.number).collect()
        };
        assert_eq!(numbers(&mut journal), [2, 3]);
        assert_eq!(journal.entries()[1].body, "kept");
        journal.clear();
        assert_eq!((journal.entries().len(), journal.next_number()), (0, 4));
    }
}
