//! The plugin as people run it: by `kubectl taurus-port`, on a real API server, with the simulator as the cloud.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::allow_attributes,
    reason = "helpers of tests"
)]

mod adopt;
mod archives;
mod first_run;
mod fleet;
mod import;
mod installed;
mod pipeline;
mod plan;
mod plane;
mod scale;
mod screen;
mod skew;
mod status;
mod terminal;
mod verbs;
