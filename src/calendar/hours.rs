//! What windows and freezes allow together.
//!
//! Promises that a change starts in no freeze, and only inside a window where there are any; and only where what is left, up to the
//! end of windows that follow each other without a gap or to the next freeze, is as long as a change takes.

use std::{sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan as _};

use super::{
    freeze::Freeze,
    window::{Span, Window},
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
    /// Not at all, for this reason: it is not known.
    pub missing: Option<Arc<str>>,
}

impl Hours {
    /// The same hours for a change that a person wants now: windows don't count.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self {
            windows: Vec::new(),
            freezes: self.freezes.clone(),
            missing: self.missing.clone(),
        }
    }

    /// The freeze that is in force.
    pub fn freeze_at(&self, at: Timestamp) -> Option<&Freeze> {
        self.freezes.iter().find(|freeze| freeze.covers(at))
    }

    /// Whether a window is open; so it is where there are none.
    pub fn is_open_at(&self, at: Timestamp) -> bool {
        self.opening(at).is_some_and(|span| span.start <= at)
    }

    /// The first instant, from this one on, at which a change that takes so long may start. Nothing, if there is none within a year.
    pub fn next(&self, at: Timestamp, takes: Duration) -> Option<Timestamp> {
        let last = at.checked_add(HOURS_AHEAD.hours()).ok()?;
        if self.missing.is_some() {
            return None;
        }
        let mut from = at;
        while from <= last {
            let opening = self.opening(from)?;
            let start = opening.start.max(from);
            if let Some(freeze) = self.freeze_at(start) {
                from = freeze.until;
                continue;
            }
            let wanted = start.checked_add(takes).ok()?;
            let end = self.frozen_after(start).min(self.closing(opening, wanted));
            if end >= wanted {
                return Some(start).filter(|start| *start <= last);
            }
            from = end;
        }
        None
    }

    /// What is open at an instant, or opens first after it.
    fn opening(&self, at: Timestamp) -> Option<Span> {
        if self.windows.is_empty() {
            return Some(Span {
                start: at,
                end: Timestamp::MAX,
            });
        }
        let spans = self
            .windows
            .iter()
            .filter_map(|window| window.open_at_or_after(at));
        // Of those that are open the one that lasts the longest.
        spans.min_by_key(|span| (span.start.max(at), std::cmp::Reverse(span.end)))
    }

    /// When windows that follow each other close, unless they are open for long enough.
    fn closing(&self, opening: Span, wanted: Timestamp) -> Timestamp {
        let mut end = opening.end;
        while end < wanted {
            match self.opening(end) {
                Some(next) if next.start <= end => end = next.end,
                _ => break,
            }
        }
        end
    }

    /// When the next freeze begins.
    fn frozen_after(&self, at: Timestamp) -> Timestamp {
        let begin = self.freezes.iter().map(|freeze| freeze.from);
        begin
            .filter(|from| *from > at)
            .min()
            .unwrap_or(Timestamp::MAX)
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
            missing: None,
        };
        for (at, expected) in [
            ("2026-12-20T02:50:00Z", "2026-12-20T02:50:00Z"),
            ("2026-12-20T02:50:01Z", "2027-01-05T02:00:00Z"),
            ("2026-12-24T03:30:00Z", "2027-01-05T02:00:00Z"),
        ] {
            expect(&hours, at, TEN_MINUTES, expected);
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
        assert_eq!(next(&hours, "2026-03-02T12:00:00Z", Duration::ZERO), None);
    }
}
