//! Whether another attempt at a port may be made, and when.
//!
//! An attempt that *failed* was made by the cloud and came to nothing; one that is *void* never arrived, as far as can be
//! known. Both count, because each attempt may have cut connections.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::{
    crd::{FailureCause, FailureRecord},
    pace::Pace,
};

/// How many attempts at one port are made in all, once one of them has failed.
const MOST_ATTEMPTS: u32 = 4;

/// From how many void attempts on a person should look.
const VOIDS_THAT_STALL: u32 = 3;

/// What became of the attempts at the wanted port so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts that failed.
    pub failed: u32,
    /// Attempts that turned out void.
    pub void: u32,
    /// When the last of them ended, by the wall clock.
    pub last_at: Timestamp,
    /// Why the last of them did not succeed.
    pub cause: FailureCause,
}

/// Whether the next attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// At once.
    Now,
    /// After a while; nobody has to do anything.
    Later(Duration),
    /// After a while, though by now a person should look.
    LaterStalled(FailureCause, Duration),
    /// Not before the wanted port changes or somebody asks for it.
    Never(FailureCause),
}

impl Attempts {
    /// The attempts at `port`, if there were any. Counts below nothing, from a hand-edited status, are nothing.
    pub fn at(port: u16, failures: &[FailureRecord]) -> Option<Self> {
        let record = failures
            .iter()
            .find(|record| record.port == i32::from(port))?;
        Some(Self::of(record))
    }

    /// What a record says.
    pub fn of(record: &FailureRecord) -> Self {
        Self {
            failed: u32::try_from(record.failed).unwrap_or_default(),
            void: u32::try_from(record.void).unwrap_or_default(),
            last_at: record.last_at.0,
            cause: record.cause,
        }
    }

    /// Decides on the next attempt, so long after the last one.
    pub fn next(&self, since: Duration, pace: &Pace) -> Allowance {
        if self.cause == FailureCause::PortRejected {
            return Allowance::Never(self.cause);
        }
        if self.failed > 0 && self.failed.saturating_add(self.void) >= MOST_ATTEMPTS {
            return Allowance::Never(self.cause);
        }
        let wait = self.delay(pace).saturating_sub(since);
        if self.failed == 0 && self.void >= VOIDS_THAT_STALL {
            Allowance::LaterStalled(FailureCause::OutcomeUnknown, wait)
        } else if wait.is_zero() {
            Allowance::Now
        } else {
            Allowance::Later(wait)
        }
    }

    /// Whether a person should look, and may ask for more attempts: not where the cloud refuses the port itself.
    pub fn are_for_people(&self) -> bool {
        let used_up = self.failed > 0 && self.failed.saturating_add(self.void) >= MOST_ATTEMPTS;
        let stalled = self.failed == 0 && self.void >= VOIDS_THAT_STALL;
        self.cause != FailureCause::PortRejected && (used_up || stalled)
    }

    /// How many attempts are made at most. Void ones alone are followed by others, hourly.
    pub fn most(&self) -> Option<u32> {
        (self.failed > 0).then_some(MOST_ATTEMPTS)
    }

    /// The longer of what the failed and what the void attempts ask for.
    fn delay(&self, pace: &Pace) -> Duration {
        nth(&pace.failure_delays, self.failed).max(nth(&pace.void_delays, self.void))
    }
}

/// The delay after the `count`-th attempt; the last one goes on for ever, and there is none before the first.
fn nth(delays: &[Duration], count: u32) -> Duration {
    let index = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(delays.len());
    index
        .checked_sub(1)
        .and_then(|index| delays.get(index))
        .copied()
        .unwrap_or_default()
}

/// Drops what no longer counts: entries of other ports, once their time is over.
pub fn forget_superseded(
    failures: &mut Vec<FailureRecord>,
    wanted: u16,
    age: impl Fn(Timestamp) -> Duration,
    pace: &Pace,
) {
    for record in failures
        .iter_mut()
        .filter(|record| record.port != i32::from(wanted))
    {
        record.superseded = Some(true);
    }
    for record in failures.iter_mut().filter(|record| is_refused(record)) {
        if record.superseded == Some(true) && record.failed > 0 {
            record.cause = FailureCause::JobFailed;
        } else if record.superseded == Some(true) && record.void > 0 {
            record.cause = FailureCause::OutcomeUnknown;
        }
    }
    failures.retain(|record| {
        !(record.superseded == Some(true) && is_refused(record) || is_expired(record, &age, pace))
    });
}

/// Drops the attempts at `wanted` from before another port was wanted, once their time is over. Those at other ports
/// stay until another generation is judged: a settled resource is not written only to forget.
pub fn forget_expired(
    failures: &mut Vec<FailureRecord>,
    wanted: u16,
    age: impl Fn(Timestamp) -> Duration,
    pace: &Pace,
) {
    failures.retain(|record| record.port != i32::from(wanted) || !is_expired(record, &age, pace));
}

fn is_refused(record: &FailureRecord) -> bool {
    record.cause == FailureCause::PortRejected
}

fn is_expired(record: &FailureRecord, age: impl Fn(Timestamp) -> Duration, pace: &Pace) -> bool {
    record.superseded == Some(true) && age(record.last_at.0) >= pace.failure_memory
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use proptest::prelude::*;

    use super::*;
    use crate::model::Moment;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(second: i64) -> Moment {
        Moment::new(
            Timestamp::from_second(1_800_000_000 + second).unwrap(),
            Duration::ZERO,
        )
    }

    fn age_at(second: i64) -> impl Fn(Timestamp) -> Duration {
        move |time| at(second).since(time)
    }

    fn attempts(failed: u32, void: u32) -> Attempts {
        let cause = if failed > 0 {
            FailureCause::JobFailed
        } else {
            FailureCause::OutcomeUnknown
        };
        Attempts {
            failed,
            void,
            last_at: at(0).wall,
            cause,
        }
    }

    #[test]
    fn delays_grow_and_end_as_the_contract_says() {
        use Allowance::{Later, LaterStalled, Never, Now};
        use FailureCause::{JobFailed, OutcomeUnknown};
        let table = [
            ((1, 0), Later(MINUTE)),
            ((2, 0), Later(5 * MINUTE)),
            ((3, 0), Later(15 * MINUTE)),
            ((4, 0), Never(JobFailed)),
            ((0, 1), Now),
            ((0, 2), Later(5 * MINUTE)),
            ((0, 3), LaterStalled(OutcomeUnknown, 15 * MINUTE)),
            ((0, 4), LaterStalled(OutcomeUnknown, 60 * MINUTE)),
            ((0, 90), LaterStalled(OutcomeUnknown, 60 * MINUTE)),
            ((1, 1), Later(MINUTE)),
            ((1, 2), Later(5 * MINUTE)),
            ((1, 3), Never(JobFailed)),
        ];
        for ((failed, void), expected) in table {
            assert_eq!(
                attempts(failed, void).next(Duration::ZERO, &Pace::real()),
                expected,
                "{failed} {void}"
            );
        }
    }

    #[test]
    fn a_refused_port_is_not_tried_again() {
        let refused = Attempts {
            cause: FailureCause::PortRejected,
            ..attempts(0, 0)
        };
        assert_eq!(
            refused.next(MINUTE * 10_000, &Pace::real()),
            Allowance::Never(FailureCause::PortRejected)
        );
    }

    #[test]
    fn the_wait_runs_down() {
        let next = |seconds| attempts(1, 0).next(Duration::from_secs(seconds), &Pace::real());
        assert_eq!(next(20), Allowance::Later(Duration::from_secs(40)));
        assert_eq!(next(60), Allowance::Now);
    }

    #[test]
    fn toggling_the_wanted_port_forgets_nothing_within_an_hour() {
        let record = |port, failed, cause| FailureRecord {
            port,
            failed,
            void: 0,
            last_at: Time(at(0).wall),
            cause,
            superseded: None,
            message: None,
        };
        let mut failures = vec![
            record(3307, 2, FailureCause::JobFailed),
            record(3309, 0, FailureCause::PortRejected),
            record(3310, 2, FailureCause::PortRejected),
        ];
        forget_superseded(&mut failures, 3308, age_at(60), &Pace::real());
        forget_superseded(&mut failures, 3307, age_at(120), &Pace::real());
        assert_eq!(failures.len(), 2, "only the mere refusal is gone");
        assert_eq!(
            Attempts::at(3310, &failures).unwrap().cause,
            FailureCause::JobFailed
        );
        assert_eq!(Attempts::at(3307, &failures).unwrap().failed, 2);
        forget_expired(&mut failures, 3307, age_at(3599), &Pace::real());
        assert_eq!(failures.len(), 2);
        forget_expired(&mut failures, 3307, age_at(3600), &Pace::real());
        assert_eq!(failures.len(), 1, "its hour is over, without another edit");
        forget_superseded(&mut failures, 3307, age_at(3600), &Pace::real());
        assert!(failures.is_empty());
    }

    #[test]
    fn another_edit_of_the_spec_resets_nothing() {
        let mut failures = vec![FailureRecord {
            port: 3307,
            failed: 4,
            void: 0,
            last_at: Time(at(0).wall),
            cause: FailureCause::JobFailed,
            superseded: None,
            message: None,
        }];
        forget_superseded(&mut failures, 3307, age_at(1_000_000), &Pace::real());
        assert_eq!(failures.len(), 1);
    }

    proptest! {
        #[test]
        fn no_count_and_no_age_breaks_it(failed: u32, void: u32, second in 0_u64..10_000_000) {
            let since = Duration::from_secs(second);
            let allowance = attempts(failed, void).next(since, &Pace::real());
            if failed > 0 && u64::from(failed) + u64::from(void) >= 4 {
                prop_assert_eq!(allowance, Allowance::Never(FailureCause::JobFailed));
            } else {
                prop_assert!(!matches!(allowance, Allowance::Never(_)));
            }
        }
    }
}
