//! A recorded time as a figure shows it.
//!
//! Promises that one in the future counts as when this process first saw it, and that what is shown moves only where the wall clock is
//! set: not with each look.

use k8s_openapi::jiff::Timestamp;

use crate::model::Moment;

/// The wall clock was set where it has moved by more seconds than this against the monotonic one. Both are cut to whole seconds, and one
/// that is corrected moves a little.
const SET: i64 = 5;

/// A recorded time. Little is kept of it, since there may be many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    /// In Unix time, as it is on record.
    time: i64,
    /// The same, or when it was first seen, if it lay in the future then.
    counts_as: i64,
    /// By how many seconds the wall clock was ahead of the uptime then.
    ahead: i64,
}

impl Recorded {
    /// The time that is on record now, where this was on record `before`.
    pub(super) fn note(before: Option<Self>, time: Timestamp, now: Moment) -> Self {
        let time = time.as_second();
        before
            .filter(|before| before.time == time)
            .unwrap_or_else(|| Self {
                time,
                counts_as: time.min(now.wall.as_second()),
                ahead: ahead(now),
            })
    }

    /// What is shown of it, in Unix time. By the monotonic clock it is as old as it was when it was first seen and what has passed since,
    /// and by the wall clock perhaps older.
    pub(super) fn shown(self, now: Option<Moment>) -> i64 {
        let moved = now.map_or(0, |now| ahead(now).saturating_sub(self.ahead));
        let is_set = moved.saturating_abs() > SET;
        let counts_as = self
            .counts_as
            .saturating_add(if is_set { moved } else { 0 });
        self.time.min(counts_as)
    }
}

fn ahead(now: Moment) -> i64 {
    let uptime = i64::try_from(now.uptime.as_secs()).unwrap_or(i64::MAX);
    now.wall.as_second().saturating_sub(uptime)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: i64 = 1_800_000_000;

    const HOUR: i64 = 3600;

    /// After so many seconds, by a wall clock that is ahead by so many.
    fn after(seconds: i64, ahead: i64) -> Moment {
        let uptime = Duration::from_secs(seconds.unsigned_abs());
        Moment::new(at(seconds + ahead), uptime)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(START + second).unwrap()
    }

    /// What is shown of a time, first seen at one moment, at another one.
    fn shown(time: i64, seen: Moment, now: Moment) -> i64 {
        Recorded::note(None, at(time), seen).shown(Some(now)) - START
    }

    #[test]
    fn h16_a_time_in_the_future_counts_as_when_it_was_first_seen_and_does_not_move() {
        let seen = after(100, 0);
        let mut recorded = None;
        for second in [100, 101, 160, 8 * HOUR] {
            let now = after(second, 0);
            let noted = Recorded::note(recorded, at(6 * HOUR), now);
            assert_eq!(noted.shown(None) - START, 100);
            assert_eq!(noted.shown(Some(now)) - START, 100, "{second}");
            recorded = Some(noted);
        }
        assert_eq!(
            shown(40, seen, after(200, 0)),
            40,
            "one in the past is shown"
        );
        let other = Recorded::note(recorded, at(7 * HOUR), after(200, 0));
        assert_eq!(other.shown(None) - START, 200, "another time is seen anew");
    }

    #[test]
    fn h16_a_time_of_a_clock_that_was_ahead_counts_as_what_it_was_once_that_clock_is_set() {
        let ahead = 6 * HOUR;
        // It was recorded after 40 s, and seen at once.
        let seen = after(40, ahead);
        assert_eq!(shown(40 + ahead, seen, after(60, ahead)), 40 + ahead);
        assert_eq!(shown(40 + ahead, seen, after(60, 0)), 40);
        assert_eq!(shown(40 + ahead, seen, after(7 * HOUR, 0)), 40);
        // It was seen by a process that came later, by the same clock.
        assert_eq!(shown(40 + ahead, after(90, ahead), after(95, 0)), 40);
        // A clock that was behind has made it look like one of the future.
        assert_eq!(shown(40, after(50, -HOUR), after(50, -HOUR)), 50 - HOUR);
        assert_eq!(shown(40, after(50, -HOUR), after(60, 0)), 40);
        // A clock that jumps ahead makes nothing younger.
        assert_eq!(shown(40, after(50, 0), after(60, HOUR)), 40);
    }

    #[test]
    fn h16_a_clock_that_is_corrected_a_little_moves_no_figure() {
        let seen = after(100, 0);
        for ahead in -SET..=SET {
            assert_eq!(shown(HOUR, seen, after(200, ahead)), 100, "{ahead}");
            assert_eq!(shown(40, seen, after(200, ahead)), 40, "{ahead}");
        }
    }
}
