//! The port that a proxy may be asked to listen on.
//!
//! Promises that a [`Port`] lies in the documented range and is not reserved (API page "Changing the Port of a
//! Proxy Instance"). What the cloud *reports* is a plain `u16`: the service may show a port that it would
//! not accept, 3306 of old or a reserved one, and that must not be an error.

use std::fmt;

/// The ports that the service keeps for itself, by its API page.
pub const RESERVED: [u16; 11] = [
    1033, 5342, 5343, 5344, 5345, 12017, 20000, 20201, 20202, 33062, 33071,
];

/// Reserved by the vendor's user guide but not by its API page: accepted here, decided by the service.
pub const DOUBTFUL: u16 = 33060;

/// A port that may be asked for: 1025 to 65534, none of [`RESERVED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(u16);

/// Why a number is not a port that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Outside 1025–65534.
    #[error("port {0} is outside {min}-{max}: set another one", min = Port::MIN, max = Port::MAX)]
    OutOfRange(i64),
    /// One of [`RESERVED`].
    #[error("port {0} is {because}", because = because_reserved())]
    Reserved(u16),
}

/// What is said of a reserved port, with those that may be asked for.
pub fn because_reserved() -> String {
    let runs = RESERVED.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let runs: Vec<String> = runs
        .flat_map(|run| match run {
            [first, _, .., last] => vec![format!("{first}-{last}")],
            few => few.iter().map(u16::to_string).collect(),
        })
        .collect();
    format!(
        "reserved by the service: use {}-{} except {}",
        Port::MIN,
        Port::MAX,
        runs.join(", ")
    )
}

impl Port {
    /// The lowest port that may be asked for.
    pub const MIN: u16 = 1025;
    /// The highest port that may be asked for.
    pub const MAX: u16 = 65534;

    /// Checks range and reserved numbers.
    pub fn new(number: i64) -> Result<Self, PortError> {
        match u16::try_from(number) {
            Ok(port) if RESERVED.contains(&port) => Err(PortError::Reserved(port)),
            Ok(port) if (Self::MIN..=Self::MAX).contains(&port) => Ok(Self(port)),
            _ => Err(PortError::OutOfRange(number)),
        }
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// Whether the vendor's own papers disagree on this port ([`DOUBTFUL`]).
    pub fn is_doubtful(self) -> bool {
        self.0 == DOUBTFUL
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_reserved_numbers_are_those_of_the_api_page() {
        for number in [
            1025, 1032, 1034, 5341, 5346, 12016, 20203, 33060, 33061, 33072, 65534,
        ] {
            assert!(Port::new(number).is_ok(), "{number}");
        }
        for number in [i64::MIN, -1, 0, 1024, 65535, 65536, i64::MAX] {
            assert_eq!(Port::new(number), Err(PortError::OutOfRange(number)));
        }
        for number in RESERVED {
            assert_eq!(Port::new(number.into()), Err(PortError::Reserved(number)));
        }
    }

    #[test]
    fn a_refused_port_names_those_that_may_be_set() {
        assert_eq!(
            Port::new(5343).unwrap_err().to_string(),
            "port 5343 is reserved by the service: use 1025-65534 except 1033, 5342-5345, 12017, 20000, 20201, 20202, 33062, 33071"
        );
        assert_eq!(
            Port::new(80).unwrap_err().to_string(),
            "port 80 is outside 1025-65534: set another one"
        );
    }
}
