//! The open connections, each with a handle by which it can be ended while hyper has its socket.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// How to end a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Let the peer see a reset.
    Reset,
    /// Let the peer see an orderly end.
    Close,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) number: u64,
    requests: AtomicUsize,
    ending: watch::Sender<Option<Ending>>,
}

/// A request that is at work on a line, for as long as this lives.
#[derive(Debug)]
pub(crate) struct AtWork(Arc<Line>);

impl Line {
    /// Counts a request in.
    pub(crate) fn begin(self: &Arc<Self>) -> AtWork {
        self.requests.fetch_add(1, Ordering::SeqCst);
        AtWork(Arc::clone(self))
    }

    /// Orders the end of the connection.
    pub(crate) fn end(&self, ending: Ending) {
        self.ending.send_replace(Some(ending));
    }

    /// Returns once the end was ordered.
    pub(crate) async fn ended(&self) -> Ending {
        let mut orders = self.ending.subscribe();
        match orders.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(ending)) => *ending,
            // The sender lives as long as `self`, and the condition was met.
            Ok(None) | Err(_) => Ending::Close,
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    open: BTreeMap<u64, Arc<Line>>,
    count: u64,
}

impl Lines {
    pub(crate) fn open(&self) -> Arc<Line> {
        let mut known = self.lock();
        known.count += 1;
        let number = known.count;
        let line = Arc::new(Line {
            number,
            requests: AtomicUsize::new(0),
            ending: watch::Sender::new(None),
        });
        known.open.insert(number, Arc::clone(&line));
        line
    }

    pub(crate) fn forget(&self, line: &Line) {
        self.lock().open.remove(&line.number);
    }

    /// Closes the connections on which no request is at work; returns how many.
    pub(crate) fn close_idle(&self) -> usize {
        let known = self.lock();
        let idle = known
            .open
            .values()
            .filter(|line| line.requests.load(Ordering::SeqCst) == 0);
        idle.map(|line| line.end(Ending::Close)).count()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
