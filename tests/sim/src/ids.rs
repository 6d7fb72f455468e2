//! Ids and tokens out of a seed: the same seed and the same calls make the same ones.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::auth::hex;

const TOKEN_LETTERS: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";

#[derive(Debug)]
pub(crate) struct Ids(StdRng);

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// 32 hexadecimal digits.
    pub(crate) fn request_id(&mut self) -> String {
        hex(&self.bytes::<16>())
    }

    /// A random UUID (version 4), hyphenated.
    pub(crate) fn uuid(&mut self) -> String {
        let bits = u128::from_be_bytes(self.bytes::<16>());
        let versioned = (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
        let digits = format!("{versioned:032x}");
        let group = |from, to| digits.get(from..to).unwrap_or_default();
        [
            group(0, 8),
            group(8, 12),
            group(12, 16),
            group(16, 20),
            group(20, 32),
        ]
        .join("-")
    }

    /// Letters, digits and the odd sign, as in tokens of IAM.
    pub(crate) fn token(&mut self, length: usize) -> String {
        let mut random = vec![0; length];
        self.0.fill_bytes(&mut random);
        random
            .iter()
            .filter_map(|byte| TOKEN_LETTERS.get(usize::from(byte % 64)))
            .map(|letter| char::from(*letter))
            .collect()
    }

    fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_forms_and_follow_from_the_seed() {
        let mut ids = Ids::new(7);
        let (uuid, request, token) = (ids.uuid(), ids.request_id(), ids.token(2048));
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert!(
            uuid[14..].starts_with('4') && "89ab".contains(&uuid[19..20]),
            "{uuid}"
        );
        assert_eq!((request.len(), token.len()), (32, 2048));
        assert_eq!(Ids::new(7).uuid(), uuid);
        assert_ne!(Ids::new(8).uuid(), uuid);
    }
}
