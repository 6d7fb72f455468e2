//! The life of a token: never read from one time alone, and never from an end that lies before the beginning.

use std::time::Duration;

use serde_json::json;
use taurus_port_operator::cloud::wire;

use crate::look;

/// Checks a body.
pub fn check(input: &[u8]) -> bool {
    let body = look::body(input);
    let Some(life) = wire::token_life(&body) else {
        return false;
    };
    let Some(json) = look::json(&body) else {
        return true;
    };
    let token = &json["token"];
    let (issued, expires) = (&token["issued_at"], &token["expires_at"]);
    assert!(look::word(issued).is_some() && look::word(expires).is_some());
    let lived = |issued, expires| {
        wire::token_life(
            &json!({"token": {"issued_at": issued, "expires_at": expires}}).to_string(),
        )
    };
    assert_eq!(
        lived(issued, expires),
        Some(life),
        "only the two times matter"
    );
    let backwards = lived(expires, issued);
    assert!(
        backwards.is_none() || life == Duration::ZERO,
        "{issued} is before and after {expires}"
    );
    true
}
