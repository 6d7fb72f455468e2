//! A read that all who want it at the same time make once.
//!
//! Promises that what a caller gets was begun after the caller came: who comes while a read is under way waits for the next
//! one, and that one serves all who have come meanwhile. The next one may wait a little for more to come; one that nobody has
//! asked for lately waits for nobody. Whoever waits for a read, its own or that of another one, does so aside: a cloud that does not
//! answer takes no seat. Whoever is cancelled harms nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::sync::{Mutex, MutexGuard};

use crate::{clock, cloud::CloudError, seats::aside};

/// What a read gave.
pub type Outcome<T> = Result<Arc<T>, CloudError>;

/// A read.
#[derive(Debug)]
pub struct SharedRead<T> {
    came: AtomicU64,
    last: Mutex<Option<Box<Last<T>>>>,
    /// How long the next read waits for more to come after one that gave this.
    rest: fn(&T) -> Duration,
}

/// The last read that has ended.
#[derive(Debug)]
struct Last<T> {
    /// Who came up to this had come when it began.
    serves: u64,
    begun: Duration,
    /// The next one begins at this uptime at the earliest.
    next: Duration,
    outcome: Outcome<T>,
}

impl<T> Default for SharedRead<T> {
    fn default() -> Self {
        Self {
            came: AtomicU64::new(0),
            last: Mutex::const_new(None),
            rest: |_| Duration::ZERO,
        }
    }
}

impl<T: Send + Sync> SharedRead<T> {
    /// A read after which the next one waits for more to come, for as long as it is worth by what was read.
    pub fn with_rest(rest: fn(&T) -> Duration) -> Self {
        Self {
            rest,
            ..Self::default()
        }
    }

    /// What a read gives that begins after this was called.
    pub async fn fresh<'a>(
        &self,
        uptime: impl Fn() -> Duration,
        read: impl FnOnce() -> BoxFuture<'a, Result<T, CloudError>>,
    ) -> Outcome<T> {
        let number = self.came.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = self.locked().await;
        if let Some(last) = last.as_ref().filter(|last| last.serves >= number) {
            return last.outcome.clone();
        }
        if let Some(last) = last.as_ref() {
            let rest = last.next.saturating_sub(uptime());
            if !rest.is_zero() {
                aside(clock::pause(rest)).await;
            }
        }
        let serves = self.came.load(Ordering::SeqCst);
        let begun = uptime();
        let outcome = aside(read()).await.map(Arc::new);
        let rest = outcome.as_deref().map_or(Duration::ZERO, self.rest);
        *last = Some(Box::new(Last {
            serves,
            begun,
            next: uptime().saturating_add(rest),
            outcome: outcome.clone(),
        }));
        outcome
    }

    /// What the last good read gave, if it began after `after`; waits for one that is under way.
    pub async fn since(&self, after: Duration) -> Option<Arc<T>> {
        let last = self.locked().await;
        let last = last.as_ref().filter(|last| last.begun > after)?;
        last.outcome.clone().ok()
    }

    /// As [`Self::since`], but waits for nobody.
    pub fn last_since(&self, after: Duration) -> Option<Arc<T>> {
        let last = self.last.try_lock().ok()?;
        let last = last.as_ref().filter(|last| last.begun > after)?;
        last.outcome.clone().ok()
    }

    async fn locked(&self) -> MutexGuard<'_, Option<Box<Last<T>>>> {
        match self.last.try_lock() {
            Ok(last) => last,
            Err(_) => aside(self.last.lock()).await,
        }
    }

    /// Forgets what was read before `before`, unless it is in use. True if there is nothing left.
    pub fn forget(&self, before: Duration) -> bool {
        let Ok(mut last) = self.last.try_lock() else {
            return false;
        };
        last.take_if(|last| last.begun < before);
        last.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::future::join_all;

    use super::*;
    use crate::{clock, cloud::Meaning};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn who_comes_during_a_read_shares_the_next_one() {
        let (shared, count) = (SharedRead::default(), AtomicUsize::new(0));
        let read = |after: Duration| {
            let (shared, count) = (&shared, &count);
            async move {
                clock::pause(after).await;
                let reading = || -> BoxFuture<'_, _> {
                    Box::pin(async {
                        clock::pause(SECOND).await;
                        Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                    })
                };
                shared.fresh(|| Duration::ZERO, reading).await.unwrap()
            }
        };
        let milliseconds = [0, 1, 300, 999, 1500].map(Duration::from_millis);
        let got = join_all(milliseconds.map(read)).await;
        let got: Vec<usize> = got.into_iter().map(|number| *number).collect();
        assert_eq!(got, [1, 2, 2, 2, 3]);
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_never_kept_for_later() {
        let shared = SharedRead::<()>::default();
        let error = || CloudError::local(Meaning::Transient, "no");
        let failing = || -> BoxFuture<'_, _> { Box::pin(async { Err(error()) }) };
        let outcome = shared.fresh(|| SECOND, failing).await;
        assert_eq!(outcome, Err(error()));
        assert_eq!(shared.since(Duration::ZERO).await, None);
        let well = || -> BoxFuture<'_, _> { Box::pin(async { Ok(()) }) };
        assert!(shared.fresh(|| 2 * SECOND, well).await.is_ok());
        assert!(shared.since(SECOND).await.is_some());
        assert!(shared.since(2 * SECOND).await.is_none());
        assert!(!shared.forget(2 * SECOND) && shared.forget(3 * SECOND));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_read_waits_for_more_to_come_and_one_much_later_does_not() {
        let clock = clock::Clock::start();
        let shared = SharedRead::with_rest(|_| SECOND);
        let count = AtomicUsize::new(0);
        let read = |after: u64| {
            let (shared, count, clock) = (&shared, &count, &clock);
            async move {
                clock::pause(Duration::from_millis(after)).await;
                let reading = || -> BoxFuture<'_, _> {
                    Box::pin(async { Ok(count.fetch_add(1, Ordering::SeqCst) + 1) })
                };
                let number = shared.fresh(|| clock.now().uptime, reading).await.unwrap();
                (*number, clock.now().uptime.as_millis())
            }
        };
        let began = clock.now().uptime.as_millis();
        let got = join_all([0, 1, 300, 999, 5000].map(read)).await;
        let got: Vec<_> = got.into_iter().map(|(n, at)| (n, at - began)).collect();
        assert_eq!(got, [(1, 0), (2, 1000), (2, 1000), (2, 1000), (3, 5000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_cancelled_harms_nobody() {
        let shared = SharedRead::default();
        let for_ever = || -> BoxFuture<'_, _> { Box::pin(std::future::pending()) };
        let hanging = shared.fresh(|| SECOND, for_ever);
        assert!(tokio::time::timeout(SECOND, hanging).await.is_err());
        let well = || -> BoxFuture<'_, _> { Box::pin(async { Ok(7) }) };
        assert_eq!(*shared.fresh(|| SECOND, well).await.unwrap(), 7);
    }
}
