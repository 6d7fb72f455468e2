//! Answers with temporary keys, in the forms of those who give them.

use super::*;

const HOUR: Duration = Duration::from_hours(1);

/// An answer of eight o'clock by the clock of who gives it.
fn answer(body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    let date = HeaderValue::from_static("Mon, 02 Mar 2026 08:00:00 GMT");
    headers.insert(header::DATE, date);
    Answer {
        status: StatusCode::OK,
        headers,
        body: body.to_owned(),
    }
}

/// By this machine's clock, which is wrong.
fn wall() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

#[test]
fn keys_are_read_as_iam_the_metadata_service_and_pod_identity_write_them() {
    for body in [
        r#"{"credential": {"access": "AK", "secret": "CANARY", "securitytoken": "ST",
            "expires_at": "2026-03-02T09:00:00.000000Z"}}"#,
        r#"{"credentials": {"accessKeyId": "AK", "secretAccessKey": "CANARY", "securityToken": "ST",
            "expiration": "2026-03-02T09:00:00Z"}, "audience": "service.cce.pods"}"#,
    ] {
        let (granted, life) = keys(&answer(body), wall()).unwrap();
        assert_eq!(life, HOUR);
        assert!(!format!("{granted:?}").contains("CANARY"));
        let secrets: Vec<&str> = granted
            .secrets()
            .into_iter()
            .map(SecretString::expose_secret)
            .collect();
        assert_eq!(secrets, ["AK", "CANARY", "ST"]);
    }
}

#[test]
fn keys_that_have_ended_have_no_life_and_who_tells_no_time_is_judged_by_our_clock() {
    let body = r#"{"credential": {"access": "AK", "secret": "SK", "securitytoken": "ST", "expires_at": "2026-03-02T13:00:00Z"}}"#;
    let without_date = Answer {
        headers: HeaderMap::new(),
        ..answer(body)
    };
    assert_eq!(keys(&without_date, wall()).unwrap().1, HOUR);
    let ended = body.replace("T13", "T07");
    assert_eq!(keys(&answer(&ended), wall()).unwrap().1, Duration::ZERO);
}

#[test]
fn what_holds_no_keys_is_malformed_and_is_not_shown() {
    for body in [
        "",
        "<html>CANARY</html>",
        r#"{"credential": null}"#,
        r#"{"credential": {"access": "AK", "secret": "CANARY"}}"#,
        r#"{"credential": {"access": "AK", "secret": "CANARY", "securitytoken": "ST", "expires_at": "soon"}}"#,
    ] {
        let error = keys(&answer(body), wall()).unwrap_err();
        assert_eq!(error.meaning, Meaning::Malformed, "{body}");
        assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    }
}

#[test]
fn only_a_refusal_counts_as_one() {
    for (status, meaning) in [
        (401, Meaning::Unauthenticated),
        (404, Meaning::Unauthenticated),
        (500, Meaning::Transient),
        (503, Meaning::Transient),
    ] {
        let refused = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            ..answer("CANARY")
        };
        let error = no_keys(&refused, "do this");
        assert_eq!((error.meaning, error.status), (meaning, None));
        assert!(error.text.contains("do this") && !error.text.contains("CANARY"));
    }
}
