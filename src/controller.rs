//! The reconciler: the stages that do I/O.

pub mod journal;
pub mod look;
pub mod memory;
pub mod read;
