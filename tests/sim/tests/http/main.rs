//! The simulator over real HTTP, in process and as a program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests; what is wrong shall fail the test"
)]

mod admin;
mod bent;
mod chaos;
mod client;
mod compare;
mod credentials;
mod documented;
mod faults;
mod groups;
mod iam;
mod instances;
mod jobs;
mod journal;
mod lease;
mod listeners;
mod maintenance;
mod modes;
mod program;
mod ready;
mod scenario;
mod tasks;
mod terraform;
mod throttling;
