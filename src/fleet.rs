//! What the resources share.

pub mod claims;
pub mod directory;
pub mod permits;
