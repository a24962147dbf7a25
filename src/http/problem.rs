//! Problem documents (RFC 9457): the one shape of every error answer.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

/// An error answer. `code` is stable and in `snake_case`; `title` follows from `status`.
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

/// The code of a refusal, as an extension of its answer: for the access line, which does not read bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalCode(pub &'static str);

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

    #[must_use]
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
            .extension(RefusalCode(self.code))
            .body(Bytes::from(body))
            .expect("status and fields are constants")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_its_status_twice_and_its_code_once() {
        let errors = vec![FieldError { field: "email".into(), code: "invalid_email", message: "no domain".into() }];
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "one field").with_errors(errors);
        let answer = problem.into_response();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(body["status"], 422);
        assert_eq!((&body["type"], &body["title"]), (&"about:blank".into(), &"Unprocessable Entity".into()));
        assert_eq!((&body["code"], &body["errors"][0]["code"]), (&"invalid_fields".into(), &"invalid_email".into()));
    }

    #[test]
    fn a_problem_without_fields_lists_none() {
        let answer = Problem::new(StatusCode::NOT_FOUND, "no_route", "nothing here").into_response();
        assert!(!String::from_utf8_lossy(answer.body()).contains("errors"));
    }
}
