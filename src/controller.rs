//! The reconciler: the stages that do I/O.

pub mod journal;
pub mod read;
