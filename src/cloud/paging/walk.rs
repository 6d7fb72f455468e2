//! A walk over the task list, of whose pages little is documented, and which changes while it is read.
//!
//! What `offset` counts is documented nowhere. The vendor's own client counts pages from 1, so the walk begins with 1, which
//! is the first page or the first row. The second page tells pages from rows. Where rows are counted, 0 is asked for as well:
//! they may begin there. An offset that is refused is no reason to give up: a refused 0 or 1 leaves the other counting, and
//! what is refused later is past the end, unless the list says that it has more.
//!
//! New tasks move all the others further back, those that leave a list that is filtered by status move them forth. Pages of
//! rows overlap for that: one with a row that is known proves that nothing lies between, and after one without, the walk goes
//! back. Pages that are counted can't overlap. There a row is missed only where more rows have left before it than were added,
//! between one page and the next; then the count of all rows falls. So where it fell, or is not said, a list that may lose
//! rows is read again until that brings nothing new.

use std::collections::HashSet;

use super::{MOST_PAGES, SHORTEST_FULL_PAGE, too_many};
use crate::cloud::{CloudError, Meaning};

/// Where rows are counted, so many are read once more with each next page.
const OVERLAP: usize = 5;

/// The walk begins with this offset: the first page or the first row, or the second row if rows are counted from 0.
const FIRST: usize = 1;

/// The second offset tells what is counted: it leads to the second page, or to the first one without a row.
const PROBE: usize = 2;

/// The first row if rows are counted from 0; else the same as [`FIRST`], or refused.
const ZERO: usize = 0;

/// So many pages in a row that begin alike are not by chance: the offset is ignored. Three were: as many rows had come before
/// each of them as the walk went further.
const ALIKE: usize = 6;

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
    /// The least offset that is not refused, as far as is known.
    least: usize,
    /// How many rows there are on all pages, as was last said.
    total: Option<usize>,
    /// Whether that fell from a page to the next, or was not said.
    fell: bool,
    /// How many rows the page at [`PROBE`] had.
    probe_rows: usize,
    /// Whether the list is read again.
    repeats: bool,
    /// With which row the last page began, and how many in a row did.
    began: (Option<String>, usize),
    stage: Stage,
    next: Next,
}

/// What is known of what the offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// [`FIRST`] is asked for.
    First,
    /// [`PROBE`] is asked for.
    Probe,
    /// [`ZERO`] is asked for: the offset counts rows, or has to, since what came before was not all.
    Zero {
        /// Where the walk goes on if there is nothing new.
        otherwise: Next,
    },
    /// [`ZERO`] is asked for because [`FIRST`] was refused.
    ZeroInstead,
    /// The offset counts rows.
    Rows,
    /// The offset counts pages.
    Pages {
        /// Whether the walk that is at work has met a row that was not known.
        news: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Offset(usize),
    /// The walk is made once more.
    Again,
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
        self.total.is_some_and(|all| self.rows >= all)
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
            least: FIRST,
            total: None,
            fell: false,
            probe_rows: 0,
            repeats: false,
            began: (None, 0),
            stage: Stage::First,
            next: Next::Offset(FIRST),
        }
    }

    /// The offset of the next page; nothing at the end.
    pub fn next(&mut self) -> Result<Option<usize>, CloudError> {
        let offset = match self.next {
            Next::Offset(offset) => offset,
            Next::Again => FIRST,
            Next::End => return Ok(None),
        };
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(too_many());
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
        self.least = self.least.min(offset);
        self.fell |= total.is_none() || total < self.total;
        self.total = total.or(self.total);
        let is_gap = self.stage == Stage::Rows && page.known == 0 && offset > PROBE;
        if !is_gap {
            self.reached.extend(keys.map(str::to_owned));
        }
        self.next = match self.stage {
            Stage::First | Stage::Zero { .. } | Stage::ZeroInstead if page.is_all() => Next::End,
            Stage::First => {
                self.stage = Stage::Probe;
                Next::Offset(PROBE)
            }
            Stage::Probe => self.probed(&page),
            Stage::Zero {
                otherwise: otherwise @ (Next::End | Next::Again),
            } if page.news() == 0 => self.without_zero(otherwise),
            Stage::Zero { .. } | Stage::ZeroInstead => {
                self.stage = Stage::Rows;
                self.by_rows(&page)
            }
            Stage::Rows if is_gap => self.back(&page),
            Stage::Rows => self.by_rows(&page),
            Stage::Pages { news } => self.by_pages(&page, news || page.news() > 0),
        };
    }

    /// Tells that the cloud refused `offset`.
    ///
    /// # Errors
    ///
    /// The refusal, where it leaves open whether the whole list was read.
    pub fn refused(&mut self, offset: usize, refusal: CloudError) -> Result<(), CloudError> {
        let lacks = self.total.is_some_and(|all| all > self.reached.len());
        match self.stage {
            Stage::First => {
                self.stage = Stage::ZeroInstead;
                self.next = Next::Offset(ZERO);
            }
            Stage::ZeroInstead => return Err(refusal),
            Stage::Probe
            | Stage::Rows
            | Stage::Pages { .. }
            | Stage::Zero {
                otherwise: Next::End,
            } if lacks => return Err(refusal),
            Stage::Zero { otherwise } => self.next = self.without_zero(otherwise),
            Stage::Probe | Stage::Rows | Stage::Pages { .. } => {
                self.took(offset, std::iter::empty(), None);
            }
        }
        Ok(())
    }

    /// There is nothing to be had at [`ZERO`].
    fn without_zero(&mut self, otherwise: Next) -> Next {
        self.stage = Stage::Rows;
        if otherwise == Next::Again {
            self.stage = Stage::Pages { news: false };
            self.begin_again();
        }
        otherwise
    }

    fn begin_again(&mut self) {
        (self.fell, self.total, self.repeats) = (false, None, true);
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
        self.probe_rows = page.rows;
        let otherwise = match (page.rows, page.news()) {
            // A long list may have become a short one.
            (0, _) if self.shrinks && self.fell && self.fit >= SHORTEST_FULL_PAGE => Next::Again,
            (0, _) if self.total.is_some_and(|all| self.reached.len() >= all) => return Next::End,
            (0, _) => Next::End,
            (rows, new) if new <= rows / 2 => self.by_rows(page),
            _ => return self.by_pages(page, true),
        };
        self.stage = Stage::Zero { otherwise };
        Next::Offset(ZERO)
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
        let before = page.offset.saturating_sub(self.fit);
        Next::Offset(if before > FIRST { before } else { self.least })
    }

    /// The list ends with an empty page, or with a short one where its count says so too.
    fn by_pages(&mut self, page: &Page, news: bool) -> Next {
        // The page before without a row: rows are counted, and so many had moved that it looked otherwise.
        let alike = page.news() <= 1 && page.rows + 1 >= self.probe_rows;
        if page.offset == PROBE + 1 && alike && !self.repeats {
            let otherwise = match page.rows {
                0 if self.shrinks && self.fell => Next::Again,
                0 => Next::End,
                // Rows may lie between the first page and the second one, which had next to no row that was known.
                _ => Next::Offset(self.least),
            };
            self.stage = Stage::Zero { otherwise };
            return Next::Offset(ZERO);
        }
        let counted = page.total.is_some_and(|all| self.reached.len() >= all);
        let ends = page.rows == 0 || (page.rows < self.fit && counted);
        let again = ends && news && self.shrinks && self.fell;
        self.stage = Stage::Pages {
            news: news && !again,
        };
        if again {
            self.begin_again();
        }
        match ends {
            true if again => Next::Again,
            true => Next::End,
            false => Next::Offset(page.offset + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::cloud::paging::WALK_WITHIN;

    const LIMIT: usize = 50;

    /// How many rows lie before a page, by what the offset counts; nothing if it is refused.
    type Skipped = fn(usize) -> Option<usize>;

    const COUNTINGS: [(&str, Skipped); 6] = [
        ("rows from 0", Some),
        ("rows from 1", |offset| Some(offset.saturating_sub(1))),
        ("pages from 1", |offset| {
            Some(offset.saturating_sub(1) * LIMIT)
        }),
        ("rows from 1, no 0", |offset| offset.checked_sub(1)),
        ("pages from 1, no 0", |offset| {
            Some(offset.checked_sub(1)? * LIMIT)
        }),
        ("rows from 0, no 1", |offset| {
            (offset != 1).then_some(offset)
        }),
    ];

    fn refusal() -> CloudError {
        CloudError {
            status: Some(400),
            ..CloudError::local(Meaning::UnknownRefusal, "offset is no such number")
        }
    }

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
                page += 1;
                let Some(skipped) = (self.skipped)(offset) else {
                    walk.refused(offset, refusal())?;
                    continue;
                };
                let shown = self.rows.iter().copied();
                let shown: Vec<usize> = shown.skip(skipped).take(LIMIT).collect();
                let keys: Vec<String> = shown.iter().map(usize::to_string).collect();
                let total = self.totals.then_some(self.rows.len());
                walk.took(offset, keys.iter().map(String::as_str), total);
                found.extend(shown);
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
    fn t01_a_list_that_is_counted_in_pages_takes_as_many_calls_as_it_has_pages() {
        for (_, skipped) in [COUNTINGS[2], COUNTINGS[4]] {
            for (count, calls) in [(0, 1), (3, 1), (50, 1), (51, 2), (99, 2), (120, 3)] {
                let (found, pages) = List::new(count, skipped).walk(false, |_, _| {}).unwrap();
                assert_eq!((found.len(), pages), (count, calls));
            }
        }
    }

    #[test]
    fn t01_the_walk_begins_with_the_offset_that_the_vendors_clients_send() {
        assert_eq!(Walk::new(false).next().unwrap(), Some(1));
    }

    #[test]
    fn t01_a_list_that_refuses_every_offset_is_not_taken_for_an_empty_one() {
        for skipped in [(|_| None) as Skipped, |offset| (offset == 1).then_some(0)] {
            let mut list = List::new(60, skipped);
            let refused = list.walk(false, |_, _| {}).unwrap_err();
            assert_eq!(refused, refusal());
        }
    }

    #[test]
    fn t01_what_is_past_the_end_may_be_refused() {
        for count in [0, 3, 50, 51, 100] {
            let mut walk = Walk::new(false);
            let mut found = HashSet::new();
            while let Some(offset) = walk.next().unwrap() {
                let skipped = offset.saturating_sub(1) * LIMIT;
                if offset == 0 || (skipped >= count && offset > 1) {
                    walk.refused(offset, refusal()).unwrap();
                    continue;
                }
                let shown: Vec<String> = (skipped..count.min(skipped + LIMIT))
                    .map(|row| row.to_string())
                    .collect();
                walk.took(offset, shown.iter().map(String::as_str), None);
                found.extend(shown);
            }
            assert_eq!(found.len(), count);
        }
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

    #[test]
    fn rows_that_come_as_fast_as_the_walk_goes_on_are_not_taken_for_an_offset_that_is_ignored() {
        let mut list = List {
            totals: false,
            ..List::new(300, COUNTINGS[3].1)
        };
        let keep_up = |list: &mut List, page| match page {
            1 | 2 => list.begin(1),
            3 => list.begin(44),
            4 | 5 => list.begin(LIMIT - OVERLAP),
            _ => {}
        };
        let (found, _) = list.walk(true, keep_up).unwrap();
        assert_eq!((0..300).find(|row| !found.contains(row)), None);
    }

    #[test]
    fn a_first_page_that_leaves_as_a_whole_leaves_no_gap_behind_it() {
        for (name, skipped) in COUNTINGS {
            for leaving in [49, 50, 51, 52] {
                let mut list = List {
                    totals: false,
                    ..List::new(180, skipped)
                };
                let flight = |list: &mut List, page| {
                    if page == 1 {
                        list.leave(leaving, 1);
                    }
                };
                let (found, _) = list.walk(true, flight).unwrap();
                let missed = list.rows.iter().filter(|row| !found.contains(row)).count();
                assert_eq!(missed, 0, "{name}: {leaving} leave");
            }
        }
    }

    proptest! {
        /// A walk may give up, but never ends with a gap. Rows from 0 are left out: what is known of the service speaks
        /// against them, and the first rows of such a list may be missed if most of the others leave meanwhile.
        #[test]
        fn what_was_there_all_the_time_is_found_whatever_comes_and_goes(
            count in 0_usize..600,
            from in 1_usize..5,
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
    fn a_list_that_ignores_the_offset_is_left() {
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
    }

    #[test]
    fn r03b_a_walk_reads_no_more_pages_than_it_may_and_the_next_one_is_not_soon() {
        let mut endless = Walk::new(false);
        for page in 0..MOST_PAGES {
            let offset = endless.next().unwrap().unwrap();
            let rows = page * LIMIT..(page + 1) * LIMIT;
            let keys: Vec<String> = rows.map(|row| row.to_string()).collect();
            endless.took(offset, keys.iter().map(String::as_str), None);
        }
        let error = endless.next().unwrap_err();
        assert_eq!(error.meaning, Meaning::OutOfCalls);
        assert_eq!(error.retry_after, Some(WALK_WITHIN));
        assert!(error.text.contains("300 pages"), "{error}");
    }
}
