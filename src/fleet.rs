//! What the resources share.

pub mod claims;
pub mod directory;
pub mod lengths;
pub mod limits;
pub mod moves;
pub mod permits;
pub mod verified;
