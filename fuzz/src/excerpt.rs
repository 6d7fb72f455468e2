//! Texts made fit for people: short, on one line, and without the secrets that they were given to look for, in whatever way
//! these are written.
//!
//! Input: secrets in the first line, parted by `|`; below it the text.

use taurus_port_operator::cloud::excerpt::{LONGEST, excerpt};

use crate::look;

const REDACTED: &str = "[redacted]";

const CUT: char = '…';

/// No piece in the letters of tokens may be as long as this.
const TOKEN_LENGTH: usize = 64;

/// A shorter secret can't be told from chance where only a part of it is echoed.
const WHOLE: usize = 8;

/// Ways to write a text in another one.
const FORMS: [fn(&str) -> String; 4] = [
    |text| joined(text.bytes().map(|byte| format!("%{byte:02x}"))),
    |text| joined(text.encode_utf16().map(|unit| format!("\\u{unit:04x}"))),
    |text| {
        let letters = text.chars();
        joined(letters.map(|letter| format!("&#{};", u32::from(letter))))
    },
    |text| joined(text.bytes().map(|byte| format!("{byte:02x}"))),
];

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().concat()
}

/// Checks secrets and a text.
pub fn check(input: &[u8]) -> bool {
    let input = look::body(input);
    let Some((secrets, text)) = input.split_once('\n') else {
        return false;
    };
    let secrets: Vec<&str> = secrets.split('|').collect();
    let clean = excerpt(text, &secrets);
    assert_clean(&clean);
    for secret in &secrets {
        assert!(!is_leak(&clean, secret), "{secret:?} is still in {clean:?}");
    }
    assert_eq!(excerpt(&clean, &[]), clean, "what is clean stays as it is");
    for secret in secrets.iter().filter(|secret| is_whole(secret)) {
        for outer in FORMS {
            for inner in FORMS {
                let echo = outer(&inner(secret.trim()));
                let clean = excerpt(&format!("{text} {echo}"), &[secret]);
                assert!(!clean.contains(&echo), "{secret:?} is still in {clean:?}");
            }
        }
    }
    clean.contains(REDACTED)
}

/// Whether enough of a secret is left without what other programs leave out.
fn is_whole(secret: &str) -> bool {
    let left = secret.bytes();
    let left = left.filter(u8::is_ascii_alphanumeric);
    left.count() >= WHOLE
}

/// Asserts that a text can be shown.
pub(crate) fn assert_clean(text: &str) {
    assert!(text.chars().count() <= LONGEST, "too long: {text:?}");
    assert!(!text.contains(char::is_control), "{text:?}");
    assert!(text.trim() == text && !text.contains("  "), "{text:?}");
    let in_alphabet = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-.".contains(letter);
    assert!(
        text.split(|letter| !in_alphabet(letter))
            .all(|part| part.len() < TOKEN_LENGTH),
        "a token is shown: {text:?}"
    );
}

/// Whether a secret is in a text, as far as that can be told: some secrets could partly or wholly stand in the mark that
/// takes a secret's place, or in the one where a text is cut.
pub(crate) fn is_leak(text: &str, secret: &str) -> bool {
    let secret = secret.trim();
    let beside_a_mark = (1..REDACTED.len()).any(|at| {
        let (head, tail) = REDACTED.split_at(at);
        secret.ends_with(head) || secret.starts_with(tail)
    });
    let in_a_mark = REDACTED.contains(secret) || secret.contains(REDACTED) || secret.contains(CUT);
    !secret.is_empty() && !beside_a_mark && !in_a_mark && text.contains(secret)
}
