//! Texts from the other side, made fit for people: short, on one line, without secrets.
//!
//! Every text that leaves the cloud client passes through here. What is cut is cut on a character boundary. Secrets are found in
//! whatever form the text holds them: what can be decoded is decoded before it is compared (`plain`, `packed`).

use std::{
    cell::{Cell, OnceCell},
    collections::HashSet,
    iter,
    ops::Range,
};

use plain::{View, squeezed};

mod packed;
mod plain;

/// The longest text that is kept, in characters.
pub const LONGEST: usize = 300;

/// What a text ends with that was cut.
const CUT: char = '…';

/// What stands in place of something that may be a secret.
const REDACTED: &str = "[redacted]";

/// A word of at least this many characters of the token alphabet is taken for a token or a signature.
const TOKEN_LENGTH: usize = 64;

/// More of a text is not looked at, in bytes. What is shown of it is far shorter, but an echo of a token may come before it. Of the
/// worst text so much takes 15 ms.
const MOST_READ: usize = 8 * 1024;

/// So many bytes of a word are looked at for each character of it that can be shown.
const READ_FOR_EACH: usize = 8;

/// So many bytes of words are looked at by one cleaner. The others are not shown: an answer may have thousands of rows, and a byte
/// costs up to 84 steps ([`packed`]). Hundreds of rows of honest names take a third of it.
const MOST_OF_WORDS: usize = 64 * 1024;

/// So many bytes of a secret in a row give it away: echoes are cut anywhere.
const PIECE: usize = 8;

/// So many bytes at the beginning of a secret give it away where the text ends with them.
const SHORTEST_BEGINNING: usize = 4;

/// Makes `text` fit for a status, an event or a log line.
///
/// Whatever stands in `secrets` is replaced, also in part, and in whatever way it is encoded; and so is every long word that could
/// be a token: the cloud echoes requests in some of its errors.
pub fn excerpt(text: &str, secrets: &[&str]) -> String {
    Cleaner::new(secrets).excerpt(text)
}

/// Makes texts fit for people, many with the same secrets.
pub struct Cleaner<'a> {
    plain: &'a [&'a str],
    secrets: OnceCell<Secrets>,
    /// How many bytes of words may still be looked at.
    words_left: Cell<usize>,
}

impl<'a> Cleaner<'a> {
    /// Looks for these.
    pub fn new(secrets: &'a [&'a str]) -> Self {
        Self {
            plain: secrets,
            secrets: OnceCell::new(),
            words_left: Cell::new(MOST_OF_WORDS),
        }
    }

    /// As [`excerpt`].
    pub fn excerpt(&self, text: &str) -> String {
        self.clean(&folded(text), MOST_READ, LONGEST)
    }

    /// As [`excerpt`], for what is kept of a name, an address or a state: at most so many characters, and of all together what
    /// one answer may cost.
    pub fn word(&self, text: &str, longest: usize) -> String {
        let text = folded(text);
        let read = head(&text, longest.saturating_mul(READ_FOR_EACH)).len();
        let Some(left) = self.words_left.get().checked_sub(read) else {
            return cut(REDACTED, longest);
        };
        self.words_left.set(left);
        self.clean(&text, read, longest)
    }

    fn clean(&self, text: &str, most_read: usize, longest: usize) -> String {
        let clean = self.without_secrets(head(text, most_read));
        let short = cut(&clean, longest);
        // Where it is cut, it may end with a beginning that was none while more of it stood there.
        match short.strip_suffix(CUT) {
            Some(kept) if short != clean => {
                let again = self.without_secrets(kept);
                let changed = again != kept;
                if changed {
                    cut(&format!("{again}{CUT}"), longest)
                } else {
                    short
                }
            }
            _ => short,
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        let secrets = self.secrets.get_or_init(|| Secrets::new(self.plain));
        let mut found = secrets.in_view(&View::as_it_stands(text));
        let decoded = View::decoded(text);
        found.extend(secrets.in_view(&decoded));
        found.extend(packed::find(&decoded.squeezed(), secrets));
        found.extend(long_words(&decoded));
        let mut clean = replaced(text, found);
        for secret in &secrets.undecodable {
            clean = clean.replace(secret, REDACTED);
        }
        let words: Vec<&str> = clean
            .split(' ')
            .map(|word| if is_token(word) { REDACTED } else { word })
            .collect();
        words.join(" ")
    }
}

/// What is looked for, decoded like the texts that it is looked for in.
struct Secrets {
    short: Vec<Vec<u8>>,
    pieces: HashSet<[u8; PIECE]>,
    beginnings: HashSet<Vec<u8>>,
    /// Of these nothing is left that could be compared.
    undecodable: Vec<String>,
}

impl Secrets {
    fn new(secrets: &[&str]) -> Self {
        let mut all = Self {
            short: Vec::new(),
            pieces: HashSet::new(),
            beginnings: HashSet::new(),
            undecodable: Vec::new(),
        };
        for secret in secrets {
            let secret = folded(secret);
            // A blank is a plus in forms.
            let in_forms = secret.contains(' ').then(|| secret.replace(' ', "+"));
            for form in iter::once(&secret).chain(&in_forms) {
                let plain = squeezed(form.as_bytes());
                let decoded = View::decoded(form).squeezed().bytes;
                // A token may have 24 KiB: most secrets have no escapes, and are taken once.
                if decoded != plain {
                    all.add(decoded);
                }
                all.add(plain);
            }
            if !secret.is_empty() && squeezed(secret.as_bytes()).is_empty() {
                all.undecodable.push(secret);
            }
        }
        all
    }

    fn add(&mut self, form: Vec<u8>) {
        for length in SHORTEST_BEGINNING..PIECE.min(form.len()) {
            self.beginnings
                .extend(form.get(..length).map(<[u8]>::to_vec));
        }
        if form.len() >= PIECE {
            self.pieces.extend(form.array_windows::<PIECE>().copied());
        } else if !form.is_empty() {
            self.short.push(form);
        }
    }

    /// Where in the text that `view` was made of a secret stands.
    fn in_view(&self, view: &View) -> Vec<Range<usize>> {
        self.find(&view.squeezed(), 1)
    }

    /// Where secrets of at least so many bytes stand.
    fn find(&self, view: &View, shortest: usize) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let pieces = view.bytes.array_windows::<PIECE>().enumerate();
        let pieces = pieces.filter(|(_, piece)| self.pieces.contains(*piece));
        found.extend(pieces.filter_map(|(at, _)| view.source(at..at + PIECE)));
        for secret in self.short.iter().filter(|secret| secret.len() >= shortest) {
            let windows = view.bytes.windows(secret.len()).enumerate();
            let hits = windows.filter(|(_, window)| window == secret);
            found.extend(hits.filter_map(|(at, window)| view.source(at..at + window.len())));
        }
        found.extend(self.beginning_at_end(view));
        found
    }

    /// The end of a text that was cut within a secret, perhaps within an escape of it.
    fn beginning_at_end(&self, view: &View) -> Option<Range<usize>> {
        let end = view.bytes.len();
        let escapes = view.bytes.iter().enumerate().rev().take(12);
        let escapes = escapes.filter(|(_, byte)| matches!(byte, b'&' | b'%' | b'u'));
        let ends = escapes.map(|(at, _)| at).chain([end]);
        ends.flat_map(|end| (SHORTEST_BEGINNING..PIECE).map(move |length| (end, length)))
            .filter_map(|(end, length)| Some(end.checked_sub(length)?..end))
            .find(|at| {
                let beginning = view.bytes.get(at.clone());
                beginning.is_some_and(|beginning| self.beginnings.contains(beginning))
            })
            .and_then(|at| view.source(at.start..end))
    }
}

/// Where the decoded text has words that could be tokens.
fn long_words(view: &View) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begun = 0;
    for (at, byte) in view.bytes.iter().chain([&b' ']).enumerate() {
        if !is_of_token(char::from(*byte)) {
            if at - begun >= TOKEN_LENGTH {
                found.extend(view.source(begun..at));
            }
            begun = at + 1;
        }
    }
    found
}

/// The text with a mark in place of each of these parts.
fn replaced(text: &str, mut parts: Vec<Range<usize>>) -> String {
    parts.sort_unstable_by_key(|part| part.start);
    let (mut clean, mut kept) = (String::new(), 0);
    let mut open: Option<Range<usize>> = None;
    let mut close = |part: Range<usize>| {
        clean.push_str(text.get(kept..part.start).unwrap_or_default());
        clean.push_str(REDACTED);
        kept = part.end;
    };
    for part in parts {
        match &mut open {
            Some(before) if part.start <= before.end => before.end = before.end.max(part.end),
            _ => {
                if let Some(before) = open.replace(part) {
                    close(before);
                }
            }
        }
    }
    if let Some(last) = open {
        close(last);
    }
    clean.push_str(text.get(kept..).unwrap_or_default());
    clean
}

/// Whether there is more to a text than what stands in place of secrets.
pub fn says_something(text: &str) -> bool {
    text.replace(REDACTED, "").contains(char::is_alphanumeric)
}

/// On one line, without control characters, with single blanks.
fn folded(text: &str) -> String {
    let visible = text.replace(char::is_control, " ");
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn head(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// What is as long as a signature, or longer, in one piece has no meaning for people.
fn is_token(word: &str) -> bool {
    word.split(|letter| !is_of_token(letter))
        .any(|part| part.len() >= TOKEN_LENGTH)
}

fn is_of_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "+/=_-.".contains(letter)
}

/// A text of at most so many characters.
pub fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push(CUT);
    short
}

#[cfg(test)]
mod tests;
