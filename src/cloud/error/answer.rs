//! From an answer that is an error to what it means.
//!
//! The code in the body decides, then the status. A page made for people comes from something between us and the service:
//! it says nothing about the credential, the instance or the proxy.

use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode, header};
use k8s_openapi::jiff::{Timestamp, fmt::rfc2822::DateTimeParser};

use super::{
    CloudError, Meaning, body,
    table::{Asked, by_code, by_status},
};
use crate::cloud::excerpt::excerpt;

/// No wait that the other side asks for is longer than this.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Signatures are good for 15 minutes ("API Request Signing Guide"); a clock that is off by about as much explains a refusal.
const SIGNATURE_TOLERANCE: Duration = Duration::from_mins(14);

/// What is said of a page made for people, and of an answer without a text.
const A_PAGE: &str = "the answer is an HTML or XML page: a web proxy, a firewall or a sign-in page may have answered instead of the cloud";
const EMPTY: &str = "the answer is empty";

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; what is no UTF-8 is replaced.
    pub body: String,
}

impl Answer {
    /// The cloud's own time, from the header `Date`.
    pub fn date(&self) -> Option<Timestamp> {
        date(&self.headers, &header::DATE)
    }

    /// Whether the body is a page made for people.
    pub fn is_page(&self) -> bool {
        let kind = self.headers.get(header::CONTENT_TYPE);
        kind.and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.contains("html"))
            || self.body.trim_start().starts_with('<')
    }

    /// What the answer, which is not the wanted one, means. `now` is the wall clock of this machine.
    pub fn error(&self, asked: Asked, now: Timestamp, secrets: &[&str]) -> CloudError {
        let said = body::read(&self.body);
        let known = said.code.as_deref().and_then(|code| by_code(code, asked));
        let own_words = said.text.as_deref().map(without_request);
        let meaning = match known.unwrap_or_else(|| self.meaning_without_code()) {
            // The gateway has one code for a key that is wrong and for one that is only locked.
            Meaning::Unauthenticated if own_words.is_some_and(tells_of_a_lock) => Meaning::Locked,
            meaning => meaning,
        };
        let code = said.code.map(|code| excerpt(&code, secrets));
        let asked_for = wait_asked_for(&self.headers, self.date().unwrap_or(now));
        let text = match own_words {
            Some(_) if self.is_page() => A_PAGE.to_owned(),
            Some(text) => excerpt(text, secrets),
            None => EMPTY.to_owned(),
        };
        let capped = asked_for.filter(|wait| *wait > LONGEST_WAIT);
        let text = capped.map_or(text.clone(), |wait| {
            let (wait, granted) = (wait.as_secs(), LONGEST_WAIT.as_secs());
            let said =
                format!("the cloud asks to wait {wait} s; the operator waits {granted} s: {text}");
            excerpt(&said, &[])
        });
        CloudError {
            meaning,
            code,
            status: Some(self.status.as_u16()),
            text,
            retry_after: asked_for.map(|wait| wait.min(LONGEST_WAIT)),
        }
    }

    /// An answer that could not be understood.
    pub fn malformed(&self, why: &str, secrets: &[&str]) -> CloudError {
        let shown: String = excerpt(&self.body, secrets).chars().take(200).collect();
        let shown = shown.trim_end();
        let (meaning, text) = if self.is_page() {
            (Meaning::Transient, A_PAGE.to_owned())
        } else if shown.is_empty() {
            (Meaning::Transient, EMPTY.to_owned())
        } else {
            (Meaning::Malformed, format!("{why}: {shown}"))
        };
        CloudError {
            meaning,
            code: None,
            status: Some(self.status.as_u16()),
            text,
            retry_after: None,
        }
    }

    fn meaning_without_code(&self) -> Meaning {
        match by_status(self.status.as_u16()) {
            meaning @ (Meaning::Busy | Meaning::Throttled) => meaning,
            _ if self.is_page() => Meaning::Transient,
            meaning => meaning,
        }
    }
}

/// What a text says before the gateway repeats the request in it as it was signed: that helps nobody, and hides what comes before it.
fn without_request(text: &str) -> &str {
    const MARKS: [&str; 2] = ["canonicalrequest", "canonical request"];
    let lower = text.to_ascii_lowercase();
    let begins = MARKS.iter().filter_map(|mark| lower.find(mark)).min();
    let words = begins.and_then(|begins| text.get(..begins));
    let words = words.map(|words| words.trim_end_matches([' ', ',', ';', ':', '|']));
    // Where nothing comes before it, that is all that there is.
    words.filter(|words| !words.is_empty()).unwrap_or(text)
}

/// Whether a refusal of a credential says that its key or user is locked for a while, and not that it is wrong. The gateway writes "AK access
/// failed to reach the limit,forbidden".
pub fn tells_of_a_lock(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let says = |word| text.contains(word);
    says("reach the limit") || says("locked") || says("fail") && says("forbidden")
}

/// A refusal of a signed request, seen with both clocks: where they differ too much, that is the reason.
pub fn explain_refusal(error: CloudError, cloud: Option<Timestamp>, now: Timestamp) -> CloudError {
    let Some(difference) = cloud.map(|cloud| now.duration_since(cloud)) else {
        return error;
    };
    if error.meaning != Meaning::Unauthenticated || difference.unsigned_abs() < SIGNATURE_TOLERANCE
    {
        return error;
    }
    let direction = if difference.is_negative() {
        "behind"
    } else {
        "ahead of"
    };
    let minutes = (difference.unsigned_abs().as_secs() + 30) / 60;
    CloudError {
        meaning: Meaning::ClockSkew,
        text: format!(
            "the operator's clock is {minutes} min {direction} the cloud's clock, and the cloud accepts 15 min at most"
        ),
        ..error
    }
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// `Retry-After` in seconds or as a date; junk is ignored.
fn wait_asked_for(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(headers, &header::RETRY_AFTER)?;
    Duration::try_from(until.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    fn now() -> Timestamp {
        "2026-03-02T08:40:00Z".parse().unwrap()
    }

    fn meaning(status: u16, body: &str) -> Meaning {
        answer(status, &[], body)
            .error(Asked::Read, now(), &[])
            .meaning
    }

    #[test]
    fn a_key_that_is_only_locked_is_not_called_wrong() {
        for (text, locked) in [
            (
                "Incorrect IAM authentication information: AK access failed to reach the limit,forbidden",
                true,
            ),
            (
                "The account is locked, and will be unlocked in 15 minutes.",
                true,
            ),
            (
                "Incorrect IAM authentication information: verify aksk signature fail",
                false,
            ),
            (
                "Incorrect IAM authentication information: a|canonicalRequest:GET|/v3/locked",
                false,
            ),
        ] {
            let expected = if locked {
                Meaning::Locked
            } else {
                Meaning::Unauthenticated
            };
            let body = serde_json::json!({"error_code": "APIGW.0301", "error_msg": text});
            assert_eq!(meaning(401, &body.to_string()), expected, "{text}");
        }
        // A right that is missing is not a lock.
        let denied = r#"{"error_code":"APIGW.0302","error_msg":"access is forbidden"}"#;
        assert_eq!(meaning(403, denied), Meaning::Denied);
    }

    #[test]
    fn the_request_that_the_gateway_repeats_is_not_shown() {
        let said = "Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|/v3/0483/instances/||\
                    host:taurusdb.example.com|x-sdk-date:20260302T084000Z";
        let body = serde_json::json!({"error_code": "APIGW.0301", "error_msg": said}).to_string();
        let error = answer(401, &[], &body).error(Asked::Read, now(), &[]);
        assert_eq!(
            error.text,
            "Incorrect IAM authentication information: verify aksk signature fail"
        );
    }

    #[test]
    fn the_code_goes_before_the_status() {
        let busy = r#"{"error_code":"DBS.201014","error_msg":"in another status"}"#;
        for status in [400, 403, 409, 500] {
            assert_eq!(meaning(status, busy), Meaning::Busy, "{status}");
        }
        assert_eq!(
            meaning(400, r#"{"error_code":"DBS.999999","error_msg":"?"}"#),
            Meaning::UnknownRefusal
        );
        assert_eq!(
            meaning(500, r#"{"error_code":"DBS.999999"}"#),
            Meaning::Transient
        );
    }

    #[test]
    fn a_page_made_for_people_says_nothing_about_credential_or_proxy() {
        for status in [302, 401, 403, 404, 502] {
            assert_eq!(
                meaning(status, "<html>sign in</html>"),
                Meaning::Transient,
                "{status}"
            );
        }
        assert_eq!(meaning(409, "<html/>"), Meaning::Busy);
        assert_eq!(meaning(429, "<html/>"), Meaning::Throttled);
        assert_eq!(meaning(409, ""), Meaning::Busy);
        let html = [("content-type", "text/html")];
        for (headers, body, said) in [
            (&[][..], "\0 \0", EMPTY),
            (&[], "", EMPTY),
            (&html, "welcome", A_PAGE),
            (&[], "<?xml version=\"1.0\"?>", A_PAGE),
        ] {
            let error = answer(200, headers, body).malformed("", &[]);
            assert_eq!(
                (error.meaning, &*error.text),
                (Meaning::Transient, said),
                "{body}"
            );
        }
        let refused = answer(502, &html, "welcome").error(Asked::Read, now(), &[]);
        assert_eq!(refused.text, A_PAGE);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_taken_in_seconds_or_as_a_date_and_capped() {
        for (value, wait) in [
            ("7", Some(7)),
            ("Mon, 02 Mar 2026 08:40:30 GMT", Some(30)),
            ("Mon, 02 Mar 2026 08:30:00 GMT", None),
            ("86400", Some(600)),
            ("99999999999999999999", None),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let error = answer(429, &[("retry-after", value)], "").error(Asked::Read, now(), &[]);
            assert_eq!(error.retry_after, wait.map(Duration::from_secs), "{value}");
            let said = match value {
                "86400" => {
                    "the cloud asks to wait 86400 s; the operator waits 600 s: the answer is empty"
                }
                _ => EMPTY,
            };
            if !value.starts_with("999") {
                assert_eq!(error.text, said, "{value}");
            }
        }
    }

    #[test]
    fn a_refusal_is_explained_by_the_clock_only_where_the_clock_is_off() {
        let refused = answer(401, &[], r#"{"error_code":"APIGW.0301","error_msg":"no"}"#).error(
            Asked::Read,
            now(),
            &[],
        );
        for (cloud, meaning) in [
            (Some("2026-03-02T08:35:00Z"), Meaning::Unauthenticated),
            (None, Meaning::Unauthenticated),
            (Some("2026-03-02T09:00:00Z"), Meaning::ClockSkew),
            (Some("2026-03-02T08:20:00Z"), Meaning::ClockSkew),
        ] {
            let cloud = cloud.map(|text| text.parse().unwrap());
            let error = explain_refusal(refused.clone(), cloud, now());
            assert_eq!(error.meaning, meaning, "{cloud:?}");
            if meaning == Meaning::ClockSkew {
                let says = error.text.starts_with("the operator's clock is 20 min ");
                assert!(says, "{error}");
            }
        }
    }
}
