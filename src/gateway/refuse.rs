//! Why the gateway itself answers a request, and that answer: the only place that turns a refusal into a response.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use super::upgrade;
use crate::auth::{BadCredential, CredentialError, Unavailable};
use crate::http::problem::Problem;
use crate::http::target::TargetError;
use crate::http::websocket;
use crate::policy::Denied;
use crate::upstream::{BodyError, UpstreamError};

/// Every reason for which a request does not reach an upstream, or its answer the client.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not HTTP that can be read in one way; found before the request was one.
    #[error("{0:?}")]
    Unreadable(Problem),
    #[error("{0}")]
    Target(#[from] TargetError),
    #[error("no route serves this host, path and method")]
    NoRoute,
    #[error("the path could be read as one that another rule protects")]
    AmbiguousPath,
    #[error("the path holds an encoded slash, which this route does not take")]
    EncodedSlash,
    #[error("this method is not served")]
    MethodNotServed,
    #[error("WebSocket is spoken in version 13 only")]
    WebSocketVersion,
    #[error("more than one credential")]
    RepeatedCredential,
    #[error("{0}")]
    BadCredential(BadCredential),
    #[error("{0}")]
    Unavailable(Unavailable),
    #[error("this needs a credential, a role or a scope: {0:?}")]
    Denied(Denied),
    #[error("too many requests")]
    RateLimited(Duration),
    #[error("{0}")]
    Upstream(#[from] UpstreamError),
    #[error("the upstream switched protocols although nobody had asked it to")]
    UnaskedUpgrade,
    #[error("the upstream answered the request for a WebSocket as one for a document")]
    DeclinedUpgrade,
    #[error("the body is longer than {0} bytes")]
    BodyTooLong(usize),
    #[error("the body did not arrive within {0:?}")]
    BodyLate(Duration),
    #[error("the body broke off")]
    BodyBroken,
    #[error("too many requests for accounts are under way")]
    Overloaded,
    #[error("it took too long; what was begun may be done all the same")]
    OfficeLate,
    #[error("something failed inside")]
    Internal,
}

impl From<CredentialError> for Refusal {
    fn from(error: CredentialError) -> Self {
        match error {
            CredentialError::Bad(why) => Self::BadCredential(why),
            CredentialError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl Refusal {
    /// Returns the stable code that logs and metrics know the reason by.
    pub fn code(&self) -> &'static str {
        self.problem().code()
    }

    /// Returns the answer to the client.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = self.problem().into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = self.retry_after() {
            let secs = u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Self::WebSocketVersion = self {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(websocket::VERSION));
            headers.extend(upgrade::announcement());
        }
        if self.breaks_framing() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Returns the document for the client: never an address or a reason that is the operator's business.
    fn problem(&self) -> Problem {
        let said = |status, code| Problem::new(status, code, self.to_string());
        match self {
            Self::Unreadable(problem) => problem.clone(),
            Self::Target(_) | Self::EncodedSlash | Self::AmbiguousPath => {
                said(StatusCode::BAD_REQUEST, "invalid_target")
            }
            Self::NoRoute => said(StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotServed => said(StatusCode::NOT_IMPLEMENTED, "method_not_served"),
            Self::WebSocketVersion => said(StatusCode::UPGRADE_REQUIRED, "websocket_version"),
            Self::RepeatedCredential => said(StatusCode::BAD_REQUEST, "invalid_request"),
            Self::BadCredential(BadCredential::NotYet) => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", "the store is not available")
            }
            Self::BadCredential(BadCredential::Token(_) | BadCredential::Revoked) => {
                Problem::new(StatusCode::UNAUTHORIZED, "invalid_token", "the credential is not valid, or no longer")
            }
            Self::Unavailable(_) | Self::OfficeLate => said(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
            Self::Denied(denied) => denied_problem(*denied),
            Self::RateLimited(_) => said(StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::Upstream(error) => upstream_problem(error),
            Self::UnaskedUpgrade | Self::DeclinedUpgrade => said(StatusCode::BAD_GATEWAY, "upstream_failed"),
            Self::BodyTooLong(_) => said(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyLate(_) => said(StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyBroken => said(StatusCode::BAD_REQUEST, "invalid_body"),
            Self::Overloaded => said(StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Internal => said(StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
        }
    }

    /// Returns the challenge that RFC 6750 section 3 asks for; without a credential it names no error.
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Denied(Denied::Unknown) => Some("Bearer"),
            Self::Denied(Denied::MissingRole | Denied::MissingScope) => Some(r#"Bearer error="insufficient_scope""#),
            Self::BadCredential(BadCredential::Token(_) | BadCredential::Revoked) => {
                Some(r#"Bearer error="invalid_token""#)
            }
            Self::RepeatedCredential => Some(r#"Bearer error="invalid_request""#),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited(wait) => Some(*wait),
            Self::Overloaded | Self::OfficeLate | Self::Unavailable(_) | Self::BadCredential(BadCredential::NotYet) => {
                Some(Duration::from_secs(1))
            }
            _ => None,
        }
    }

    /// Whether what follows on an HTTP/1 connection can't be trusted to be a request.
    fn breaks_framing(&self) -> bool {
        matches!(
            self,
            Self::Unreadable(..)
                | Self::BodyTooLong(_)
                | Self::BodyLate(_)
                | Self::BodyBroken
                | Self::Upstream(UpstreamError::ClientBody(_))
        )
    }
}

fn denied_problem(denied: Denied) -> Problem {
    match denied {
        Denied::Unknown => Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "this needs a credential"),
        Denied::MissingRole | Denied::MissingScope => {
            let detail = "this needs a role or scope that the caller lacks";
            Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail)
        }
    }
}

fn upstream_problem(error: &UpstreamError) -> Problem {
    let (status, code, detail) = match error {
        UpstreamError::Unreachable { .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_unreachable", "the app behind can't be reached")
        }
        UpstreamError::Broken { .. } => {
            (StatusCode::BAD_GATEWAY, "upstream_failed", "the app behind sent no valid response")
        }
        UpstreamError::Late { .. } => {
            (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", "the app behind did not answer in time")
        }
        UpstreamError::ClientBody(BodyError::Idle(_)) => {
            (StatusCode::REQUEST_TIMEOUT, "body_timeout", "the request's body did not arrive in time")
        }
        UpstreamError::ClientBody(BodyError::Broken(_) | BodyError::SessionEnded) => {
            (StatusCode::BAD_REQUEST, "invalid_body", "the request's body broke off or is framed wrongly")
        }
    };
    Problem::new(status, code, detail)
}
