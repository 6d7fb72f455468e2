//! The calendar as it is written: YAML, in which nothing is passed over that could have been meant.
//!
//! Promises that an unknown field is a fault and not a freeze that nobody keeps, and that a fault names its place.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{Calendar, Freeze, Window, WindowError, WindowParts};

/// The longest file that is read, in bytes: that of a `ConfigMap`.
pub const LONGEST: u64 = 1024 * 1024;

/// Why a text is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarFault {
    /// Nothing stands in it: perhaps it was cut off, and its freezes with it.
    #[error("it is empty: for a calendar without windows and freezes write `freezes: []`")]
    Empty,
    /// It is no YAML, or has fields that no calendar has.
    #[error("{0}")]
    Form(String),
    /// A window can't be.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A freeze ends before it begins.
    #[error("freezes[{0}].until must be later than its from")]
    Backwards(usize),
    /// A freeze does not say why.
    #[error("freezes[{0}].reason must say why, for those who wait for its end")]
    NoReason(usize),
    /// A freeze is for nobody.
    #[error("freezes[{0}].namespaces is empty: leave it out for a freeze of all namespaces")]
    Nobody(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    windows: Vec<WrittenWindow>,
    #[serde(default)]
    freezes: Vec<WrittenFreeze>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenWindow {
    // What is there and empty may have meant none, or all: only what is left out means all.
    #[serde(default, deserialize_with = "stated")]
    days: Option<Vec<String>>,
    #[serde(default, deserialize_with = "stated")]
    weeks_of_month: Option<Vec<i32>>,
    start: String,
    duration: String,
    #[serde(default, deserialize_with = "stated")]
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFreeze {
    from: Timestamp,
    until: Timestamp,
    reason: String,
    #[serde(default, deserialize_with = "stated")]
    namespaces: Option<Vec<String>>,
}

/// A field that is there has a value.
fn stated<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    let value = Option::<T>::deserialize(field)?;
    let missing = || D::Error::custom("a field has no value: state it, or leave the field out");
    value.ok_or_else(missing).map(Some)
}

/// Reads a calendar.
pub fn parse(text: &str) -> Result<Calendar, CalendarFault> {
    let written: Option<Written> =
        serde_saphyr::from_str(text).map_err(|error| CalendarFault::Form(first_line(&error)))?;
    let written = written.ok_or(CalendarFault::Empty)?;
    let days = written.windows.iter().map(|window| {
        let days = window.days.as_ref()?.iter().map(String::as_str);
        Some(days.collect::<Vec<_>>())
    });
    let days: Vec<_> = days.collect();
    let parts = written
        .windows
        .iter()
        .zip(&days)
        .map(|(window, days)| WindowParts {
            days: days.as_deref(),
            weeks_of_month: window.weeks_of_month.as_deref(),
            start: &window.start,
            duration: &window.duration,
            time_zone: window.time_zone.as_deref(),
        });
    let windows = Window::all("windows", parts)?;
    let freezes = written.freezes.into_iter().enumerate();
    let freezes = freezes.map(|(index, written)| freeze(index, written));
    let mut freezes = freezes.collect::<Result<Vec<_>, _>>()?;
    freezes.sort_by_key(|freeze| freeze.from);
    Ok(Calendar {
        windows,
        freezes,
        missing: None,
    })
}

fn freeze(index: usize, written: WrittenFreeze) -> Result<Freeze, CalendarFault> {
    if written.until <= written.from {
        return Err(CalendarFault::Backwards(index));
    }
    if written.reason.trim().is_empty() {
        return Err(CalendarFault::NoReason(index));
    }
    if written.namespaces.as_ref().is_some_and(Vec::is_empty) {
        return Err(CalendarFault::Nobody(index));
    }
    // What is shown of them has whole seconds.
    let second = Unit::Second;
    let (from, until) = (
        TimestampRound::new().smallest(second),
        TimestampRound::new().smallest(second),
    );
    let from = written.from.round(from.mode(RoundMode::Floor));
    let until = written.until.round(until.mode(RoundMode::Ceil));
    Ok(Freeze {
        from: from.unwrap_or(written.from),
        until: until.unwrap_or(written.until),
        reason: written.reason,
        namespaces: written.namespaces.unwrap_or_default(),
    })
}

/// What an error says, without the lines of the file that it quotes.
fn first_line(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
windows:
  - days: [Mon, Tue, Wed, Thu]
    weeksOfMonth: [1, 3]
    start: "02:00"
    duration: 3h
    timeZone: Europe/Berlin
  - start: "22:00"
    duration: 30m
freezes:
  - from: 2027-06-01T00:00:00Z
    until: 2027-06-02T00:00:00Z
    reason: stocktaking
    namespaces: [shop]
  - from: 2026-12-20T00:00:00+01:00
    until: 2027-01-04T00:00:00+01:00
    reason: year-end
"#;

    #[test]
    fn a_calendar_is_read_whole() {
        let calendar = parse(WHOLE).unwrap();
        assert_eq!(calendar.windows.len(), 2);
        let reasons: Vec<_> = calendar
            .freezes
            .iter()
            .map(|freeze| freeze.reason.as_str())
            .collect();
        assert_eq!(reasons, ["year-end", "stocktaking"]);
        assert_eq!(calendar.freezes[0].from.to_string(), "2026-12-19T23:00:00Z");
        let freezes = |namespace| calendar.hours(namespace, &[]).freezes.len();
        assert_eq!((freezes("shop"), freezes("web")), (2, 1));
        let own = &calendar.windows[..1];
        assert_eq!(calendar.hours("web", own).windows, own);
        assert_eq!(calendar.hours("web", &[]).windows, calendar.windows);
    }

    #[test]
    fn what_says_nothing_is_silent() {
        for text in ["freezes: []", "{}", "windows: []\nfreezes: []\n"] {
            let calendar = parse(text).unwrap();
            assert!(calendar.is_silent_about("shop"), "{text}");
        }
        let of_shop = parse(
            "freezes: [{from: 2026-01-01T00:00:00Z, until: 2026-01-02T00:00:00Z, reason: stop, namespaces: [shop]}]",
        )
        .unwrap();
        assert!(of_shop.is_silent_about("web") && !of_shop.is_silent_about("shop"));
    }

    #[test]
    fn what_is_no_calendar_is_refused_with_its_place() {
        let freeze = |rest: &str| format!("freezes: [{{from: 2026-01-02T00:00:00Z, {rest}}}]");
        for (text, wanted) in [
            (String::new(), "it is empty"),
            ("# nothing\n".to_owned(), "it is empty"),
            ("freeze: []".to_owned(), "freeze"),
            (
                "windows: [{start: '02:00', duration: 3h, day: [Mon]}]".to_owned(),
                "day",
            ),
            ("windows: [{duration: 3h}]".to_owned(), "start"),
            (
                "windows: [{start: '02:00', duration: 3h}, {start: '02:00', duration: 3h, days: []}]"
                    .to_owned(),
                "windows[1].days is empty",
            ),
            (
                "windows: [{start: '02:00', duration: 3h, weeksOfMonth: []}]".to_owned(),
                "windows[0].weeksOfMonth is empty",
            ),
            (
                "windows: [{start: '02:00', duration: 3h, days: }]".to_owned(),
                "a field has no value",
            ),
            (
                "windows:\n- start: '02:00'\n  duration: 3h\n  weeksOfMonth:".to_owned(),
                "a field has no value",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: ~"),
                "a field has no value",
            ),
            (
                "windows: [{start: '02:00', duration: 3h, timeZone: Berlin}]".to_owned(),
                "windows[0].timeZone: \"Berlin\"",
            ),
            ("windows: [".to_owned(), ""),
            (
                freeze("until: 2026-01-01T00:00:00Z, reason: x"),
                "freezes[0].until",
            ),
            (freeze("until: 2026-01-03, reason: x"), ""),
            (freeze("until: 2026-01-03T00:00:00Z"), "reason"),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: ' '"),
                "freezes[0].reason",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: []"),
                "freezes[0].namespaces",
            ),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(
                error.contains(wanted) && !error.is_empty(),
                "{text}: {error}"
            );
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
