//! Schedules: whole operators, with everything between the watch and the calls of the cloud as it is shipped, over an
//! API server and a cloud in memory, in virtual time.
//!
//! A [`Fleet`] has thousands of resources, and the simulator of the cloud in place of the one in memory.
//!
//! A schedule is made from a seed and nothing else: the same seed is the same story to the millisecond. Promises that a
//! schedule ends with a [`Verdict`], whatever the operator does. Nothing here shares code with the operator but its
//! public interface, and what the API server in memory claims is held against the real one by `tests/api_server.rs`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::allow_attributes,
    reason = "the machinery of tests"
)]

mod answers;
mod checks;
mod cluster;
mod deleted;
mod fake;
mod flaw;
mod fleet;
mod gate;
mod greeter;
mod keys;
mod life;
mod link;
mod machine;
mod play;
mod publishing;
mod reigns;
mod resource;
mod rest;
#[path = "../../it/rules/versions.rs"]
mod rules;
mod schedule;
mod script;
mod server;
mod sky;
mod stage;
mod stock;
mod truth;
pub mod waits;
mod world;

pub use fake::Fake;
pub use flaw::Flaw;
pub use fleet::{Call, Fleet, SILENT, Tenant, Terms};
pub use machine::CONCURRENCY;
pub use play::{Verdict, play, play_gated, play_publishing, play_with, told};
pub use schedule::Schedule;
pub use stage::Stage;

/// The namespace of all resources but those of strangers.
pub const NAMESPACE: &str = "shop";

/// The namespace of strangers, who have no credentials.
pub const ELSEWHERE: &str = "elsewhere";
