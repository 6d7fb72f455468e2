//! Texts from the other side, made fit for people: short, on one line, without secrets.
//!
//! Every text that leaves the cloud client passes through here. What is cut is cut on a character boundary.

/// The longest text that is kept, in characters.
pub const LONGEST: usize = 300;

/// What stands in place of something that may be a secret.
const REDACTED: &str = "[redacted]";

/// A word of at least this many characters of the token alphabet is taken for a token.
const TOKEN_LENGTH: usize = 65;

/// Makes `text` fit for a status, an event or a log line.
///
/// Whatever stands in `secrets` is replaced, longest first, and so is every long word that could be a token: the cloud
/// echoes requests in some of its errors.
pub fn excerpt(text: &str, secrets: &[&str]) -> String {
    let mut clean = folded(text);
    // Folded like the text, or a secret with a blank in it would come back from an echo over two lines.
    let mut secrets: Vec<String> = secrets.iter().map(|secret| folded(secret)).collect();
    secrets.retain(|secret| !secret.is_empty());
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        clean = clean.replace(&secret, REDACTED);
    }
    let words: Vec<&str> = clean
        .split(' ')
        .map(|word| if is_token(word) { REDACTED } else { word })
        .collect();
    cut(&words.join(" "))
}

/// On one line, without control characters, with single blanks.
fn folded(text: &str) -> String {
    let visible = text.replace(char::is_control, " ");
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hashes of 64 digits are no secrets; anything longer in one piece has no meaning for people.
fn is_token(word: &str) -> bool {
    let in_alphabet = |letter: char| letter.is_ascii_alphanumeric() || "+/=_-.".contains(letter);
    word.split(|letter| !in_alphabet(letter))
        .any(|part| part.len() >= TOKEN_LENGTH)
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_texts_are_cut_on_a_character_boundary() {
        for letter in ["x ", "错 ", "é "] {
            let short = excerpt(&letter.repeat(100_000), &[]);
            assert_eq!(short.chars().count(), LONGEST);
            assert!(short.ends_with('…'));
        }
    }

    #[test]
    fn control_characters_and_line_ends_become_single_blanks() {
        assert_eq!(excerpt("  a\r\n\tb\u{0}c\u{1b}[31m ", &[]), "a b c [31m");
    }

    #[test]
    fn secrets_and_what_looks_like_a_token_are_replaced() {
        let token = "MIIC".repeat(30);
        let text = format!("denied for key CANARY-secret, X-Auth-Token:{token} at once");
        let clean = excerpt(&text, &["CANARY", "CANARY-secret", ""]);
        assert_eq!(clean, "denied for key [redacted], [redacted] at once");
    }

    #[test]
    fn a_secret_with_blanks_is_found_over_line_ends() {
        let clean = excerpt("denied for wonder\r\n\twall", &["wonder wall"]);
        assert_eq!(clean, "denied for [redacted]");
        assert_eq!(excerpt("wonder wall", &[" wonder  wall "]), "[redacted]");
    }

    #[test]
    fn ids_and_hashes_stay_readable() {
        let text =
            "job 2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541 of 0123456789abcdef0123456789abcdefpo01";
        assert_eq!(excerpt(text, &["other"]), text);
    }

    proptest! {
        #[test]
        fn no_input_breaks_it_and_no_secret_survives(text in ".{0,400}", secret in "[A-Za-z0-9]{16,40}", at in 0_usize..400) {
            let position = text.char_indices().nth(at).map_or(text.len(), |(index, _)| index);
            let (head, tail) = text.split_at(position);
            let clean = excerpt(&format!("{head}{secret}{tail}"), &[&secret]);
            prop_assert!(clean.chars().count() <= LONGEST);
            prop_assert!(!clean.contains(&secret));
            prop_assert!(!clean.contains(char::is_control));
        }
    }
}
