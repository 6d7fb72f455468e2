//! Fingerprints of secrets: they tell whether two are the same, and nothing else.
//!
//! Made with a key that is drawn anew in each process, so that nobody who sees one can try guesses against it.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

static KEY: LazyLock<[u8; 32]> = LazyLock::new(rand::random);

/// Stands for a value that is not kept. Half of the code's bits, as RFC 2104 allows: each resource keeps one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Fingerprint")
            .finish_non_exhaustive()
    }
}

impl Fingerprint {
    /// The fingerprint of a list of parts. Lists that differ only in where one part ends and the next begins are told apart.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        // Any length of key will do: the fallback is never taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(KEY.as_slice()) else {
            return Self([0; 16]);
        };
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        let code = mac.finalize().into_bytes();
        Self(code.first_chunk().copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> Fingerprint {
        Fingerprint::of(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn parts_are_told_apart_wherever_the_border_lies() {
        assert_eq!(of(&["a", "bc"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", "bc"]), of(&["ab", "c"]));
        assert_ne!(of(&["a", "b", "c", "d"]), of(&["a", "bcd"]));
    }

    #[test]
    fn a_fingerprint_is_no_plain_digest_and_is_not_shown() {
        use sha2::Digest as _;
        let mut hasher = Sha256::new();
        hasher.update(3_u64.to_be_bytes());
        hasher.update("abc");
        let plain: [u8; 32] = hasher.finalize().into();
        assert!(!plain.starts_with(&of(&["abc"]).0));
        assert_eq!(format!("{:?}", of(&["abc"])), "Fingerprint { .. }");
    }
}
