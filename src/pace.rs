//! All durations of the change protocol and of its back-offs, in one place.
//!
//! Promises that the one inequality that safety rests on holds at every pace: [`Pace::settle_window`] is longer than
//! the longest way of a change from its intent to the moment when its job must be visible.

use std::time::Duration;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// How the cloud locks whom, and for how long we keep away.
#[derive(Debug, Clone, Copy)]
pub struct LockOut {
    /// Refused signatures count for this long, and tokens that somebody put into a Secret are treated alike.
    pub key_window: Duration,
    /// Wrong passwords count for this long.
    pub user_window: Duration,
    /// A pair that was refused twice in a row is held back for this: longer than the cloud locks.
    pub pause: Duration,
}

/// The durations. [`Pace::real`] is what users get; tests and the demo divide them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    divisor: u32,
    /// A change is sent at the latest this long after its intent was acknowledged.
    pub send_within: Duration,
    /// Every call of the cloud ends within this.
    pub call_timeout: Duration,
    /// A look at the cloud is good for a change for this long.
    pub look_good_for: Duration,
    /// A job is visible this long after it was accepted; before, "no such job" means nothing.
    pub job_visible_within: Duration,
    /// A list may lag behind a finished job by this much.
    pub list_lag: Duration,
    /// Two reads that shall prove something lie at least this far apart.
    pub proof_gap: Duration,
    /// A proxy is believed gone when two lists this far apart lack it.
    pub missing_gap: Duration,
    /// During a change, a proxy is believed gone after this.
    pub missing_during_change: Duration,
    /// A pending job older than this holds nothing up.
    pub pending_counts_for: Duration,
    /// The cloud keeps the record of a job for less than this.
    pub jobs_kept: Duration,
    /// How far back the task list is read.
    pub tasks_look_back: Duration,
    /// A task list serves resources that are new and come within this.
    pub tasks_shared_for: Duration,
    /// The first poll of a job.
    pub poll_first: Duration,
    /// The longest gap between polls of a job.
    pub poll_longest: Duration,
    /// How often an overdue or otherwise stuck change is looked at.
    pub stuck_poll: Duration,
    /// A completed job's port must be seen within this.
    pub verify_window: Duration,
    /// A job that ended longer ago than this did its work; another port is drift.
    pub long_ago: Duration,
    /// Delays after the first, second and third failed attempt.
    pub failure_delays: [Duration; 3],
    /// Delays after the first, second, third and any further attempt that turned out void.
    pub void_delays: [Duration; 4],
    /// How long failed attempts at a port count after another port was wanted.
    pub failure_memory: Duration,
    /// Delays before the second and the third correction of drift.
    pub drift_delays: [Duration; 2],
    /// The time in which corrections of drift are counted.
    pub drift_window: Duration,
    /// Back-off from a busy proxy: first and longest.
    pub busy: (Duration, Duration),
    /// Back-off from errors that pass by themselves: first and longest.
    pub transient: (Duration, Duration),
    /// Pause of a project that has made too many calls: first and longest.
    pub throttled: (Duration, Duration),
    /// Back-off from refusals that nobody has explained to us: first and longest.
    pub unknown_refusal: (Duration, Duration),
    /// A credential that was refused twice in a row is held back for this: longer than the cloud locks a user (15 minutes) or
    /// a key (5 minutes).
    pub refusal_pause: Duration,
    /// Refused signatures count for this long in the cloud, after which a locked key is free again.
    pub key_window: Duration,
    /// Wrong passwords count for this long in the cloud.
    pub user_window: Duration,
    /// How often a resource with missing, unusable or refused credentials is looked at, and default credentials are read.
    pub secret_check: Duration,
    /// For how long a Secret that is missing counts as one that is on its way.
    pub secret_patience: Duration,
    /// How often Secrets in use are read anew where they can't be watched.
    pub secret_sweep: Duration,
    /// How often it is tried whether Secrets may be watched after all.
    pub watch_retry: Duration,
    /// How often something that a person must mend in the cloud's permissions is looked at.
    pub denied_check: Duration,
    /// How often a blocked instance is tried.
    pub blocked_check: Duration,
    /// A resource takes over a proxy this long after its owner is gone, and an owner that was not looked for yet is waited for
    /// this long after a start.
    pub take_over: Duration,
    /// Changes count for this long among those of which there may be so many an hour.
    pub limits_hour: Duration,
    /// Who waited for a permit and was called comes within this, or loses its place.
    pub turn_within: Duration,
    /// Two probes of a proxy begin at least this far apart.
    pub probe_gap: Duration,
    /// A new generation is acknowledged after this if the look takes longer.
    pub interim_after: Duration,
    /// Edits of what is published for a resource are put right this far apart.
    pub edit_gap: Duration,
    /// Edits that were put right count for this long.
    pub edit_window: Duration,
    /// Waits before an edit is put right where there were too many: first and longest.
    pub edit_waits: (Duration, Duration),
}

impl Pace {
    /// The durations of the contract.
    pub fn real() -> Self {
        Self {
            divisor: 1,
            send_within: seconds(5),
            call_timeout: seconds(30),
            look_good_for: seconds(30),
            job_visible_within: minutes(2),
            list_lag: minutes(2),
            proof_gap: seconds(15),
            missing_gap: seconds(30),
            missing_during_change: minutes(10),
            pending_counts_for: minutes(60),
            jobs_kept: minutes(31 * 24 * 60),
            tasks_look_back: minutes(60),
            tasks_shared_for: minutes(1),
            poll_first: seconds(1),
            poll_longest: seconds(15),
            stuck_poll: minutes(5),
            verify_window: minutes(2),
            long_ago: minutes(10),
            failure_delays: [minutes(1), minutes(5), minutes(15)],
            void_delays: [Duration::ZERO, minutes(5), minutes(15), minutes(60)],
            failure_memory: minutes(60),
            drift_delays: [minutes(10), minutes(30)],
            drift_window: minutes(24 * 60),
            busy: (seconds(20), minutes(2)),
            transient: (seconds(5), minutes(5)),
            throttled: (seconds(5), minutes(2)),
            unknown_refusal: (minutes(5), minutes(60)),
            refusal_pause: minutes(16),
            key_window: minutes(5),
            user_window: minutes(15),
            secret_check: seconds(15),
            secret_patience: minutes(2),
            secret_sweep: seconds(60),
            watch_retry: minutes(10),
            denied_check: minutes(15),
            blocked_check: minutes(60),
            take_over: minutes(2),
            limits_hour: minutes(60),
            turn_within: minutes(1),
            probe_gap: seconds(2),
            interim_after: seconds(5),
            edit_gap: seconds(5),
            edit_window: minutes(10),
            edit_waits: (seconds(30), minutes(5)),
        }
    }

    /// The same protocol, `divisor` times faster. Bounds on real network calls stay long enough for a loaded machine.
    pub fn divided_by(divisor: u32) -> Self {
        let divisor = divisor.max(1);
        let real = Self::real();
        let fast = |duration: Duration| duration / divisor;
        let pair = |(first, longest): (Duration, Duration)| (fast(first), fast(longest));
        Self {
            divisor,
            send_within: fast(real.send_within).max(seconds(1)),
            call_timeout: fast(real.call_timeout).max(seconds(2)),
            look_good_for: fast(real.look_good_for).max(seconds(3)),
            job_visible_within: fast(real.job_visible_within),
            list_lag: fast(real.list_lag),
            proof_gap: fast(real.proof_gap),
            missing_gap: fast(real.missing_gap),
            missing_during_change: fast(real.missing_during_change),
            pending_counts_for: fast(real.pending_counts_for),
            jobs_kept: real.jobs_kept,
            tasks_look_back: real.tasks_look_back,
            tasks_shared_for: fast(real.tasks_shared_for),
            poll_first: fast(real.poll_first),
            poll_longest: fast(real.poll_longest),
            stuck_poll: fast(real.stuck_poll),
            verify_window: fast(real.verify_window),
            long_ago: fast(real.long_ago),
            failure_delays: real.failure_delays.map(fast),
            void_delays: real.void_delays.map(fast),
            failure_memory: fast(real.failure_memory),
            drift_delays: real.drift_delays.map(fast),
            drift_window: fast(real.drift_window),
            busy: pair(real.busy),
            transient: pair(real.transient),
            throttled: pair(real.throttled),
            unknown_refusal: pair(real.unknown_refusal),
            refusal_pause: fast(real.refusal_pause),
            key_window: fast(real.key_window),
            user_window: fast(real.user_window),
            secret_check: fast(real.secret_check),
            secret_patience: fast(real.secret_patience),
            secret_sweep: fast(real.secret_sweep),
            watch_retry: fast(real.watch_retry),
            denied_check: fast(real.denied_check),
            blocked_check: fast(real.blocked_check),
            take_over: fast(real.take_over),
            limits_hour: fast(real.limits_hour),
            turn_within: fast(real.turn_within).max(seconds(5)),
            probe_gap: fast(real.probe_gap),
            interim_after: fast(real.interim_after).max(Duration::from_millis(500)),
            edit_gap: fast(real.edit_gap),
            edit_window: fast(real.edit_window),
            edit_waits: pair(real.edit_waits),
        }
    }

    /// How the cloud locks keys and users, and for how long refused ones are held back.
    pub fn lock_out(&self) -> LockOut {
        LockOut {
            key_window: self.key_window,
            user_window: self.user_window,
            pause: self.refusal_pause,
        }
    }

    /// How long a change of unknown outcome must have been watched before anything is concluded.
    pub fn settle_window(&self) -> Duration {
        let slack = seconds(5) / self.divisor;
        self.send_within + self.call_timeout + self.job_visible_within + slack
    }

    /// A duration that a user gave (`changeTimeout`), at this pace.
    pub fn of_user(&self, duration: Duration) -> Duration {
        duration / self.divisor
    }
}

/// The `count`-th wait, from 1, of a series that doubles from `first` to `longest`.
pub fn doubling((first, longest): (Duration, Duration), count: u32) -> Duration {
    let factor = 1_u32
        .checked_shl(count.saturating_sub(1))
        .unwrap_or(u32::MAX);
    first.saturating_mul(factor.max(1)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settle_window_is_160_seconds_in_real_life() {
        assert_eq!(Pace::real().settle_window(), Duration::from_secs(160));
    }

    #[test]
    fn no_pace_breaks_the_inequality_that_safety_rests_on() {
        for divisor in [0, 1, 7, 60, 1000, u32::MAX] {
            let pace = Pace::divided_by(divisor);
            let way = pace.send_within + pace.call_timeout + pace.job_visible_within;
            assert!(pace.settle_window() >= way, "{divisor}");
        }
    }
}
