//! What the resources share.

pub mod claims;
pub mod permits;
