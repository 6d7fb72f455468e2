//! What the resources share.

pub mod claims;
pub mod directory;
pub mod limits;
pub mod permits;
