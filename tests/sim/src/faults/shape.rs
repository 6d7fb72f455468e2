//! The shapes in which errors are met: those of the service, its gateway and IAM, those that the vendor's own clients
//! know how to read, and what stands between.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Answer;

/// The shape of an error's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// `{"error_code", "error_msg"}`: the database service, and IAM.
    #[default]
    Service,
    /// As the service's, with `request_id`: the gateway.
    Gateway,
    /// `{"error": {"code": 503, "title", "message"}}` with the HTTP status for a code: Keystone, by which IAM is modelled.
    Keystone,
    /// `{"error": {"error_code", "error_msg"}}`
    Nested,
    /// `{"code", "message"}`
    CodeMessage,
    /// `{"errorCode", "errorMsg"}`
    CamelCase,
    /// `{"errCode", "externalMessage"}`
    ErrCode,
    /// `{"message": "..."}`, and the text is JSON in the service's shape.
    JsonInMessage,
    /// An array with one error in the service's shape.
    Array,
    /// A page, as proxies and portals send it; no code.
    Html,
    /// A line of plain text; no code.
    Text,
    /// No body.
    Empty,
}

impl ErrorShape {
    /// All shapes, for tests that hold for each.
    pub const ALL: [Self; 12] = [
        Self::Service,
        Self::Gateway,
        Self::Keystone,
        Self::Nested,
        Self::CodeMessage,
        Self::CamelCase,
        Self::ErrCode,
        Self::JsonInMessage,
        Self::Array,
        Self::Html,
        Self::Text,
        Self::Empty,
    ];

    /// The shape in which whom a code belongs to reports it.
    pub(super) fn of(code: &str) -> Self {
        if code.starts_with("APIG") {
            Self::Gateway
        } else {
            Self::Service
        }
    }

    /// An error in this shape.
    pub fn answer(self, status: u16, code: &str, message: &str, request_id: &str) -> Answer {
        let service = json!({"error_code": code, "error_msg": message});
        let body = match self {
            Self::Service => service,
            Self::Gateway => {
                json!({"error_code": code, "error_msg": message, "request_id": request_id})
            }
            Self::Keystone => {
                json!({"error": {"code": status, "title": title(status), "message": message}})
            }
            Self::Nested => json!({"error": service}),
            Self::CodeMessage => json!({"code": code, "message": message}),
            Self::CamelCase => json!({"errorCode": code, "errorMsg": message}),
            Self::ErrCode => json!({"errCode": code, "externalMessage": message}),
            Self::JsonInMessage => json!({"message": service.to_string()}),
            Self::Array => json!([service]),
            Self::Html => {
                let title = title(status);
                let page = format!(
                    "<html><head><title>{status} {title}</title></head><body><h1>{title}</h1></body></html>\n"
                );
                return Answer::html(status, page);
            }
            Self::Text => {
                return Answer::new(status, format!("{}\n", title(status)))
                    .header("Content-Type", "text/plain");
            }
            Self::Empty => return Answer::new(status, ""),
        };
        Answer::json(status, &body)
    }
}

/// What HTTP calls this status.
fn title(status: u16) -> String {
    axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Error")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_its_body() {
        let body = |shape: ErrorShape| shape.answer(503, "DBS.108000", "down", "r1").body;
        for (shape, expected) in [
            (
                ErrorShape::Service,
                r#"{"error_code":"DBS.108000","error_msg":"down"}"#,
            ),
            (
                ErrorShape::Gateway,
                r#"{"error_code":"DBS.108000","error_msg":"down","request_id":"r1"}"#,
            ),
            (
                ErrorShape::Keystone,
                r#"{"error":{"code":503,"message":"down","title":"Service Unavailable"}}"#,
            ),
            (
                ErrorShape::Nested,
                r#"{"error":{"error_code":"DBS.108000","error_msg":"down"}}"#,
            ),
            (
                ErrorShape::CodeMessage,
                r#"{"code":"DBS.108000","message":"down"}"#,
            ),
            (
                ErrorShape::CamelCase,
                r#"{"errorCode":"DBS.108000","errorMsg":"down"}"#,
            ),
            (
                ErrorShape::ErrCode,
                r#"{"errCode":"DBS.108000","externalMessage":"down"}"#,
            ),
            (
                ErrorShape::JsonInMessage,
                r#"{"message":"{\"error_code\":\"DBS.108000\",\"error_msg\":\"down\"}"}"#,
            ),
            (
                ErrorShape::Array,
                r#"[{"error_code":"DBS.108000","error_msg":"down"}]"#,
            ),
            (ErrorShape::Text, "Service Unavailable\n"),
            (ErrorShape::Empty, ""),
        ] {
            assert_eq!(body(shape), expected);
        }
        assert!(body(ErrorShape::Html).starts_with("<html>"));
    }
}
