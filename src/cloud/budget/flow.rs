//! How fast calls come: all that may be made, or fewer for a while after the other side has asked for fewer.
//!
//! Pure: the uptime is an argument. Keeps a time of its own, by which calls always come evenly: it runs as uptime does, and slower while
//! fewer come. Promises that what is booked by it comes when the calls do, however they shrink and grow meanwhile.

use std::time::Duration;

/// It never shrinks below this part.
const LEAST: f64 = 1.0 / 16.0;

/// How fast calls come, and its own time.
#[derive(Debug)]
pub struct Flow {
    /// Which part of the calls comes.
    part: f64,
    /// By how much that grows in a second.
    growth: f64,
    uptime: Duration,
    now: Duration,
}

impl Flow {
    /// All calls come; after it was halved it grows back by `growth` a second. Its time begins as uptime.
    pub fn new(growth: f64, uptime: Duration) -> Self {
        Self {
            part: 1.0,
            growth,
            uptime,
            now: uptime,
        }
    }

    /// Whether fewer calls come for now.
    pub fn is_shrunk(&self) -> bool {
        self.part < 1.0
    }

    /// Its time, as of the last [`Self::pass`].
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Moves on to this uptime, and tells how much of its own time has passed.
    pub fn pass(&mut self, uptime: Duration) -> Duration {
        let passed = uptime.saturating_sub(self.uptime);
        let own = self.within(passed);
        self.uptime = self.uptime.max(uptime);
        self.now = self.now.saturating_add(own);
        self.part = (self.part + self.growth * passed.as_secs_f64()).min(1.0);
        own
    }

    /// From now on half of the calls come.
    pub fn halve(&mut self) {
        self.part = (self.part / 2.0).max(LEAST);
    }

    /// How much of its own time passes in so much time.
    pub fn within(&self, time: Duration) -> Duration {
        let (grown, come) = self.growing();
        if time >= grown {
            return come.saturating_add(time.saturating_sub(grown));
        }
        duration(self.own(time.as_secs_f64()))
    }

    /// How long it is until its own time is `at`, unless it is halved meanwhile.
    pub fn until(&self, at: Duration) -> Duration {
        let left = at.saturating_sub(self.now);
        let (grown, come) = self.growing();
        if left >= come {
            return grown.saturating_add(left.saturating_sub(come));
        }
        let root = 2.0f64.mul_add(self.growth * left.as_secs_f64(), self.part.powi(2));
        duration((root.sqrt() - self.part) / self.growth)
    }

    /// How long it is until all calls come again, and how much of its own time passes until then.
    fn growing(&self) -> (Duration, Duration) {
        let grown = (1.0 - self.part) / self.growth;
        (duration(grown), duration(self.own(grown)))
    }

    /// How much of its own time passes in these seconds, while it grows.
    fn own(&self, seconds: f64) -> f64 {
        (self.growth / 2.0).mul_add(seconds, self.part) * seconds
    }
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A_TENTH_A_MINUTE: f64 = 0.1 / 60.0;

    fn halved(times: usize) -> Flow {
        let mut flow = Flow::new(A_TENTH_A_MINUTE, Duration::ZERO);
        (0..times).for_each(|_| flow.halve());
        flow
    }

    #[test]
    fn it_runs_as_uptime_does_until_it_is_halved_and_then_grows_back() {
        let minutes = Duration::from_mins;
        let mut flow = halved(0);
        assert_eq!(flow.pass(minutes(5)), minutes(5));
        flow.halve();
        assert!(flow.is_shrunk());
        // Three quarters of the five minutes in which it grows.
        let own = flow.pass(minutes(11)).as_secs_f64();
        assert!((own - (225.0 + 60.0)).abs() < 1e-6, "{own}");
        assert!(!flow.is_shrunk());
        assert_eq!(flow.pass(minutes(12)), minutes(1));
    }

    #[test]
    fn it_never_dries_up() {
        assert!(halved(100).until(Duration::from_secs(1)) < Duration::from_secs(16));
    }

    proptest! {
        #[test]
        fn what_is_waited_for_as_long_as_was_said_has_come_and_not_long_before(
            halvings in 0_usize..8, millis in 0_u64..3_600_000, steps in 1_u32..20,
        ) {
            let mut flow = halved(halvings);
            let at = Duration::from_millis(millis);
            let wait = flow.until(at);
            // In how many steps makes no difference.
            for step in 1..=steps {
                flow.pass(wait * step / steps);
            }
            prop_assert!(flow.now().abs_diff(at) < Duration::from_micros(1), "{:?}", flow.now());
        }
    }
}
