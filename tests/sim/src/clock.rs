//! The simulator's time.
//!
//! Promises that nothing else reads the machine's clocks. What the service would do by its own clock (jobs, tokens,
//! locks, the `Date` header) goes by [`Clock::now`]; how old a signature is goes by [`Clock::wall`], because the
//! client that made it has only its machine's clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

/// Who moves the simulator's time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// It passes as it does on the wall.
    #[default]
    Automatic,
    /// It stands still and moves only by [`Control::advance`](crate::Control::advance).
    Stepped,
}

/// Time that passes by itself can't be advanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "time is automatic here and passes by itself; start the simulator with stepped time to advance it"
)]
pub struct NotStepped;

/// A clock that starts at the real time of now.
#[derive(Debug)]
pub(crate) struct Clock {
    time: Time,
    begun: Timestamp,
    started: Instant,
    stepped: watch::Sender<Duration>,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub(crate) fn start(time: Time) -> Self {
        Self {
            time,
            begun: Timestamp::now(),
            started: Instant::now(),
            stepped: watch::Sender::new(Duration::ZERO),
        }
    }

    /// The simulator's time.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = match self.time {
            Time::Automatic => self.running_for(),
            Time::Stepped => *self.stepped.borrow(),
        };
        later(self.begun, passed)
    }

    /// The simulator's time this long ago, but not before its start.
    pub(crate) fn ago(&self, lag: Duration) -> Timestamp {
        earlier(self.now(), lag).max(self.begun)
    }

    /// The machine's wall clock.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub(crate) fn wall() -> Timestamp {
        Timestamp::now()
    }

    /// Real time since the start.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub(crate) fn running_for(&self) -> Duration {
        Instant::now().saturating_duration_since(self.started)
    }

    pub(crate) fn time(&self) -> Time {
        self.time
    }

    /// Moves stepped time and wakes who sleeps until then.
    pub(crate) fn advance(&self, by: Duration) -> Result<Timestamp, NotStepped> {
        if self.time == Time::Automatic {
            return Err(NotStepped);
        }
        self.stepped
            .send_modify(|passed| *passed = passed.saturating_add(by));
        Ok(self.now())
    }

    /// Returns when this much of the simulator's time has passed.
    pub(crate) async fn sleep(&self, duration: Duration) {
        match self.time {
            Time::Automatic => tokio::time::sleep(duration).await,
            Time::Stepped => {
                let mut steps = self.stepped.subscribe();
                let until = steps.borrow().saturating_add(duration);
                // The sender lives as long as `self`, so this can't fail.
                let _ = steps.wait_for(|passed| *passed >= until).await;
            }
        }
    }
}

/// The instant after `from` by `duration`; the end of time when there is none.
pub(crate) fn later(from: Timestamp, duration: Duration) -> Timestamp {
    from.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// The instant before `from` by `duration`; the beginning of time when there is none.
pub(crate) fn earlier(from: Timestamp, duration: Duration) -> Timestamp {
    from.checked_sub(duration).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stepped_time_stands_still_until_it_is_advanced() {
        let clock = Clock::start(Time::Stepped);
        let begun = clock.now();
        assert_eq!(clock.now(), begun);
        assert_eq!(
            clock.advance(Duration::from_secs(90)),
            Ok(later(begun, Duration::from_secs(90)))
        );
        assert_eq!(clock.now(), later(begun, Duration::from_secs(90)));
    }

    #[test]
    fn automatic_time_refuses_to_be_advanced() {
        assert_eq!(
            Clock::start(Time::Automatic).advance(Duration::from_secs(1)),
            Err(NotStepped)
        );
    }

    #[tokio::test]
    async fn a_stepped_sleep_ends_with_the_step_that_reaches_its_end() {
        let clock = Clock::start(Time::Stepped);
        let mut sleep = std::pin::pin!(clock.sleep(Duration::from_secs(10)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        clock.advance(Duration::from_secs(9)).unwrap();
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        clock.advance(Duration::from_secs(1)).unwrap();
        sleep.await;
    }
}
