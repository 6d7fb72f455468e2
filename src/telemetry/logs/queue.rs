//! Lines of log on their way to where they are read: whoever logs hands a line over and goes on.
//!
//! Standard error may be a pipe that nobody reads. Then a write blocks its thread for as long as that lasts, so one thread of its
//! own makes all of them. Promises that handing over never waits and never fails, that lines which wait take a bounded amount of
//! memory, and that lines beyond that are dropped and counted; once they can be written again, one line says how many.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// So many bytes of lines may wait; some ten thousand lines.
const MOST_WAITING: usize = 4 * 1024 * 1024;

enum Message {
    Line(Vec<u8>),
    /// Everything before it was written.
    Written(Sender<()>),
}

/// Takes lines in; one for each thread that logs, all for the same writer.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: Sender<Message>,
    waiting: Arc<AtomicUsize>,
    dropped: Counter,
}

impl Queue {
    /// A queue before this writer, which a thread of its own writes to from now on. What is dropped is counted by `dropped`.
    ///
    /// # Errors
    ///
    /// There can be no more threads.
    pub fn before(writer: impl io::Write + Send + 'static, dropped: Counter) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let thread = Thread {
            receiver,
            writer,
            waiting: Arc::clone(&waiting),
            dropped: dropped.clone(),
            told: dropped.get(),
        };
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || thread.write_all())?;
        Ok(Self {
            sender,
            waiting,
            dropped,
        })
    }

    /// Waits until what was handed over so far is written, but no longer than this.
    pub fn flush(&self, within: Duration) {
        let (written, all) = mpsc::channel();
        // An error means that the writer is gone: nothing is left to wait for.
        if self.sender.send(Message::Written(written)).is_ok() {
            let _ = all.recv_timeout(within);
        }
    }

    fn hand_over(&self, line: &[u8]) {
        let before = self.waiting.fetch_add(line.len(), Ordering::SeqCst);
        let fits = before.saturating_add(line.len()) <= MOST_WAITING;
        if !fits || self.sender.send(Message::Line(line.to_vec())).is_err() {
            self.waiting.fetch_sub(line.len(), Ordering::SeqCst);
            self.dropped.inc();
        }
    }
}

/// The formatter writes each line in one piece.
impl io::Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.hand_over(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The one that may block.
struct Thread<W> {
    receiver: Receiver<Message>,
    writer: W,
    waiting: Arc<AtomicUsize>,
    dropped: Counter,
    /// How many dropped lines were told of.
    told: u64,
}

impl<W: io::Write> Thread<W> {
    fn write_all(mut self) {
        while let Ok(message) = self.receiver.recv() {
            match message {
                Message::Line(line) => self.write(&line),
                // Whoever asked may have waited for long enough.
                Message::Written(all) => drop(all.send(())),
            }
        }
    }

    fn write(&mut self, line: &[u8]) {
        let written = self.writer.write_all(line);
        self.waiting.fetch_sub(line.len(), Ordering::SeqCst);
        if written.is_err() {
            // Nobody can be told: this is where it would be said.
            self.dropped.inc();
            return;
        }
        let dropped = self.dropped.get();
        if dropped > self.told {
            let lines = dropped - self.told;
            self.told = dropped;
            tracing::warn!(
                lines,
                "lines of log were dropped: standard error did not take them as fast as they came"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _, pipe};

    use super::*;

    /// Longer than any machine needs that is at work at all.
    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn r01_a_reader_that_reads_nothing_holds_up_nobody_and_what_is_lost_is_counted() {
        let (mut reader, writer) = pipe().unwrap();
        let dropped = Counter::default();
        let mut queue = Queue::before(writer, dropped.clone()).unwrap();
        let line = [b"x".repeat(1023), vec![b'\n']].concat();
        // More than the pipe takes, and than may wait: with a writer that waits, this never ends.
        let lines = 2 * MOST_WAITING / line.len();
        for _ in 0..lines {
            queue.write_all(&line).unwrap();
        }
        let lost = dropped.get();
        assert!(lost > 0 && lost < lines as u64, "{lost} of {lines}");
        queue.flush(Duration::from_millis(1));
        let kept = (lines as u64 - lost) * line.len() as u64;
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            reader.by_ref().take(kept).read_to_end(&mut read).unwrap();
            (read.len() as u64, reader)
        });
        queue.flush(LONG);
        let (read, _reader) = reading.join().unwrap();
        assert_eq!(read, kept, "what was kept is written once it can be");
        assert_eq!(dropped.get(), lost);
        assert_eq!(queue.waiting.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn r01_a_reader_that_is_gone_loses_lines_and_nothing_else() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let dropped = Counter::default();
        let mut queue = Queue::before(writer, dropped.clone()).unwrap();
        for _ in 0..3 {
            queue.write_all(b"a line\n").unwrap();
        }
        queue.flush(LONG);
        assert_eq!(dropped.get(), 3);
    }
}
