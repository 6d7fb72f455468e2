//! Code and text of an error body, whatever its shape.
//!
//! The service, its gateway, IAM and what stands between them write errors in a dozen shapes. What can't be read is no
//! fault: then the HTTP status decides.

use serde_json::{Map, Value};

/// Names under which a code is found, the service's own first.
const CODE_NAMES: [&str; 4] = ["error_code", "errorCode", "errCode", "code"];

/// Names under which a text is found.
const TEXT_NAMES: [&str; 7] = [
    "error_msg",
    "errorMsg",
    "externalMessage",
    "message",
    "msg",
    "title",
    "error_description",
];

/// How deep errors are looked for within each other.
const DEEPEST: usize = 4;

/// What an error body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The code, such as `DBS.200019`.
    pub code: Option<String>,
    /// The text, not yet cleaned.
    pub text: Option<String>,
}

/// Reads a body; never fails.
pub fn read(body: &str) -> Said {
    let value = serde_json::from_str::<Value>(body).unwrap_or_default();
    let said = find(&value, DEEPEST);
    let whole = || match value {
        Value::String(text) => Some(text),
        _ => Some(body.to_owned()).filter(|body| !body.trim().is_empty()),
    };
    Said {
        text: said.text.or_else(whole),
        code: said.code,
    }
}

/// The first code with its text, the outer before the inner; where there is none, the first text.
fn find(value: &Value, depth: usize) -> Said {
    match value {
        Value::Object(fields) => {
            let said = said_by(fields);
            if said.code.is_some() || depth == 0 {
                return said;
            }
            let inner: Vec<Said> = fields
                .values()
                .map(|inner| find(inner, depth - 1))
                .collect();
            let with_code = inner.iter().find(|inner| inner.code.is_some());
            let with_text = inner.iter().find(|inner| inner.text.is_some());
            let own_is_plain = said.text.as_deref().is_some_and(|text| !is_json(text));
            match (with_code, with_text) {
                (Some(inner), _) => inner.clone(),
                (None, Some(inner)) if !own_is_plain => inner.clone(),
                _ => said,
            }
        }
        Value::Array(items) if depth > 0 => items
            .first()
            .map(|item| find(item, depth - 1))
            .unwrap_or_default(),
        // Some gateways wrap the whole answer of the service as text.
        Value::String(text) if depth > 0 && is_json(text) => serde_json::from_str(text)
            .map(|inner: Value| find(&inner, depth - 1))
            .unwrap_or_default(),
        _ => Said::default(),
    }
}

fn said_by(fields: &Map<String, Value>) -> Said {
    let code = CODE_NAMES
        .iter()
        .filter_map(|name| fields.get(*name))
        .find_map(code);
    let text = TEXT_NAMES
        .iter()
        .filter_map(|name| fields.get(*name)?.as_str())
        .find(|text| !text.is_empty());
    Said {
        code,
        text: text.map(str::to_owned),
    }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

/// A code is text with a dot in it; a bare number is the HTTP status once more.
fn code(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (text.contains('.') && text.len() <= 40 && !text.contains(char::is_whitespace))
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_shape_seen_in_the_field_is_read() {
        for body in [
            r#"{"error_code":"DBS.200019","error_msg":"busy"}"#,
            r#"{"errorCode":"DBS.200019","errorMsg":"busy"}"#,
            r#"{"errCode":"DBS.200019","externalMessage":"busy"}"#,
            r#"{"code":"DBS.200019","message":"busy"}"#,
            r#"{"error":{"code":"DBS.200019","message":"busy","title":"Conflict"}}"#,
            r#"{"error":{"error_code":"DBS.200019","error_msg":"busy"},"request_id":"1"}"#,
            r#"{"message":"{\"error_code\":\"DBS.200019\",\"error_msg\":\"busy\"}"}"#,
            r#"[{"error_code":"DBS.200019","error_msg":"busy"}]"#,
        ] {
            let said = read(body);
            assert_eq!(said.code.as_deref(), Some("DBS.200019"), "{body}");
            assert_eq!(said.text.as_deref(), Some("busy"), "{body}");
        }
    }

    #[test]
    fn what_has_no_code_keeps_its_text() {
        let keystone = r#"{"error":{"code":401,"title":"Unauthorized","message":"wrong"}}"#;
        for body in ["<html>no</html>", "plain", keystone, "[]", r#""text""#] {
            let said = read(body);
            assert_eq!(said.code, None, "{body}");
            assert!(said.text.is_some(), "{body}");
        }
        assert_eq!(read(" \n"), Said::default());
    }

    proptest! {
        #[test]
        fn no_body_breaks_it(body in ".{0,300}") {
            read(&body);
        }
    }
}
