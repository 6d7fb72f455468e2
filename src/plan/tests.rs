//! The planner against a world in memory.
//!
//! Relies on nothing outside this crate: the cloud, the API server's fence of resource versions, processes that crash
//! and time are small models; `read`, `look`, `decide`, `settle` and `summary` are the real ones. Promises that the rules
//! of [`checks`] are held over every status that is written in any of these tests.

mod admitting;
mod answers;
mod arbitrary;
mod checks;
mod cloud;
mod drift;
mod ends;
mod follow;
mod meanwhile;
mod moments;
mod outcome;
mod process;
mod properties;
mod reasons;
mod schedule;
mod shares;
mod steps;
mod timing;
mod trouble;
mod until;
mod words;
mod world;
