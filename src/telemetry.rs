//! What the operator tells about itself: lines of log, figures and traces.

use tracing::subscriber::SetGlobalDefaultError;

use crate::telemetry::traces::{Traces, TracesError};

pub mod logs;
pub mod metrics;
pub mod traces;

/// What is told, and how.
#[derive(Debug)]
pub struct Settings {
    /// Of the log.
    pub logs: logs::Settings,
    /// Where traces go to; nowhere where there is none.
    pub collector: Option<String>,
}

/// It can't be told.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something else logs already.
    #[error("logging can't be set up: {0}")]
    Logs(#[from] SetGlobalDefaultError),
    /// The collector can't be sent to.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// From now on everything in this process logs to standard error, and is traced where a collector is named, for as long as
/// what is returned lives.
pub fn start(settings: Settings) -> Result<Option<Traces>, TelemetryError> {
    let traces = settings.collector.as_deref().map(Traces::to).transpose()?;
    logs::start(settings.logs, traces.as_ref())?;
    if let Some(collector) = settings.collector {
        tracing::info!(collector, "traces are sent");
    }
    Ok(traces)
}
