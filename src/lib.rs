//! The Taurus port operator as a library: every part of it, so that tests can drive each one for real.
//!
//! One reconcile is *read → look → plan → act → settle → report*; see `docs/architecture.md`. The operator runs on Linux. The plugin for kubectl
//! shares this library on other systems: what they lack is left out there, and the plugin has no use for it.

pub mod admin;
pub mod calendar;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod controller;
pub mod crd;
pub mod desired;
pub mod fleet;
pub mod health;
pub mod leader;
pub mod model;
pub mod one_at_a_time;
pub mod pace;
pub mod permits;
pub mod place;
pub mod plan;
pub mod preflight;
pub mod probe;
pub mod publish;
#[cfg(unix)]
pub mod run;
pub mod seats;
#[cfg(unix)]
pub mod shutdown;
pub mod spans;
pub mod telemetry;
pub mod version;
