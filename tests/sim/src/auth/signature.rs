//! `SDK-HMAC-SHA256` by the vendor's "API Request Signing Guide", seen from the other side.
//!
//! Promises to verify whatever list of signed headers the request names, as long as `x-sdk-date` is in it.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::text;

const ALGORITHM: &str = "SDK-HMAC-SHA256";
const X_SDK_DATE: &str = "x-sdk-date";
const X_SDK_CONTENT_SHA256: &str = "x-sdk-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const NEVER_ECHOED: [&str; 2] = ["x-security-token", "x-auth-token"];

/// Letters, digits and `-_.~` stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The parts of a request that a signature covers, as they came over the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// The `Authorization` header, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) access_key: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Claim {
    pub(super) fn parse(authorization: &str) -> Option<Self> {
        let mut claim = Self {
            access_key: String::new(),
            signed_headers: Vec::new(),
            signature: String::new(),
        };
        for part in authorization
            .strip_prefix(ALGORITHM)?
            .strip_prefix(' ')?
            .split(',')
        {
            match part.trim().split_once('=')? {
                ("Access", key) => key.clone_into(&mut claim.access_key),
                ("SignedHeaders", names) => {
                    claim.signed_headers = names.split(';').map(str::to_lowercase).collect();
                }
                ("Signature", signature) => signature.clone_into(&mut claim.signature),
                _ => return None,
            }
        }
        claim.signed_headers.sort_unstable();
        let complete = !claim.access_key.is_empty() && !claim.signature.is_empty();
        complete.then_some(claim)
    }
}

/// Why a signature is not what the key would have made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("{X_SDK_DATE} has to be among the signed headers")]
    DateNotSigned,
    #[error("the signed header {0} was not sent")]
    HeaderMissing(String),
    #[error("{X_SDK_CONTENT_SHA256} is not the hash of the body")]
    WrongBodyHash,
    #[error("the signature does not match this request as it was received: {0}")]
    Different(String),
}

impl Signed<'_> {
    /// Checks the claimed signature against what the secret key makes of the request.
    pub(super) fn verify(&self, claim: &Claim, secret: &str) -> Result<(), Mismatch> {
        if !claim.signed_headers.iter().any(|name| name == X_SDK_DATE) {
            return Err(Mismatch::DateNotSigned);
        }
        let date = text(self.headers, X_SDK_DATE)
            .ok_or_else(|| Mismatch::HeaderMissing(X_SDK_DATE.to_owned()))?;
        let canonical = self.canonical_request(&claim.signed_headers, |_, value| value)?;
        let to_sign = format!("{ALGORITHM}\n{date}\n{}", hex(&Sha256::digest(canonical)));
        if signature(secret, &to_sign) == claim.signature {
            return Ok(());
        }
        let hidden = |name: &str, value| {
            if NEVER_ECHOED.contains(&name) {
                "***".to_owned()
            } else {
                value
            }
        };
        Err(Mismatch::Different(
            self.canonical_request(&claim.signed_headers, hidden)?
                .replace('\n', "|"),
        ))
    }

    /// The six parts of the canonical request; `shown` may put something else for a header's value.
    fn canonical_request(
        &self,
        signed_headers: &[String],
        shown: impl Fn(&str, String) -> String,
    ) -> Result<String, Mismatch> {
        let mut headers = String::new();
        for name in signed_headers {
            let values: Vec<&str> = self
                .headers
                .get_all(name)
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect();
            if values.is_empty() {
                return Err(Mismatch::HeaderMissing(name.clone()));
            }
            let value = values
                .iter()
                .map(|value| value.trim())
                .collect::<Vec<_>>()
                .join(",");
            let _ = writeln!(headers, "{name}:{}", shown(name, value)); // a String takes everything
        }
        Ok([
            self.method,
            &canonical_path(self.path),
            &canonical_query(self.query),
            &headers,
            &signed_headers.join(";"),
            &self.body_hash()?,
        ]
        .join("\n"))
    }

    fn body_hash(&self) -> Result<String, Mismatch> {
        let actual = hex(&Sha256::digest(self.body));
        match text(self.headers, X_SDK_CONTENT_SHA256) {
            None => Ok(actual),
            Some(claimed) if claimed == UNSIGNED || claimed == actual => Ok(claimed.to_owned()),
            Some(_) => Err(Mismatch::WrongBodyHash),
        }
    }
}

/// An `Authorization` header without its secret part, for the journal.
pub(crate) fn reduced(authorization: &str) -> String {
    match Claim::parse(authorization) {
        Some(claim) => {
            format!(
                "{ALGORITHM} Access={}, SignedHeaders={}",
                claim.access_key,
                claim.signed_headers.join(";")
            )
        }
        // Without a scheme, all of it is secret.
        None => match authorization.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} ***"),
            None => "***".to_owned(),
        },
    }
}

fn canonical_path(path: &str) -> String {
    let mut canonical = path
        .split('/')
        .map(encoded_again)
        .collect::<Vec<_>>()
        .join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query_pairs(query).collect();
    pairs.sort_unstable();
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    pairs
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// The decoded keys and values of a query, in its order.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    let decode = |text: &str| {
        percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(move |pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
}

fn encoded_again(segment: &str) -> String {
    utf8_percent_encode(&percent_decode_str(segment).decode_utf8_lossy(), ENCODED).to_string()
}

fn signature(secret: &str, to_sign: &str) -> String {
    // HMAC takes keys of every length, so there is always a code.
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map(|mut code| {
            code.update(to_sign.as_bytes());
            hex(&code.finalize().into_bytes())
        })
        .unwrap_or_default()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests;
