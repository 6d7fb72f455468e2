//! Takes the secrets out of what the journal keeps.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use serde_json::Value;

use crate::Operation;
use crate::auth::reduced;

const MASK: &str = "***";
const SECRET_HEADERS: [&str; 6] = [
    "cookie",
    "proxy-authorization",
    "x-auth-token",
    "x-security-token",
    "x-subject-token",
    "x-metadata-token",
];
/// Fields of a sign-in whose values are secret. `id` is one below `token` or `id_token` only.
const SECRET_FIELDS: [&str; 6] = [
    "password",
    "passcode",
    "secret",
    "securitytoken",
    "secretAccessKey",
    "securityToken",
];
const TOKEN_FIELDS: [&str; 2] = ["token", "id_token"];

/// The headers of a request by their names; several values of one name are joined by commas.
pub(crate) fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match name.as_str() {
            "authorization" => reduced(&value),
            name if SECRET_HEADERS.contains(&name) => MASK.to_owned(),
            _ => value.into_owned(),
        };
        shown
            .entry(name.as_str().to_owned())
            .and_modify(|all: &mut String| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    shown
}

/// The body of a request or of its answer: as it is, but a sign-in, or what may be meant as one, without its secrets.
pub(crate) fn body(operation: Operation, bytes: &[u8]) -> String {
    if !operation.gives_credentials() && operation != Operation::Other {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut json) => {
            mask(&mut json, false);
            json.to_string()
        }
        Err(_) if bytes.is_empty() => String::new(),
        Err(_) => format!("{MASK} ({} bytes that are not JSON)", bytes.len()),
    }
}

fn mask(json: &mut Value, below_token: bool) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                let secret = SECRET_FIELDS.contains(&&**name) && !value.is_object();
                if secret || (below_token && name == "id") {
                    *value = MASK.into();
                } else {
                    mask(value, TOKEN_FIELDS.contains(&&**name));
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, below_token)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn headers_keep_their_words_and_lose_their_secrets() {
        let mut sent = HeaderMap::new();
        for (name, value) in [
            (
                "authorization",
                "SDK-HMAC-SHA256 Access=key, SignedHeaders=x-sdk-date, Signature=canary",
            ),
            ("x-auth-token", "canary"),
            ("x-security-token", "canary"),
            ("x-language", "en-us"),
        ] {
            sent.insert(name, HeaderValue::from_static(value));
        }
        sent.append("x-language", HeaderValue::from_static("zh-cn"));
        let shown = headers(&sent);
        assert_eq!(
            shown["authorization"],
            "SDK-HMAC-SHA256 Access=key, SignedHeaders=x-sdk-date"
        );
        assert_eq!(
            (&*shown["x-auth-token"], &*shown["x-language"]),
            (MASK, "en-us,zh-cn")
        );
        assert!(!format!("{shown:?}").contains("canary"));
    }

    #[test]
    fn a_sign_in_keeps_its_shape_and_loses_its_secrets() {
        let sent = br#"{"auth":{"identity":{"methods":["password"],"id_token":{"id":"canary"},"token":{"id":"canary"},
            "password":{"user":{"id":"u","name":"op","password":"canary","domain":{"name":"d"}}}}}}"#;
        let shown = body(Operation::Token, sent);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(
            shown.contains(r#""name":"op""#) && shown.contains(r#""id":"u""#),
            "{shown}"
        );
        assert_eq!(
            body(Operation::Token, b"password=canary"),
            "*** (15 bytes that are not JSON)"
        );
    }

    #[test]
    fn other_bodies_are_kept_to_the_byte() {
        assert_eq!(
            body(Operation::Change, b"{\"port\": 3307}\n"),
            "{\"port\": 3307}\n"
        );
    }
}
