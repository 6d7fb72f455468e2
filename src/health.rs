//! How the process does: what it works on, whether it is stuck, and how far it has come.
//!
//! `heartbeat` and `work` are noted by the controller; `liveness` and `readiness` judge, and whoever serves them asks.

pub mod heartbeat;
pub mod liveness;
pub mod readiness;
pub mod work;
