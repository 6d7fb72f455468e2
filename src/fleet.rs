//! What the resources share.

pub mod claims;
pub mod directory;
pub mod lengths;
pub mod moves;
pub mod tasks;
pub mod verified;
