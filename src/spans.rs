//! The target of all spans that traces consist of, by which they are told apart from lines of the log.
//!
//! Whoever emits a span makes it: calls of the cloud in `cloud`, reconciles in `controller`, requests to the API server in `run`. Spans hold
//! names and ids only, never a text of the cloud or of a resource. Where no collector is named, nobody takes them.

use tracing::Metadata;

/// All spans that are sent have this target, and no line of log has it.
pub const TARGET: &str = "taurus::traces";

/// Whether something is one of the spans that are sent.
pub fn is_sent(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}
