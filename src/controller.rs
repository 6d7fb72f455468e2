//! The reconciler: the stages that do I/O.

pub mod accounts;
pub mod act;
pub mod journal;
pub mod look;
pub mod memory;
pub mod read;
