//! A text with all escapes in it decoded: entities of HTML, percent encoding, escapes of JSON and JavaScript, in any order and in
//! each other.
//!
//! Each decoded byte knows which part of the text it came from. Decoding goes on until nothing is left to decode, for a secret as
//! for a text: so a secret that looks like an escape is found as well.

use std::ops::Range;

/// The longest entity, in bytes: the longest name has 31 letters.
const LONGEST_ENTITY: usize = 33;

/// Bytes, and the part of a text that each of them came from.
#[derive(Debug, Default)]
pub struct View {
    pub bytes: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl View {
    /// A text as it stands.
    pub fn as_it_stands(text: &str) -> Self {
        let mut view = Self::default();
        for (byte, from) in parts(text) {
            view.bytes.push(byte);
            view.from.push(from);
        }
        view
    }

    /// A text with its escapes decoded.
    pub fn decoded(text: &str) -> Self {
        let mut view = Self::default();
        for (byte, from) in parts(text) {
            view.push(byte, from);
        }
        view
    }

    /// Adds a byte, and decodes the escape that it completes; what was decoded may complete another one.
    pub fn push(&mut self, byte: u8, from: Range<usize>) {
        // In a loop and not by recursion: a hostile secret completes thousands of escapes with its last byte.
        let mut pending = vec![(byte, from)];
        while let Some((byte, from)) = pending.pop() {
            self.bytes.push(byte);
            self.from.push(from);
            if let Some((length, decoded)) = escape(&self.bytes)
                && let Some(kept) = self.bytes.len().checked_sub(length)
                && let Some(from) = self.source(kept..self.bytes.len())
            {
                self.bytes.truncate(kept);
                self.from.truncate(kept);
                let decoded = decoded.into_iter().rev();
                pending.extend(decoded.map(|byte| (byte, from.clone())));
            }
        }
    }

    /// The part of the text that these bytes came from.
    pub fn source(&self, at: Range<usize>) -> Option<Range<usize>> {
        let from = self.from.get(at)?;
        Some(from.first()?.start..from.last()?.end)
    }

    /// Without what other programs put into texts, or leave out: blanks and backslashes.
    pub fn squeezed(&self) -> Self {
        let mut view = Self::default();
        for (byte, from) in self.bytes.iter().zip(&self.from) {
            if !is_passed_over(*byte) {
                view.bytes.push(*byte);
                view.from.push(from.clone());
            }
        }
        view
    }
}

/// Bytes without blanks and backslashes.
pub fn squeezed(bytes: &[u8]) -> Vec<u8> {
    let kept = bytes.iter().filter(|byte| !is_passed_over(**byte));
    kept.copied().collect()
}

fn is_passed_over(byte: u8) -> bool {
    byte <= b' ' || byte == b'\\' || byte == 0x7f
}

/// The bytes of a text, each with where its character stands.
fn parts(text: &str) -> impl Iterator<Item = (u8, Range<usize>)> {
    text.char_indices().flat_map(|(at, letter)| {
        let mut bytes = [0; 4];
        let length = letter.encode_utf8(&mut bytes).len();
        bytes
            .into_iter()
            .take(length)
            .map(move |byte| (byte, at..at + length))
    })
}

/// The escape at the end: its length, and what it stands for. What has the shape of one and is none may end with another.
fn escape(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let of_javascript = || match bytes {
        // Escaped once more; none of them is of a meaning by itself.
        [.., b'\\', b'\\'] => Some((2, vec![b'\\'])),
        [.., b'\\' | b'%', b'u', a, b, c, d] => {
            let unit = hex(&[*a, *b, *c, *d])?;
            Some(unit_of_utf16(bytes, unit))
        }
        [.., b'\\', b'x', a, b] => {
            let letter = char::from_u32(hex(&[*a, *b])?)?;
            Some((4, letter.to_string().into_bytes()))
        }
        _ => None,
    };
    let of_urls = || match bytes {
        [.., b'%', a, b] => Some((3, vec![u8::try_from(hex(&[*a, *b])?).ok()?])),
        _ => None,
    };
    entity(bytes).or_else(of_javascript).or_else(of_urls)
}

/// A unit of UTF-16, six bytes long; the second half of a pair takes the first one with it.
fn unit_of_utf16(bytes: &[u8], unit: u32) -> (usize, Vec<u8>) {
    let before = bytes
        .len()
        .checked_sub(9)
        .and_then(|at| bytes.get(at..at + 3));
    if let (0xdc00..=0xdfff, Some([0xed, high @ 0xa0..=0xaf, low])) = (unit, before) {
        let first = (u32::from(*high & 0x0f) << 6) | u32::from(*low & 0x3f);
        let code = 0x1_0000 + (first << 10) + (unit - 0xdc00);
        let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        return (9, letter.to_string().into_bytes());
    }
    let decoded = match char::from_u32(unit) {
        Some(letter) => letter.to_string().into_bytes(),
        // Half of a pair, as UTF-8 would have it if it could.
        None => [
            0xe0 | (unit >> 12),
            0x80 | ((unit >> 6) & 0x3f),
            0x80 | (unit & 0x3f),
        ]
        .into_iter()
        .filter_map(|byte| u8::try_from(byte).ok())
        .collect(),
    };
    (6, decoded)
}

/// `&name;`, `&#38;` or `&#x26;`.
fn entity(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    bytes.last().filter(|last| **last == b';')?;
    let nearest = bytes.iter().rev().take(LONGEST_ENTITY + 1);
    let length = nearest.take_while(|byte| **byte != b'&').count() + 1;
    let entity = bytes.get(bytes.len().checked_sub(length)?..)?;
    let name = str::from_utf8(entity).ok()?;
    let name = name.strip_prefix('&')?.strip_suffix(';')?;
    let decoded = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        char::from_u32(code.ok()?)?.to_string()
    } else {
        let decoded = html_escape::decode_html_entities(str::from_utf8(entity).ok()?);
        // A name that nobody knows stays.
        (!decoded.starts_with('&') || name == "amp" || name == "AMP")
            .then(|| decoded.into_owned())?
    };
    Some((length, decoded.into_bytes()))
}

/// The number that these digits are.
fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number * 16 + digit)
    })
}
