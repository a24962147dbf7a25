//! Problem documents (RFC 9457): the one shape of every error answer.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

/// An error answer. `code` is stable snake_case; `title` follows from `status`.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub field: String,
    pub code: &'static str,
    pub message: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            errors: Vec::new(),
        }
    }

    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the answer: `application/problem+json`, `Cache-Control: no-store`; other fields are the caller's to add.
    pub fn into_response(self) -> Response<Bytes> {
        let body = serde_json::to_vec(&self).expect("strings and numbers always serialise");
        Response::builder()
            .status(self.status)
            .header(http::header::CONTENT_TYPE, "application/problem+json")
            .header(http::header::CACHE_CONTROL, "no-store")
            .body(Bytes::from(body))
            .expect("status and fields are constants")
    }
}
