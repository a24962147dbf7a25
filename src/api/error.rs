//! The one place that turns a refusal of our endpoints into a response.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::answer::Reply;
use super::routes::Resource;
use super::{answer, shape};
use crate::account::AccountError;
use crate::http::answers::{Answers, Shape};
use crate::http::problem::{FieldError, Problem, RefusalCode};

/// When the store or the hashers should be tried again.
const SOON: Duration = Duration::from_secs(1);

/// Why a request is not answered as asked.
#[derive(Debug)]
pub enum Refusal {
    Account(AccountError),
    NotFound,
    OtherMethods(&'static Resource),
    /// The body is not what its type says; where.
    Malformed(String),
    BadFields(Vec<FieldError>),
    NotJson,
    NoCredential,
    BadCredential,
    /// Two credentials, of which two readers could take either.
    AmbiguousCredential,
    /// The token endpoint is asked in a way that it does not know.
    UnsupportedGrant,
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        Self::Account(error)
    }
}

/// What a refusal says, before it is put into one of two shapes.
struct Verdict {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Verdict {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), header: None }
    }

    fn challenge(self, challenge: &'static str) -> Self {
        Self { header: Some((WWW_AUTHENTICATE, HeaderValue::from_static(challenge))), ..self }
    }

    /// Whole seconds, rounded up, at least one (RFC 9110 section 10.2.3).
    fn retry_after(self, wait: Duration) -> Self {
        let secs = wait.as_millis().div_ceil(1000).max(1);
        Self { header: HeaderValue::from_str(&secs.to_string()).ok().map(|value| (RETRY_AFTER, value)), ..self }
    }

    fn allow(self, resource: &Resource) -> Self {
        Self { header: HeaderValue::from_str(&resource.allow()).ok().map(|value| (ALLOW, value)), ..self }
    }

    fn errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// Returns the envelope, which has one text for everything.
    fn envelope(&self) -> Response<Bytes> {
        let faults: Vec<String> =
            self.errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
        let message = if faults.is_empty() { self.detail.clone() } else { faults.join("; ") };
        let headers = self.header.iter().map(|(name, value)| (name, value)).collect();
        let mut response = shape::json_response(&shape::envelope(self.status, headers, ("message", json!(message))));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(RefusalCode(self.code));
        response
    }
}

impl Refusal {
    /// Returns the answer of `endpoint`: a problem document (RFC 9457) or an envelope, in the words that are configured.
    pub fn into_response(self, endpoint: &str, answers: &Answers) -> Response<Bytes> {
        let mut verdict = judge(self);
        let (status, message) = answers.words(endpoint, verdict.code);
        if let Some(message) = message {
            message.clone_into(&mut verdict.detail);
        }
        if let Some(status) = status {
            verdict.status = status;
            // Only 401 asks for a credential (RFC 9110 section 15.5.2).
            let keeps = |name: &HeaderName| status == StatusCode::UNAUTHORIZED || *name != WWW_AUTHENTICATE;
            verdict.header = verdict.header.filter(|(name, _)| keeps(name));
        }
        let mut response = match answers.shape {
            Shape::Plain => {
                Problem::new(verdict.status, verdict.code, verdict.detail).with_errors(verdict.errors).into_response()
            }
            Shape::Envelope => verdict.envelope(),
        };
        response.headers_mut().extend(verdict.header);
        response
    }

    /// Returns the error as the OAuth endpoints say it (RFC 6749 section 5.2).
    pub fn into_oauth_reply(self) -> Reply {
        let (status, code, challenge) = oauth_code(&self);
        let verdict = judge(self);
        let errors: Vec<&str> = verdict.errors.iter().map(|error| error.message.as_str()).collect();
        let description = if errors.is_empty() { verdict.detail } else { errors.join("; ") };
        let body = json!({"error": code, "error_description": description});
        let mut reply = answer::json_with(status.unwrap_or(verdict.status), body);
        let kept = verdict.header.filter(|(name, _)| *name != WWW_AUTHENTICATE || challenge == Challenge::Keep);
        reply.headers_mut().extend(kept);
        reply.extensions_mut().insert(RefusalCode(code));
        reply
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Challenge {
    Keep,
    /// A 400 asks for no credential.
    Drop,
}

/// Returns what OAuth calls a refusal, and its status where that is not the one of the problem document.
fn oauth_code(refusal: &Refusal) -> (Option<StatusCode>, &'static str, Challenge) {
    const BAD_REQUEST: Option<StatusCode> = Some(StatusCode::BAD_REQUEST);
    match refusal {
        Refusal::Account(AccountError::InvalidCredentials | AccountError::InvalidToken) => {
            (BAD_REQUEST, "invalid_grant", Challenge::Drop)
        }
        Refusal::Account(AccountError::Limited { .. } | AccountError::Busy | AccountError::Unavailable(_)) => {
            (None, "temporarily_unavailable", Challenge::Keep)
        }
        Refusal::Account(AccountError::Damaged(_)) => (None, "server_error", Challenge::Keep),
        Refusal::Account(AccountError::InvalidScope) => (BAD_REQUEST, "invalid_scope", Challenge::Drop),
        Refusal::NoCredential | Refusal::BadCredential => (None, "invalid_token", Challenge::Keep),
        Refusal::UnsupportedGrant => (BAD_REQUEST, "unsupported_grant_type", Challenge::Drop),
        Refusal::Account(
            AccountError::Invalid(_)
            | AccountError::RegistrationClosed
            | AccountError::EmailTaken
            | AccountError::UsernameTaken
            | AccountError::TooManyKeys
            | AccountError::SessionNotFound,
        )
        | Refusal::NotFound
        | Refusal::OtherMethods(_)
        | Refusal::Malformed(_)
        | Refusal::BadFields(_)
        | Refusal::NotJson
        | Refusal::AmbiguousCredential => (BAD_REQUEST, "invalid_request", Challenge::Drop),
    }
}

fn judge(refusal: Refusal) -> Verdict {
    match refusal {
        Refusal::Account(error) => judge_account(error),
        Refusal::NotFound => Verdict::new(StatusCode::NOT_FOUND, "not_found", "there is no such endpoint"),
        Refusal::OtherMethods(resource) => {
            let detail = format!("this endpoint takes {}", resource.allow());
            Verdict::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).allow(resource)
        }
        Refusal::Malformed(detail) => Verdict::new(StatusCode::BAD_REQUEST, "invalid_request", detail),
        Refusal::BadFields(errors) => {
            Verdict::new(StatusCode::BAD_REQUEST, "invalid_request", "the request has fields that it must not have so")
                .errors(errors)
        }
        Refusal::NotJson => {
            let detail = "the body must be application/json in UTF-8";
            Verdict::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
        }
        Refusal::NoCredential => {
            Verdict::new(StatusCode::UNAUTHORIZED, "unauthorized", "a bearer token is required").challenge("Bearer")
        }
        Refusal::BadCredential => invalid_token(),
        Refusal::AmbiguousCredential => {
            Verdict::new(StatusCode::BAD_REQUEST, "invalid_request", "the credential is given more than once")
                .challenge("Bearer error=\"invalid_request\"")
        }
        Refusal::UnsupportedGrant => {
            let detail = "grant_type must be password or refresh_token";
            Verdict::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", detail)
        }
    }
}

fn invalid_token() -> Verdict {
    Verdict::new(StatusCode::UNAUTHORIZED, "invalid_token", "the token is not valid, or not any more")
        .challenge("Bearer error=\"invalid_token\"")
}

fn judge_account(error: AccountError) -> Verdict {
    let detail = error.to_string();
    match error {
        AccountError::Invalid(faults) => {
            let code = match faults.as_slice() {
                [only] => only.code,
                _ => "validation_failed",
            };
            let errors = faults.into_iter().map(|fault| FieldError {
                field: fault.field.into_owned(),
                code: fault.code,
                message: fault.message,
            });
            Verdict::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).errors(errors.collect())
        }
        AccountError::RegistrationClosed => Verdict::new(StatusCode::FORBIDDEN, "registration_closed", detail),
        AccountError::EmailTaken => Verdict::new(StatusCode::CONFLICT, "email_taken", detail),
        AccountError::UsernameTaken => Verdict::new(StatusCode::CONFLICT, "username_taken", detail),
        AccountError::InvalidScope => Verdict::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_scope", detail),
        AccountError::TooManyKeys => Verdict::new(StatusCode::CONFLICT, "too_many_keys", detail),
        AccountError::InvalidCredentials => {
            Verdict::new(StatusCode::UNAUTHORIZED, "invalid_credentials", detail).challenge("Bearer")
        }
        AccountError::InvalidToken => invalid_token(),
        AccountError::SessionNotFound => Verdict::new(StatusCode::NOT_FOUND, "not_found", detail),
        AccountError::Limited { retry_after } => {
            Verdict::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).retry_after(retry_after)
        }
        AccountError::Busy => Verdict::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(SOON),
        AccountError::Unavailable(reason) => {
            tracing::warn!(reason, "the store could not serve an account request");
            Verdict::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store is not available")
                .retry_after(SOON)
        }
        AccountError::Damaged(reason) => {
            tracing::error!(reason, "the store answered with what it must not hold");
            Verdict::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the request could not be served")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(refusal: Refusal) -> Response<Bytes> {
        refusal.into_response("login", &Answers::default())
    }

    fn limited(millis: u64) -> Refusal {
        AccountError::Limited { retry_after: Duration::from_millis(millis) }.into()
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds_and_never_zero() {
        for (millis, secs) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_001, "60")] {
            let response = refused(limited(millis));
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(response.headers()[RETRY_AFTER], secs);
        }
    }

    #[test]
    fn what_the_store_said_stays_inside() {
        for error in [AccountError::Unavailable("disk /srv/db".into()), AccountError::Damaged("row 7".into())] {
            let response = refused(Refusal::from(error));
            let body = String::from_utf8(response.into_body().to_vec()).unwrap();
            assert!(!body.contains("/srv/db") && !body.contains("row 7"), "{body}");
        }
    }

    #[test]
    fn a_single_fault_names_the_whole_answer_and_several_do_not() {
        let one = refused(Refusal::from(AccountError::missing("password")));
        let body: serde_json::Value = serde_json::from_slice(one.body()).unwrap();
        assert_eq!((one.status().as_u16(), &body["code"]), (422, &json!("required")));
        assert_eq!(body["errors"][0]["field"], "password");
        let fault = |field: &'static str| crate::account::Fault {
            field: field.into(),
            code: "required",
            message: String::new(),
        };
        let two = refused(Refusal::from(AccountError::Invalid(vec![fault("a"), fault("b")])));
        let body: serde_json::Value = serde_json::from_slice(two.body()).unwrap();
        assert_eq!(body["code"], "validation_failed");
    }

    #[test]
    fn oauth_says_bad_grants_with_400_and_without_a_challenge() {
        for error in [AccountError::InvalidCredentials, AccountError::InvalidToken] {
            let response = Refusal::from(error).into_oauth_reply();
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
            assert_eq!(response.body()["error"], "invalid_grant");
        }
        assert_eq!(limited(1).into_oauth_reply().headers()[RETRY_AFTER], "1");
    }
}
