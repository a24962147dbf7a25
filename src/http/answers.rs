//! How endpoints of ours answer, as the configuration says: shape, statuses, members and words. Decides nothing about requests;
//! what is not said here is as RFC 9457, RFC 6749 and the documentation have it. Read by `config`, applied by `api`.

use std::collections::BTreeMap;

use http::StatusCode;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub shape: Shape,
    pub token_errors: TokenErrors,
    /// By the name of the endpoint.
    pub of: BTreeMap<String, Answer>,
    /// By the code of a refusal, at every endpoint.
    pub errors: BTreeMap<String, ErrorWords>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The bare object, and problem documents (RFC 9457).
    #[default]
    Plain,
    /// Both wrapped with status and code.
    Envelope,
}

/// How the token endpoint says no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenErrors {
    /// As RFC 6749 section 5.2.
    #[default]
    OAuth,
    /// As the other endpoints.
    AsOthers,
}

/// What one endpoint answers otherwise than by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: Option<StatusCode>,
    /// The members; `None`: the usual ones.
    pub fields: Option<Vec<String>>,
    /// In place of the members.
    pub message: Option<String>,
    pub errors: BTreeMap<String, ErrorWords>,
}

/// What is said of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorWords {
    pub status: Option<StatusCode>,
    pub message: Option<String>,
}

/// Endpoints whose answers are documents of a standard, or that clients of every system read plain.
const ALWAYS_PLAIN: [&str; 7] = ["token", "refresh", "introspect", "revoke", "jwks", "metadata", "openapi"];

impl Answers {
    /// Returns whether what the endpoint answers is wrapped when it succeeds.
    pub fn wraps(&self, endpoint: &str) -> bool {
        self.shape == Shape::Envelope && !ALWAYS_PLAIN.contains(&endpoint)
    }

    /// Returns the status and the text that replace those of a refusal: the endpoint's own, else everybody's.
    pub fn words(&self, endpoint: &str, code: &str) -> (Option<StatusCode>, Option<&str>) {
        let own = self.of.get(endpoint).and_then(|answer| answer.errors.get(code));
        let common = self.errors.get(code);
        let status = own.and_then(|words| words.status).or(common.and_then(|words| words.status));
        let message = own.and_then(|words| words.message.as_deref()).or(common.and_then(|w| w.message.as_deref()));
        (status, message)
    }
}
