//! How many calls may be under way at once, so that an endpoint that never answers doesn't hold up those that do.
//!
//! Promises that nobody waits for a lane longer than a short while, and not at all where no lane has come free for as long:
//! then the calls that are under way are not being answered, and one more would only wait with them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{CloudError, error::failure};
use crate::clock::Clock;

/// A fixed number of lanes.
#[derive(Debug)]
pub struct Lanes {
    free: Arc<Semaphore>,
    most: usize,
    patience: Duration,
    clock: Clock,
    moved_at: Mutex<Duration>,
}

/// A lane that is taken; dropping it frees it.
#[derive(Debug)]
pub struct Lane {
    lanes: Arc<Lanes>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lanes.moved();
    }
}

impl Lanes {
    /// So many lanes, for one of which nobody waits longer than `patience`.
    pub fn new(most: usize, patience: Duration, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            patience,
            clock,
            moved_at: Mutex::default(),
        })
    }

    /// Takes a lane, in the order in which callers came. `what` is said of the calls that are under way if none comes free.
    pub async fn enter(self: &Arc<Self>, what: &str) -> Result<Lane, CloudError> {
        self.enter_wide(1, what).await
    }

    /// Takes so many lanes at once, so that fewer others can be under way meanwhile.
    pub async fn enter_wide(self: &Arc<Self>, width: u32, what: &str) -> Result<Lane, CloudError> {
        if self.free.available_permits() == self.most {
            self.moved();
        }
        let free = Arc::clone(&self.free);
        let permit = match Arc::clone(&free).try_acquire_many_owned(width) {
            Ok(permit) => Some(permit),
            Err(_) if self.is_stuck() => None,
            Err(_) => tokio::time::timeout(self.patience, free.acquire_many_owned(width))
                .await
                .ok()
                .and_then(Result::ok),
        };
        let permit = permit.ok_or_else(|| failure::unasked(what))?;
        Ok(Lane {
            lanes: Arc::clone(self),
            _permit: permit,
        })
    }

    fn is_stuck(&self) -> bool {
        let moved_at = *self.moved_at.lock().unwrap_or_else(PoisonError::into_inner);
        self.clock.now().elapsed(moved_at) >= self.patience
    }

    fn moved(&self) {
        *self.moved_at.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.now().uptime;
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::cloud::Meaning;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn who_comes_when_all_lanes_are_taken_waits_for_one_to_come_free() {
        let lanes = Lanes::new(2, Duration::from_mins(1), Clock::start());
        let first = lanes.enter("no").await.unwrap();
        let _second = lanes.enter("no").await.unwrap();
        let third = tokio::spawn({
            let lanes = Arc::clone(&lanes);
            async move { lanes.enter("no").await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(first);
        third.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn nobody_waits_long_and_once_nothing_moves_nobody_waits_at_all() {
        let clock = Clock::start();
        let lanes = Lanes::new(1, PATIENCE, clock);
        let held = lanes.enter("no").await.unwrap();
        let waited = join_all((0..100).map(|_| lanes.enter("nobody answers"))).await;
        for error in waited.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.meaning, Meaning::Unasked);
            assert_eq!(error.text, "nobody answers");
        }
        let began = clock.now().uptime;
        for _ in 0..1000 {
            lanes.enter("no").await.unwrap_err();
        }
        let took = clock.now().elapsed(began);
        assert!(took < PATIENCE * 100, "{took:?}: none of them has waited");
        drop(held);
        lanes.enter("no").await.unwrap();
    }
}
