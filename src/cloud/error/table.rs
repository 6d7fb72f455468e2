//! Which code means what: the table, as data, and the fallback on the HTTP status.
//!
//! Sources: the error-code pages of TaurusDB, of the API gateway and of IAM, and the conflict lists of the vendor's
//! Terraform provider. Codes are opaque text: their widths differ.

use super::Meaning;
use super::Meaning::{
    Blocked, Busy, Denied, Locked, Malformed, NotFound, Rejected, Throttled, Transient,
    Unauthenticated, UnknownRefusal,
};

/// What was asked when the error came; it decides on `DBS.200932`, and on all codes that find fault with what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A read.
    Read,
    /// The change of a port.
    Change,
}

/// Codes of the service (`DBS.`), by meaning.
const SERVICE: &[(Meaning, &[&str])] = &[
    (
        Busy,
        &[
            "200019", "200011", "201202", "212006", "200047", "201014", "201015", "05000084",
            "212033", "200086", "201205", "280406", "216011",
        ],
    ),
    (Blocked, &["200316", "280449", "05000001", "05000032"]),
    (
        Rejected,
        &[
            "200461", "280364", "200001", "200004", "290000", "200006", "05000022", "270025",
            "270026", "270027", "280404",
        ],
    ),
    (
        NotFound,
        &[
            "270024", "200002", "200045", "200408", "200602", "290005", "290011", "201028",
            "290013", "200543", "2000044", "05000044",
        ],
    ),
    (Denied, &["200010", "200604", "200044", "201003", "280015"]),
    (Unauthenticated, &["280056"]),
    (
        Transient,
        &[
            "108000", "108002", "108005", "200005", "200208", "213002", "213004", "290006",
            "290015", "05000000", "111205",
        ],
    ),
];

/// Codes of the service for a parameter that it does not take, whatever the call.
const REFUSED_VALUE: [&str; 4] = ["200001", "200004", "200006", "290000"];

/// Whether a code finds fault with a parameter, of any call.
pub fn refuses_a_value(code: &str) -> bool {
    let parts = code.trim().split_once('.');
    parts.is_some_and(|(origin, digits)| {
        origin.eq_ignore_ascii_case("DBS") && REFUSED_VALUE.contains(&digits)
    })
}

/// Codes of the API gateway (`APIGW.`, on Open Telekom Cloud `APIG.`), by meaning.
const GATEWAY: &[(Meaning, &[&str])] = &[
    (Unauthenticated, &["0301", "0303", "0305", "0307"]),
    (
        Denied,
        &[
            "0302", "0304", "0306", "0310", "0401", "0402", "0404", "0405", "0501", "0502", "0802",
        ],
    ),
    (Throttled, &["0308"]),
    (
        Transient,
        &[
            "0103", "0104", "0105", "0202", "0203", "0601", "0605", "0606", "0608", "0610", "0611",
            "0613",
        ],
    ),
    (UnknownRefusal, &["0101", "0106", "0602", "0607"]),
];

/// Codes of IAM (`IAM.`), by meaning.
const IAM: &[(Meaning, &[&str])] = &[
    (Locked, &["0061"]),
    (
        Unauthenticated,
        &["0001", "0062", "0063", "0064", "0066", "0067", "1108"],
    ),
    (Denied, &["0002", "0003", "0080"]),
    (Throttled, &["0012"]),
    (Transient, &["0006"]),
    (
        UnknownRefusal,
        &["0011", "0072", "1100", "1101", "1102", "1103", "1109"],
    ),
];

/// The meaning of a code; nothing if the table doesn't know it.
pub fn by_code(code: &str, asked: Asked) -> Option<Meaning> {
    let (origin, digits) = code.trim().split_once('.')?;
    let rows = match origin.to_ascii_uppercase().as_str() {
        // Documented nowhere: the vendor's provider takes it for "gone" on reads.
        "DBS" if digits == "200932" => {
            return Some(if asked == Asked::Read { NotFound } else { Busy });
        }
        "DBS" => SERVICE,
        "APIGW" | "APIG" => GATEWAY,
        "IAM" => IAM,
        _ => return None,
    };
    let (meaning, _) = rows.iter().find(|(_, codes)| codes.contains(&digits))?;
    Some(match meaning {
        // A read asks for no port.
        Rejected if asked == Asked::Read => UnknownRefusal,
        meaning => *meaning,
    })
}

/// The meaning of an HTTP status, where the code says nothing.
pub fn by_status(status: u16) -> Meaning {
    match status {
        401 => Unauthenticated,
        403 => Denied,
        404 => NotFound,
        409 => Busy,
        429 => Throttled,
        400..=499 => UnknownRefusal,
        200..=299 => Malformed,
        _ => Transient,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_code_decides_whatever_it_is_written_with() {
        for (code, meaning) in [
            ("DBS.200019", Busy),
            ("DBS.05000084", Busy),
            ("DBS.200316", Blocked),
            ("DBS.200461", UnknownRefusal),
            ("DBS.200543", NotFound),
            ("dbs.201028 ", NotFound),
            ("APIGW.0308", Throttled),
            ("APIG.0301", Unauthenticated),
            ("IAM.0061", Locked),
        ] {
            assert_eq!(by_code(code, Asked::Read), Some(meaning), "{code}");
        }
        for unknown in [
            "",
            "DBS",
            "DBS.",
            "DBS.999999",
            "200019",
            "EPS.0004",
            "APIGW.200019",
        ] {
            assert_eq!(by_code(unknown, Asked::Read), None, "{unknown}");
        }
    }

    #[test]
    fn the_undocumented_conflict_is_gone_on_a_read_and_busy_on_a_change() {
        assert_eq!(by_code("DBS.200932", Asked::Read), Some(NotFound));
        assert_eq!(by_code("DBS.200932", Asked::Change), Some(Busy));
    }

    #[test]
    fn no_code_has_two_meanings() {
        for rows in [SERVICE, GATEWAY, IAM] {
            let codes: Vec<_> = rows.iter().flat_map(|(_, codes)| codes.iter()).collect();
            assert_eq!(codes.len(), codes.iter().collect::<BTreeSet<_>>().len());
        }
    }

    #[test]
    fn the_status_is_the_fallback_and_an_unknown_conflict_is_busy() {
        for (status, meaning) in [
            (409, Busy),
            (400, UnknownRefusal),
            (429, Throttled),
            (302, Transient),
            (503, Transient),
            (200, Malformed),
        ] {
            assert_eq!(by_status(status), meaning, "{status}");
        }
    }
}
