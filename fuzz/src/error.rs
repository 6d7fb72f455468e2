//! Errors of the cloud: bounded and clean in every part, decided by the code, then by the status; a page made for people
//! never speaks of the credential or of the proxy.
//!
//! Input: a line with the status and, for a change, the word `change`; lines of headers; a blank line; the body.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use k8s_openapi::jiff::Timestamp;
use taurus_port_operator::cloud::{
    CloudError, Meaning,
    error::{
        answer::{Answer, explain_refusal, tells_of_a_lock},
        body,
        table::{Asked, by_code},
    },
};

use crate::{excerpt, look};

/// A secret of each kind, plain and in the forms in which it may be echoed.
const SECRETS: [&str; 5] = [
    "canary/of+one word",
    "canary%2Fof%2Bone%20word",
    "Y2FuYXJ5L29mK29uZSB3b3Jk",
    "CANARYACCESSKEY00001",
    "canary-token.0123456789",
];

/// The time of this machine, by which the seeds' dates are meant.
const NOW: &str = "2026-03-02T08:40:00Z";

const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Signed requests are good for a quarter of an hour; a difference that is clearly below explains no refusal.
const NO_EXPLANATION: Duration = Duration::from_mins(13);

/// Checks an answer.
pub fn check(input: &[u8]) -> bool {
    let (asked, answer) = parse(&look::body(input));
    let now: Timestamp = NOW.parse().expect("a time");
    let error = answer.error(asked, now, &SECRETS);
    check_texts(&error);
    assert_eq!(error.status, Some(answer.status.as_u16()));
    assert!(error.retry_after.is_none_or(|wait| wait <= LONGEST_WAIT));
    let said = body::read(&answer.body);
    let known = said.code.as_deref().and_then(|code| by_code(code, asked));
    let meaning = known.unwrap_or_else(|| without_code(&answer));
    // One code stands for a key that is wrong and for one that is only locked.
    let is_lock = meaning == Meaning::Unauthenticated && error.meaning == Meaning::Locked;
    assert!(error.meaning == meaning || is_lock, "{said:?}");
    assert!(!is_lock || said.text.as_deref().is_some_and(tells_of_a_lock));

    let explained = explain_refusal(error.clone(), answer.date(), now);
    check_texts(&explained);
    if explained.meaning == Meaning::ClockSkew {
        assert_eq!(error.meaning, Meaning::Unauthenticated);
        let date = answer.date().expect("a clock that is off has been seen");
        assert!(now.duration_since(date).unsigned_abs() > NO_EXPLANATION);
    } else {
        assert_eq!(explained, error);
    }

    let malformed = answer.malformed("it is odd", &SECRETS);
    check_texts(&malformed);
    assert!(matches!(
        malformed.meaning,
        Meaning::Malformed | Meaning::Transient
    ));
    known.is_some()
}

fn check_texts(error: &CloudError) {
    excerpt::assert_clean(&error.text);
    excerpt::assert_clean(error.code.as_deref().unwrap_or_default());
    let shown = format!("{error} {error:?}");
    for secret in SECRETS {
        assert!(!excerpt::is_leak(&shown, secret), "{secret} is in {shown}");
    }
}

/// What an answer without a known code means, from its status and whether a page is in it.
fn without_code(answer: &Answer) -> Meaning {
    let html = answer
        .headers
        .get("content-type")
        .is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("html")));
    let page = html || answer.body.trim_start().starts_with('<');
    match answer.status.as_u16() {
        409 => Meaning::Busy,
        429 => Meaning::Throttled,
        _ if page => Meaning::Transient,
        401 => Meaning::Unauthenticated,
        403 => Meaning::Denied,
        404 => Meaning::NotFound,
        400..=499 => Meaning::UnknownRefusal,
        200..=299 => Meaning::Malformed,
        _ => Meaning::Transient,
    }
}

fn parse(input: &str) -> (Asked, Answer) {
    let (head, body) = input.split_once("\n\n").unwrap_or((input, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (status, operation) = first.split_once(' ').unwrap_or((first, ""));
    let asked = if operation == "change" {
        Asked::Change
    } else {
        Asked::Read
    };
    let status = StatusCode::from_bytes(status.as_bytes()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    let body = body.to_owned();
    let answer = Answer {
        status,
        headers,
        body,
    };
    (asked, answer)
}
