//! Which program this is: release, commit, date of the source, profile and target, for whoever runs or watches it.
//!
//! Relies on `build.rs`, which leaves empty what it doesn't know; here that is told as unknown.

use std::sync::LazyLock;

use jiff::Timestamp;

use crate::calendar;

/// What stands for what nobody told.
const UNKNOWN: &str = "unknown";

/// The release, from `Cargo.toml`.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The commit that it was built from, with `-dirty` behind it if the source was changed since.
pub const COMMIT: &str = known(env!("TAURUS_BUILD_COMMIT"));

/// The profile of cargo that it was built with.
pub const PROFILE: &str = known(env!("TAURUS_BUILD_PROFILE"));

/// The machine that it was built for.
pub const TARGET: &str = known(env!("TAURUS_BUILD_TARGET"));

/// The release of the IANA data from which it has its time zones.
pub const TIME_ZONES: &str = calendar::RELEASE;

static DATE: LazyLock<String> = LazyLock::new(|| date_of(env!("TAURUS_BUILD_SECOND")));

static LINE: LazyLock<String> = LazyLock::new(|| {
    let date = date();
    format!(
        "{RELEASE} (commit {COMMIT}, date {date}, profile {PROFILE}, target {TARGET}, time zones {TIME_ZONES})"
    )
});

/// The date of the source: that of its commit, or what `SOURCE_DATE_EPOCH` said. It is none of a clock.
pub fn date() -> &'static str {
    &DATE
}

/// All of it, on one line.
pub fn line() -> &'static str {
    &LINE
}

const fn known(text: &'static str) -> &'static str {
    if text.is_empty() { UNKNOWN } else { text }
}

fn date_of(second: &str) -> String {
    let second = second.parse().ok();
    let moment = second.and_then(|second| Timestamp::from_second(second).ok());
    moment.map_or_else(|| UNKNOWN.to_owned(), |moment| moment.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_told_is_unknown() {
        assert_eq!(known(""), "unknown");
        assert_eq!(known("1a2b"), "1a2b");
        for second in ["", "yesterday", "99999999999999999999", "9999999999999"] {
            assert_eq!(date_of(second), "unknown", "{second}");
        }
        assert_eq!(date_of("1764201600"), "2025-11-27T00:00:00Z");
    }

    #[test]
    fn it_is_told_on_one_line() {
        let line = line();
        assert!(line.starts_with(RELEASE), "{line}");
        assert_eq!(line.lines().count(), 1);
        for part in [COMMIT, date(), PROFILE, TARGET, TIME_ZONES] {
            assert!(!part.is_empty() && line.contains(part), "{line}");
        }
        // The tests are built on the machine that they run on.
        assert!(TARGET.starts_with(std::env::consts::ARCH), "{TARGET}");
    }
}
