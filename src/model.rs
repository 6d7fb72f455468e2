//! Words of the domain as checked types.
//!
//! Relies on nothing but the standard library and serde. Promises that a value of one of these types is
//! well formed, so that nobody who holds one has to check it again.

pub mod ids;
pub mod job;
pub mod mark;
pub mod name;
pub mod port;
pub mod reason;
pub mod time;

pub use ids::{ChangeId, IdError, InstanceId, JobId, ProjectId, ProxyId};
pub use job::JobState;
pub use mark::Mark;
pub use name::{ResourceName, Uid};
pub use port::{Port, PortError, RESERVED, because_reserved};
pub use reason::{Class, Reason};
pub use time::{Moment, whole_units};
