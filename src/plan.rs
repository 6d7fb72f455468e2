//! Decisions, as pure functions over values.
//!
//! Relies on nothing but its arguments: no I/O, no clock. Promises to be total: every input has an answer.

pub mod attempts;
pub mod drift;
pub mod tasks;
