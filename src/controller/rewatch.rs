//! The pauses of a watch that fails, before it is begun anew.
//!
//! kube takes whatever arrives for a sign of health and goes back to the shortest pause, and each new try begins with the
//! word that it begins: an API server that refuses would be asked every second for as long as it does. Promises pauses that
//! grow to the longest one, and that are short again only once none was needed for a while.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use kube::runtime::utils::Backoff;

use crate::clock::Clock;

/// The first pause; its jitter may double it, as it may all others.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause: this long, and as much again, after an outage all is read anew at the latest.
const LONGEST: Duration = Duration::from_secs(15);
/// A watch that has held for so long since the last pause is healthy.
const HEALTHY_AFTER: Duration = Duration::from_mins(2);

/// The pauses of one watch.
pub(super) struct Pauses {
    clock: Clock,
    growing: ExponentialBackoff,
    /// Uptime at which the last one ended.
    ended: Option<Duration>,
}

impl Pauses {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            growing: from_the_first(),
            ended: None,
        }
    }

    fn after(&mut self, uptime: Duration) -> Duration {
        let healthy = self.ended.is_some_and(|ended| uptime > ended + HEALTHY_AFTER);
        if healthy {
            self.growing = from_the_first();
        }
        let pause = self.growing.next().unwrap_or(LONGEST);
        self.ended = Some(uptime + pause);
        pause
    }
}

fn from_the_first() -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(FIRST)
        .with_max_delay(LONGEST)
        .without_max_times()
        .with_jitter()
        .build()
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let uptime = self.clock.now().uptime;
        Some(self.after(uptime))
    }
}

impl Backoff for Pauses {
    /// Something arrived; that alone says little.
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_whatever_arrives_between_them_until_none_was_needed_for_a_while() {
        let mut pauses = Pauses::new(Clock::start());
        let mut uptime = Duration::from_secs(100);
        for least in [1, 2, 4, 8, 15, 15] {
            pauses.reset();
            let pause = pauses.after(uptime);
            let least = Duration::from_secs(least);
            assert!(pause >= least && pause <= 2 * least, "{pause:?}: {least:?}");
            uptime += pause + Duration::from_mins(1);
        }
        uptime += HEALTHY_AFTER;
        assert!(pauses.after(uptime) <= 2 * FIRST);
    }
}
