//! Host and path patterns in their checked form.

/// The hosts a route serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    Any,
    /// Lower case, A-labels, no final dot, no port.
    Exact(String),
    /// `*.example.com`, held as `.example.com`: one or more labels in front.
    Suffix(String),
}

/// A canonical path; it matches itself and everything below it, by whole segments.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("a path begins with `/`")]
    NotAbsolute,
    #[error("not in canonical form; write `{0}`")]
    NotCanonical(String),
    #[error("a path that no canonical request can have")]
    Unreachable,
    #[error("a host is a name such as `app.example.com`, or `*.example.com`, without scheme or port")]
    InvalidHost,
}

impl HostPattern {
    /// Returns the pattern; the empty text matches every host.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        todo!("{text}")
    }
}

impl PathPrefix {
    /// Returns the prefix; a final `/` is taken off (but for the root), so `/api/` and `/api` are one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        todo!("{text}")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
