//! The changes that were begun within the last hour.
//!
//! Kept by uptime, so that a wall clock that is set anew moves nothing. What is on record from before this process is known by
//! wall-clock times alone: those become ages once, and a time in the future counts as now.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use crate::model::Moment;

/// One change that was begun.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Uptime at which it no longer counts.
    until: Duration,
    /// The same by the wall clock, for people.
    wall: Timestamp,
}

/// The changes of the last hour, in the order in which they leave it.
#[derive(Debug, Default)]
pub(super) struct Window {
    starts: Vec<Start>,
}

impl Window {
    /// Adds a change that was begun at this time, if that lies within `hour`.
    pub(super) fn add(&mut self, begun: Timestamp, hour: Duration, now: Moment) {
        self.starts.drain(..self.left(now));
        let left = hour.saturating_sub(now.since(begun));
        if left.is_zero() {
            return;
        }
        let start = Start {
            until: now.uptime.saturating_add(left),
            wall: later(now.wall, left),
        };
        let place = self
            .starts
            .partition_point(|other| other.until <= start.until);
        self.starts.insert(place, start);
    }

    /// How many count.
    pub(super) fn count(&self, now: Moment) -> usize {
        self.starts.len() - self.left(now)
    }

    /// When the first of them leaves, by uptime and by the wall clock.
    pub(super) fn next(&self, now: Moment) -> Option<(Duration, Timestamp)> {
        let next = self.starts.get(self.left(now));
        next.map(|start| (start.until, start.wall))
    }

    /// How many of them no longer count.
    fn left(&self, now: Moment) -> usize {
        self.starts
            .partition_point(|start| start.until <= now.uptime)
    }
}

/// A time of the wall clock after `wait`.
pub(super) fn later(wall: Timestamp, wait: Duration) -> Timestamp {
    wall.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn at(second: u64) -> Moment {
        let wall = Timestamp::from_second(1_800_000_000 + i64::try_from(second).unwrap());
        Moment::new(wall.unwrap(), Duration::from_secs(second))
    }

    #[test]
    fn a_change_counts_for_an_hour_from_its_beginning() {
        let mut window = Window::default();
        window.add(at(0).wall, HOUR, at(0));
        window.add(at(10).wall, HOUR, at(1800));
        assert_eq!(window.count(at(3599)), 2);
        assert_eq!(
            window.next(at(1800)),
            Some((at(3600).uptime, at(3600).wall))
        );
        assert_eq!(window.count(at(3600)), 1);
        assert_eq!(window.count(at(3610)), 0);
        window.add(at(0).wall, HOUR, at(3600));
        assert_eq!(window.count(at(3600)), 1, "that was an hour ago");
    }

    #[test]
    fn a_time_in_the_future_counts_as_now() {
        let mut window = Window::default();
        window.add(at(100_000).wall, HOUR, at(5));
        assert_eq!((window.count(at(3604)), window.count(at(3605))), (1, 0));
    }

    #[test]
    fn a_wall_clock_that_is_set_anew_moves_nothing() {
        let mut window = Window::default();
        window.add(at(0).wall, HOUR, at(0));
        let back = Moment::new(Timestamp::UNIX_EPOCH, at(3599).uptime);
        let ahead = Moment::new(Timestamp::MAX, at(3599).uptime);
        assert_eq!((window.count(back), window.count(ahead)), (1, 1));
    }
}
