//! The request target, read once into the one form that decides and that is forwarded (SPEC 4.1).
//! Whatever two parsers could read two ways is refused here, before any rule looks at it.

use http::Request;

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: Option<u16>,
    path: String,
    query: Option<String>,
    has_encoded_slash: bool,
}

/// Why a target is refused; each answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("the request has no Host")]
    MissingHost,
    #[error("the request has more than one Host")]
    SeveralHosts,
    #[error("Host is not a host name or address with an optional port")]
    InvalidHost,
    #[error("the authority of the target disagrees with Host")]
    HostMismatch,
    #[error("the target is neither a path nor an absolute http or https URL")]
    InvalidForm,
    #[error("the path holds a character or escape that parsers read differently")]
    AmbiguousPath,
}

impl Target {
    /// Returns the canonical target of a request as hyper parsed it: origin or absolute form and Host (HTTP/1), pseudo-header fields (HTTP/2).
    pub fn read<B>(request: &Request<B>) -> Result<Self, TargetError> {
        todo!("{}", request.uri())
    }

    /// Returns the canonical target of `authority` (host and optional port) and `path_and_query` in origin form.
    pub fn parse(authority: &str, path_and_query: &str) -> Result<Self, TargetError> {
        todo!("{authority}{path_and_query}")
    }

    /// Returns the host: lower case, no port, no final dot; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the canonical path; begins with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the query without its `?`, as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether the path holds `%2F`; a route must allow that, else the answer is 400.
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }
}
