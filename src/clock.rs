//! The one place that reads the clocks.
//!
//! Everything else takes a [`Moment`] as an argument.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::model::Moment;

/// Reads the wall clock and the monotonic clock together.
///
/// The monotonic one is that of the runtime's timers: where a test has stopped them, it stands still as well.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    head_start: Duration,
    /// What the wall clock showed at the start, where it goes by the monotonic one.
    dawn: Option<Timestamp>,
    shift: Option<&'static Shift>,
}

/// By how much clocks are moved while they run. Tests spare themselves waiting with it, and a machine whose clock is wrong.
#[derive(Debug, Default)]
pub struct Shift {
    wall: AtomicI64,
    uptime: AtomicU64,
}

impl Shift {
    /// One that lasts as long as the process, as clocks do.
    pub fn forever() -> &'static Self {
        Box::leak(Box::default())
    }

    /// Sets how many seconds the wall clock is ahead.
    pub fn set_wall(&self, seconds: i64) {
        self.wall.store(seconds, Ordering::SeqCst);
    }

    /// Lets so much time pass, by both clocks.
    pub fn pass(&self, duration: Duration) {
        let seconds = duration.as_secs();
        self.uptime.fetch_add(seconds, Ordering::SeqCst);
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.wall.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// Longer than any process runs, and not too long for the timers.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Waits inside one task, where nothing is left that could be requeued.
#[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
pub async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// The time after `delay`, of the runtime's timers.
#[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
pub fn after(delay: Duration) -> Instant {
    Instant::now() + delay.min(LONGEST)
}

/// Waits until then.
#[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
pub async fn until(then: Instant) {
    tokio::time::sleep_until(then).await;
}

impl Clock {
    /// A clock whose uptime begins now.
    pub fn start() -> Self {
        Self::with_head_start(Duration::ZERO)
    }

    /// A clock of a process that already runs for so long; tests spare themselves the wait of a newly started process.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn with_head_start(head_start: Duration) -> Self {
        Self {
            started: Instant::now(),
            head_start,
            dawn: None,
            shift: None,
        }
    }

    /// The same clock with a wall clock that shows `dawn` now and goes by the monotonic one from then on.
    #[must_use]
    pub fn from_dawn(self, dawn: Timestamp) -> Self {
        Self {
            dawn: Some(dawn),
            ..self
        }
    }

    /// The same clock, moved by whatever `shift` is set to.
    #[must_use]
    pub fn shifted(self, shift: &'static Shift) -> Self {
        Self {
            shift: Some(shift),
            ..self
        }
    }

    /// Both clocks, read at once.
    #[expect(clippy::disallowed_methods, reason = "this module owns the clocks")]
    pub fn now(&self) -> Moment {
        let run = self.started.elapsed();
        let uptime = run.saturating_add(self.head_start);
        let wall = match self.dawn {
            Some(dawn) => dawn.saturating_add(run).unwrap_or(dawn),
            None => Timestamp::now(),
        };
        let Some(shift) = self.shift else {
            return Moment::new(wall, uptime);
        };
        let ahead = SignedDuration::from_secs(shift.wall.load(Ordering::SeqCst));
        let passed = Duration::from_secs(shift.uptime.load(Ordering::SeqCst));
        Moment::new(
            wall.saturating_add(ahead).unwrap_or(wall),
            uptime.saturating_add(passed),
        )
    }
}
