//! What the resources share.

pub mod permits;
