//! How many calls may be under way at once, so that an endpoint that never answers doesn't hold up those that do.
//!
//! Promises that nobody waits for a lane longer than a short while, and not at all where no lane has come free for as long:
//! then the calls that are under way are not being answered, and one more would only wait with them. Half of the lanes are for
//! credentials that have no other call under way: one whose answers take long leaves room for all others.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::{CloudError, error::failure};
use crate::clock::Clock;

/// A fixed number of lanes.
#[derive(Debug)]
pub struct Lanes {
    free: Arc<Semaphore>,
    /// Those that are free for a credential that has a lane already.
    further: Arc<Semaphore>,
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
    _further: Option<OwnedSemaphorePermit>,
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
            further: Arc::new(Semaphore::new((most / 2).max(1))),
            most,
            patience,
            clock,
            moved_at: Mutex::default(),
        })
    }

    /// Takes a lane, in the order in which callers came. `what` is said of the calls that are under way if none comes free.
    /// `has_others` says that the credential has a lane already.
    pub async fn enter(self: &Arc<Self>, has_others: bool, what: &str) -> Result<Lane, CloudError> {
        self.take(1, has_others, what).await
    }

    /// Takes so many lanes at once, so that fewer others can be under way meanwhile.
    pub async fn enter_wide(self: &Arc<Self>, width: u32, what: &str) -> Result<Lane, CloudError> {
        self.take(width, false, what).await
    }

    /// How many lanes are taken.
    pub fn taken(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    async fn take(
        self: &Arc<Self>,
        width: u32,
        has_others: bool,
        what: &str,
    ) -> Result<Lane, CloudError> {
        if self.taken() == 0 {
            self.moved();
        }
        let taking = async {
            let further = if has_others {
                Some(Arc::clone(&self.further).acquire_owned().await?)
            } else {
                None
            };
            let free = Arc::clone(&self.free);
            Ok::<_, AcquireError>((free.acquire_many_owned(width).await?, further))
        };
        let mut taking = pin!(taking);
        let taken = match taking.as_mut().now_or_never() {
            Some(taken) => Some(taken),
            None if self.is_stuck() => None,
            None => tokio::time::timeout(self.patience, taking).await.ok(),
        };
        let taken = taken.and_then(Result::ok);
        let (permit, further) = taken.ok_or_else(|| failure::unasked(what))?;
        Ok(Lane {
            lanes: Arc::clone(self),
            _permit: permit,
            _further: further,
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
        let first = lanes.enter(false, "no").await.unwrap();
        let _second = lanes.enter(false, "no").await.unwrap();
        let third = tokio::spawn({
            let lanes = Arc::clone(&lanes);
            async move { lanes.enter(false, "no").await.map(|_| ()) }
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
        let held = lanes.enter(false, "no").await.unwrap();
        let waited = join_all((0..100).map(|_| lanes.enter(false, "nobody answers"))).await;
        for error in waited.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.meaning, Meaning::Unasked);
            assert_eq!(error.text, "nobody answers");
        }
        let began = clock.now().uptime;
        for _ in 0..1000 {
            lanes.enter(false, "no").await.unwrap_err();
        }
        let took = clock.now().elapsed(began);
        assert!(took < PATIENCE * 100, "{took:?}: none of them has waited");
        drop(held);
        lanes.enter(false, "no").await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn n01_credentials_whose_answers_take_long_leave_room_for_others() {
        let lanes = Lanes::new(8, Duration::from_secs(3), Clock::start());
        let mut held = Vec::new();
        for has_others in [false, true, true, false, true, true] {
            held.push(lanes.enter(has_others, "no").await.unwrap());
        }
        let refused = lanes.enter(true, "no call has ended").await.unwrap_err();
        assert_eq!(refused.meaning, Meaning::Unasked);
        let other = lanes.enter(false, "no").await.unwrap();
        drop(other);
        // Whoever waited in vain has taken nothing.
        held.pop();
        held.push(lanes.enter(true, "no").await.unwrap());
    }
}
