//! Where a bearer token stands in a request (RFC 6750 section 2.1).

use http::{HeaderMap, HeaderName};

/// Which header is read, and which schemes in it.
#[derive(Clone, Debug)]
pub struct BearerSettings {
    /// `authorization` unless configured.
    pub header: HeaderName,
    /// Compared without regard to case; `Bearer` unless configured.
    pub schemes: Vec<String>,
}

/// What the header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    Nothing,
    /// A scheme that is not ours: the app's own Basic, say.
    Foreign,
    /// The credentials after one of our schemes; may be no token at all.
    Token(&'a str),
    /// More than one field, or bytes that are no visible ASCII: 400 `invalid_request`.
    Malformed,
}

/// Returns what `headers` present.
pub fn read<'a>(headers: &'a HeaderMap, settings: &BearerSettings) -> Presented<'a> {
    todo!("{headers:?}{settings:?}")
}
