//! The Taurus port operator as a library: every part of it, so that tests can drive each one for real.
//!
//! One reconcile is *read → look → plan → act → settle → report*; see `docs/architecture.md`.

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
pub mod run;
pub mod seats;
pub mod shutdown;
pub mod spans;
pub mod telemetry;
pub mod version;
