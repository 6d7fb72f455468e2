//! Errors in the shapes of those who report them: the database service, the gateway, IAM.

use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::answer::Answer;
use crate::auth::{Denied, TOKEN_EXPIRED};
use crate::behaviour::Refusal;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    status: u16,
    code: String,
    message: String,
    /// The gateway's errors hold the request's id.
    by_gateway: bool,
}

impl Refused {
    /// By the database service; the code without its prefix.
    pub(super) fn dbs(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: format!("DBS.{code}"),
            message: message.into(),
            by_gateway: false,
        }
    }

    /// By the database service, with a code that was chosen.
    pub(super) fn chosen(refusal: &Refusal, message: impl Into<String>) -> Self {
        Self {
            status: refusal.status,
            code: refusal.code.clone(),
            message: message.into(),
            by_gateway: false,
        }
    }

    /// 400: something is missing or has a wrong form.
    pub(super) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::dbs(400, "200001", message)
    }

    /// By IAM; the code without its prefix.
    pub(super) fn iam(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: format!("IAM.{code}"),
            message: message.into(),
            by_gateway: false,
        }
    }

    /// By IAM: the caller was not recognised.
    pub(super) fn denied_by_iam(denied: &Denied) -> Self {
        let code = if denied.code == TOKEN_EXPIRED {
            "0066"
        } else {
            "0067"
        };
        Self::iam(401, code, &*denied.reason)
    }

    /// By the gateway: nobody published such an API.
    pub(crate) fn no_such_api() -> Self {
        Self::gateway(
            404,
            "APIGW.0101",
            "no API is published under this method and path",
        )
    }

    /// By the gateway: the body is larger than it takes.
    pub(crate) fn too_large() -> Self {
        Self::gateway(413, "APIGW.0201", "the request body is too large")
    }

    /// By the gateway: path and query are longer than it takes.
    pub(crate) fn too_long() -> Self {
        Self::gateway(414, "APIGW.0201", "the request URI is too long")
    }

    /// The same in Chinese, where the caller asked for it. One sentence serves for all: nobody is to read more out of a
    /// text than a person does.
    pub(super) fn in_language(mut self, headers: &HeaderMap) -> Self {
        if headers.get("x-language").map(HeaderValue::as_bytes) == Some(b"zh-cn") {
            self.message = format!("请求未能完成（{}）", self.code);
        }
        self
    }

    /// By the gateway: the caller was not recognised.
    pub(super) fn denied(denied: &Denied) -> Self {
        Self::gateway(
            401,
            denied.code,
            format!("IAM credential refused: {}", denied.reason),
        )
    }

    fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            by_gateway: true,
        }
    }

    pub(crate) fn answer(&self, request_id: &str) -> Answer {
        if !self.by_gateway {
            return Answer::error(self.status, &self.code, &self.message);
        }
        let body =
            json!({"error_code": self.code, "error_msg": self.message, "request_id": request_id});
        Answer::json(self.status, &body)
    }
}
