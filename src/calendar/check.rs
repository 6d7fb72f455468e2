//! What a calendar says, for who has written it: checked before it is mounted.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Calendar, Hours, RELEASE, file,
    store::{self, FileFault},
};

/// The key of a ConfigMap under which a calendar is looked for, where it has several.
const KEY: &str = "calendar.yaml";

/// The manifest of a `ConfigMap`, as far as it counts here.
#[derive(Deserialize)]
struct Manifest {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

/// Reads a file and says what it means at an instant.
pub fn report(file: &Path, now: Timestamp) -> Result<String, FileFault> {
    Ok(said(&read(file)?, now))
}

/// Reads a calendar as people keep it: as it is mounted, or in the manifest of the `ConfigMap` that it is mounted from.
pub fn read(file: &Path) -> Result<Calendar, FileFault> {
    let text = store::text(file)?;
    let path = file.display().to_string();
    match in_manifest(&text) {
        Ok(None) => file::parse(&text).map_err(|fault| FileFault::NoCalendar { path, fault }),
        Ok(Some((key, calendar))) => {
            file::parse(&calendar).map_err(|fault| FileFault::NoCalendar {
                path: format!("{path}, key {key} of its ConfigMap"),
                fault,
            })
        }
        Err(why) => Err(FileFault::Unreadable { path, why }),
    }
}

/// The calendar in the manifest of a `ConfigMap`, with its key; nothing where the text is no such manifest.
fn in_manifest(text: &str) -> Result<Option<(String, String)>, String> {
    let manifest = serde_saphyr::from_str::<Manifest>(text).ok();
    let Some(mut manifest) = manifest.filter(|manifest| manifest.kind == "ConfigMap") else {
        return Ok(None);
    };
    let named = manifest.data.remove_entry(KEY);
    let alone = || {
        let only = manifest.data.len() == 1;
        manifest.data.pop_first().filter(|_| only)
    };
    let found = named.or_else(alone);
    found
        .map(Some)
        .ok_or_else(|| format!("its ConfigMap has neither the key {KEY} nor one key alone"))
}

fn said(calendar: &Calendar, now: Timestamp) -> String {
    let mut text = String::new();
    let hours = Hours {
        windows: calendar.windows.clone(),
        ..Hours::default()
    };
    let windows = match calendar.windows.len() {
        0 => "without windows: resources that state none may change at any time outside freezes"
            .to_owned(),
        count => match hours.next(now, Duration::ZERO) {
            Some(next) if next == now => {
                format!("windows: {count}; one is open now, freezes left aside")
            }
            Some(next) => format!(
                "windows: {count}; next opening, freezes left aside: {}",
                shown(next)
            ),
            None => format!(
                "WARNING: windows: {count}, none opens within a year: no resource that relies on them is changed"
            ),
        },
    };
    // Writing to a text can't fail.
    let _ = writeln!(
        text,
        "The file can be read as a calendar (time zones: {RELEASE})."
    );
    let _ = writeln!(text, "{windows}");
    let ahead: Vec<_> = calendar
        .freezes
        .iter()
        .filter(|freeze| freeze.until > now)
        .collect();
    let past = calendar.freezes.len() - ahead.len();
    let _ = writeln!(text, "freezes: {}, over: {past}", calendar.freezes.len());
    for freeze in ahead {
        let state = if freeze.covers(now) {
            "covers now: from"
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
    fn the_config_map_of_the_docs_can_be_checked_as_it_is() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/examples/calendar.yaml");
        let text = report(&example, "2026-03-02T12:00:00Z".parse().unwrap()).unwrap();
        assert!(
            text.contains("can be read as a calendar") && text.contains("freezes: 2, over: 0"),
            "{text}"
        );
    }

    #[test]
    fn a_manifest_without_a_calendar_is_refused_with_the_key_named() {
        let map = |data: &str| format!("{{apiVersion: v1, kind: ConfigMap, data: {data}}}");
        let key = |data: &str| in_manifest(&map(data)).map(|found| found.unwrap().0);
        assert_eq!(key("{mine: 'freezes: []'}").unwrap(), "mine");
        assert_eq!(key("{a: '', calendar.yaml: ''}").unwrap(), KEY);
        for data in ["{}", "{a: '', b: ''}"] {
            assert!(key(data).unwrap_err().contains(KEY), "{data}");
        }
        assert_eq!(in_manifest("freezes: []"), Ok(None));
    }

    #[test]
    fn a_good_calendar_is_told_in_plain_words() {
        let calendar = file::parse(
            "windows: [{start: '02:00', duration: 1h}]\n\
             freezes:\n\
             - {from: 2025-12-20T00:00:00Z, until: 2026-01-04T00:00:00Z, reason: year-end}\n\
             - {from: 2026-03-01T00:00:00Z, until: 2026-03-05T00:00:00Z, reason: sale, namespaces: [shop, web]}\n\
             - {from: 2026-12-20T00:00:00Z, until: 2027-01-04T00:00:00Z, reason: year-end}\n",
        );
        let text = said(&calendar.unwrap(), "2026-03-02T12:00:00Z".parse().unwrap());
        let wanted = [
            "The file can be read as a calendar (time zones: ",
            "windows: 1; next opening, freezes left aside: 2026-03-03T02:00:00Z",
            "freezes: 3, over: 1",
            "covers now: from 2026-03-01T00:00:00Z until 2026-03-05T00:00:00Z, for shop, web: sale",
            "from 2026-12-20T00:00:00Z until 2027-01-04T00:00:00Z, for all namespaces: year-end",
        ];
        for (line, wanted) in text.lines().zip(wanted) {
            assert!(line.contains(wanted), "{line}");
        }
        assert_eq!(text.lines().count(), wanted.len(), "{text}");
    }
}
