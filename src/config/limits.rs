//! How many changes there may be over all resources, as it was given.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{cli::RunArguments, permits::limits::Limits};

/// More at once, or in an hour, would be no limit any more.
const MOST_CHANGES: usize = 10_000;

/// More in a row would be no limit any more.
const MOST_FAILURES: usize = 1000;

/// A halt for less would be over before anybody has read of it; one for more is a case for `suspend`.
const HALT: [Duration; 2] = [Duration::from_mins(1), Duration::from_hours(24)];

/// A limit that can't be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitsFault {
    /// No count, or out of range.
    #[error(
        "--max-concurrent-changes (TAURUS_MAX_CONCURRENT_CHANGES): {0:?} is not a count: give a number from 1 to {MOST_CHANGES}"
    )]
    Concurrent(String),
    /// No count, or out of range.
    #[error(
        "--max-changes-per-hour (TAURUS_MAX_CHANGES_PER_HOUR): {0:?} is not a count: give a number from 1 to {MOST_CHANGES}"
    )]
    Hourly(String),
    /// No count, or out of range.
    #[error(
        "--halt-after-failures (TAURUS_HALT_AFTER_FAILURES): {0:?} is not a count: give a number from 1 to {MOST_FAILURES}"
    )]
    HaltAfter(String),
    /// No duration, or out of range.
    #[error(
        "--halt-for (TAURUS_HALT_FOR): {0:?} is not a duration from 1m to 24h: give one such as 30m or 2h"
    )]
    HaltFor(String),
}

/// Reads the limits of a command line.
pub fn read(arguments: &RunArguments) -> Result<Limits, LimitsFault> {
    Ok(Limits {
        concurrent: count(
            &arguments.max_concurrent_changes,
            MOST_CHANGES,
            LimitsFault::Concurrent,
        )?,
        hourly: count(
            &arguments.max_changes_per_hour,
            MOST_CHANGES,
            LimitsFault::Hourly,
        )?,
        halt_after: count(
            &arguments.halt_after_failures,
            MOST_FAILURES,
            LimitsFault::HaltAfter,
        )?,
        halt_for: halt_for(&arguments.halt_for)?,
    })
}

fn count(given: &str, most: usize, fault: fn(String) -> LimitsFault) -> Result<usize, LimitsFault> {
    let count = given.trim().parse().ok();
    count
        .filter(|count| (1..=most).contains(count))
        .ok_or_else(|| fault(given.to_owned()))
}

fn halt_for(given: &str) -> Result<Duration, LimitsFault> {
    let duration: Option<SignedDuration> = given.trim().parse().ok();
    let [shortest, longest] = HALT;
    duration
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|duration| (shortest..=longest).contains(duration))
        .ok_or_else(|| LimitsFault::HaltFor(given.to_owned()))
}

#[cfg(test)]
mod tests;
