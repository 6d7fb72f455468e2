//! Log lines on standard error, as text for people or as JSON for collectors.
//!
//! Promises that no answer of the API server is logged as a whole: it may be a Secret; that an API server that is away
//! doesn't fill the log; and that nobody who logs, or panics, ever waits for whoever reads standard error.

use std::{
    io::{self, IsTerminal as _, Write as _},
    panic::{self, PanicHookInfo},
    sync::mpsc,
    thread,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tracing::{Level, Metadata, Subscriber, subscriber::SetGlobalDefaultError};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::{FilterExt as _, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

use self::queue::Queue;
use super::traces::Traces;

use crate::spans;

mod queue;

/// For so long the end of the process waits for lines that are not written yet.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Format {
    /// For people; in colour on a terminal.
    Text,
    /// One JSON object a line, fields at its top level.
    Json,
}

/// What is logged, and how.
#[derive(Debug)]
pub struct Settings {
    /// How a line looks.
    pub format: Format,
    /// Which lines there are.
    pub filter: EnvFilter,
}

/// There can be no log.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Something else logs already.
    #[error("logging can't be set up: {0}")]
    Taken(#[from] SetGlobalDefaultError),
    /// Nobody could write the lines.
    #[error("the thread that writes the log can't be started: {0}")]
    Thread(#[from] io::Error),
}

/// The log of this process. With its end, lines that are not written yet are waited for, for a second at most.
#[derive(Debug)]
pub struct Logs(Queue);

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.flush(FLUSH_WITHIN);
    }
}

/// From now on everything in this process logs to standard error, panics as well, and its spans go to `traces`, if there are
/// any. Lines that can't be written are counted by `dropped`.
///
/// # Errors
///
/// Something else was set up before, or there can be no more threads.
pub fn start(
    settings: Settings,
    traces: Option<&Traces>,
    dropped: Counter,
) -> Result<Logs, LogsError> {
    let in_colour = io::stderr().is_terminal();
    let queue = Queue::before(io::stderr(), dropped)?;
    let lines = subscriber(settings, in_colour, queue.clone());
    match traces {
        Some(traces) => tracing::subscriber::set_global_default(lines.with(traces.layer())),
        None => tracing::subscriber::set_global_default(lines),
    }?;
    panic::set_hook(Box::new(log_panic));
    Ok(Logs(queue))
}

/// Writes a line that no log has, to standard error, and waits for that no longer than for the end of a log.
pub fn say_at_last(line: String) {
    let (said, done) = mpsc::channel();
    // It ends with the process where standard error takes nothing.
    let saying = thread::Builder::new().spawn(move || {
        let _ = writeln!(io::stderr(), "{line}");
        let _ = said.send(());
    });
    if saying.is_ok() {
        let _ = done.recv_timeout(FLUSH_WITHIN);
    }
}

/// Rust's own hook writes to standard error from the thread that panics, which would block it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let place = panic.location().map(ToString::to_string);
    let thread = thread::current();
    tracing::error!(
        place,
        thread = thread.name(),
        "a thread panicked: {message}"
    );
}

fn subscriber<W>(
    settings: Settings,
    in_colour: bool,
    writer: W,
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // It would tell of its own errors on standard error, and wait there.
    let lines = fmt::layer()
        .with_writer(writer)
        .with_ansi(in_colour)
        .log_internal_errors(false);
    let lines = match settings.format {
        Format::Text => lines.boxed(),
        Format::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    let filter = settings
        .filter
        .and(filter_fn(holds_no_answer).and(filter_fn(is_not_said_twice)))
        .and(filter_fn(|metadata| !spans::is_sent(metadata)));
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

/// The client writes down the answers that it can't decode, a damaged Secret as well. Its errors reach us as values anyway.
fn holds_no_answer(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() || metadata.target() != "kube_client::client"
}

/// The client has a line for each request that fails, as the renewals of the lease do every second of an outage. Whoever
/// asked tells of it, once.
fn is_not_said_twice(metadata: &Metadata<'_>) -> bool {
    let of_requests = metadata.target() == "kube_client::client::builder";
    metadata.is_span() || !of_requests || *metadata.level() > Level::WARN
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: Format, filter: &str, log: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let settings = Settings {
            format,
            filter: EnvFilter::builder().parse(filter).unwrap(),
        };
        let subscriber = subscriber(settings, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, log);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_line_of_json_holds_its_fields_at_the_top() {
        let lines = lines(Format::Json, "info", || {
            tracing::info!(port = 3307, "the port is as wanted");
            tracing::debug!("not asked for");
        });
        let [line] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "the port is as wanted");
        assert_eq!(line["port"], 3307);
    }

    #[test]
    fn a_line_of_text_is_one_line() {
        let lines = lines(Format::Text, "info", || {
            tracing::warn!(port = 3307, "drift");
        });
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains("WARN") && lines[0].ends_with("drift port=3307"),
            "{lines:?}"
        );
    }

    #[test]
    fn an_answer_that_cannot_be_decoded_is_not_logged_however_much_is_asked_for() {
        let lines = lines(Format::Text, "trace,kube_client::client=trace", || {
            tracing::warn!(target: "kube_client::client", "{{\"data\":{{\"secretKey\":\"aHVudGVyMg==\"");
            tracing::debug!(target: "kube_client::client::builder", "requesting");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].ends_with("requesting"), "{lines:?}");
    }

    #[test]
    fn a_request_that_failed_is_left_to_whoever_made_it() {
        let lines = lines(Format::Text, "info", || {
            tracing::error!(target: "kube_client::client::builder", "failed with error");
            tracing::warn!("the lease is not renewed");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].ends_with("the lease is not renewed"), "{lines:?}");
    }
}
