//! Walks over lists that come in pages, by rules of which not all are documented.
//!
//! Promises an end after a bounded number of pages. What `offset` counts in the task list is documented nowhere, and a list
//! that is filtered by status shrinks while it is read, so its pages overlap and repeats are dropped: no row is missed
//! whether it counts rows from 0, rows from 1 or pages from 1.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use super::{CloudError, Meaning};

/// No walk reads more pages than this.
pub const MOST_PAGES: usize = 100;

/// A page shorter than the shortest that any version of the documents has as its default is the last one.
pub const SHORTEST_FULL_PAGE: usize = 10;

/// So many rows are read once more with each next page.
const OVERLAP: usize = 5;

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

    /// The rows, without room for more: they may be kept for a while.
    pub fn into_values(mut self) -> Vec<T> {
        self.rows.shrink_to_fit();
        self.rows
    }
}

/// One walk over the task list.
#[derive(Debug, Default)]
pub struct Walk {
    seen: HashSet<String>,
    pages: usize,
    counting: Counting,
    next: Next,
}

/// What the offset has turned out to count.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Counting {
    #[default]
    Unknown,
    Rows,
    Pages {
        /// Whether the walk that is at work has met a row that was not known.
        news: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Offset(usize),
    End,
}

impl Default for Next {
    fn default() -> Self {
        Self::Offset(0)
    }
}

impl Walk {
    /// The offset of the next page; nothing at the end.
    pub fn next(&mut self) -> Result<Option<usize>, CloudError> {
        let Next::Offset(offset) = self.next else {
            return Ok(None);
        };
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(endless("the task list"));
        }
        Ok(Some(offset))
    }

    /// Tells what came at `offset`: what tells its rows apart, and how many there are in all, if that was said.
    pub fn took<'a>(
        &mut self,
        offset: usize,
        keys: impl Iterator<Item = &'a str>,
        total: Option<usize>,
    ) {
        let (mut rows, mut new) = (0_usize, 0_usize);
        for key in keys {
            rows += 1;
            new += usize::from(self.seen.insert(key.to_owned()));
        }
        let whole = total.is_some_and(|total| self.seen.len() >= total);
        self.next = match (offset, self.counting) {
            // The first page may be all there is. Else the second offset tells what is counted.
            (0, _) if rows == 0 || whole => Next::End,
            (0, _) => Next::Offset(2),
            (2, Counting::Unknown) if new == 0 => Next::End,
            // Mostly repeats: the offset counts rows, and some of the list may have ended meanwhile.
            (2, Counting::Unknown) if new <= rows / 2 => {
                self.counting = Counting::Rows;
                self.further()
            }
            (2, Counting::Unknown) => {
                self.counting = Counting::Pages { news: true };
                Next::Offset(3)
            }
            (_, Counting::Rows | Counting::Unknown) if new == 0 => Next::End,
            (_, Counting::Rows | Counting::Unknown) => self.further(),
            (_, Counting::Pages { news }) => {
                let news = news || new > 0;
                self.counting = Counting::Pages { news };
                match (rows, news) {
                    // Pages can't overlap, so the walk is made again until it brings nothing new.
                    (0, true) => {
                        self.counting = Counting::Pages { news: false };
                        Next::Offset(1)
                    }
                    (0, false) => Next::End,
                    _ => Next::Offset(offset + 1),
                }
            }
        };
    }

    fn further(&self) -> Next {
        Next::Offset(self.seen.len().saturating_sub(OVERLAP).max(3))
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

    const LIMIT: usize = 50;

    /// How many rows lie before a page, by what the offset counts.
    type Skipped = fn(usize) -> usize;

    const COUNTINGS: [(&str, Skipped); 3] = [
        ("rows from 0", |offset| offset),
        ("rows from 1", |offset| offset.saturating_sub(1)),
        ("pages from 1", |offset| offset.saturating_sub(1) * LIMIT),
    ];

    /// Walks over `rows`, of which `vanish` leaves out those that ended before the page of this number.
    fn walk(
        rows: &[usize],
        skipped: Skipped,
        totals: bool,
        vanish: impl Fn(usize, usize) -> bool,
    ) -> (HashSet<usize>, usize) {
        let (mut walk, mut found, mut page) = (Walk::default(), HashSet::new(), 0);
        while let Some(offset) = walk.next().unwrap() {
            let left: Vec<usize> = rows
                .iter()
                .copied()
                .filter(|row| !vanish(page, *row))
                .collect();
            let shown: Vec<usize> = left
                .iter()
                .copied()
                .skip(skipped(offset))
                .take(LIMIT)
                .collect();
            let keys: Vec<String> = shown.iter().map(usize::to_string).collect();
            let total = totals.then_some(left.len());
            walk.took(offset, keys.iter().map(String::as_str), total);
            found.extend(shown);
            page += 1;
        }
        (found, page)
    }

    #[test]
    fn no_row_is_missed_whatever_the_offset_counts() {
        for (name, skipped) in COUNTINGS {
            for totals in [true, false] {
                for count in [0, 1, 2, 3, 9, 49, 50, 51, 52, 53, 99, 100, 101, 500] {
                    let rows: Vec<usize> = (0..count).collect();
                    let (found, pages) = walk(&rows, skipped, totals, |_, _| false);
                    assert_eq!(found.len(), count, "{name} {totals} {count}");
                    assert!(pages <= 25, "{name}: {pages} pages for {count} rows");
                }
            }
        }
    }

    #[test]
    fn a_short_list_with_its_count_takes_one_page() {
        let (_, pages) = walk(&[1, 2, 3], COUNTINGS[0].1, true, |_, _| false);
        assert_eq!(pages, 1);
    }

    #[test]
    fn no_row_is_missed_while_the_list_shrinks() {
        for (name, skipped) in COUNTINGS {
            let rows: Vec<usize> = (0..200).collect();
            // Rows at the head of the list end while later pages are read.
            let vanish = |page: usize, row: usize| row < page.min(5);
            let (found, _) = walk(&rows, skipped, false, vanish);
            for row in 5..200 {
                assert!(found.contains(&row), "{name}: {row}");
            }
        }
    }

    #[test]
    fn a_list_that_ignores_the_offset_or_never_ends_is_left() {
        let mut same = Walk::default();
        let mut pages = 0;
        while let Some(offset) = same.next().unwrap() {
            same.took(offset, ["a", "b", "c"].into_iter(), None);
            pages += 1;
        }
        assert_eq!(pages, 2);

        let mut endless = Walk::default();
        let mut row = 0;
        let error = loop {
            match endless.next() {
                Ok(Some(offset)) => {
                    let keys: Vec<String> = (0..LIMIT)
                        .map(|_| {
                            row += 1;
                            row.to_string()
                        })
                        .collect();
                    endless.took(offset, keys.iter().map(String::as_str), None);
                }
                Ok(None) => panic!("it has no end"),
                Err(error) => break error,
            }
        };
        assert_eq!(error.meaning, Meaning::Malformed);
    }

    #[test]
    fn a_later_reading_of_a_row_replaces_an_earlier_one() {
        let mut rows = Rows::default();
        assert!(rows.extend([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        assert!(!rows.extend([("a".to_owned(), 3)]));
        assert_eq!(rows.into_values(), [3, 2]);
    }
}
