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
    /// The leave of a credential, whose own lanes these are, to have one lane to an endpoint before all further ones.
    first: Arc<Semaphore>,
}

/// A lane, or several, and the leave to have it where that is needed.
type Permits = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// A lane that is taken; dropping it frees it.
#[derive(Debug)]
pub struct Lane {
    lanes: Arc<Lanes>,
    _permits: Permits,
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
            first: Arc::new(Semaphore::new(1)),
        })
    }

    /// Takes a lane, in the order in which callers came. `what` is said of the calls that are under way if none comes free.
    pub async fn enter(self: &Arc<Self>, what: &str) -> Result<Lane, CloudError> {
        self.enter_wide(1, what).await
    }

    /// Takes so many lanes at once, so that fewer others can be under way meanwhile.
    pub async fn enter_wide(self: &Arc<Self>, width: u32, what: &str) -> Result<Lane, CloudError> {
        let acquire = async { Ok((self.acquire(width).await?, None)) };
        self.take(acquire, what, || self.is_stuck()).await
    }

    /// Takes a lane for a credential with these lanes of its `own`: its first one, or a further one.
    pub async fn enter_beside(
        self: &Arc<Self>,
        own: &Self,
        what: &str,
    ) -> Result<Lane, CloudError> {
        let acquire = async {
            let leave = tokio::select! {
                biased;
                first = Arc::clone(&own.first).acquire_owned() => first?,
                further = Arc::clone(&self.further).acquire_owned() => further?,
            };
            Ok((self.acquire(1).await?, Some(leave)))
        };
        // Where there are lanes for others, its own calls tell whether waiting is of use.
        let is_stuck = || match self.free.available_permits() {
            0 => self.is_stuck(),
            _ => own.is_stuck(),
        };
        self.take(acquire, what, is_stuck).await
    }

    /// How many lanes are taken.
    pub fn taken(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    async fn acquire(&self, width: u32) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.free).acquire_many_owned(width).await
    }

    async fn take(
        self: &Arc<Self>,
        taking: impl Future<Output = Result<Permits, AcquireError>>,
        what: &str,
        is_stuck: impl Fn() -> bool,
    ) -> Result<Lane, CloudError> {
        if self.taken() == 0 {
            self.moved();
        }
        let mut taking = pin!(taking);
        let taken = match taking.as_mut().now_or_never() {
            Some(taken) => Some(taken),
            None if is_stuck() => None,
            None => tokio::time::timeout(self.patience, taking).await.ok(),
        };
        let permits = taken.and_then(Result::ok);
        let permits = permits.ok_or_else(|| failure::unasked(what))?;
        Ok(Lane {
            lanes: Arc::clone(self),
            _permits: permits,
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

    #[tokio::test(start_paused = true)]
    async fn n01_credentials_whose_answers_take_long_leave_room_for_others() {
        let lanes = Lanes::new(8, Duration::from_secs(3), Clock::start());
        let pair = || Lanes::new(4, Duration::from_secs(3), Clock::start());
        let slow = [pair(), pair()];
        let mut held = Vec::new();
        for (number, own) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)] {
            assert_eq!(slow[number].taken() + 1, own);
            let own = slow[number].enter("no").await.unwrap();
            let shared = lanes.enter_beside(&slow[number], "no").await.unwrap();
            held.push((own, shared));
        }
        let own = slow[0].enter("no").await.unwrap();
        let refused = lanes.enter_beside(&slow[0], "no call has ended").await;
        assert_eq!(refused.unwrap_err().meaning, Meaning::Unasked);
        drop(own);

        // Of the lanes that are left, a third credential has the second one as soon as its first call has ended.
        let quick = pair();
        let first = quick.enter("no").await.unwrap();
        let first = (first, lanes.enter_beside(&quick, "no").await.unwrap());
        let own = [
            quick.enter("no").await.unwrap(),
            quick.enter("no").await.unwrap(),
        ];
        let mut second = pin!(lanes.enter_beside(&quick, "no"));
        let mut third = pin!(lanes.enter_beside(&quick, "no"));
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        drop(first);
        drop(second.await.unwrap());
        drop((own, third.await.unwrap()));

        // What waited in vain has taken nothing.
        held.pop();
        let own = slow[1].enter("no").await.unwrap();
        held.push((own, lanes.enter_beside(&slow[1], "no").await.unwrap()));
    }
}
