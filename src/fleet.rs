//! What the resources share.

pub mod claims;
pub mod limits;
pub mod permits;
