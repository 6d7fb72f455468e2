//! The way out: the first signal asks the work to end, the second one ends it at once.

use std::{io, pin::pin};

use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Tells the parts of a process that it is to end.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

/// Why the work did not come to its own end.
#[derive(Debug, thiserror::Error)]
pub enum ShutdownError {
    /// The process can't hear signals.
    #[error("signals can't be received: {0}")]
    Signals(#[from] io::Error),
    /// A second signal came before the work had ended.
    #[error(
        "{0} came while the operator was stopping: it ends at once; what was not recorded is found out after the next start"
    )]
    Forced(&'static str),
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Shutdown {
    /// Whether the process is to end.
    pub fn was_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the process is to end.
    pub async fn asked(mut self) {
        // An error means that nobody is left who could ask: then it is over as well.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

/// Runs `work` to its end. SIGTERM and SIGINT ask it to come to that; a second one abandons it where it stands.
pub async fn until_signalled<W: Future>(
    work: impl FnOnce(Shutdown) -> W,
) -> Result<W::Output, ShutdownError> {
    let mut signals = Signals::new()?;
    let (ask, asked) = watch::channel(false);
    let mut work = pin!(work(Shutdown(asked)));
    let first = select! {
        output = &mut work => return Ok(output),
        name = signals.next() => name,
    };
    tracing::info!(
        signal = first,
        "stopping: no new change is started, a call in flight is finished and recorded; a second signal ends it at once"
    );
    ask.send_replace(true);
    select! {
        output = &mut work => Ok(output),
        second = signals.next() => Err(ShutdownError::Forced(second)),
    }
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, process::Command, time::Duration};

    use super::*;

    /// To this very process: it hears signals by now.
    fn send(name: &str) {
        let line = format!("kill -{name} {}", std::process::id());
        let status = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(status.success());
    }

    /// One test for all of it: signals reach a whole process, and with it every test that runs at the time.
    #[tokio::test]
    async fn the_first_signal_asks_and_the_second_does_not_wait() {
        const DEADLINE: Duration = Duration::from_secs(20);
        let obedient = until_signalled(|shutdown| async {
            send("TERM");
            shutdown.asked().await;
            "recorded"
        });
        let output = tokio::time::timeout(DEADLINE, obedient).await.unwrap();
        assert_eq!(output.unwrap(), "recorded");

        let stuck = until_signalled(|shutdown| async {
            send("INT");
            shutdown.asked().await;
            send("TERM");
            pending::<()>().await;
        });
        let output = tokio::time::timeout(DEADLINE, stuck).await.unwrap();
        assert!(
            matches!(output, Err(ShutdownError::Forced("SIGTERM"))),
            "{output:?}"
        );

        let done = until_signalled(|_| async { 7 }).await;
        assert_eq!(done.unwrap(), 7);
    }
}
