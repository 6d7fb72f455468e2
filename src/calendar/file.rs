//! The calendar as it is written: YAML, in which nothing is passed over that could have been meant.
//!
//! Promises that an unknown field is a fault and not a freeze that nobody keeps, and that a fault names its place.

use std::fmt;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use serde::{Deserialize, Deserializer};

use super::{Calendar, Freeze, Window, WindowError, WindowParts};
use crate::model::name::is_namespace;

/// The longest file that is read, in bytes: that of a `ConfigMap`.
pub const LONGEST: u64 = 1024 * 1024;

/// The most windows, as a resource may have.
const MOST_WINDOWS: usize = 16;

/// The most freezes: they are gone through at each decision.
const MOST_FREEZES: usize = 1000;

/// Why a text is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarFault {
    /// Nothing stands in it: perhaps it was cut off, and its freezes with it.
    #[error("it has neither windows nor freezes: if that is meant, write `freezes: []`")]
    Empty,
    /// It is several documents of YAML.
    #[error("it has several YAML documents: keep the calendar in one, without a line `---` inside")]
    Several,
    /// It is no YAML, or has fields that no calendar has.
    #[error("{0}")]
    Form(String),
    /// A list stands there without a value: its entries may have been lost.
    #[error("{0} has no value: for none write `{0}: []`")]
    NoList(&'static str),
    /// A field is missing that has to be there.
    #[error("{0} is missing")]
    Missing(Place),
    /// A field stands there without a value: what is there and empty may have meant none, or all.
    #[error("{0} has no value: state it, or leave the field out if it may be absent")]
    NoValue(Place),
    /// A time can't be read.
    #[error(
        "{0}: {1:?} is not a date with time and offset before the end of the year 9999, such as 2026-12-19T00:00:00+08:00"
    )]
    Time(Place, String),
    /// A window can't be.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A freeze ends before it begins.
    #[error("freezes[{0}].until must be later than its from")]
    Backwards(usize),
    /// A freeze does not say why.
    #[error("freezes[{0}].reason must say why, for those who wait for its end")]
    NoReason(usize),
    /// There are too many of a kind.
    #[error("{list} has {count} entries, more than the {most} that a calendar may have")]
    TooMany {
        /// The list.
        list: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// No namespace has that name: nobody would be frozen.
    #[error(
        "freezes[{0}].namespaces: {1:?} is not the name of a namespace: give each name in full, or leave it out for a freeze of all namespaces"
    )]
    Namespace(usize, String),
    /// A freeze is for nobody.
    #[error("freezes[{0}].namespaces is empty: leave it out for a freeze of all namespaces")]
    Nobody(usize),
}

/// Where a field stands, shown as `freezes[0].from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    list: &'static str,
    index: usize,
    field: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, index, field } = self;
        write!(formatter, "{list}[{index}].{field}")
    }
}

/// A field as it is written: absent, without a value, or with one.
type Field<T> = Option<Option<T>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "there")]
    windows: Field<Vec<WrittenWindow>>,
    #[serde(default, deserialize_with = "there")]
    freezes: Field<Vec<WrittenFreeze>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenWindow {
    #[serde(default, deserialize_with = "there")]
    days: Field<Vec<String>>,
    #[serde(default, deserialize_with = "there")]
    weeks_of_month: Field<Vec<i32>>,
    #[serde(default, deserialize_with = "there")]
    start: Field<String>,
    #[serde(default, deserialize_with = "there")]
    duration: Field<String>,
    #[serde(default, deserialize_with = "there")]
    time_zone: Field<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFreeze {
    #[serde(default, deserialize_with = "there")]
    from: Field<String>,
    #[serde(default, deserialize_with = "there")]
    until: Field<String>,
    #[serde(default, deserialize_with = "there")]
    reason: Field<String>,
    #[serde(default, deserialize_with = "there")]
    namespaces: Field<Vec<String>>,
}

/// A field that is there, whether it has a value or not.
fn there<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Field<T>, D::Error> {
    Option::<T>::deserialize(field).map(Some)
}

/// The fields of one entry of a list.
#[derive(Clone, Copy)]
struct Entry {
    list: &'static str,
    index: usize,
}

impl Entry {
    fn place(self, field: &'static str) -> Place {
        let Self { list, index } = self;
        Place { list, index, field }
    }

    /// A field that may be absent.
    fn optional<T>(
        self,
        field: &'static str,
        written: Field<T>,
    ) -> Result<Option<T>, CalendarFault> {
        match written {
            Some(None) => Err(CalendarFault::NoValue(self.place(field))),
            Some(value) => Ok(value),
            None => Ok(None),
        }
    }

    /// A field that has to be there.
    fn required<T>(self, field: &'static str, written: Field<T>) -> Result<T, CalendarFault> {
        let value = self.optional(field, written)?;
        value.ok_or_else(|| CalendarFault::Missing(self.place(field)))
    }

    fn time(self, field: &'static str, written: Field<String>) -> Result<Timestamp, CalendarFault> {
        let text = self.required(field, written)?;
        let time = text.trim().parse::<Timestamp>();
        time.map_err(|_| CalendarFault::Time(self.place(field), text))
    }

    fn window(self, written: WrittenWindow) -> Result<Window, CalendarFault> {
        let days = self.optional("days", written.days)?;
        let days: Option<Vec<_>> = days
            .as_ref()
            .map(|days| days.iter().map(String::as_str).collect());
        let weeks_of_month = self.optional("weeksOfMonth", written.weeks_of_month)?;
        let start = self.required("start", written.start)?;
        let duration = self.required("duration", written.duration)?;
        let time_zone = self.optional("timeZone", written.time_zone)?;
        let parts = WindowParts {
            days: days.as_deref(),
            weeks_of_month: weeks_of_month.as_deref(),
            start: &start,
            duration: &duration,
            time_zone: time_zone.as_deref(),
        };
        Window::new(&parts).map_err(|fault| {
            let Self { list: field, index } = self;
            let fault = WindowError {
                field,
                index,
                fault,
            };
            fault.into()
        })
    }

    fn freeze(self, written: WrittenFreeze) -> Result<Freeze, CalendarFault> {
        let from = self.time("from", written.from)?;
        let until = self.time("until", written.until)?;
        let reason = self.required("reason", written.reason)?;
        let namespaces = self.optional("namespaces", written.namespaces)?;
        if until <= from {
            return Err(CalendarFault::Backwards(self.index));
        }
        if reason.trim().is_empty() {
            return Err(CalendarFault::NoReason(self.index));
        }
        if namespaces.as_ref().is_some_and(Vec::is_empty) {
            return Err(CalendarFault::Nobody(self.index));
        }
        let mut names = namespaces.iter().flatten();
        if let Some(name) = names.find(|name| !is_namespace(name)) {
            return Err(CalendarFault::Namespace(self.index, name.clone()));
        }
        // What is shown of them has whole seconds.
        let seconds = TimestampRound::new().smallest(Unit::Second);
        Ok(Freeze {
            from: from.round(seconds.mode(RoundMode::Floor)).unwrap_or(from),
            until: until.round(seconds.mode(RoundMode::Ceil)).unwrap_or(until),
            reason,
            namespaces: namespaces.unwrap_or_default(),
        })
    }
}

/// Reads a calendar.
pub fn parse(text: &str) -> Result<Calendar, CalendarFault> {
    let written: Option<Written> = serde_saphyr::from_str(text).map_err(|error| form(&error))?;
    // Templates write `{}` for what they have lost.
    let says_something = |written: &Written| written.windows.is_some() || written.freezes.is_some();
    let written = written.filter(says_something).ok_or(CalendarFault::Empty)?;
    let windows = each("windows", MOST_WINDOWS, written.windows, Entry::window)?;
    let mut freezes = each("freezes", MOST_FREEZES, written.freezes, Entry::freeze)?;
    freezes.sort_by_key(|freeze| freeze.from);
    Ok(Calendar {
        windows,
        freezes,
        missing: None,
    })
}

fn each<T, U>(
    list: &'static str,
    most: usize,
    written: Field<Vec<T>>,
    read: impl Fn(Entry, T) -> Result<U, CalendarFault>,
) -> Result<Vec<U>, CalendarFault> {
    let written = match written {
        None => Vec::new(),
        Some(entries) => entries.ok_or(CalendarFault::NoList(list))?,
    };
    let count = written.len();
    if count > most {
        return Err(CalendarFault::TooMany { list, count, most });
    }
    let entries = written.into_iter().enumerate();
    let read = |(index, written)| read(Entry { list, index }, written);
    entries.map(read).collect()
}

/// Said of the wrong file, which people give first.
const MANIFEST: &str = "this is the manifest of a Kubernetes object: give the calendar itself, which stands under a key of the ConfigMap";

/// What an error of the YAML says, without the lines of the file that it quotes.
pub(super) fn form(error: &serde_saphyr::Error) -> CalendarFault {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    if line.contains("multiple YAML documents") {
        return CalendarFault::Several;
    }
    let line = line.trim_start_matches("error: ");
    let line = line
        .split_once(", set DuplicateKeyPolicy")
        .map_or(line, |(line, _)| line);
    if line.contains("unknown field `apiVersion`") {
        return CalendarFault::Form(MANIFEST.to_owned());
    }
    CalendarFault::Form(
        line.replace(
            "expected sequence start",
            "a list is expected: write its entries in brackets, with commas between them",
        )
        .replace(
            "expected mapping start",
            "fields with values are expected, such as `freezes: []`",
        )
        .replace("duplicate mapping key:", "this field stands twice:"),
    )
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
        for text in ["freezes: []", "windows: []", "windows: []\nfreezes: []\n"] {
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
            (String::new(), "it has neither windows nor freezes"),
            ("# nothing\n".to_owned(), "it has neither windows nor freezes"),
            ("{}".to_owned(), "it has neither windows nor freezes"),
            ("freeze: []".to_owned(), "freeze"),
            (
                "windows: [{start: '02:00', duration: 3h, day: [Mon]}]".to_owned(),
                "day",
            ),
            ("windows: [{duration: 3h}]".to_owned(), "windows[0].start is missing"),
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
                "windows[0].days has no value",
            ),
            (
                "windows:\n- start: '02:00'\n  duration: 3h\n  weeksOfMonth:".to_owned(),
                "windows[0].weeksOfMonth has no value",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: ~"),
                "freezes[0].namespaces has no value",
            ),
            ("freezes:".to_owned(), "freezes has no value: for none write `freezes: []`"),
            ("windows: ~\nfreezes: []".to_owned(), "windows has no value"),
            ("freezes: []\n---\nwindows: []".to_owned(), "several YAML documents"),
            (
                "windows: [{start: '02:00', duration: 3h, days: Mon}]".to_owned(),
                "line 1 column 48: a list is expected: write its entries in brackets, with commas between them",
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
            (
                freeze("until: 2026-01-03, reason: x"),
                "freezes[0].until: \"2026-01-03\" is not a date with time and offset before the end",
            ),
            (freeze("until: , reason: x"), "freezes[0].until has no value"),
            (
                freeze("until: 2026-01-03T00:00:00Z"),
                "freezes[0].reason is missing",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: ' '"),
                "freezes[0].reason",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: []"),
                "freezes[0].namespaces is empty",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: [shop, '*']"),
                "freezes[0].namespaces: \"*\" is not the name of a namespace",
            ),
            (
                freeze("until: 2026-01-03T00:00:00Z, reason: x, namespaces: ['shop ']"),
                "freezes[0].namespaces: \"shop \"",
            ),
            (
                format!("windows: [{}]", "{start: '02:00', duration: 3h},".repeat(17)),
                "windows has 17 entries, more than the 16",
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
