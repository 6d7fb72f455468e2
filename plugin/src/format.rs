//! Values as JSON and YAML, and spans of time and texts for people.

use jiff::Timestamp;
use serde::Serialize;
use taurus_port_operator::crd::GROUP;

use crate::failure::Failure;

/// JSON, indented, with a line end.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    Ok(text.map_err(|error| Failure::Output(error.to_string()))? + "\n")
}

/// YAML, as one document.
pub fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|error| Failure::Output(error.to_string()))
}

/// The name of a resource as kubectl prints and takes it, as a line.
pub fn resource_line(name: &str) -> String {
    format!("taurusproxyport.{GROUP}/{name}\n")
}

/// How long ago a time was, as kubectl writes ages. What lies ahead was just now.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(then).as_secs().max(0))
}

/// A span in seconds, as kubectl writes ages.
pub fn span(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let parts = |big: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{big}{unit}"),
        rest => format!("{big}{unit}{rest}{small}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => parts(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => parts(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => parts(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A number with commas between thousands.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text of the docs without its Markdown: a terminal shows that as it stands. A page that a link leads to is named.
pub fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        let parts = link
            .split_once("](")
            .and_then(|(shown, after)| Some((shown, after.split_once(')')?)));
        let Some((shown, (target, after))) = parts.filter(|(shown, _)| !shown.contains('[')) else {
            text.push('[');
            rest = link;
            continue;
        };
        let is_page = !target.contains("://");
        let shown = if is_page && !shown.contains(target) {
            format!("{shown} (docs/{target})")
        } else if is_page {
            format!("docs/{shown}")
        } else {
            format!("{shown} ({target})")
        };
        text.push_str(&shown);
        rest = after;
    }
    text.push_str(rest);
    text.replace("**", "").replace('`', "")
}

/// A text that shows nothing but itself: what could move the cursor, colour a terminal, or change the order of letters is replaced.
pub fn tame(text: &str) -> String {
    let tamed = |letter: char| match letter {
        '\n' | '\t' | '\r' => ' ',
        letter if letter.is_control() || turns(letter) => '\u{fffd}',
        letter => letter,
    };
    text.chars().map(tamed).collect()
}

/// Whether a letter is none, and makes others stand in another order, break a line, or not be seen.
fn turns(letter: char) -> bool {
    matches!(letter,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_are_told_on_a_terminal_has_no_markdown() {
        use taurus_port_operator::model::Reason;

        assert_eq!(
            plain(
                "**wait**; set `applyNow` [1]: [windows.md](windows.md), [here](limits.md), [krew](https://k.io)"
            ),
            "wait; set applyNow [1]: docs/windows.md, here (docs/limits.md), krew (https://k.io)"
        );
        let with_links = [
            Reason::WaitingForBudget,
            Reason::RolloutHalted,
            Reason::WaitingForWindow,
            Reason::WaitingForApproval,
            Reason::PermissionDenied,
            Reason::PreflightFailed,
        ];
        for reason in with_links {
            for text in [
                reason.meaning(),
                reason.advice().unwrap_or_default().to_owned(),
            ] {
                let text = plain(&text);
                for mark in ["`", "**", "]("] {
                    assert!(!text.contains(mark), "{reason}: {text}");
                }
            }
        }
    }

    #[test]
    fn spans_are_written_as_kubectl_writes_ages() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_860, "3h1m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(span(seconds), text);
        }
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(age("2026-01-01T00:01:00Z".parse().unwrap(), now), "0s");
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 999, 1000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn no_text_of_the_cluster_moves_the_cursor() {
        assert_eq!(tame("a\u{1b}[31mb\nc"), "a\u{fffd}[31mb c");
        // Written from right to left, and not seen at all.
        for letter in [
            '\u{202e}', '\u{2066}', '\u{200f}', '\u{200b}', '\u{feff}', '\u{2028}',
        ] {
            assert_eq!(tame(&format!("a{letter}b")), "a\u{fffd}b", "{letter:?}");
        }
        assert_eq!(tame("é 日本 ✓"), "é 日本 ✓");
    }
}
