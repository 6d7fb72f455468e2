//! Time in ticks, and as ages: so that a state never grows older than the longest window.
//!
//! Promises that the durations of [`pace`] stand to each other as the real ones do wherever safety rests on it. A look is good for longer
//! than that: it allows more than the program does.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use taurus_port_operator::{model::Moment, pace::Pace};

/// Longer ago than every window.
pub const FAR: u8 = 6;

/// A recorded time that lies in the future by more than this lies there by this much.
const AHEAD: i8 = -2;

/// Ticks until a running job counts as overdue.
pub const CHANGE_TIMEOUT: u8 = 5;

/// Ticks for which a change must have been watched: to the request none, for the call one, until its job is visible one,
/// and one of slack.
pub const SETTLE_WINDOW: u8 = 3;

/// Ticks that a connection takes to open at most, and for which a look is good: so one that opens late leaves no time.
pub const OPENING: u8 = 2;

/// Ticks from the intent to the request.
pub const SEND_WITHIN: u8 = 0;

/// Ticks by which a list lags behind, and after which a job is visible at the latest.
pub const LAG: u8 = 1;

/// The divisor at which the slack of the settle window is one tick.
const DIVISOR: u32 = 5;

/// Uptime and wall clock at every decision; only what lies before it differs.
const NOON: u64 = 1_000;
const DAWN: i64 = 1_800_000_000;

/// The protocol's durations, in ticks that are seconds to the code.
pub fn pace() -> Pace {
    let ticks = Duration::from_secs;
    let mut pace = Pace::divided_by(DIVISOR);
    pace.send_within = ticks(SEND_WITHIN.into());
    pace.call_timeout = ticks(1);
    pace.look_good_for = ticks(OPENING.into());
    pace.job_visible_within = ticks(LAG.into());
    pace.list_lag = ticks(LAG.into());
    pace.proof_gap = ticks(1);
    pace.verify_window = ticks(LAG.into());
    pace.long_ago = ticks(4);
    pace.failure_delays = [1, 2, 3].map(ticks);
    pace.void_delays = [0, 2, 3, 4].map(ticks);
    pace.failure_memory = ticks(FAR.into());
    pace.drift_delays = [2, 3].map(ticks);
    pace.drift_window = ticks(FAR.into());
    pace.pending_counts_for = ticks(100);
    pace.busy = (ticks(1), ticks(1));
    pace.transient = (ticks(1), ticks(1));
    assert_eq!(pace.settle_window(), ticks(SETTLE_WINDOW.into()));
    pace
}

/// `changeTimeout` as a user would have to write it at this pace.
pub fn change_timeout() -> Duration {
    Duration::from_secs(u64::from(CHANGE_TIMEOUT) * u64::from(DIVISOR))
}

/// Now, by both clocks.
pub fn now() -> Moment {
    ago(0)
}

/// `age` ticks ago, by both clocks.
pub fn ago(age: u8) -> Moment {
    Moment::new(wall(i8::try_from(age).unwrap()), uptime(age))
}

/// The uptime of `age` ticks ago.
pub fn uptime(age: u8) -> Duration {
    Duration::from_secs(NOON - u64::from(age))
}

/// How long ago an uptime was.
pub fn age(uptime: Duration) -> u8 {
    u8::try_from(NOON - uptime.as_secs()).map_or(FAR, |age| age.min(FAR))
}

/// The time of the wall clock `age` ticks ago.
pub fn wall(age: i8) -> Timestamp {
    Timestamp::from_second(DAWN - i64::from(age)).unwrap()
}

/// How long ago a time of the wall clock was; less than nothing if it lies in the future.
pub fn wall_age(time: Timestamp) -> i8 {
    bounded(DAWN - time.as_second())
}

/// The age of the last plan that was used: one that is longer ago than anything that is kept is older than all of it.
pub fn age_of_used(time: Timestamp) -> i8 {
    let far = i64::from(FAR) + 1;
    i8::try_from((DAWN - time.as_second()).clamp(AHEAD.into(), far)).unwrap()
}

/// The same, after the wall clock has moved by so many ticks.
pub fn shift_used(age: &mut i8, by: i8) {
    let far = i8::try_from(FAR).unwrap() + 1;
    *age = (*age + by).clamp(AHEAD, far);
}

/// A tick passes.
pub fn tick(age: &mut u8) {
    *age = (*age + 1).min(FAR);
}

/// The wall clock moves by so many ticks, either way.
pub fn shift(age: &mut i8, by: i8) {
    *age = bounded(i64::from(*age) + i64::from(by));
}

fn bounded(age: i64) -> i8 {
    let far = i64::try_from(u64::from(FAR)).unwrap();
    i8::try_from(age.clamp(AHEAD.into(), far)).unwrap()
}
