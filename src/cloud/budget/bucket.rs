//! How many calls are left, as a pure matter of time.
//!
//! A minute's calls are split: some may be saved up, the others come evenly over the minute. So no minute sees more calls than
//! are allowed, whenever it begins. A bucket starts empty: a process that follows another one does not spend what that
//! one has spent already.

use std::time::Duration;

use super::{CallLimit, Urgency};

/// Which part of a minute's calls may be saved up.
const SAVED: f64 = 1.0 / 6.0;

/// At least so many can be saved up: a change is looked at and sent in one go.
const LEAST_SAVED: f64 = 5.0;

/// Sweeps, and first looks at what is new, get no more than this part.
const SHARE_OF_LOOKS: f64 = 0.7;

/// What of the calls that can be saved up is kept for what is more urgent.
const KEPT_FROM_JOBS: f64 = 0.2;
const KEPT_FROM_SWEEPS: f64 = 0.5;

/// The budget never shrinks below this part.
const LEAST_WHOLE: f64 = 1.0 / 16.0;

/// Within a minute without a refusal it grows back by this part.
const GROWTH: f64 = 0.1;

/// Calls that may be made.
#[derive(Debug)]
pub struct Bucket {
    limit: CallLimit,
    size: f64,
    held: f64,
    held_for_sweeps: f64,
    /// Which part of the budget is used, after refusals.
    whole: f64,
    shrunk_at: Option<Duration>,
    filled_at: Duration,
    next_look: [Duration; 2],
}

impl Bucket {
    /// An empty one.
    pub fn new(limit: CallLimit, uptime: Duration) -> Self {
        let size = (f64::from(limit.calls) * SAVED).max(LEAST_SAVED);
        Self {
            limit,
            size,
            held: 0.0,
            held_for_sweeps: 0.0,
            whole: 1.0,
            shrunk_at: None,
            filled_at: uptime,
            next_look: [uptime; 2],
        }
    }

    /// Takes so many calls; else says how long it takes at least until there are so many.
    pub fn take(&mut self, calls: u32, urgency: Urgency, uptime: Duration) -> Result<(), Duration> {
        self.fill(uptime);
        let calls = f64::from(calls);
        let missing = calls + self.kept_from(urgency) - self.held;
        let missing_for_sweeps = match urgency {
            Urgency::Sweep => (calls - self.held_for_sweeps) / SHARE_OF_LOOKS,
            Urgency::Change | Urgency::Job => 0.0,
        };
        let missing = missing.max(missing_for_sweeps);
        if missing > 0.0 {
            return Err(self.time_for(missing));
        }
        self.held -= calls;
        if urgency == Urgency::Sweep {
            self.held_for_sweeps -= calls;
        }
        Ok(())
    }

    /// Calls that were taken were not made.
    pub fn put_back(&mut self, calls: u32, urgency: Urgency) {
        let calls = f64::from(calls);
        self.held = (self.held + calls).min(self.size);
        if urgency == Urgency::Sweep {
            self.held_for_sweeps = (self.held_for_sweeps + calls).min(self.size * SHARE_OF_LOOKS);
        }
    }

    /// Books a look of its own time: says how long it is until then. A few may go at once after a quiet time.
    pub fn book(&mut self, urgency: Urgency, uptime: Duration) -> Duration {
        self.fill(uptime);
        let gap = self.time_for(1.0 / SHARE_OF_LOOKS);
        let [of_changes, of_sweeps] = &mut self.next_look;
        let next = match urgency {
            Urgency::Change | Urgency::Job => of_changes,
            Urgency::Sweep => of_sweeps,
        };
        let quiet = gap.mul_f64(self.size * KEPT_FROM_SWEEPS);
        let at = (*next).max(uptime.saturating_sub(quiet));
        *next = at.saturating_add(gap);
        at.saturating_sub(uptime)
    }

    /// The other side has said that there were too many.
    pub fn refused(&mut self, uptime: Duration) {
        self.fill(uptime);
        let pause = self.limit.per.mul_f64(SAVED);
        // Calls that were under way together are refused together.
        if self
            .shrunk_at
            .is_some_and(|at| uptime.saturating_sub(at) < pause)
        {
            return;
        }
        self.whole = (self.whole / 2.0).max(LEAST_WHOLE);
        self.shrunk_at = Some(uptime);
        self.held = 0.0;
        self.held_for_sweeps = 0.0;
    }

    fn kept_from(&self, urgency: Urgency) -> f64 {
        match urgency {
            Urgency::Change => 0.0,
            Urgency::Job => self.size * KEPT_FROM_JOBS,
            Urgency::Sweep => self.size * KEPT_FROM_SWEEPS,
        }
    }

    /// How many calls come in a second.
    fn rate(&self) -> f64 {
        (f64::from(self.limit.calls) - self.size) * self.whole / self.limit.per.as_secs_f64()
    }

    fn time_for(&self, calls: f64) -> Duration {
        Duration::try_from_secs_f64(calls / self.rate()).unwrap_or(Duration::MAX)
    }

    fn fill(&mut self, uptime: Duration) {
        let passed = uptime.saturating_sub(self.filled_at);
        self.filled_at = self.filled_at.max(uptime);
        let come = passed.as_secs_f64() * self.rate();
        self.held = (self.held + come).min(self.size);
        self.held_for_sweeps =
            (self.held_for_sweeps + come * SHARE_OF_LOOKS).min(self.size * SHARE_OF_LOOKS);
        if self.shrunk_at.is_some() {
            let grown = passed.as_secs_f64() / self.limit.per.as_secs_f64() * GROWTH;
            self.whole = (self.whole + grown).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn limit(calls: u32) -> CallLimit {
        CallLimit { calls, per: MINUTE }
    }

    fn urgency() -> impl Strategy<Value = Urgency> {
        prop_oneof![
            Just(Urgency::Change),
            Just(Urgency::Job),
            Just(Urgency::Sweep)
        ]
    }

    /// The most calls in any minute.
    fn most_in_a_minute(calls: &[Duration]) -> usize {
        let within = |from: &Duration| {
            let until = *from + MINUTE;
            calls
                .iter()
                .filter(|at| (*from..until).contains(*at))
                .count()
        };
        calls.iter().map(within).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_minute_has_more_calls_than_are_allowed_also_across_restarts(
            calls in 10_u32..200,
            events in prop::collection::vec(
                (0_u64..4_000, 1_u32..6, urgency(), prop::bool::weighted(0.02), prop::bool::weighted(0.02)),
                1..400,
            ),
        ) {
            let mut now = Duration::from_secs(5);
            let mut bucket = Bucket::new(limit(calls), now);
            let mut made = Vec::new();
            for (after, count, urgency, restart, refused) in events {
                now += Duration::from_millis(after);
                if restart {
                    bucket = Bucket::new(limit(calls), now);
                }
                if refused {
                    bucket.refused(now);
                }
                if bucket.take(count, urgency, now).is_ok() {
                    made.extend((0..count).map(|_| now));
                }
            }
            prop_assert!(most_in_a_minute(&made) <= calls as usize);
        }

        #[test]
        fn who_waits_as_long_as_was_said_gets_the_calls(
            calls in 10_u32..200, count in 1_u32..=4, urgency in urgency(), spent in 0_u32..20, refusals in 0..8,
        ) {
            // What a sweep asks for at once is a single call.
            let count = if urgency == Urgency::Sweep { 1 } else { count };
            let mut now = Duration::from_mins(10);
            let mut bucket = Bucket::new(limit(calls), Duration::ZERO);
            let _ = bucket.take(spent, Urgency::Change, now);
            for _ in 0..refusals {
                now += MINUTE / 5;
                bucket.refused(now);
            }
            for _ in 0..3 {
                let Err(wait) = bucket.take(count, urgency, now) else { return Ok(()) };
                now += wait + Duration::from_micros(1);
            }
            prop_assert!(false, "still none");
        }
    }

    #[test]
    fn sweeps_alone_use_seven_tenths_and_leave_some_for_a_change_at_once() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let mut swept = 0;
        for second in 0..6_000 {
            let now = Duration::from_millis(second * 100);
            while bucket.take(1, Urgency::Sweep, now).is_ok() {
                swept += 1;
            }
            if second > 600 {
                assert!(bucket.held >= 4.0, "{second}: {}", bucket.held);
            }
        }
        // 50 calls a minute come, besides those that were saved up.
        assert!((340..=357).contains(&swept), "{swept} in 10 minutes");
    }

    #[test]
    fn looks_are_booked_one_after_the_other_and_a_few_at_once_after_a_quiet_time() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let mut book = |urgency, uptime| bucket.book(urgency, uptime).as_millis();
        let start = [(); 4].map(|()| book(Urgency::Sweep, Duration::ZERO));
        assert_eq!(start, [0, 1714, 3428, 5142], "a start is no quiet time");
        let after_quiet = [(); 8].map(|()| book(Urgency::Change, Duration::from_mins(10)));
        assert_eq!(after_quiet, [0, 0, 0, 0, 0, 0, 1714, 3428]);
    }

    #[test]
    fn a_refusal_halves_it_once_and_it_grows_back() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let now = Duration::from_mins(5);
        for _ in 0..30 {
            bucket.refused(now);
        }
        assert!((bucket.whole - 0.5).abs() < 1e-9);
        let wait = bucket.take(1, Urgency::Change, now).unwrap_err();
        assert!((2.3..2.5).contains(&wait.as_secs_f64()), "{wait:?}");
        for minute in 6..12 {
            assert!(bucket.whole < 1.0, "{minute}");
            bucket.fill(Duration::from_mins(minute));
        }
        assert!((bucket.whole - 1.0).abs() < 1e-9);
    }

    #[test]
    fn it_never_dries_up() {
        let mut bucket = Bucket::new(limit(10), Duration::ZERO);
        for minute in 1..60 {
            bucket.refused(Duration::from_mins(minute));
        }
        let wait = bucket
            .take(5, Urgency::Change, Duration::from_hours(1))
            .unwrap_err();
        assert!(wait < Duration::from_mins(10), "{wait:?}");
    }
}
