//! The documented error codes with their HTTP statuses: the database service's by the error-code pages of its two
//! clouds, the gateway's by the signing guide, IAM's by its API reference. Where only clients tell a status, it is theirs.

/// Codes with the statuses that are documented for them.
pub const DOCUMENTED_ERRORS: [(&str, u16); 109] = [
    // The database service: another operation is at work, or the status doesn't allow it.
    ("DBS.200019", 409),
    ("DBS.200011", 409),
    ("DBS.201202", 409),
    ("DBS.212006", 409),
    ("DBS.200047", 409),
    ("DBS.201014", 400),
    ("DBS.201015", 409),
    ("DBS.05000084", 409),
    ("DBS.212033", 409),
    ("DBS.200086", 400),
    ("DBS.201205", 409),
    ("DBS.280406", 409),
    ("DBS.200316", 409),
    ("DBS.280449", 400),
    // Something is wrong with the request.
    ("DBS.200001", 400),
    ("DBS.200004", 400),
    ("DBS.290000", 400),
    ("DBS.200006", 400),
    ("DBS.200461", 400),
    ("DBS.280364", 400),
    ("DBS.05000032", 400),
    ("DBS.05000001", 400),
    ("DBS.05000022", 400),
    ("DBS.270024", 400),
    ("DBS.270025", 400),
    ("DBS.270026", 400),
    ("DBS.270027", 400),
    ("DBS.280404", 400),
    ("DBS.200022", 409),
    // It isn't there, or not the caller's.
    ("DBS.200002", 404),
    ("DBS.200045", 404),
    ("DBS.200408", 404),
    ("DBS.200602", 404),
    ("DBS.290005", 404),
    ("DBS.290011", 404),
    ("DBS.201028", 404),
    ("DBS.200932", 409),
    ("DBS.290013", 404),
    ("DBS.200543", 400),
    ("DBS.200010", 403),
    ("DBS.200604", 403),
    ("DBS.200044", 403),
    ("DBS.201003", 403),
    ("DBS.280015", 403),
    ("DBS.280056", 403),
    // The service itself fails.
    ("DBS.108000", 500),
    ("DBS.108002", 500),
    ("DBS.108005", 500),
    ("DBS.200005", 500),
    ("DBS.200208", 500),
    ("DBS.213002", 500),
    ("DBS.213004", 500),
    ("DBS.290006", 500),
    ("DBS.290015", 500),
    ("DBS.05000000", 500),
    ("DBS.111205", 500),
    // The gateway.
    ("APIGW.0101", 404),
    ("APIGW.0103", 500),
    ("APIGW.0104", 500),
    ("APIGW.0105", 500),
    ("APIGW.0106", 400),
    ("APIGW.0201", 400),
    ("APIGW.0202", 502),
    ("APIGW.0203", 504),
    ("APIGW.0301", 401),
    ("APIGW.0302", 403),
    ("APIGW.0303", 401),
    ("APIGW.0304", 403),
    ("APIGW.0305", 401),
    ("APIGW.0306", 403),
    ("APIGW.0307", 401),
    ("APIGW.0308", 429),
    ("APIGW.0310", 403),
    ("APIGW.0401", 403),
    ("APIGW.0402", 403),
    ("APIGW.0404", 403),
    ("APIGW.0405", 403),
    ("APIGW.0501", 405),
    ("APIGW.0502", 405),
    ("APIGW.0601", 500),
    ("APIGW.0602", 400),
    ("APIGW.0605", 500),
    ("APIGW.0606", 500),
    ("APIGW.0607", 400),
    ("APIGW.0608", 500),
    ("APIGW.0610", 502),
    ("APIGW.0611", 500),
    ("APIGW.0613", 503),
    ("APIGW.0802", 403),
    // IAM.
    ("IAM.0011", 400),
    ("IAM.0072", 400),
    ("IAM.1100", 400),
    ("IAM.1101", 400),
    ("IAM.1102", 400),
    ("IAM.1103", 400),
    ("IAM.1108", 400),
    ("IAM.1109", 400),
    ("IAM.0001", 401),
    ("IAM.0061", 401),
    ("IAM.0062", 401),
    ("IAM.0063", 401),
    ("IAM.0064", 401),
    ("IAM.0066", 401),
    ("IAM.0067", 401),
    ("IAM.0002", 403),
    ("IAM.0003", 403),
    ("IAM.0080", 403),
    ("IAM.0012", 429),
    ("IAM.0006", 500),
];

/// The documented status of a code; the other cloud's gateway writes `APIG.` for `APIGW.`.
pub(super) fn status(code: &str) -> Option<u16> {
    let own = code
        .strip_prefix("APIG.")
        .map_or_else(|| code.to_owned(), |number| format!("APIGW.{number}"));
    DOCUMENTED_ERRORS
        .iter()
        .find(|(known, _)| *known == own)
        .map(|(_, status)| *status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_there_once_and_has_a_status_of_an_error() {
        let codes: std::collections::BTreeSet<_> =
            DOCUMENTED_ERRORS.iter().map(|(code, _)| code).collect();
        assert_eq!(codes.len(), DOCUMENTED_ERRORS.len());
        for (code, status) in DOCUMENTED_ERRORS {
            assert!((400..600).contains(&status), "{code}");
        }
    }

    #[test]
    fn the_other_clouds_gateway_has_the_same_statuses() {
        assert_eq!(status("APIG.0308"), Some(429));
        assert_eq!(status("APIGW.0308"), Some(429));
        assert_eq!(status("DBS.000000"), None);
    }
}
