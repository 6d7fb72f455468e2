//! How many calls are left, as a pure matter of time.
//!
//! A minute's calls are split: some may be saved up, the others come evenly over the minute. So no minute sees more calls than
//! are allowed, whenever it begins. A bucket starts empty: a process that follows another one does not spend what that
//! one has spent already.
//!
//! Or it starts with the calls that are left in the bucket of a process which takes none any more ([`Bucket::saved`]). Then both
//! processes have taken no more than they could have taken from one bucket that goes on from the first to the second: at the hand-over that
//! one holds as much or more, and time that passes until the second process starts only adds to it. Where their limits differ, no minute
//! sees more calls than the greater one allows: what can be saved up and what comes in a second both grow with the limit, and the first
//! process took in its part of that minute at most what can be saved up and what came, less what is left.

use std::{collections::BTreeSet, time::Duration};

use super::{CallLimit, Urgency, flow::Flow};

/// Which part of a minute's calls may be saved up.
const SAVED: f64 = 1.0 / 6.0;

/// At least so many can be saved up: a change is looked at and sent in one go.
const LEAST_SAVED: f64 = 5.0;

/// Sweeps, and first looks at what is new, get no more than this part; but first looks have what is spare, too.
const SHARE_OF_LOOKS: f64 = 0.7;

/// Of the calls that can be saved up, those above this part are spare: they would soon be lost, since nobody more urgent has wanted
/// them.
const SPARE_ABOVE: f64 = 0.8;

/// What of the calls that can be saved up is kept for what is more urgent.
const KEPT_FROM_JOBS: f64 = 0.2;
const KEPT_FROM_FIRST_LOOKS: f64 = 0.5;
const KEPT_FROM_SWEEPS: f64 = 0.6;

/// Polls of jobs get no more than this part while others wait whom they would leave none: a rollout must not hide drift, nor what is new.
const SHARE_OF_JOBS: f64 = 0.4;

/// Calls are idle where of those that can be saved up no more than this part is missing.
const MISSING_WHILE_IDLE: f64 = 0.15;

/// So many calls of the share of looks are for first looks before one is for a sweep, where both have found none. Sweeps have
/// those, too, that no first look takes in time.
const FIRST_LOOKS_IN_A_ROW: u32 = 4;

/// So many looks can be made at once after a quiet time, as a part of the calls that can be saved up.
const AT_ONCE: f64 = 0.5;

/// Within a minute without a refusal the budget grows back by this part.
const GROWTH: f64 = 0.1;

/// Calls that may be made.
#[derive(Debug)]
pub struct Bucket {
    limit: CallLimit,
    size: f64,
    held: f64,
    held_for_looks: f64,
    held_for_jobs: f64,
    /// Fewer come after refusals.
    flow: Flow,
    shrunk_at: Option<Duration>,
    /// How many calls first looks have taken of the share of looks since the last sweep.
    first_looks_in_a_row: u32,
    /// When looks of a kind have their times.
    requests: Times,
    first_looks: Times,
    sweeps: Times,
}

/// The times of looks of one kind, by the time of the flow: they come sooner or later as the calls do.
#[derive(Debug, Default)]
struct Times {
    /// The first that nobody has booked yet, but for those that were given back.
    next: Duration,
    /// Those that were given back.
    free: BTreeSet<Duration>,
    /// The next try of one that came in its time and found no call.
    next_try: Duration,
}

impl Times {
    fn starting(now: Duration) -> Self {
        Self {
            next: now,
            ..Self::default()
        }
    }

    /// The first that was given back and has not passed.
    fn first_free(&mut self, now: Duration) -> Option<Duration> {
        self.free = self.free.split_off(&now);
        self.free.first().copied()
    }
}

impl Bucket {
    /// An empty one.
    pub fn new(limit: CallLimit, uptime: Duration) -> Self {
        let saved = if limit.is_even {
            LEAST_SAVED
        } else {
            f64::from(limit.calls) * SAVED
        };
        let size = saved.max(LEAST_SAVED);
        let flow = Flow::new(GROWTH / limit.per.as_secs_f64(), uptime);
        let times = || Times::starting(flow.now());
        Self {
            limit,
            size,
            held: 0.0,
            held_for_looks: 0.0,
            held_for_jobs: 0.0,
            shrunk_at: None,
            first_looks_in_a_row: 0,
            requests: times(),
            first_looks: times(),
            sweeps: times(),
            flow,
        }
    }

    /// Takes so many calls; else says how long it takes at least until there are so many.
    pub fn take(&mut self, calls: u32, urgency: Urgency, uptime: Duration) -> Result<(), Duration> {
        self.fill(uptime);
        let calls = f64::from(calls);
        let missing = calls + self.kept_from(urgency) - self.held;
        let missing_for_looks = if is_of_looks(urgency) {
            (calls + self.left_for_others(urgency) - self.held_for_looks) / SHARE_OF_LOOKS
        } else {
            0.0
        };
        let missing = missing.max(missing_for_looks);
        let missing_to_spare = match urgency {
            Urgency::FirstLook => calls + self.size * SPARE_ABOVE - self.held,
            Urgency::Change | Urgency::Job | Urgency::Request | Urgency::Sweep => f64::INFINITY,
        };
        let is_spare = missing > 0.0;
        if is_spare && missing_to_spare > 0.0 {
            return Err(self.time_for(missing.min(missing_to_spare)));
        }
        self.held -= calls;
        if urgency == Urgency::Job {
            // What jobs had while nobody else wanted it is no debt.
            self.held_for_jobs = (self.held_for_jobs - calls).max(0.0);
        }
        if is_of_looks(urgency) && !is_spare {
            self.held_for_looks -= calls;
            self.first_looks_in_a_row = match urgency {
                Urgency::FirstLook => self.first_looks_in_a_row.saturating_add(1),
                _ => 0,
            };
        }
        Ok(())
    }

    /// The most calls that can be taken at once: more could be waited for without end.
    pub fn most_at_once(&self, urgency: Urgency) -> u32 {
        let most = self.size - self.kept_from(urgency);
        let most = match urgency {
            Urgency::Change | Urgency::Request => most,
            Urgency::Job => most.min(self.size_for_jobs()),
            // One is left for looks of the other kind.
            Urgency::FirstLook | Urgency::Sweep => most.min(self.size * SHARE_OF_LOOKS - 1.0),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from one to the limit, which is of the same type"
        )]
        let most = most.max(1.0) as u32;
        most
    }

    /// Whether fewer calls are there for jobs than this.
    pub fn lacks_for_jobs(&mut self, calls: u32, uptime: Duration) -> bool {
        self.fill(uptime);
        self.held_for_jobs < f64::from(calls)
    }

    /// Calls come from elsewhere, of which no more are kept than can be saved up.
    pub fn add(&mut self, calls: u32) {
        self.come(calls.into());
    }

    /// How many whole calls are saved up. None while the other side wants fewer: whoever has them next does not know of that.
    pub fn saved(&mut self, uptime: Duration) -> u32 {
        self.fill(uptime);
        if self.is_shrunk() {
            return 0;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from zero to the limit, which is of the same type"
        )]
        let saved = self.held.max(0.0) as u32;
        saved
    }

    /// Whether all calls that can be saved up are there, and come as fast as they may: one that was never used holds no more.
    pub fn is_full(&mut self, uptime: Duration) -> bool {
        self.fill(uptime);
        !self.is_shrunk() && self.held >= self.size
    }

    /// How long it is until a poll of a job may have a call that nobody else needs: none where nearly all that can be saved up are there,
    /// else until one of those that are for jobs is. Nothing while the other side wants fewer.
    pub fn spare_in(&mut self, uptime: Duration) -> Option<Duration> {
        self.fill(uptime);
        if self.is_shrunk() {
            return None;
        }
        if self.held >= self.size * (1.0 - MISSING_WHILE_IDLE) {
            return Some(Duration::ZERO);
        }
        let missing = 1.0 - self.held_for_jobs;
        Some(self.time_for(missing.max(0.0) / SHARE_OF_JOBS))
    }

    /// Calls that were taken were not made.
    pub fn put_back(&mut self, calls: u32, urgency: Urgency) {
        let calls = f64::from(calls);
        self.held = (self.held + calls).min(self.size);
        if is_of_looks(urgency) {
            self.held_for_looks = (self.held_for_looks + calls).min(self.size * SHARE_OF_LOOKS);
        }
        if urgency == Urgency::Job {
            self.held_for_jobs = (self.held_for_jobs + calls).min(self.size_for_jobs());
        }
    }

    /// Books the time of a look ([`Self::left`]): one that was given back, or else the first that is free. A few may be at once
    /// after a quiet time.
    pub fn book(&mut self, urgency: Urgency, uptime: Duration) -> Duration {
        self.fill(uptime);
        let now = self.flow.now();
        let gap = self.gap(urgency);
        let quiet = gap.mul_f64(self.size * AT_ONCE);
        let times = self.times(urgency);
        if let Some(at) = times.first_free(now) {
            times.free.remove(&at);
            return at;
        }
        let at = times.next.max(now.saturating_sub(quiet));
        times.next = at.saturating_add(gap);
        at
    }

    /// How long it is until a time that was booked, if nobody refuses calls meanwhile.
    pub fn left(&mut self, at: Duration, uptime: Duration) -> Duration {
        self.fill(uptime);
        self.flow.until(at)
    }

    /// A time that was booked is not wanted any more.
    pub fn give_back(&mut self, urgency: Urgency, at: Duration, uptime: Duration) {
        self.fill(uptime);
        if at > self.flow.now() {
            self.times(urgency).free.insert(at);
        }
    }

    /// The time of a look that was booked for `at`: an earlier one, if one was given back.
    pub fn sooner(&mut self, urgency: Urgency, at: Duration, uptime: Duration) -> Duration {
        self.fill(uptime);
        let now = self.flow.now();
        let times = self.times(urgency);
        match times.first_free(now) {
            Some(free) if free < at => {
                times.free.remove(&free);
                times.free.insert(at);
                free
            }
            _ => at,
        }
    }

    /// Books the next try of a look that came in its time and found no call, and finds none within `wait`. Those who try again do so
    /// one after the other.
    pub fn put_off(&mut self, urgency: Urgency, wait: Duration, uptime: Duration) -> Duration {
        self.fill(uptime);
        let next = self.flow.now().saturating_add(self.flow.within(wait));
        let gap = self.gap(urgency);
        let times = self.times(urgency);
        let at = times.next_try.max(next);
        times.next_try = at.saturating_add(gap);
        at
    }

    /// First looks come as fast as calls do, for what is spare is theirs; those that find none try again.
    fn gap(&self, urgency: Urgency) -> Duration {
        self.span_of(match urgency {
            Urgency::FirstLook => 1.0,
            Urgency::Change | Urgency::Job | Urgency::Request | Urgency::Sweep => {
                1.0 / SHARE_OF_LOOKS
            }
        })
    }

    fn times(&mut self, urgency: Urgency) -> &mut Times {
        match urgency {
            Urgency::Change | Urgency::Job | Urgency::Request => &mut self.requests,
            Urgency::FirstLook => &mut self.first_looks,
            Urgency::Sweep => &mut self.sweeps,
        }
    }

    /// Whether fewer calls than the limit are made for now, since the other side has asked for fewer.
    pub fn is_shrunk(&self) -> bool {
        self.flow.is_shrunk()
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
        self.flow.halve();
        self.shrunk_at = Some(uptime);
        self.held = 0.0;
        self.held_for_looks = 0.0;
        self.held_for_jobs = 0.0;
    }

    fn size_for_jobs(&self) -> f64 {
        self.size * SHARE_OF_JOBS
    }

    fn kept_from(&self, urgency: Urgency) -> f64 {
        match urgency {
            Urgency::Change => 0.0,
            Urgency::Job | Urgency::Request => self.size * KEPT_FROM_JOBS,
            Urgency::FirstLook => self.size * KEPT_FROM_FIRST_LOOKS,
            Urgency::Sweep => self.size * KEPT_FROM_SWEEPS,
        }
    }

    /// One call is left for looks of the other kind, where it is their turn and one of them has found none and tries again.
    /// Else chance decides, since calls come as evenly as tries: a first look may come a moment too early each time, and a sweep
    /// have the call.
    fn left_for_others(&self, urgency: Urgency) -> f64 {
        let turn_of_sweeps = self.first_looks_in_a_row >= FIRST_LOOKS_IN_A_ROW;
        let (is_own_turn, others) = match urgency {
            Urgency::Change | Urgency::Job | Urgency::Request => return 0.0,
            Urgency::FirstLook => (!turn_of_sweeps, &self.sweeps),
            Urgency::Sweep => (turn_of_sweeps, &self.first_looks),
        };
        if is_own_turn || others.next_try <= self.flow.now() {
            0.0
        } else {
            1.0
        }
    }

    /// How many calls come in a second of the flow.
    fn rate(&self) -> f64 {
        (f64::from(self.limit.calls) - self.size) / self.limit.per.as_secs_f64()
    }

    /// In how much of the flow's time so many calls come.
    fn span_of(&self, calls: f64) -> Duration {
        Duration::try_from_secs_f64(calls / self.rate()).unwrap_or(Duration::MAX)
    }

    fn time_for(&self, calls: f64) -> Duration {
        let span = self.span_of(calls);
        self.flow.until(self.flow.now().saturating_add(span))
    }

    fn fill(&mut self, uptime: Duration) {
        let come = self.flow.pass(uptime).as_secs_f64() * self.rate();
        self.come(come);
    }

    /// So many calls come, and looks and jobs have their parts of them.
    fn come(&mut self, come: f64) {
        self.held = (self.held + come).min(self.size);
        self.held_for_looks =
            (self.held_for_looks + come * SHARE_OF_LOOKS).min(self.size * SHARE_OF_LOOKS);
        self.held_for_jobs = (self.held_for_jobs + come * SHARE_OF_JOBS).min(self.size_for_jobs());
    }
}

/// Whether it may use no more than a part of the calls.
fn is_of_looks(urgency: Urgency) -> bool {
    matches!(urgency, Urgency::FirstLook | Urgency::Sweep)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn limit(calls: u32) -> CallLimit {
        CallLimit {
            calls,
            per: MINUTE,
            is_even: false,
        }
    }

    fn urgency() -> impl Strategy<Value = Urgency> {
        prop_oneof![
            Just(Urgency::Change),
            Just(Urgency::Job),
            Just(Urgency::Request),
            Just(Urgency::FirstLook),
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
        fn n04_no_minute_has_more_calls_than_are_allowed_also_where_each_process_leaves_its_calls_to_the_next(
            limits in prop::collection::vec(10_u32..200, 1..4),
            events in prop::collection::vec(
                (0_u64..4_000, 1_u32..6, urgency(), prop::bool::weighted(0.1), prop::bool::weighted(0.02)),
                1..400,
            ),
        ) {
            let mut now = Duration::from_secs(5);
            let mut releases = limits.iter().cycle().map(|calls| limit(*calls));
            let mut bucket = Bucket::new(releases.next().unwrap(), now);
            let mut made = Vec::new();
            for (after, count, urgency, hands_over, refused) in events {
                if hands_over {
                    let left = bucket.saved(now);
                    now += Duration::from_millis(after / 2);
                    bucket = Bucket::new(releases.next().unwrap(), now);
                    bucket.add(left);
                }
                now += Duration::from_millis(after);
                if refused {
                    bucket.refused(now);
                }
                if bucket.take(count, urgency, now).is_ok() {
                    made.extend((0..count).map(|_| now));
                }
            }
            // Each process may have a limit of its own.
            let most = limits.into_iter().max().unwrap_or_default();
            prop_assert!(most_in_a_minute(&made) <= most as usize);
        }

        #[test]
        fn who_waits_as_long_as_was_said_gets_the_calls(
            calls in 10_u32..200, count in 1_u32..=4, urgency in urgency(), spent in 0_u32..20, refusals in 0..8,
        ) {
            // What a first look or a sweep asks for at once is a single call.
            let count = if is_of_looks(urgency) { 1 } else { count };
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
    fn n04_what_was_left_is_there_at_once_and_no_more_than_can_be_saved_up() {
        let now = Duration::from_mins(5);
        let mut before = Bucket::new(limit(60), Duration::ZERO);
        assert_eq!(before.saved(Duration::ZERO), 0);
        assert!(!before.is_full(Duration::ZERO));
        assert_eq!(before.saved(now), 10);
        assert!(before.is_full(now));
        assert_eq!(before.take(3, Urgency::Change, now), Ok(()));
        let later = now + Duration::from_millis(600);
        assert_eq!(before.saved(later), 7, "whole calls");
        assert!(!before.is_full(later));
        let mut next = Bucket::new(limit(60), Duration::ZERO);
        next.add(7);
        assert_eq!(next.take(1, Urgency::FirstLook, Duration::ZERO), Ok(()));
        assert_eq!(next.take(6, Urgency::Change, Duration::ZERO), Ok(()));
        assert!(next.take(1, Urgency::Change, Duration::ZERO).is_err());
        let mut smaller = Bucket::new(limit(30), Duration::ZERO);
        smaller.add(10);
        assert_eq!(smaller.saved(Duration::ZERO), 5);
    }

    #[test]
    fn n04_a_bucket_that_was_asked_for_fewer_leaves_none_and_is_not_full_until_it_has_grown_back() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        bucket.refused(Duration::from_mins(5));
        let now = Duration::from_mins(8);
        assert_eq!(bucket.saved(now), 0);
        assert!(!bucket.is_full(now));
        let grown = Duration::from_mins(11);
        assert_eq!(bucket.saved(grown), 10);
        assert!(bucket.is_full(grown));
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
    fn calls_that_come_one_after_the_other_have_eleven_twelfths_of_sixty_where_few_are_saved_up() {
        let even = CallLimit {
            is_even: true,
            ..limit(60)
        };
        for (limit, least) in [(limit(60), 500), (even, 550)] {
            let mut bucket = Bucket::new(limit, Duration::ZERO);
            let mut taken = Vec::new();
            for tick in 0..6_000_u64 {
                let now = Duration::from_millis(tick * 100);
                while bucket.take(1, Urgency::Change, now).is_ok() {
                    taken.push(now);
                }
            }
            assert!(
                (least - 2..=least + 2).contains(&taken.len()),
                "{}",
                taken.len()
            );
            let most = taken
                .iter()
                .map(|from| {
                    taken
                        .iter()
                        .filter(|at| (*from..*from + MINUTE).contains(*at))
                        .count()
                })
                .max();
            assert!(most.is_some_and(|most| most <= 60), "{most:?}");
        }
    }

    #[test]
    fn looks_are_booked_one_after_the_other_and_a_few_at_once_after_a_quiet_time() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let mut book = |urgency, uptime: Duration| {
            let at = bucket.book(urgency, uptime);
            at.saturating_sub(uptime).as_millis()
        };
        let start = [(); 4].map(|()| book(Urgency::Sweep, Duration::ZERO));
        assert_eq!(start, [0, 1714, 3428, 5142], "a start is no quiet time");
        let after_quiet = [(); 8].map(|()| book(Urgency::Request, Duration::from_mins(10)));
        assert_eq!(after_quiet, [0, 0, 0, 0, 0, 0, 1714, 3428]);
    }

    #[test]
    fn r03_first_looks_use_what_nobody_wants_leave_calls_for_a_change_and_go_before_sweeps() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let (mut first, mut swept) = (0, 0);
        for second in 0..6_000 {
            let now = Duration::from_millis(second * 100);
            while bucket.take(1, Urgency::FirstLook, now).is_ok() {
                first += 1;
            }
            while bucket.take(1, Urgency::Sweep, now).is_ok() {
                swept += 1;
            }
            if second > 600 {
                assert!(bucket.held >= 6.9, "{second}: {}", bucket.held);
            }
        }
        // 500 come in ten minutes; seven to nine are kept.
        assert!((488..=493).contains(&first), "{first} in 10 minutes");
        assert_eq!(swept, 0);
    }

    #[test]
    fn r03_changes_and_jobs_find_calls_at_once_beside_first_looks_which_have_the_rest() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let mut first = 0;
        for tick in 1..=6_000_u64 {
            let now = Duration::from_millis(tick * 100);
            // A change every minute, and two looks at its job.
            match tick % 600 {
                0 => assert_eq!(bucket.take(5, Urgency::Change, now), Ok(()), "{tick}"),
                50 | 100 if tick > 600 => {
                    assert_eq!(bucket.take(1, Urgency::Job, now), Ok(()), "{tick}");
                }
                _ => {}
            }
            while bucket.take(1, Urgency::FirstLook, now).is_ok() {
                first += 1;
            }
        }
        // All of 500 but those of ten changes and nine jobs, and what is kept.
        assert!((424..=430).contains(&first), "{first} in 10 minutes");
    }

    #[test]
    fn r10_times_that_were_given_back_are_booked_again_and_move_others_up() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let booked: Vec<Duration> = (0..1_000)
            .map(|_| bucket.book(Urgency::FirstLook, Duration::ZERO))
            .collect();
        let now = Duration::from_mins(1);
        let last = bucket.book(Urgency::FirstLook, now);
        assert!(last > Duration::from_mins(19), "{last:?}");
        assert_eq!(bucket.sooner(Urgency::FirstLook, last, now), last);
        for at in booked {
            bucket.give_back(Urgency::FirstLook, at, now);
        }
        let sooner = bucket.sooner(Urgency::FirstLook, last, now);
        assert!(
            sooner < now + 2 * bucket.gap(Urgency::FirstLook),
            "{sooner:?}"
        );
        let next = bucket.book(Urgency::FirstLook, now);
        assert!(next < now + 3 * bucket.gap(Urgency::FirstLook), "{next:?}");
        assert!(next > sooner);
    }

    #[test]
    fn looks_that_found_no_call_try_again_one_after_the_other() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let wait = Duration::from_secs(1);
        let tries = [(); 3].map(|()| bucket.put_off(Urgency::Sweep, wait, wait).as_millis());
        assert_eq!(tries, [2000, 3714, 5428]);
    }

    /// Who tries again whenever that was said, and wants another look whenever there was a call.
    struct Looks(Urgency, Vec<Duration>);

    impl Looks {
        fn waiting(urgency: Urgency, bucket: &mut Bucket, uptime: Duration) -> Self {
            let times = [(); 20].map(|()| bucket.put_off(urgency, Duration::ZERO, uptime));
            Self(urgency, times.to_vec())
        }

        /// How many of those that are due find a call.
        fn made(&mut self, bucket: &mut Bucket, uptime: Duration) -> usize {
            let mut made = 0;
            for at in self.1.iter_mut().filter(|at| **at <= uptime) {
                *at = match bucket.take(1, self.0, uptime) {
                    Ok(()) => {
                        made += 1;
                        bucket.put_off(self.0, Duration::ZERO, uptime)
                    }
                    Err(wait) => bucket.put_off(self.0, wait, uptime),
                };
            }
            made
        }
    }

    #[test]
    fn r03_where_both_wait_sweeps_have_a_fifth_to_a_third_of_their_share_whoever_comes_first() {
        for sweeps_first in [false, true] {
            let mut bucket = Bucket::new(limit(60), Duration::ZERO);
            let mut first = Looks::waiting(Urgency::FirstLook, &mut bucket, Duration::ZERO);
            let mut sweeps = Looks::waiting(Urgency::Sweep, &mut bucket, Duration::ZERO);
            let (mut looked, mut swept) = (0, 0);
            for tick in 1..=60_000 {
                let now = Duration::from_millis(tick * 10);
                if sweeps_first {
                    swept += sweeps.made(&mut bucket, now);
                    looked += first.made(&mut bucket, now);
                } else {
                    looked += first.made(&mut bucket, now);
                    swept += sweeps.made(&mut bucket, now);
                }
            }
            assert!((480..=492).contains(&(looked + swept)), "{looked}, {swept}");
            assert!((65..=105).contains(&swept), "{looked}, {swept}");
        }
    }

    #[test]
    fn r03_a_first_look_that_found_no_call_goes_before_sweeps_that_come_when_there_is_one() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let gap = bucket.gap(Urgency::Sweep);
        let mut now = Duration::ZERO;
        let mut sweeps = 0;
        // Until the calls for looks are what is short.
        while sweeps < 200 {
            now += gap / 20;
            sweeps += u32::from(bucket.take(1, Urgency::Sweep, now).is_ok());
        }
        // None is spare.
        assert_eq!(bucket.take(3, Urgency::Change, now), Ok(()));
        // From now on there is a call after each gap, and the first look comes a moment before.
        now += gap.mul_f64(0.6);
        let wait = bucket.take(1, Urgency::FirstLook, now).unwrap_err();
        let next = bucket.put_off(Urgency::FirstLook, wait.max(gap), now);
        for _ in 0..40 {
            now += gap / 20;
            if now >= next {
                assert_eq!(bucket.take(1, Urgency::FirstLook, now), Ok(()));
                return;
            }
            assert!(bucket.take(1, Urgency::Sweep, now).is_err(), "{now:?}");
        }
        panic!("it never tries");
    }

    #[test]
    fn r03_a_first_look_that_is_not_wanted_any_more_holds_up_no_sweeps() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        for _ in 0..1_000 {
            bucket.put_off(Urgency::FirstLook, Duration::ZERO, Duration::ZERO);
        }
        let mut swept = 0;
        for second in 0..6_000 {
            let now = Duration::from_millis(second * 100);
            while bucket.take(1, Urgency::Sweep, now).is_ok() {
                swept += 1;
            }
        }
        assert!((340..=357).contains(&swept), "{swept} in 10 minutes");
    }

    #[test]
    fn a_refusal_halves_it_once_and_it_grows_back() {
        let mut bucket = Bucket::new(limit(60), Duration::ZERO);
        let now = Duration::from_mins(5);
        for _ in 0..30 {
            bucket.refused(now);
        }
        let wait = bucket.take(1, Urgency::Change, now).unwrap_err();
        assert!((2.3..2.5).contains(&wait.as_secs_f64()), "{wait:?}");
        for minute in 6..12 {
            assert!(bucket.is_shrunk(), "{minute}");
            bucket.fill(Duration::from_mins(minute));
        }
        assert!(!bucket.is_shrunk());
    }

    #[test]
    fn looks_that_were_booked_while_there_were_fewer_calls_come_when_the_calls_do() {
        for urgency in [Urgency::FirstLook, Urgency::Sweep] {
            let mut bucket = Bucket::new(limit(60), Duration::ZERO);
            for second in [300, 310, 320, 330] {
                bucket.refused(Duration::from_secs(second));
            }
            let began = Duration::from_secs(331);
            let booked: Vec<Duration> = (0..600).map(|_| bucket.book(urgency, began)).collect();
            let last = bucket.left(booked[599], began);
            // As many calls take a quarter of an hour or so; there are fewer for the first nine minutes.
            assert!(last < Duration::from_mins(23), "{urgency:?}: {last:?}");
            let mut made = 0;
            for second in 0..=last.as_secs() + 60 {
                let now = began + Duration::from_secs(second);
                let due = |at: &&Duration| bucket.left(**at, now).is_zero();
                let due = booked.iter().skip(made).take_while(due).count();
                made += (0..due)
                    .filter(|_| bucket.take(1, urgency, now).is_ok())
                    .count();
            }
            assert_eq!(made, 600, "{urgency:?}");
            let next = began + last + MINUTE;
            let at = bucket.book(urgency, next);
            let wait = bucket.left(at, next);
            assert!(wait.is_zero(), "{urgency:?}: {wait:?}");
        }
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
