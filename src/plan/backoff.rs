//! How long to wait after something that did not work, or that is not ready yet.

use std::time::Duration;

use crate::{
    cloud::{CloudError, Meaning},
    pace::{Pace, doubling},
};

/// The wait before the next poll of a job that has been known for `age`: its end is seen at most an eighth of its length late. Where a
/// list stands in for polls, which may be as old as the last of them, it is half as long. Where a call is spare before, it is a 32nd, as
/// soon as the call is there.
pub fn poll(
    age: Duration,
    by_list: bool,
    spare_call_in: Option<Duration>,
    pace: &Pace,
) -> Duration {
    let sooner = spare_call_in.map_or(Duration::MAX, |spare| spare.max(age / 32));
    let (part, longest) = if by_list {
        (16, pace.poll_longest / 2)
    } else {
        (8, pace.poll_longest)
    };
    (age / part).min(sooner).clamp(pace.poll_first, longest)
}

/// The wait after the `count`-th error in a row. What the other side asks for is granted, where it is longer.
pub fn after_error(error: &CloudError, count: u32, pace: &Pace) -> Duration {
    let own = match error.meaning {
        Meaning::Busy => doubling(pace.busy, count),
        Meaning::UnknownRefusal => doubling(pace.unknown_refusal, count),
        Meaning::Throttled
        | Meaning::OutOfCalls
        | Meaning::Slow
        | Meaning::Withdrawn
        | Meaning::Transient
        | Meaning::Unasked
        | Meaning::Malformed
        // Heals as soon as the certificate, or the file of --extra-ca, is another one.
        | Meaning::TlsFailed => doubling(pace.transient, count),
        Meaning::Unauthenticated | Meaning::ClockSkew | Meaning::Locked => pace.stuck_poll,
        Meaning::Denied
        | Meaning::NotFound
        | Meaning::Rejected
        | Meaning::EndpointNotAllowed
        | Meaning::RegionUnknown => pace.denied_check,
        Meaning::Blocked => pace.blocked_check,
    };
    own.max(error.retry_after.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_whatever_the_count() {
        let series = (Duration::from_secs(5), Duration::from_mins(5));
        let waits: Vec<u64> = [0, 1, 2, 3, 7, 8, 33, u32::MAX]
            .map(|count| doubling(series, count).as_secs())
            .into();
        assert_eq!(waits, [5, 5, 10, 20, 300, 300, 300, 300]);
    }

    #[test]
    fn a_poll_comes_sooner_where_a_call_is_spare_and_never_later() {
        let second = Duration::from_secs;
        let poll = |age, by_list, spare: Option<u64>| {
            poll(second(age), by_list, spare.map(second), &Pace::real())
        };
        let next = |age, spare| poll(age, false, spare);
        assert_eq!(poll(40, true, None), Duration::from_millis(2_500));
        assert_eq!(poll(40, true, Some(0)), Duration::from_millis(1_250));
        assert_eq!(poll(10_000, true, None), Duration::from_millis(7_500));
        assert_eq!(next(40, None), second(5));
        assert_eq!(next(40, Some(0)), Duration::from_millis(1_250));
        assert_eq!(next(40, Some(3)), second(3));
        assert_eq!(next(40, Some(100)), second(5));
        assert_eq!(next(2, Some(0)), second(1));
        assert_eq!(next(10_000, Some(30)), second(15));
    }

    #[test]
    fn a_longer_wait_that_the_cloud_asks_for_is_granted() {
        let error = |retry_after| CloudError {
            meaning: Meaning::Throttled,
            code: None,
            status: Some(429),
            text: String::new(),
            retry_after,
        };
        let pace = Pace::real();
        assert_eq!(
            after_error(&error(Some(Duration::from_secs(90))), 1, &pace),
            Duration::from_secs(90)
        );
        assert_eq!(
            after_error(&error(Some(Duration::from_secs(1))), 1, &pace),
            Duration::from_secs(5)
        );
        assert_eq!(after_error(&error(None), 2, &pace), Duration::from_secs(10));
    }
}
