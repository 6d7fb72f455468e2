//! What stands for a UID or a version of an object, where thousands of them are only compared.
//!
//! Relies on a hash with a seed of this process: nobody else can make two texts that have the same mark. Of a million texts, two have it
//! by chance in one of thirty million processes.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::LazyLock,
};

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Stands for a text, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(u64);

impl Mark {
    /// The mark of a text.
    pub fn of(text: &str) -> Self {
        Self(SEED.hash_one(text))
    }
}
