//! What the operator tells about itself: lines of log, figures and traces.

use prometheus_client::metrics::counter::Counter;

use crate::telemetry::{
    logs::{Logs, LogsError},
    traces::{Traces, TracesError},
};

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
    /// Not by lines of log.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The collector can't be sent to.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// What is told, for as long as this lives. At its end, what was not sent or written yet is waited for, for a short time.
#[derive(Debug)]
pub struct Telling {
    // Traces end first: their end may be worth a line.
    _traces: Option<Traces>,
    _logs: Logs,
}

/// From now on everything in this process logs to standard error, and is traced where a collector is named, for as long as
/// what is returned lives. Lines of log that can't be written are counted by `dropped_lines`.
///
/// # Errors
///
/// See [`TelemetryError`].
pub fn start(settings: Settings, dropped_lines: Counter) -> Result<Telling, TelemetryError> {
    let traces = settings.collector.as_deref().map(Traces::to).transpose()?;
    let logs = logs::start(settings.logs, traces.as_ref(), dropped_lines)?;
    if let Some(collector) = settings.collector {
        tracing::info!(collector, "traces are sent");
    }
    Ok(Telling {
        _traces: traces,
        _logs: logs,
    })
}
