//! JSON in and out of the admin API. Bodies are read whatever their content type, so that `curl -d` is enough.

use axum::body::Bytes;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::clock::NotStepped;
use crate::control::{ControlError, CredentialError};

/// An answer in JSON.
pub(super) struct Json<T>(pub(super) T);

/// A control that has nothing to say.
pub(super) fn done() -> Json<serde_json::Value> {
    Json(json!({}))
}

/// Reads a body.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::bad(format!("the body is not as it should be: {error}")))
}

/// Reads a body that may be absent.
pub(super) fn read_or_default<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Failure> {
    if body.is_empty() {
        Ok(T::default())
    } else {
        read(body)
    }
}

/// Why a control didn't work.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: String,
}

impl Failure {
    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: error.into(),
        }
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: error.into(),
        }
    }

    pub(super) fn method_not_allowed() -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            error: "this admin call takes another method".to_owned(),
        }
    }

    pub(super) fn forbidden() -> Self {
        let error = "the admin API answers callers on this machine only; --remote-admin opens it"
            .to_owned();
        Self {
            status: StatusCode::FORBIDDEN,
            error,
        }
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::JobEnded(_) => Self {
                status: StatusCode::CONFLICT,
                error: error.to_string(),
            },
            _ => Self::not_found(error.to_string()),
        }
    }
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self::not_found(error.to_string())
    }
}

impl From<NotStepped> for Failure {
    fn from(error: NotStepped) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            error: error.to_string(),
        }
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string_pretty(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body + "\n").into_response(),
            Err(error) => Failure {
                status: StatusCode::INTERNAL_SERVER_ERROR,
                error: error.to_string(),
            }
            .into_response(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.error}))).into_response()
    }
}
