//! The changes whose ends were counted: an end becomes known by the answer to the write that records it, by the watch, or by both.
//!
//! Promises that an end counts once, and to forget only those after which many others have ended.

use std::collections::VecDeque;

/// Far more ends than there may be between two who tell of the same one.
const MOST: usize = 1_000;

/// The ids of the changes, the newest last.
#[derive(Debug, Default)]
pub(super) struct Counted(VecDeque<String>);

impl Counted {
    /// Counts the end of a change; false if it was counted before.
    pub(super) fn add(&mut self, change: &str) -> bool {
        if self.0.iter().rev().any(|known| known == change) {
            return false;
        }
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(change.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_counts_once_and_little_is_kept() {
        let mut counted = Counted::default();
        for number in 0..3 * MOST {
            let change = number.to_string();
            assert!(counted.add(&change));
            assert!(!counted.add(&change));
        }
        assert_eq!(counted.0.len(), MOST);
        assert!(!counted.add(&(2 * MOST).to_string()), "an older one");
    }
}
