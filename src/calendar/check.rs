//! What a calendar says, for who has written it: checked before it is mounted.

use std::{fmt::Write as _, path::Path, time::Duration};

use jiff::Timestamp;

use super::{
    Calendar, Hours, RELEASE,
    store::{self, FileFault},
};

/// Reads a file and says what it means at an instant.
pub fn report(file: &Path, now: Timestamp) -> Result<String, FileFault> {
    Ok(said(&store::read(file)?, now))
}

fn said(calendar: &Calendar, now: Timestamp) -> String {
    let mut text = String::new();
    let hours = Hours {
        windows: calendar.windows.clone(),
        ..Hours::default()
    };
    let windows = match calendar.windows.len() {
        0 => "no windows: without a freeze changes may start at any time".to_owned(),
        count => match hours.next(now, Duration::ZERO) {
            Some(next) if next == now => format!("{count} windows, one of which is open now"),
            Some(next) => format!(
                "{count} windows, the next of which opens at {}",
                shown(next)
            ),
            None => format!("{count} windows, none of which opens within a year"),
        },
    };
    // Writing to a text can't fail.
    let _ = writeln!(
        text,
        "The calendar is good; time zones of the IANA data {RELEASE}."
    );
    let _ = writeln!(text, "{windows}");
    let ahead: Vec<_> = calendar
        .freezes
        .iter()
        .filter(|freeze| freeze.until > now)
        .collect();
    let past = calendar.freezes.len() - ahead.len();
    let _ = writeln!(
        text,
        "{} freezes, {past} of which are over",
        calendar.freezes.len()
    );
    for freeze in ahead {
        let state = if freeze.covers(now) {
            "in force, from"
        } else {
            "from"
        };
        let whom = if freeze.namespaces.is_empty() {
            "all namespaces".to_owned()
        } else {
            freeze.namespaces.join(", ")
        };
        let (from, until) = (shown(freeze.from), shown(freeze.until));
        let _ = writeln!(
            text,
            "  {state} {from} until {until}, for {whom}: {}",
            freeze.reason
        );
    }
    text
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_calendar_is_told_in_plain_words() {
        let calendar = super::super::file::parse(
            "windows: [{start: '02:00', duration: 1h}]\n\
             freezes:\n\
             - {from: 2025-12-20T00:00:00Z, until: 2026-01-04T00:00:00Z, reason: year-end}\n\
             - {from: 2026-03-01T00:00:00Z, until: 2026-03-05T00:00:00Z, reason: sale, namespaces: [shop, web]}\n\
             - {from: 2026-12-20T00:00:00Z, until: 2027-01-04T00:00:00Z, reason: year-end}\n",
        );
        let text = said(&calendar.unwrap(), "2026-03-02T12:00:00Z".parse().unwrap());
        let wanted = [
            "The calendar is good; time zones of the IANA data",
            "1 windows, the next of which opens at 2026-03-03T02:00:00Z",
            "3 freezes, 1 of which are over",
            "in force, from 2026-03-01T00:00:00Z until 2026-03-05T00:00:00Z, for shop, web: sale",
            "from 2026-12-20T00:00:00Z until 2027-01-04T00:00:00Z, for all namespaces: year-end",
        ];
        for (line, wanted) in text.lines().zip(wanted) {
            assert!(line.contains(wanted), "{line}");
        }
        assert_eq!(text.lines().count(), wanted.len(), "{text}");
    }
}
