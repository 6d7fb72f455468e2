//! The ways in which the service writes and reads instants.

use jiff::Timestamp;
use jiff::fmt::{rfc2822::DateTimePrinter, strtime};
use jiff::tz::{Offset, TimeZone};

const WITH_OFFSET: &str = "%Y-%m-%dT%H:%M:%S%z";

/// As in jobs and tasks: local time of the vendor's home and an offset without a colon.
pub(crate) fn job_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::fixed(Offset::constant(8)))
        .strftime(WITH_OFFSET)
        .to_string()
}

/// As in proxies and instances: the same form in UTC.
pub(crate) fn fleet_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime(WITH_OFFSET).to_string()
}

/// As in tokens: UTC with six digits of a second.
pub(crate) fn token_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The `Date` header.
pub(crate) fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}

/// Reads the form of filters and jobs, with any offset.
pub(crate) fn parse_job_time(text: &str) -> Option<Timestamp> {
    strtime::parse(WITH_OFFSET, text).ok()?.to_timestamp().ok()
}

/// Reads `X-Sdk-Date`: `20060102T150405Z`.
pub(crate) fn parse_sdk_date(text: &str) -> Option<Timestamp> {
    let utc = text.strip_suffix('Z')?;
    strtime::parse("%Y%m%dT%H%M%S", utc)
        .ok()?
        .to_datetime()
        .ok()?
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Timestamp {
        "2026-03-02T08:40:05.25Z".parse().unwrap()
    }

    #[test]
    fn each_place_has_its_own_form() {
        assert_eq!(job_time(example()), "2026-03-02T16:40:05+0800");
        assert_eq!(fleet_time(example()), "2026-03-02T08:40:05+0000");
        assert_eq!(token_time(example()), "2026-03-02T08:40:05.250000Z");
        assert_eq!(http_date(example()), "Mon, 02 Mar 2026 08:40:05 GMT");
    }

    #[test]
    fn filters_are_read_with_any_offset() {
        let whole: Timestamp = "2026-03-02T08:40:05Z".parse().unwrap();
        assert_eq!(parse_job_time("2026-03-02T16:40:05+0800"), Some(whole));
        assert_eq!(parse_job_time("2026-03-02T08:40:05+0000"), Some(whole));
        for odd in [
            "2026-03-02T08:40:05",
            "2026-03-02T08:40:05 0000",
            "1772440805000",
            "yesterday",
            "",
        ] {
            assert_eq!(parse_job_time(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_date_of_a_signature_is_basic_and_in_utc() {
        assert_eq!(
            parse_sdk_date("20260302T084005Z"),
            "2026-03-02T08:40:05Z".parse().ok()
        );
        for odd in [
            "20260302T084005",
            "2026-03-02T08:40:05Z",
            "20260302T084005+0800",
            "",
        ] {
            assert_eq!(parse_sdk_date(odd), None, "{odd}");
        }
    }
}
