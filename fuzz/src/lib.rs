//! What must hold for every input, one module for each thing that is read or made from what others wrote.
//!
//! A check takes any bytes, panics where a promise is broken, and says whether the input was understood. Inputs are
//! readable text, so that seeds and findings can be read, too. libFuzzer's programs (`targets/`) and the tests of the
//! seeds (`tests/`) share these checks.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a check says what it found by a panic, and an index into JSON never panics"
)]

pub mod address;
pub mod canonical_form;
pub mod error;
pub mod excerpt;
pub mod job;
pub mod proxies;
pub mod receipt;
pub mod scenario;
pub mod secret;
pub mod tasks;
pub mod token_life;

mod look;

/// A check: whether the input was understood.
pub type Check = fn(&[u8]) -> bool;

/// All checks, by the names of their programs and of their folders of seeds.
pub const CHECKS: [(&str, Check); 11] = [
    ("address", address::check),
    ("canonical_form", canonical_form::check),
    ("error", error::check),
    ("excerpt", excerpt::check),
    ("job", job::check),
    ("proxies", proxies::check),
    ("receipt", receipt::check),
    ("scenario", scenario::check),
    ("secret", secret::check),
    ("tasks", tasks::check),
    ("token_life", token_life::check),
];
