//! What a calendar says, for who has written it: checked before it is mounted.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Calendar, Hours, RELEASE, WITHOUT_EXPERIENCE,
    file::{self, CalendarFault},
    store::{self, FileFault},
};

/// The key of a ConfigMap under which a calendar is looked for, where it has several.
const KEY: &str = "calendar.yaml";

/// The file name that means the standard input.
const STANDARD_INPUT: &str = "-";

/// A manifest, as far as it counts here.
#[derive(Deserialize)]
struct Manifest {
    kind: String,
    #[serde(default)]
    data: BTreeMap<String, Value>,
}

/// A calendar as it was found.
struct Found {
    calendar: Calendar,
    /// The key of a `ConfigMap` that holds it.
    key: Option<String>,
}

/// Reads a file, or the standard input where it is `-`, and says what it means at an instant.
///
/// # Errors
///
/// It can't be read, or is neither a calendar nor the manifest of a `ConfigMap` that holds one.
pub fn report(file: &Path, now: Timestamp) -> Result<String, FileFault> {
    Ok(said(&found(file)?, now))
}

/// Reads a calendar as people keep it: as it is mounted, or in the manifest of the `ConfigMap` that it is mounted from.
///
/// # Errors
///
/// As [`report`].
pub fn read(file: &Path) -> Result<Calendar, FileFault> {
    Ok(found(file)?.calendar)
}

fn found(file: &Path) -> Result<Found, FileFault> {
    let (path, text) = if file == Path::new(STANDARD_INPUT) {
        let path = "the standard input".to_owned();
        let text = store::text_of(io::stdin().lock(), &path)?;
        if text.trim().is_empty() {
            let why = "nothing came: the command before it may have failed".to_owned();
            return Err(FileFault::Unreadable { path, why });
        }
        (path, text)
    } else {
        (file.display().to_string(), store::text(file)?)
    };
    let (key, text) = match in_manifest(&text) {
        Ok(Some((key, calendar))) => (Some(key), calendar),
        Ok(None) => (None, text),
        Err(why) => {
            let fault = CalendarFault::Form(why);
            return Err(FileFault::NoCalendar { path, fault });
        }
    };
    let place = match &key {
        Some(key) => format!("{path}, in the calendar under its key {key}"),
        None => path,
    };
    let calendar =
        file::parse(&text).map_err(|fault| FileFault::NoCalendar { path: place, fault })?;
    Ok(Found { calendar, key })
}

/// The calendar in the manifest of a `ConfigMap`, with its key; nothing where the text is no manifest.
fn in_manifest(text: &str) -> Result<Option<(String, String)>, String> {
    let manifest = match serde_saphyr::from_str::<Manifest>(text) {
        Ok(manifest) => manifest,
        Err(error) => return of_several(text, &error),
    };
    if manifest.kind != "ConfigMap" {
        return Err(format!(
            "it is a manifest of kind {}: a calendar is kept in a ConfigMap",
            manifest.kind
        ));
    }
    held_by(manifest)
}

/// The same where the text is not one manifest: of several, as kustomize prints them, the `ConfigMap` that has the usual key.
fn of_several(text: &str, error: &serde_saphyr::Error) -> Result<Option<(String, String)>, String> {
    let looks_like_one = text
        .lines()
        .any(|line| line.trim_end() == "kind: ConfigMap");
    if !looks_like_one {
        return Ok(None);
    }
    let Ok(documents) = serde_saphyr::from_multiple::<Value>(text) else {
        return Err(file::form(error).to_string());
    };
    let manifests = documents
        .into_iter()
        .filter_map(|document| serde_json::from_value::<Manifest>(document).ok());
    let mut holders = manifests
        .filter(|manifest| manifest.kind == "ConfigMap" && manifest.data.contains_key(KEY));
    match (holders.next(), holders.next()) {
        (Some(holder), None) => held_by(holder),
        (None, _) => Err(format!(
            "none of its documents is a ConfigMap with the key {KEY}: give the one that has the calendar"
        )),
        (Some(_), Some(_)) => Err(format!(
            "several of its documents are ConfigMaps with the key {KEY}: give one alone"
        )),
    }
}

fn held_by(mut manifest: Manifest) -> Result<Option<(String, String)>, String> {
    let keys: Vec<&str> = manifest.data.keys().map(String::as_str).collect();
    let keys = keys.join(", ");
    let named = manifest.data.remove_entry(KEY);
    let alone = || {
        let only = manifest.data.len() == 1;
        manifest.data.pop_first().filter(|_| only)
    };
    let found = named.or_else(alone);
    let (key, value) =
        found.ok_or_else(|| format!("its ConfigMap has no key {KEY}, but these: {keys}"))?;
    match value {
        Value::String(calendar) => Ok(Some((key, calendar))),
        _ => Err(format!(
            "key {key} of its ConfigMap is not a text: write `{key}: |`, and the calendar below it"
        )),
    }
}

fn said(found: &Found, now: Timestamp) -> String {
    let Found { calendar, key } = found;
    let mut lines = vec![format!(
        "The file can be read as a calendar (time zones: {RELEASE})."
    )];
    if let Some(key) = key.as_deref() {
        let named = if key == KEY {
            ""
        } else {
            ", which is not calendar.yaml: name this key in --calendar (chart: calendar.key)"
        };
        lines.push(format!(
            "It is the manifest of a ConfigMap: apply it as it is, since a manifest can't be mounted as a file. The calendar is under its key \
             {key}{named}."
        ));
    }
    lines.push(windows(calendar, now));
    lines.extend(freezes(calendar, now));
    lines.extend(starts(calendar, now));
    lines.push(String::new());
    lines.join("\n")
}

fn windows(calendar: &Calendar, now: Timestamp) -> String {
    let count = calendar.windows.len();
    if count == 0 {
        return "windows: 0; resources that state none may change at any time outside freezes"
            .to_owned();
    }
    let hours = Hours {
        windows: calendar.windows.clone(),
        ..Hours::default()
    };
    match hours.next(now, Duration::ZERO) {
        Some(next) if next == now => {
            format!("windows: {count}; one is open now, ignoring freezes")
        }
        Some(next) => format!(
            "windows: {count}; next opening, ignoring freezes: {}",
            shown(next)
        ),
        None => format!(
            "WARNING: windows: {count}, none opens within a year: no resource that relies on them is changed"
        ),
    }
}

fn freezes(calendar: &Calendar, now: Timestamp) -> Vec<String> {
    let past = calendar.freezes.iter().filter(|it| it.until <= now).count();
    let mut lines = vec![format!("freezes: {}, past: {past}", calendar.freezes.len())];
    lines.extend(calendar.freezes.iter().map(|freeze| {
        let state = if freeze.until <= now {
            "past: "
        } else if freeze.covers(now) {
            "active: "
        } else {
            ""
        };
        let whom = if freeze.namespaces.is_empty() {
            "all namespaces".to_owned()
        } else {
            freeze.namespaces.join(", ")
        };
        let (from, until) = (shown(freeze.from), shown(freeze.until));
        let reason = &freeze.reason;
        format!("  {state}from {from} until {until}, for {whom}: {reason}")
    }));
    lines
}

/// When a change may start, for each namespace that has freezes of its own, and elsewhere.
fn starts(calendar: &Calendar, now: Timestamp) -> Vec<String> {
    let ahead = calendar.freezes.iter().filter(|freeze| freeze.until > now);
    let namespaces: BTreeSet<&str> = ahead
        .flat_map(|freeze| freeze.namespaces.iter().map(String::as_str))
        .collect();
    let next = |namespace: &str| match calendar.hours(namespace, &[]).next(now, WITHOUT_EXPERIENCE)
    {
        Some(next) if next == now => "now".to_owned(),
        Some(next) => format!("at {}", shown(next)),
        None => "never within a year".to_owned(),
    };
    // No namespace has an empty name.
    let elsewhere = next("");
    let minutes = WITHOUT_EXPERIENCE.as_secs() / 60;
    let what = format!(
        "A change of {minutes} minutes, of a resource without windows of its own, may start next"
    );
    if namespaces.is_empty() {
        return vec![format!("{what}: {elsewhere}")];
    }
    let of_each = namespaces
        .iter()
        .map(|namespace| format!("  in namespace {namespace}: {}", next(namespace)));
    let mut lines = vec![format!("{what}:")];
    lines.extend(of_each);
    lines.push(format!("  elsewhere: {elsewhere}"));
    lines
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
            text.contains("can be read as a calendar") && text.contains("freezes: 2, past: 0"),
            "{text}"
        );
    }

    #[test]
    fn a_manifest_without_a_calendar_is_refused_with_the_key_named() {
        let map = |data: &str| format!("{{apiVersion: v1, kind: ConfigMap, data: {data}}}");
        let key = |data: &str| in_manifest(&map(data)).map(|found| found.unwrap().0);
        assert_eq!(key("{mine: 'freezes: []'}").unwrap(), "mine");
        assert_eq!(key("{a: '', calendar.yaml: ''}").unwrap(), KEY);
        for data in ["{}", "{a: '', b: ''}", "{calendar.yaml: {freezes: []}}"] {
            assert!(key(data).unwrap_err().contains(KEY), "{data}");
        }
        let both = "kind: Secret\ndata: {}\n---\nkind: ConfigMap\ndata: {calendar.yaml: x}\n";
        assert_eq!(in_manifest(both).unwrap().unwrap().1, "x");
        let twice = format!("{both}---\nkind: ConfigMap\ndata: {{calendar.yaml: y}}\n");
        assert!(in_manifest(&twice).unwrap_err().contains("give one alone"));
        let without = "kind: Secret\n---\nkind: ConfigMap\ndata: {a: x}\n";
        assert!(in_manifest(without).unwrap_err().contains(KEY));
        let broken = "kind: ConfigMap\ndata:\n  calendar.yaml: |\n   a\n  b: [\n";
        assert!(in_manifest(broken).unwrap_err().contains("line"));
        let secret = in_manifest("{kind: Secret, data: {calendar.yaml: eA==}}");
        assert!(secret.unwrap_err().contains("kind Secret"));
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
        let found = Found {
            calendar: calendar.unwrap(),
            key: Some("mine".to_owned()),
        };
        let text = said(&found, "2026-03-02T12:00:00Z".parse().unwrap());
        let wanted = [
            "The file can be read as a calendar (time zones: ",
            "under its key mine, which is not calendar.yaml: name this key",
            "windows: 1; next opening, ignoring freezes: 2026-03-03T02:00:00Z",
            "freezes: 3, past: 1",
            "  past: from 2025-12-20T00:00:00Z until 2026-01-04T00:00:00Z, for all namespaces: year-end",
            "  active: from 2026-03-01T00:00:00Z until 2026-03-05T00:00:00Z, for shop, web: sale",
            "  from 2026-12-20T00:00:00Z until 2027-01-04T00:00:00Z, for all namespaces: year-end",
            "A change of 10 minutes, of a resource without windows of its own, may start next:",
            "  in namespace shop: at 2026-03-05T02:00:00Z",
            "  in namespace web: at 2026-03-05T02:00:00Z",
            "  elsewhere: at 2026-03-03T02:00:00Z",
        ];
        for (line, wanted) in text.lines().zip(wanted) {
            assert!(line.contains(wanted), "{line}");
        }
        assert_eq!(text.lines().count(), wanted.len(), "{text}");
    }
}
