//! What windows and freezes allow together.
//!
//! Promises that a change starts in no freeze, and only inside a window where there are any; and only where what is left, up to the
//! end of windows that follow each other without a gap or to the next freeze, is as long as a change takes.

use std::{iter::Peekable, sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan as _};

use super::{
    freeze::Freeze,
    window::{Span, Spans, Window},
};

/// How far ahead is looked for a time that will do.
const HOURS_AHEAD: i64 = 400 * 24;

/// When the changes of a resource may start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours {
    /// Inside one of these; at any time where there are none.
    pub windows: Vec<Window>,
    /// In none of these, which are in the order in which they begin.
    pub freezes: Vec<Freeze>,
    /// Not at all, for this reason: there is no calendar though there should be one.
    pub missing: Option<Arc<str>>,
    /// Not inside any window, for this reason: it is not known when the only one is.
    pub unknown: Option<Arc<str>>,
}

impl Hours {
    /// The same hours for a change that a person wants now: windows don't count.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self {
            windows: Vec::new(),
            freezes: self.freezes.clone(),
            missing: self.missing.clone(),
            unknown: None,
        }
    }

    /// The same hours as if there were no freezes.
    #[must_use]
    pub fn without_freezes(&self) -> Self {
        Self {
            freezes: Vec::new(),
            ..self.clone()
        }
    }

    /// The freeze that is in force.
    pub fn freeze_at(&self, at: Timestamp) -> Option<&Freeze> {
        let mut begun = self.freezes.iter().take_while(|freeze| freeze.from <= at);
        begun.find(|freeze| freeze.covers(at))
    }

    /// The freeze that is in force, or that begins so soon that a change would reach into it, which a window would let start.
    pub fn freeze_in_the_way(&self, at: Timestamp, takes: Duration) -> Option<&Freeze> {
        let without = self.without_freezes();
        let ends = at.checked_add(takes).ok()?;
        self.freeze_at(at).or_else(|| {
            let mut ahead = self.freezes.iter().filter(|freeze| freeze.from > at);
            let near = ahead.next().filter(|freeze| freeze.from < ends)?;
            (without.next(at, takes) == Some(at)).then_some(near)
        })
    }

    /// The freeze that ends last, where freezes leave no moment within a year and windows alone would.
    pub fn frozen_for_good(&self, at: Timestamp, takes: Duration) -> Option<&Freeze> {
        let alone = self.without_freezes();
        let only_freezes = self.next(at, takes).is_none() && alone.next(at, takes).is_some();
        let freezes = self.freezes.iter().filter(|_| only_freezes);
        freezes.max_by_key(|freeze| freeze.until)
    }

    /// Whether a window is open; so it is where there are none.
    pub fn is_open_at(&self, at: Timestamp) -> bool {
        let mut spans = self
            .windows
            .iter()
            .filter_map(|window| window.open_at_or_after(at));
        self.unknown.is_none() && self.windows.is_empty() || spans.any(|span| span.start <= at)
    }

    /// The first instant, from this one on, at which a change that takes so long may start. Nothing, if there is none within a year.
    ///
    /// Each opening is looked at once, also where none is long enough.
    pub fn next(&self, at: Timestamp, takes: Duration) -> Option<Timestamp> {
        let last = at.checked_add(HOURS_AHEAD.hours()).ok()?;
        if self.missing.is_some() || self.unknown.is_some() {
            return None;
        }
        let mut openings = Openings::new(&self.windows, at);
        let mut open = openings.next()?;
        let mut from = at;
        loop {
            let start = open.start.max(from);
            if start > last {
                return None;
            }
            if start >= open.end {
                open = openings.next()?;
                continue;
            }
            if let Some(freeze) = self.freeze_at(start) {
                from = freeze.until;
                continue;
            }
            let wanted = start.checked_add(takes).ok()?;
            openings.join(&mut open, wanted);
            let end = self.frozen_after(start).min(open.end);
            if end >= wanted {
                return Some(start);
            }
            from = end;
        }
    }

    /// The last instant, from this one on but at most so long after it, up to which a change that takes so long may start at any moment;
    /// nothing, if it may not start at this one.
    pub fn last_start(
        &self,
        at: Timestamp,
        takes: Duration,
        within: Duration,
    ) -> Option<Timestamp> {
        if self.next(at, takes) != Some(at) {
            return None;
        }
        let wanted = at.checked_add(takes.saturating_add(within)).ok()?;
        let mut openings = Openings::new(&self.windows, at);
        let mut open = openings.next()?;
        while open.end <= at {
            open = openings.next()?;
        }
        openings.join(&mut open, wanted);
        let end = self.frozen_after(at).min(open.end).min(wanted);
        end.checked_sub(takes).ok()
    }

    /// How long the longest opening is within a year, and less than `most` if no change of that length may ever start. Freezes, which pass,
    /// don't count.
    pub fn longest(&self, at: Timestamp, most: Duration) -> Duration {
        let mut longest = Duration::ZERO;
        let Some(last) = at.checked_add(HOURS_AHEAD.hours()).ok() else {
            return most;
        };
        let mut openings = Openings::new(&self.windows, at);
        while let Some(mut open) = openings.next().filter(|open| open.start <= last) {
            let Ok(wanted) = open.start.checked_add(most) else {
                return most;
            };
            openings.join(&mut open, wanted);
            let lasts = Duration::try_from(open.end.duration_since(open.start));
            longest = longest.max(lasts.unwrap_or_default());
            if longest >= most {
                break;
            }
        }
        longest
    }

    /// When the next freeze begins.
    fn frozen_after(&self, at: Timestamp) -> Timestamp {
        let begun = self.freezes.partition_point(|freeze| freeze.from <= at);
        let next = self.freezes.get(begun);
        next.map_or(Timestamp::MAX, |freeze| freeze.from)
    }
}

/// The times at which any of some windows is open, in the order in which they begin.
struct Openings<'a>(Vec<Peekable<Spans<'a>>>, Option<Span>);

impl<'a> Openings<'a> {
    fn new(windows: &'a [Window], at: Timestamp) -> Self {
        let always = Span {
            start: at,
            end: Timestamp::MAX,
        };
        let spans = windows.iter().map(|window| window.spans(at).peekable());
        Self(spans.collect(), windows.is_empty().then_some(always))
    }

    /// The next one of them, if it begins no later than that.
    fn next_until(&mut self, latest: Timestamp) -> Option<Span> {
        let of_each = self.0.iter_mut().enumerate();
        let begins = of_each.filter_map(|(index, spans)| Some((spans.peek()?.start, index)));
        let (start, index) = begins.min()?;
        if start > latest {
            return None;
        }
        self.0.get_mut(index)?.next()
    }

    fn next(&mut self) -> Option<Span> {
        self.1.take().or_else(|| self.next_until(Timestamp::MAX))
    }

    /// Puts those that follow without a gap to the one that is `open`, unless that lasts long enough.
    fn join(&mut self, open: &mut Span, wanted: Timestamp) {
        while open.end < wanted
            && let Some(next) = self.next_until(open.end)
        {
            open.end = open.end.max(next.end);
        }
    }
}

#[cfg(test)]
mod property;

#[cfg(test)]
mod tests {
    use super::{super::window::WindowParts, *};

    const TEN_MINUTES: Duration = Duration::from_mins(10);

    fn window(start: &str, duration: &str) -> Window {
        Window::new(&WindowParts {
            start,
            duration,
            ..WindowParts::default()
        })
        .unwrap()
    }

    fn freeze(from: &str, until: &str) -> Freeze {
        Freeze {
            from: from.parse().unwrap(),
            until: until.parse().unwrap(),
            reason: "year-end".to_owned(),
            namespaces: Vec::new(),
        }
    }

    fn next(hours: &Hours, at: &str, takes: Duration) -> Option<String> {
        let next = hours.next(at.parse().unwrap(), takes);
        next.map(|next| next.to_string())
    }

    #[track_caller]
    fn expect(hours: &Hours, at: &str, takes: Duration, expected: &str) {
        assert_eq!(next(hours, at, takes).as_deref(), Some(expected), "{at}");
    }

    #[test]
    fn without_windows_and_freezes_any_time_will_do() {
        let at = "2026-03-02T12:34:56Z";
        expect(&Hours::default(), at, TEN_MINUTES, at);
    }

    #[test]
    fn a_change_starts_where_it_can_also_end() {
        let hours = Hours {
            windows: vec![window("02:00", "3h")],
            ..Hours::default()
        };
        let tomorrow = "2026-03-03T02:00:00Z";
        for (at, expected) in [
            ("2026-03-02T01:59:59Z", "2026-03-02T02:00:00Z"),
            ("2026-03-02T04:50:00Z", "2026-03-02T04:50:00Z"),
            ("2026-03-02T04:50:01Z", tomorrow),
            ("2026-03-02T05:00:00Z", tomorrow),
        ] {
            expect(&hours, at, TEN_MINUTES, expected);
        }
        let longer = Duration::from_hours(3) + Duration::from_secs(1);
        assert_eq!(next(&hours, "2026-03-02T01:00:00Z", longer), None);
    }

    #[test]
    fn the_last_start_is_where_a_change_can_just_end() {
        let hours = Hours {
            windows: vec![window("02:00", "3h"), window("05:00", "1h")],
            freezes: vec![freeze("2026-03-02T05:30:00Z", "2026-03-02T05:40:00Z")],
            ..Hours::default()
        };
        let last = |hours: &Hours, at: &str| {
            let last = hours.last_start(at.parse().unwrap(), TEN_MINUTES, Duration::from_mins(1));
            last.map(|last| last.to_string())
        };
        for (at, expected) in [
            ("2026-03-02T01:59:59Z", None),
            ("2026-03-02T02:00:00Z", Some("2026-03-02T02:01:00Z")),
            ("2026-03-02T04:49:30Z", Some("2026-03-02T04:50:30Z")),
            ("2026-03-02T05:19:59Z", Some("2026-03-02T05:20:00Z")),
            ("2026-03-02T05:20:00Z", Some("2026-03-02T05:20:00Z")),
            ("2026-03-02T05:20:01Z", None),
            ("2026-03-02T05:49:55Z", Some("2026-03-02T05:50:00Z")),
        ] {
            assert_eq!(last(&hours, at).as_deref(), expected, "{at}");
        }
        let always = last(&Hours::default(), "2026-03-02T12:00:00Z");
        assert_eq!(always.as_deref(), Some("2026-03-02T12:01:00Z"));
    }

    #[test]
    fn the_freeze_that_ends_last_is_named_where_freezes_leave_no_window_within_a_year() {
        let at = "2026-03-02T06:00:00Z".parse().unwrap();
        let hours = |until: &str| Hours {
            windows: vec![window("02:00", "3h")],
            freezes: vec![
                freeze("2026-03-02T12:00:00Z", "2026-03-04T00:00:00Z"),
                freeze("2026-03-04T00:00:00Z", until),
            ],
            ..Hours::default()
        };
        for (until, is_named) in [
            ("2026-03-08T00:00:00Z", false),
            ("2099-01-01T00:00:00Z", true),
        ] {
            let hours = hours(until);
            let named = hours.frozen_for_good(at, TEN_MINUTES);
            let named = named.map(|freeze| freeze.until.to_string());
            assert_eq!(named.as_deref(), is_named.then_some(until));
            assert_eq!(hours.freeze_in_the_way(at, TEN_MINUTES), None);
        }
    }

    #[test]
    fn windows_that_follow_each_other_are_one() {
        let hours = Hours {
            windows: vec![
                window("04:00", "1h"),
                window("02:00", "2h"),
                window("03:00", "30m"),
            ],
            ..Hours::default()
        };
        let three = Duration::from_hours(3);
        expect(
            &hours,
            "2026-03-02T00:00:00Z",
            three,
            "2026-03-02T02:00:00Z",
        );
        expect(
            &hours,
            "2026-03-02T02:00:01Z",
            three,
            "2026-03-03T02:00:00Z",
        );
        let always = Hours {
            windows: vec![window("00:00", "24h")],
            ..Hours::default()
        };
        let week = Duration::from_hours(7 * 24);
        expect(
            &always,
            "2026-03-02T12:00:00Z",
            week,
            "2026-03-02T12:00:00Z",
        );
    }

    #[test]
    fn a_freeze_wins_over_every_window_and_nothing_starts_right_before_it() {
        let hours = Hours {
            windows: vec![window("02:00", "3h")],
            freezes: vec![
                freeze("2026-12-20T03:00:00Z", "2026-12-24T03:30:00Z"),
                freeze("2026-12-24T03:30:00Z", "2027-01-04T04:55:00Z"),
            ],
            ..Hours::default()
        };
        for (at, expected) in [
            ("2026-12-20T02:50:00Z", "2026-12-20T02:50:00Z"),
            ("2026-12-20T02:50:01Z", "2027-01-05T02:00:00Z"),
            ("2026-12-24T03:30:00Z", "2027-01-05T02:00:00Z"),
        ] {
            expect(&hours, at, TEN_MINUTES, expected);
        }
        let in_the_way = |at: &str| {
            let freeze = hours.freeze_in_the_way(at.parse().unwrap(), TEN_MINUTES);
            freeze.map(|freeze| freeze.from.to_string())
        };
        for (at, from) in [
            ("2026-12-20T01:55:00Z", None),
            ("2026-12-20T02:50:00Z", None),
            ("2026-12-20T02:50:01Z", Some("2026-12-20T03:00:00Z")),
            ("2026-12-24T03:30:00Z", Some("2026-12-24T03:30:00Z")),
        ] {
            assert_eq!(in_the_way(at).as_deref(), from, "{at}");
        }
        let at_once = hours.at_once();
        expect(
            &at_once,
            "2026-12-19T12:00:00Z",
            TEN_MINUTES,
            "2026-12-19T12:00:00Z",
        );
        expect(
            &at_once,
            "2026-12-24T12:00:00Z",
            TEN_MINUTES,
            "2027-01-04T04:55:00Z",
        );
    }

    #[test]
    fn while_it_is_not_known_when_nothing_starts() {
        let hours = Hours {
            missing: Some("gone".into()),
            ..Hours::default()
        };
        let noon = "2026-03-02T12:00:00Z";
        assert_eq!(next(&hours, noon, Duration::ZERO), None);
        assert_eq!(next(&hours.at_once(), noon, Duration::ZERO), None);
        // Whoever wants it now wants it without a window.
        let hours = Hours {
            unknown: Some("not told".into()),
            ..Hours::default()
        };
        assert_eq!(next(&hours, noon, Duration::ZERO), None);
        assert!(!hours.is_open_at(noon.parse().unwrap()));
        expect(&hours.at_once(), noon, Duration::ZERO, noon);
    }

    #[test]
    fn many_short_windows_have_no_time_for_a_long_change_and_each_is_looked_at_once() {
        let starts = (0..16).map(|hour| format!("{hour:02}:30"));
        let hours = Hours {
            windows: starts.map(|start| window(&start, "30m")).collect(),
            ..Hours::default()
        };
        let at: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let half_an_hour = Duration::from_mins(30);
        let longer = half_an_hour + Duration::from_secs(1);
        assert_eq!(hours.next(at, longer), None);
        assert_eq!(hours.longest(at, longer), half_an_hour);
        expect(
            &hours,
            "2026-03-02T00:30:01Z",
            half_an_hour,
            "2026-03-02T01:30:00Z",
        );
        let mut openings = Openings::new(&hours.windows, at);
        let looked_at = std::iter::from_fn(|| openings.next()).count();
        assert!((16 * 390..=16 * 410).contains(&looked_at), "{looked_at}");
    }

    #[test]
    fn the_longest_opening_joins_what_follows_without_a_gap() {
        let at: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        let hours = Hours {
            windows: vec![
                window("02:00", "2h"),
                window("04:00", "1h"),
                window("12:00", "90m"),
            ],
            ..Hours::default()
        };
        assert_eq!(
            hours.longest(at, Duration::from_hours(9)),
            Duration::from_hours(3)
        );
        let always = Hours::default();
        assert!(always.longest(at, Duration::from_hours(9)) >= Duration::from_hours(9));
    }
}
