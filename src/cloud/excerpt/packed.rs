//! Secrets within base64 and hexadecimal digits, at any place of what was encoded: `Basic` credentials hold a user before the
//! password, and an echo may begin anywhere.
//!
//! What a text costs is in proportion to its length: each level looks at a text of base64 from 4 digits on, at 3 bytes for 4
//! digits, and at one of hexadecimal digits from 2 on, at 1 byte for 2. That is 4 bytes for each at most, so in three levels
//! 4 + 16 + 64 = 84.

use std::ops::Range;

use super::{SHORTEST_BEGINNING, Secrets, plain::View};

/// A shorter run holds nothing that could be told from chance.
const SHORTEST_RUN: usize = 6;

/// How often in each other encodings are looked into.
pub(super) const DEEPEST: usize = 3;

/// An encoding in which so many digits stand for so many bits.
struct Packing {
    /// Bits of a digit.
    bits: u32,
    /// Digits that make up whole bytes.
    group: usize,
    /// The value of a digit.
    value: fn(u8) -> Option<u32>,
}

const PACKINGS: [Packing; 2] = [
    Packing {
        bits: 6,
        group: 4,
        value: of_base64,
    },
    Packing {
        bits: 4,
        group: 2,
        value: of_hex,
    },
];

/// Where in the text that `view` was made of secrets stand encoded.
pub fn find(view: &View, secrets: &Secrets) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    look(view, secrets, DEEPEST, &mut found, &mut |_| {});
    found
}

/// Tells `meter` of how many bytes it has unpacked.
pub(super) fn look(
    view: &View,
    secrets: &Secrets,
    depth: usize,
    found: &mut Vec<Range<usize>>,
    meter: &mut impl FnMut(usize),
) {
    for packing in &PACKINGS {
        for run in runs(view, packing) {
            for begin in (run.start..run.end).take(packing.group) {
                let inner = unpacked(view, begin..run.end, packing);
                meter(inner.bytes.len());
                let inner = inner.squeezed();
                found.extend(secrets.find(&inner, SHORTEST_BEGINNING));
                if depth > 1 {
                    look(&inner, secrets, depth - 1, found, meter);
                }
            }
        }
    }
}

/// Where digits follow upon each other.
fn runs(view: &View, packing: &Packing) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut begun = 0;
    let bytes = view.bytes.iter().map(Some).chain([None]);
    for (at, byte) in bytes.enumerate() {
        if byte.and_then(|byte| (packing.value)(*byte)).is_none() {
            if at - begun >= SHORTEST_RUN {
                found.push(begun..at);
            }
            begun = at + 1;
        }
    }
    found
}

/// What the digits stand for; each byte knows all digits that it came from.
fn unpacked(view: &View, digits: Range<usize>, packing: &Packing) -> View {
    let mut inner = View::default();
    let (mut number, mut bits, mut first) = (0_u32, 0, digits.start);
    for at in digits {
        let value = view.bytes.get(at).and_then(|byte| (packing.value)(*byte));
        number = (number << packing.bits) | value.unwrap_or_default();
        bits += packing.bits;
        if bits >= 8 {
            bits -= 8;
            let byte = (number >> bits) & 0xff;
            number &= (1 << bits) - 1;
            if let (Ok(byte), Some(from)) = (u8::try_from(byte), view.source(first..at + 1)) {
                inner.push(byte, from);
            }
            first = if bits == 0 { at + 1 } else { at };
        }
    }
    inner
}

fn of_base64(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

fn of_hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}
