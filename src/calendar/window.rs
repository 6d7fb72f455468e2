//! A window that comes again: on some days, from a time of day in a zone, for so long.
//!
//! Promises that a day has one window at most. A start that the clocks skip is the first instant after what they skip; one that
//! they show twice is the first of both. The length is elapsed time, whatever the clocks do meanwhile.

use std::{fmt, time::Duration};

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};

use super::zones;
use crate::model::whole_units;

/// The days of the week, as they are written.
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// How many days ahead a window is looked for. A fifth weekday of a month comes four times a year at least.
const DAYS_AHEAD: u32 = 400;

/// The days before an instant on which a window that is still open may have begun: it lasts a day, and a skipped day puts it off
/// by one more.
const DAYS_BEFORE: i64 = 3;

/// What a window is made from, as it is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct WindowParts<'a> {
    /// `Mon` to `Sun`; all where nothing is said of them. A list without any is a fault.
    pub days: Option<&'a [&'a str]>,
    /// 1 to 5; all where nothing is said of them. A list without any is a fault.
    pub weeks_of_month: Option<&'a [i32]>,
    /// `HH:MM`.
    pub start: &'a str,
    /// As `2h30m`, from 30m to 24h.
    pub duration: &'a str,
    /// An IANA name; UTC where there is none.
    pub time_zone: Option<&'a str>,
}

/// Why there is no such window, and where it was stated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}[{index}].{fault}")]
pub struct WindowError {
    /// The list of windows.
    pub field: &'static str,
    /// Which of them, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub fault: WindowFault,
}

/// What is wrong with a window; begins with the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WindowFault {
    /// No such day.
    #[error("days: {0:?} is not a day: give Mon, Tue, Wed, Thu, Fri, Sat or Sun")]
    Day(String),
    /// No day at all: whoever has written that may have meant none, or all.
    #[error("days is empty: name the days on which it begins, or leave it out for every day")]
    NoDay,
    /// No week at all.
    #[error("weeksOfMonth is empty: give the weeks of a month that count, or leave it out for all")]
    NoWeek,
    /// No such week.
    #[error("weeksOfMonth: {0} is not a week of a month: give numbers from 1 to 5")]
    Week(i32),
    /// No time of day.
    #[error("start: {0:?} is not a time of day: give hours and minutes, such as 02:00")]
    Start(String),
    /// No length that a window may have.
    #[error("duration: {0:?} must be from 30m to 24h, such as 3h or 2h30m")]
    Duration(String),
    /// The zone data have no such zone.
    #[error(
        "timeZone: {0:?} is not a time zone of the IANA data {release}: give a name such as Europe/Berlin, or leave it out for UTC",
        release = zones::RELEASE
    )]
    Zone(String),
}

/// A window that comes again.
#[derive(Clone, PartialEq, Eq)]
pub struct Window {
    /// A bit for each day of the week, from Monday on.
    days: u8,
    /// A bit for each week of the month, from the first on.
    weeks: u8,
    start: Time,
    duration: Duration,
    zone: TimeZone,
}

/// Time from one instant up to but not including another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
}

impl Window {
    /// Reads a window.
    pub fn new(parts: &WindowParts<'_>) -> Result<Self, WindowFault> {
        let days = bits(parts.days, WindowFault::NoDay, |day| {
            let position = DAYS.iter().position(|(name, _)| name == day);
            position.ok_or_else(|| WindowFault::Day((*day).to_owned()))
        });
        let weeks = bits(
            parts.weeks_of_month,
            WindowFault::NoWeek,
            |week| match usize::try_from(*week) {
                Ok(number @ 1..=5) => Ok(number - 1),
                _ => Err(WindowFault::Week(*week)),
            },
        );
        let (days, weeks) = (days?, weeks?);
        let duration = whole_units(parts.duration)
            .filter(|length| (Duration::from_mins(30)..=Duration::from_hours(24)).contains(length));
        let zone = parts.time_zone.unwrap_or("UTC");
        Ok(Self {
            days,
            weeks,
            start: time_of_day(parts.start)
                .ok_or_else(|| WindowFault::Start(parts.start.to_owned()))?,
            duration: duration.ok_or_else(|| WindowFault::Duration(parts.duration.to_owned()))?,
            zone: zones::zone(zone).ok_or_else(|| WindowFault::Zone(zone.to_owned()))?,
        })
    }

    /// A window of each day as the cloud writes that of an instance: from one time of day to another in UTC, as `18:00-22:00`.
    pub fn of_instance(text: &str) -> Option<Self> {
        let (from, to) = text.trim().split_once('-')?;
        let (start, end) = (time_of_day(from.trim())?, time_of_day(to.trim())?);
        let minutes = |time: Time| i64::from(time.hour()) * 60 + i64::from(time.minute());
        let length = (minutes(end) - minutes(start)).rem_euclid(24 * 60);
        let length = u64::try_from(length).ok().filter(|length| *length > 0)?;
        Some(Self {
            days: u8::MAX,
            weeks: u8::MAX,
            start,
            duration: Duration::from_mins(length),
            zone: TimeZone::UTC,
        })
    }

    /// Reads a list of windows that stands in `field`.
    pub fn all<'a>(
        field: &'static str,
        parts: impl Iterator<Item = WindowParts<'a>>,
    ) -> Result<Vec<Self>, WindowError> {
        let window = |(index, parts)| {
            Self::new(&parts).map_err(|fault| WindowError {
                field,
                index,
                fault,
            })
        };
        parts.enumerate().map(window).collect()
    }

    /// The window that is open at an instant, or the first that opens after it.
    pub fn open_at_or_after(&self, at: Timestamp) -> Option<Span> {
        self.spans(at).next()
    }

    /// Each time that it is open from an instant on, in the order in which they begin; up to a good year ahead.
    pub fn spans(&self, at: Timestamp) -> Spans<'_> {
        let today = self.zone.to_datetime(at).date();
        Spans {
            window: self,
            at,
            date: today.checked_sub(DAYS_BEFORE.days()).ok(),
            left: DAYS_AHEAD,
        }
    }

    /// The window of a day.
    fn on(&self, date: Date) -> Option<Span> {
        let day = date.weekday().to_monday_zero_offset();
        let week = (date.day() - 1) / 7;
        let is_meant = self.days >> day & 1 == 1 && self.weeks >> week & 1 == 1;
        let start = is_meant.then(|| self.instant(date.to_datetime(self.start)))??;
        let end = start.checked_add(self.duration).ok()?;
        Some(Span { start, end })
    }

    /// When the clocks show this for the first time, or pass over it.
    fn instant(&self, shown: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(shown);
        if let AmbiguousOffset::Gap { before, .. } = ambiguous.offset() {
            // By the clocks as they were before, it lies behind the leap.
            let behind = before.to_timestamp(shown).ok()?;
            let just_after = behind.checked_add(1.nanosecond()).ok()?;
            let leap = self.zone.preceding(just_after).next()?;
            return Some(leap.timestamp());
        }
        ambiguous.earlier().ok()
    }
}

/// The times at which a window is open.
#[derive(Debug, Clone)]
pub struct Spans<'a> {
    window: &'a Window,
    at: Timestamp,
    date: Option<Date>,
    left: u32,
}

impl Iterator for Spans<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        while self.left > 0 {
            self.left -= 1;
            let date = self.date?;
            self.date = date.tomorrow().ok();
            let span = self.window.on(date);
            if let Some(span) = span.filter(|span| span.end > self.at) {
                return Some(span);
            }
        }
        None
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A zone is much data, and has a name.
        formatter
            .debug_struct("Window")
            .field("days", &self.days)
            .field("weeks", &self.weeks)
            .field("start", &self.start)
            .field("duration", &self.duration)
            .field("zone", &self.zone.iana_name())
            .finish()
    }
}

/// A bit for each of a list; all bits where there is no list.
fn bits<T>(
    named: Option<&[T]>,
    empty: WindowFault,
    position: impl Fn(&T) -> Result<usize, WindowFault>,
) -> Result<u8, WindowFault> {
    let Some(named) = named else {
        return Ok(u8::MAX);
    };
    if named.is_empty() {
        return Err(empty);
    }
    let mut bits = 0;
    for one in named {
        bits |= 1_u8 << position(one)?;
    }
    Ok(bits)
}

/// Two digits for hours and two for minutes.
fn time_of_day(text: &str) -> Option<Time> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let whole = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| digits.parse::<i8>().ok()).flatten()
    };
    Time::new(number(hours)?, number(minutes)?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>(start: &'a str, duration: &'a str, zone: &'a str) -> WindowParts<'a> {
        WindowParts {
            start,
            duration,
            time_zone: Some(zone),
            ..WindowParts::default()
        }
    }

    fn first(parts: &WindowParts<'_>, at: &str) -> (String, String) {
        let window = Window::new(parts).unwrap();
        let span = window.open_at_or_after(at.parse().unwrap()).unwrap();
        (span.start.to_string(), span.end.to_string())
    }

    fn opens(parts: &WindowParts<'_>, at: &str) -> String {
        first(parts, at).0
    }

    #[test]
    fn a_window_is_open_from_its_start_up_to_its_end() {
        let night = parts("22:00", "3h", "UTC");
        for (at, start) in [
            ("2026-03-02T21:59:59Z", "2026-03-02T22:00:00Z"),
            ("2026-03-02T22:00:00Z", "2026-03-02T22:00:00Z"),
            ("2026-03-03T00:59:59Z", "2026-03-02T22:00:00Z"),
            ("2026-03-03T01:00:00Z", "2026-03-03T22:00:00Z"),
        ] {
            assert_eq!(opens(&night, at), start, "{at}");
        }
    }

    #[test]
    fn days_and_weeks_are_those_on_which_it_begins() {
        let second_tuesday = WindowParts {
            days: Some(&["Tue"]),
            weeks_of_month: Some(&[2]),
            ..parts("23:00", "4h", "UTC")
        };
        assert_eq!(
            first(&second_tuesday, "2026-03-03T00:00:00Z"),
            (
                "2026-03-10T23:00:00Z".to_owned(),
                "2026-03-11T03:00:00Z".to_owned()
            )
        );
        let fifth = WindowParts {
            days: Some(&["Mon"]),
            weeks_of_month: Some(&[5]),
            ..parts("02:00", "1h", "UTC")
        };
        assert_eq!(
            opens(&fifth, "2026-03-31T00:00:00Z"),
            "2026-06-29T02:00:00Z"
        );
    }

    #[test]
    fn clocks_that_leap_move_the_start_and_not_the_length() {
        let berlin = parts("02:30", "3h", "Europe/Berlin");
        let spring = first(&berlin, "2026-03-28T12:00:00Z");
        assert_eq!(
            (spring.0.as_str(), spring.1.as_str()),
            ("2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"),
            "skipped: at once after it"
        );
        let autumn = first(&berlin, "2026-10-24T12:00:00Z");
        assert_eq!(
            (autumn.0.as_str(), autumn.1.as_str()),
            ("2026-10-25T00:30:00Z", "2026-10-25T03:30:00Z"),
            "shown twice: the first"
        );
        let lord_howe = parts("02:15", "1h", "Australia/Lord_Howe");
        assert_eq!(
            opens(&lord_howe, "2026-10-03T12:00:00Z"),
            "2026-10-03T15:30:00Z",
            "half an hour is skipped"
        );
        // Samoa had no 30th of December in 2011.
        let friday = WindowParts {
            days: Some(&["Fri"]),
            ..parts("02:00", "1h", "Pacific/Apia")
        };
        assert_eq!(
            opens(&friday, "2011-12-29T12:00:00Z"),
            "2011-12-30T10:00:00Z"
        );
    }

    #[test]
    fn the_window_of_an_instance_is_one_of_each_day_in_utc() {
        let span = |text: &str, at: &str| {
            let window = Window::of_instance(text)?;
            let span = window.open_at_or_after(at.parse().unwrap())?;
            Some((span.start.to_string(), span.end.to_string()))
        };
        let noon = "2026-03-02T12:00:00Z";
        for (text, start, end) in [
            (
                "18:00-22:00",
                "2026-03-02T18:00:00Z",
                "2026-03-02T22:00:00Z",
            ),
            (
                "22:00-02:00",
                "2026-03-02T22:00:00Z",
                "2026-03-03T02:00:00Z",
            ),
            (
                " 11:30 - 12:30 ",
                "2026-03-02T11:30:00Z",
                "2026-03-02T12:30:00Z",
            ),
        ] {
            let wanted = (start.to_owned(), end.to_owned());
            assert_eq!(span(text, noon), Some(wanted), "{text}");
        }
        for text in [
            "",
            "18:00",
            "18-22",
            "24:00-02:00",
            "18:00-18:00",
            "a-b",
            "18:00-22:00Z",
        ] {
            assert_eq!(span(text, noon), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_window_is_refused_by_its_field() {
        let good = parts("02:00", "3h", "UTC");
        let table = [
            (
                WindowParts {
                    days: Some(&["Montag"]),
                    ..good
                },
                "days: \"Montag\"",
            ),
            (
                WindowParts {
                    weeks_of_month: Some(&[6]),
                    ..good
                },
                "weeksOfMonth: 6",
            ),
            (
                WindowParts {
                    days: Some(&[]),
                    ..good
                },
                "days is empty",
            ),
            (
                WindowParts {
                    weeks_of_month: Some(&[]),
                    ..good
                },
                "weeksOfMonth is empty",
            ),
            (
                WindowParts {
                    start: "24:00",
                    ..good
                },
                "start: \"24:00\"",
            ),
            (
                WindowParts {
                    start: "2:00",
                    ..good
                },
                "start: \"2:00\"",
            ),
            (
                WindowParts {
                    duration: "29m",
                    ..good
                },
                "duration: \"29m\"",
            ),
            (
                WindowParts {
                    duration: "25h",
                    ..good
                },
                "duration: \"25h\"",
            ),
            (
                WindowParts {
                    time_zone: Some("Europe/Atlantis"),
                    ..good
                },
                "timeZone: \"Europe/Atlantis\"",
            ),
        ];
        for (parts, text) in table {
            let error = Window::all("spec.maintenanceWindows", [good, parts].into_iter());
            let error = error.unwrap_err().to_string();
            let wanted = format!("spec.maintenanceWindows[1].{text}");
            assert!(error.starts_with(&wanted), "{error}");
        }
    }
}
