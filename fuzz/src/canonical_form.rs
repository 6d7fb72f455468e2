//! Signatures, against a second signer that was written from the vendor's guide without a look at the first.
//!
//! Input: a line with method and path; lines `?name=value` and `name: value`; a blank line; the body.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use taurus_port_operator::cloud::auth::signer::{
    SignError, Signable, authorization, canonical_query, encoded_path,
};

const ACCESS_KEY: &str = "FUZZACCESSKEY0000001";
const SECRET_KEY: &str = "fuzz-secret-key";
const DATE: &str = "x-sdk-date";

/// A request, taken from the input.
#[derive(Debug, Default)]
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    query: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

/// Checks a request.
pub fn check(input: &[u8]) -> bool {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((input, &[][..]), |end| {
        let (head, rest) = input.split_at(end);
        (head, rest.get(2..).unwrap_or_default())
    });
    let Ok(head) = std::str::from_utf8(head) else {
        return false;
    };
    let mut request = parse(head, body);
    check_encodings(&request);
    let signed = sign(&request);
    if !request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case(DATE))
    {
        assert_eq!(signed, Err(SignError::NoDate));
        return false;
    }
    assert_eq!(signed, Ok(second_signer(&request)), "{request:?}");
    request.query.reverse();
    request.headers.reverse();
    assert_eq!(signed, sign(&request), "the order does not matter");
    let longer = [request.body, b"x"].concat();
    let other = sign(&Request {
        body: &longer,
        ..request
    });
    assert_ne!(signed, other, "the body is signed");
    true
}

fn sign(request: &Request<'_>) -> Result<String, SignError> {
    let signable = Signable {
        method: request.method,
        path: request.path,
        query: &request.query,
        headers: &request.headers,
        body: request.body,
    };
    authorization(&signable, ACCESS_KEY, &SecretString::from(SECRET_KEY))
}

/// What is sent leads back to what was meant, whoever decodes it.
fn check_encodings(request: &Request<'_>) {
    let sent = encoded_path(request.path);
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~%".contains(&byte);
    assert!(sent.bytes().all(harmless), "{sent}");
    assert_eq!(decoded(&sent), request.path.as_bytes());
    let sent = canonical_query(&request.query);
    let mut pairs = request.query.clone();
    pairs.sort_unstable();
    let read: Vec<_> = url::form_urlencoded::parse(sent.as_bytes()).collect();
    let read: Vec<_> = read
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    assert_eq!(read, pairs, "{sent}");
}

/// The guide, word by word.
fn second_signer(request: &Request<'_>) -> String {
    let mut headers: Vec<(String, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let mut canonical = format!("{}\n{}", request.method, escaped(request.path, true));
    if !request.path.ends_with('/') {
        canonical += "/";
    }
    canonical += "\n";
    let mut pairs = request.query.clone();
    pairs.sort_by(|one, other| one.0.cmp(other.0).then(one.1.cmp(other.1)));
    for (number, (name, value)) in pairs.iter().enumerate() {
        canonical += if number == 0 { "" } else { "&" };
        canonical += &escaped(name, false);
        canonical += "=";
        canonical += &escaped(value, false);
    }
    canonical += "\n";
    for (name, value) in &headers {
        canonical += name;
        canonical += ":";
        canonical += value;
        canonical += "\n";
    }
    canonical += "\n";
    canonical += &names;
    canonical += "\n";
    canonical += &hex(&Sha256::digest(request.body));
    let date = headers.iter().find(|(name, _)| name == DATE);
    let date = date.map(|(_, value)| *value).unwrap_or_default();
    let digest = hex(&Sha256::digest(canonical));
    let to_sign = format!("SDK-HMAC-SHA256\n{date}\n{digest}");
    let mut code = Hmac::<Sha256>::new_from_slice(SECRET_KEY.as_bytes()).expect("any key is taken");
    code.update(to_sign.as_bytes());
    let signature = hex(&code.finalize().into_bytes());
    format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={names}, Signature={signature}")
}

fn escaped(text: &str, is_path: bool) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            b'/' if is_path => escaped.push('/'),
            _ => write!(escaped, "%{byte:02X}").expect("a text takes everything"),
        }
    }
    escaped
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits: String = bytes.by_ref().take(2).map(char::from).collect();
            decoded.push(u8::from_str_radix(&digits, 16).expect("two digits follow"));
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn parse<'a>(head: &'a str, body: &'a [u8]) -> Request<'a> {
    let mut lines = head.split('\n');
    let first = lines.next().unwrap_or_default();
    let (method, path) = first.split_once(' ').unwrap_or(("GET", first));
    let mut request = Request {
        method,
        path,
        body,
        ..Request::default()
    };
    for line in lines {
        if let Some(pair) = line.strip_prefix('?') {
            let pair = pair.split_once('=').unwrap_or((pair, ""));
            request.query.push(pair);
        } else if let Some((name, value)) = line.split_once(": ") {
            // A name that comes twice is no request that anybody makes; which one counts is not documented.
            let known = |(other, _): &(&str, &str)| other.eq_ignore_ascii_case(name);
            if !request.headers.iter().any(known) {
                request.headers.push((name, value));
            }
        }
    }
    request
}
