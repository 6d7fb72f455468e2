//! A walk over the task list, of whose pages little is documented, and which changes while it is read.
//!
//! What `offset` counts is documented nowhere: rows from 0, rows from 1 or pages from 1. New tasks move all the others further
//! back, those that leave a list that is filtered by status move them forth. So pages overlap: one with a row that is known
//! proves that nothing lies between, and after one without, the walk goes back. It ends where the list does, and not at a page
//! that brings nothing new: that may be one that new tasks have moved there.

use std::collections::HashSet;

use super::{MOST_PAGES, SHORTEST_FULL_PAGE, endless};
use crate::cloud::{CloudError, Meaning};

/// So many rows are read once more with each next page.
const OVERLAP: usize = 5;

/// The walk begins with this offset, which stands for the first row and for the first page.
const FIRST: usize = 0;

/// The second offset tells what is counted: the third row, or the second page.
const PROBE: usize = 2;

/// More pages in a row that begin alike are not by chance: the offset is ignored.
const ALIKE: usize = 3;

/// A walk that had to go back so often gets nowhere.
const MOST_RETURNS: usize = 10;

/// One walk over the task list.
#[derive(Debug)]
pub struct Walk {
    shrinks: bool,
    /// What tells those rows apart up to which nothing was missed.
    reached: HashSet<String>,
    pages: usize,
    returns: usize,
    /// The most rows that a page had: so many fit on one.
    fit: usize,
    /// With which row the last page began, and how many in a row did.
    began: (Option<String>, usize),
    counting: Counting,
    next: Next,
}

/// What the offset has turned out to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
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

/// A page that was read.
#[derive(Debug, Clone, Copy)]
struct Page {
    offset: usize,
    rows: usize,
    /// How many of them were known.
    known: usize,
    /// How many there are on all pages, if that was said.
    total: Option<usize>,
    /// How many pages in a row have begun like this one.
    alike: usize,
}

impl Page {
    /// How many of its rows were not known.
    fn news(&self) -> usize {
        self.rows.saturating_sub(self.known)
    }

    /// Whether it is all there is, as the first page may be.
    fn is_all(&self) -> bool {
        self.rows == 0 || self.total.is_some_and(|all| self.rows >= all)
    }

    /// Whether the list ends with it, by rows; the offset may count them from 0 or from 1.
    fn is_last(&self, fit: usize) -> bool {
        let short = self.rows < SHORTEST_FULL_PAGE || self.rows < fit;
        let all = self.total.is_some_and(|all| self.offset + self.rows > all);
        self.news() == 0 && (short || all || self.alike >= ALIKE)
    }

    /// The offset of the next page, by rows.
    fn further(&self) -> Next {
        let overlapping = (self.offset + self.rows).saturating_sub(OVERLAP);
        Next::Offset(overlapping.max(self.offset + 1))
    }
}

impl Walk {
    /// A walk over a list that may lose rows while it is read, as one that is filtered by status, or over one that may not.
    pub fn new(shrinks: bool) -> Self {
        Self {
            shrinks,
            reached: HashSet::new(),
            pages: 0,
            returns: 0,
            fit: 0,
            began: (None, 0),
            counting: Counting::Unknown,
            next: Next::Offset(FIRST),
        }
    }

    /// The offset of the next page; nothing at the end.
    pub fn next(&mut self) -> Result<Option<usize>, CloudError> {
        let Next::Offset(offset) = self.next else {
            return Ok(None);
        };
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(endless("the task list"));
        }
        if self.returns > MOST_RETURNS {
            let text = "the task list changed too fast to be read";
            return Err(CloudError::local(Meaning::Transient, text));
        }
        Ok(Some(offset))
    }

    /// Tells what came at `offset`: what tells its rows apart, and how many there are in all, if that was said.
    pub fn took<'a>(
        &mut self,
        offset: usize,
        keys: impl Iterator<Item = &'a str> + Clone,
        total: Option<usize>,
    ) {
        let page = Page {
            offset,
            rows: keys.clone().count(),
            known: keys
                .clone()
                .filter(|key| self.reached.contains(*key))
                .count(),
            total,
            alike: self.alike(keys.clone().next()),
        };
        self.fit = self.fit.max(page.rows);
        let is_gap = self.counting == Counting::Rows && page.known == 0 && offset > PROBE;
        if !is_gap {
            self.reached.extend(keys.map(str::to_owned));
        }
        self.next = match self.counting {
            Counting::Unknown if offset == FIRST && page.is_all() => Next::End,
            Counting::Unknown if offset == FIRST => Next::Offset(PROBE),
            Counting::Unknown => self.probed(&page),
            Counting::Rows if is_gap => self.back(&page),
            Counting::Rows => self.by_rows(&page),
            Counting::Pages { news } => self.by_pages(&page, news || page.news() > 0),
        };
    }

    /// How many pages in a row have begun with this row.
    fn alike(&mut self, first: Option<&str>) -> usize {
        let (last, count) = &mut self.began;
        if last.as_deref() == first {
            *count += 1;
        } else {
            self.began = (first.map(str::to_owned), 1);
        }
        self.began.1
    }

    fn probed(&mut self, page: &Page) -> Next {
        match (page.rows, page.news()) {
            // Most of a long list has gone meanwhile.
            (0, _) if page.total.is_some_and(|all| all > 0) => {
                self.counting = Counting::Rows;
                Next::Offset(FIRST)
            }
            (0, _) => Next::End,
            (rows, new) if new <= rows / 2 => {
                self.counting = Counting::Rows;
                self.by_rows(page)
            }
            _ => {
                self.counting = Counting::Pages { news: true };
                Next::Offset(PROBE + 1)
            }
        }
    }

    fn by_rows(&self, page: &Page) -> Next {
        if page.is_last(self.fit) {
            Next::End
        } else {
            page.further()
        }
    }

    /// Rows may lie between what is known and this page: those before it have moved forth.
    fn back(&mut self, page: &Page) -> Next {
        self.returns += 1;
        Next::Offset(page.offset.saturating_sub(self.fit))
    }

    /// Pages can't overlap. So a walk over a list that may have lost rows is made again until it brings nothing new.
    fn by_pages(&mut self, page: &Page, news: bool) -> Next {
        let again = page.rows == 0 && news && self.shrinks;
        self.counting = Counting::Pages {
            news: news && !again,
        };
        match page.rows {
            0 if again => Next::Offset(FIRST),
            0 => Next::End,
            _ if page.offset == FIRST => Next::Offset(PROBE),
            _ => Next::Offset(page.offset + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const LIMIT: usize = 50;

    /// How many rows lie before a page, by what the offset counts.
    type Skipped = fn(usize) -> usize;

    const COUNTINGS: [(&str, Skipped); 3] = [
        ("rows from 0", |offset| offset),
        ("rows from 1", |offset| offset.saturating_sub(1)),
        ("pages from 1", |offset| offset.saturating_sub(1) * LIMIT),
    ];

    /// A list, the newest first, that changes between the pages that are read of it.
    struct List {
        rows: Vec<usize>,
        newest: usize,
        totals: bool,
        skipped: Skipped,
    }

    impl List {
        fn new(rows: usize, skipped: Skipped) -> Self {
            Self {
                rows: (0..rows).rev().collect(),
                newest: rows,
                totals: true,
                skipped,
            }
        }

        fn begin(&mut self, tasks: usize) {
            let newest = self.newest + tasks;
            self.rows.splice(0..0, (self.newest..newest).rev());
            self.newest = newest;
        }

        /// Those before `rows` leave of which the number is one of every so many.
        fn leave(&mut self, rows: usize, one_of: usize) {
            let mut place = 0;
            self.rows.retain(|_| {
                place += 1;
                place > rows || place % one_of != 0
            });
        }

        /// Walks over it, lets `meanwhile` happen before each page but the first, and says what was found on how many pages.
        fn walk(
            &mut self,
            shrinks: bool,
            mut meanwhile: impl FnMut(&mut Self, usize),
        ) -> Result<(HashSet<usize>, usize), CloudError> {
            let (mut walk, mut found, mut page) = (Walk::new(shrinks), HashSet::new(), 0);
            while let Some(offset) = walk.next()? {
                if page > 0 {
                    meanwhile(self, page);
                }
                let shown = self.rows.iter().copied();
                let shown: Vec<usize> = shown.skip((self.skipped)(offset)).take(LIMIT).collect();
                let keys: Vec<String> = shown.iter().map(usize::to_string).collect();
                let total = self.totals.then_some(self.rows.len());
                walk.took(offset, keys.iter().map(String::as_str), total);
                found.extend(shown);
                page += 1;
            }
            Ok((found, page))
        }
    }

    #[test]
    fn no_row_is_missed_whatever_the_offset_counts() {
        for (name, skipped) in COUNTINGS {
            for (totals, shrinks) in [(true, true), (true, false), (false, true), (false, false)] {
                for count in [0, 1, 2, 3, 9, 12, 49, 50, 51, 52, 53, 99, 100, 101, 500] {
                    let mut list = List {
                        totals,
                        ..List::new(count, skipped)
                    };
                    let (found, pages) = list.walk(shrinks, |_, _| {}).unwrap();
                    assert_eq!(found.len(), count, "{name} {totals} {count}");
                    assert!(pages <= 25, "{name}: {pages} pages for {count} rows");
                }
            }
        }
    }

    #[test]
    fn a_short_list_with_its_count_takes_one_page() {
        let (_, pages) = List::new(3, COUNTINGS[0].1).walk(false, |_, _| {}).unwrap();
        assert_eq!(pages, 1);
    }

    #[test]
    fn new_tasks_that_move_a_whole_page_of_known_rows_back_end_no_walk() {
        for (name, skipped) in COUNTINGS {
            for tasks in [2, 44, 45, 46, 50, 300] {
                for totals in [true, false] {
                    let mut list = List {
                        totals,
                        ..List::new(500, skipped)
                    };
                    let burst = |list: &mut List, page| {
                        if page == 4 {
                            list.begin(tasks);
                        }
                    };
                    let (found, _) = list.walk(false, burst).unwrap();
                    let missed = (0..500).filter(|row| !found.contains(row)).count();
                    assert_eq!(missed, 0, "{name}: {tasks} new tasks, totals: {totals}");
                }
            }
        }
    }

    #[test]
    fn a_project_in_which_tasks_begin_all_the_time_has_an_end_as_well() {
        for (name, skipped) in COUNTINGS {
            let mut list = List::new(500, skipped);
            let (found, pages) = list.walk(false, |list, _| list.begin(10)).unwrap();
            assert!((0..500).all(|row| found.contains(&row)), "{name}");
            assert!(pages <= 20, "{name}: {pages} pages");
        }
    }

    #[test]
    fn many_rows_that_leave_at_once_leave_no_gap() {
        for (name, skipped) in COUNTINGS {
            for (leaving, one_of) in [(5, 1), (40, 1), (150, 1), (150, 2), (400, 3)] {
                let mut list = List::new(500, skipped);
                let flight = |list: &mut List, page| {
                    if page == 3 {
                        list.leave(leaving, one_of);
                    }
                };
                let (found, _) = list.walk(true, flight).unwrap();
                let missed = list.rows.iter().filter(|row| !found.contains(row)).count();
                assert_eq!(missed, 0, "{name}: one of {one_of} among {leaving}");
            }
        }
    }

    proptest! {
        /// A walk may give up, but never ends with a gap.
        #[test]
        fn what_was_there_all_the_time_is_found_whatever_comes_and_goes(
            count in 0_usize..600,
            from in 0_usize..2,
            totals: bool,
            events in vec((0_usize..80, 0_usize..600, 1_usize..9), 1..12),
        ) {
            let mut list = List { totals, ..List::new(count, COUNTINGS[from].1) };
            let walked = list.walk(true, |list, page| {
                if let Some((begin, leave, one_of)) = events.get(page) {
                    list.leave(*leave, *one_of);
                    list.begin(*begin);
                }
            });
            if let Ok((found, _)) = walked {
                let mut old = list.rows.iter().filter(|row| **row < count);
                prop_assert_eq!(old.find(|row| !found.contains(row)), None);
            }
        }

        /// The same where pages are counted, of a list that loses nothing.
        #[test]
        fn pages_that_are_counted_leave_no_gap_whatever_comes(
            count in 0_usize..600,
            totals: bool,
            events in vec(0_usize..80, 1..12),
        ) {
            let mut list = List { totals, ..List::new(count, COUNTINGS[2].1) };
            let walked = list.walk(false, |list, page| {
                list.begin(events.get(page).copied().unwrap_or_default());
            });
            if let Ok((found, _)) = walked {
                prop_assert_eq!((0..count).find(|row| !found.contains(row)), None);
            }
        }
    }

    #[test]
    fn a_list_that_ignores_the_offset_or_never_ends_is_left() {
        for total in [None, Some(700)] {
            let mut same = Walk::new(false);
            let keys: Vec<String> = (0..LIMIT).map(|row| row.to_string()).collect();
            let mut pages = 0;
            while let Some(offset) = same.next().unwrap() {
                same.took(offset, keys.iter().map(String::as_str), total);
                pages += 1;
            }
            assert_eq!(pages, ALIKE);
        }

        let mut endless = Walk::new(false);
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
}
