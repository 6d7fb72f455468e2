//! Signatures with `SDK-HMAC-SHA256`, after the vendor's "API Request Signing Guide".
//!
//! Pure: the date is an argument. Promises that what is signed is what the service computes: path segments and query
//! are encoded once, headers are sorted, and the path is closed with a slash for signing only.

use hmac::{Hmac, KeyInit as _, Mac as _};
use k8s_openapi::jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// The name of the algorithm, as it stands in the header.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// All that is encoded in paths and queries: everything but letters, digits and `-_.~`.
pub const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A request as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Signable<'a> {
    /// Method, in capitals.
    pub method: &'a str,
    /// Path, not encoded, beginning with a slash.
    pub path: &'a str,
    /// Query, not encoded, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers that are signed, `x-sdk-date` among them; names in any case, in any order.
    pub headers: &'a [(&'a str, &'a str)],
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Why a request can't be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// `x-sdk-date` is not among the headers.
    #[error("a request without x-sdk-date can't be signed")]
    NoDate,
    /// The secret key is not one that the algorithm takes.
    #[error("the secret key can't be used for signing")]
    Key,
}

/// The value of `X-Sdk-Date`: `YYYYMMDDTHHMMSSZ`, UTC. The service allows 15 minutes of difference.
pub fn date(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The value of the header `Authorization`.
pub fn authorization(
    request: &Signable<'_>,
    access_key: &str,
    secret_key: &SecretString,
) -> Result<String, SignError> {
    let headers = canonical_headers(request.headers);
    let date = headers
        .iter()
        .find(|(name, _)| name == "x-sdk-date")
        .ok_or(SignError::NoDate)?;
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let canonical = canonical_request(request, &headers, &names);
    let text = format!(
        "{ALGORITHM}\n{}\n{}",
        date.1,
        hex(&Sha256::digest(canonical))
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret_key.expose_secret().as_bytes())
        .map_err(|_| SignError::Key)?;
    mac.update(text.as_bytes());
    let signature = hex(&mac.finalize().into_bytes());
    Ok(format!(
        "{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
    ))
}

/// The query as it is signed and sent: sorted by name, then by value, each encoded.
pub fn canonical_query(query: &[(&str, &str)]) -> String {
    let mut sorted = query.to_vec();
    sorted.sort_unstable();
    let pairs: Vec<String> = sorted
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.join("&")
}

/// A path as it is sent: each segment encoded.
pub fn encoded_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

fn canonical_request(request: &Signable<'_>, headers: &[(String, String)], names: &str) -> String {
    let mut path = encoded_path(request.path);
    if !path.ends_with('/') {
        path.push('/');
    }
    let mut lines = String::new();
    for (name, value) in headers {
        lines.extend([name.as_str(), ":", value.as_str(), "\n"]);
    }
    let body = hex(&Sha256::digest(request.body));
    let query = canonical_query(request.query);
    format!(
        "{}\n{path}\n{query}\n{lines}\n{names}\n{body}",
        request.method
    )
}

fn canonical_headers(headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut sorted: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    sorted.sort_unstable();
    sorted
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: (&str, &str) = ("X-Sdk-Date", "20060102T150405Z");

    fn sign(request: &Signable<'_>) -> Result<String, SignError> {
        authorization(request, "AccessKey", &SecretString::from("SecretKey"))
    }

    #[test]
    fn the_public_vector_of_a_get_is_met() {
        let request = Signable {
            method: "GET",
            path: "/path",
            query: &[("limit", "1")],
            headers: &[DATE],
            body: b"",
        };
        assert_eq!(
            sign(&request).unwrap(),
            "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=x-sdk-date, \
             Signature=5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624"
        );
    }

    #[test]
    fn the_public_vector_of_a_post_is_met() {
        let request = Signable {
            method: "POST",
            path: "/path",
            query: &[("key", "value")],
            headers: &[DATE],
            body: b"{\"Name\":\"test\",\"Id\":1}\n",
        };
        let header = sign(&request).unwrap();
        let signature = "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59";
        assert!(header.ends_with(signature), "{header}");
    }

    #[test]
    fn the_public_vector_of_a_query_is_met() {
        let query = [
            ("test", "\u{4e00} (&=?!#%.*)"),
            ("path", "/tmp/123"),
            ("multi", "3"),
            ("multi", "1"),
            ("multi", "2"),
            ("limit", "1"),
            ("enable", "true"),
        ];
        assert_eq!(
            canonical_query(&query),
            "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123\
             &test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
        );
    }

    #[test]
    fn odd_ids_stay_within_their_segment() {
        assert_eq!(
            encoded_path("/v3/a b/x%2F..y+z="),
            "/v3/a%20b/x%252F..y%2Bz%3D"
        );
    }

    #[test]
    fn header_order_and_case_do_not_matter_and_the_date_must_be_signed() {
        let with = |headers: &[(&str, &str)]| {
            sign(&Signable {
                method: "GET",
                path: "/",
                query: &[],
                headers,
                body: b"",
            })
        };
        let one = with(&[("Host", "example.test"), DATE]).unwrap();
        let other = with(&[
            ("x-sdk-date", " 20060102T150405Z "),
            ("host", "example.test"),
        ])
        .unwrap();
        assert_eq!(one, other);
        assert!(one.contains("SignedHeaders=host;x-sdk-date,"));
        assert_eq!(with(&[("host", "example.test")]), Err(SignError::NoDate));
    }

    #[test]
    fn the_date_is_written_as_the_service_reads_it() {
        assert_eq!(
            date("2006-01-02T15:04:05Z".parse().unwrap()),
            "20060102T150405Z"
        );
    }
}
