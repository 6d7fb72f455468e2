//! What the operator tells about itself: lines of log, and figures.

pub mod logs;
pub mod metrics;
