//! One reading of both clocks, taken where the clocks are owned and passed on as an argument.
//!
//! The wall clock is for people, for records and for hours of the day; it may jump either way, and permits nothing but a start in these
//! hours.
//! The monotonic clock is for durations within this process. Durations that people write are read here as well.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, whole seconds: finer times never survive the API server's `Time`.
    pub wall: Timestamp,
    /// Monotonic time since the process started.
    pub uptime: Duration,
}

impl Moment {
    /// A moment of the given wall clock (cut to whole seconds) and uptime.
    pub fn new(wall: Timestamp, uptime: Duration) -> Self {
        let wall = Timestamp::from_second(wall.as_second()).unwrap_or(wall);
        Self { wall, uptime }
    }

    /// Time by the wall clock since `then`; nothing if `then` lies in the future.
    pub fn since(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.wall.duration_since(then)).unwrap_or_default()
    }

    /// The wall clock's time when `wait` is over, up to the next whole second.
    pub fn after(&self, wait: Duration) -> Timestamp {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let wait = Duration::from_secs(seconds);
        self.wall.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// Monotonic time since an earlier uptime.
    pub fn elapsed(&self, earlier: Duration) -> Duration {
        self.uptime.saturating_sub(earlier)
    }
}

/// Reads whole numbers with the units h, m and s, in any order, such as 1h30m.
pub fn whole_units(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (digits, tail) = rest.split_at(end);
        let unit = match tail.chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        let part = digits.parse::<u64>().ok()?.checked_mul(unit)?;
        total = total.checked_add(part)?;
        rest = tail.get(1..)?;
    }
    Some(Duration::from_secs(total))
}
