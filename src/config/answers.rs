//! How our endpoints answer: shape, statuses, members and words, as `[auth]` and a profile say.

use std::collections::BTreeMap;

use http::StatusCode;

use super::settings::Endpoint;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub shape: Shape,
    pub token_errors: TokenErrors,
    pub of: BTreeMap<Endpoint, Answer>,
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
