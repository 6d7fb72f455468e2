//! What stands for a value, such as the UID of an object, where thousands of them are only compared.
//!
//! Relies on a hash with a seed of this process: nobody else can make two values that have the same mark. Of a million values, two have it
//! by chance in one of thirty million processes.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::LazyLock,
};

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Stands for a value, in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark(u64);

impl Mark {
    /// The mark of a value.
    pub fn of<T: Hash + ?Sized>(value: &T) -> Self {
        Self(SEED.hash_one(value))
    }
}
