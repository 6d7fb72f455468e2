//! Which process works, where several run: the one that holds a Lease of the cluster.
//!
//! Relies on the API server's comparison of resource versions for there being one holder, and on monotonic clocks that
//! run equally fast; wall clocks may differ by any amount. Promises that a process stops to write before another one can
//! begin. Why this is no library's: `docs/adr/0008-own-leader-election.md`.

mod elector;
mod lease;
mod term;

pub use elector::{Elector, TRY_EVERY};
pub use lease::{LONGEST_TERM, TERM};
pub use term::Leadership;
