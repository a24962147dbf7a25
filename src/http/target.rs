//! The request target, read once into the one form that decides and that is forwarded.
//! Whatever two parsers could read two ways is refused here, before any rule looks at it.
//! A fragment never gets this far: whoever reads a head refuses it.

use http::header::HOST;
use http::{Method, Uri};

use super::authority::append_host;
use super::fields::{Fields, Lookup, text};
use super::path::{append_canonical, comparable};
use super::request::ClientRequest;

/// Where a request wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host, path and query one after the other, so that reading a target costs one allocation.
    text: String,
    host_end: usize,
    path_end: usize,
    port: Option<u16>,
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

impl TargetError {
    /// Returns the stable name for answers and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::MissingHost => "missing_host",
            Self::SeveralHosts => "several_hosts",
            Self::InvalidHost => "invalid_host",
            Self::HostMismatch => "host_mismatch",
            Self::InvalidForm => "invalid_target_form",
            Self::AmbiguousPath => "ambiguous_path",
        }
    }
}

impl Target {
    /// Returns the canonical target of a request: origin or absolute form and Host (HTTP/1), pseudo-header fields (HTTP/2).
    pub fn read<B>(request: &ClientRequest<B>) -> Result<Self, TargetError> {
        let uri = &request.uri;
        // Authority form (CONNECT) has no path at all, asterisk form none that begins with `/`.
        if uri.path_and_query().is_none() || !uri.path().starts_with('/') {
            return Err(TargetError::InvalidForm);
        }
        let authority = authority(request)?;
        check_scheme(uri)?;
        Self::assemble(authority, uri.path(), uri.query())
    }

    /// Returns whether a request is `OPTIONS *`: of the server itself (RFC 9110 section 9.3.7), whose host must be one nevertheless.
    pub fn is_the_server<B>(request: &ClientRequest<B>) -> Result<bool, TargetError> {
        if request.method != Method::OPTIONS || request.uri.path_and_query().is_none_or(|path| path != "*") {
            return Ok(false);
        }
        append_host(authority(request)?, &mut String::new()).map_err(|_| TargetError::InvalidHost)?;
        Ok(true)
    }

    /// Returns the canonical target of `authority` (host and optional port) and `path_and_query` in origin form.
    pub fn parse(authority: &str, path_and_query: &str) -> Result<Self, TargetError> {
        if !path_and_query.starts_with('/') {
            return Err(TargetError::InvalidForm);
        }
        match path_and_query.split_once('?') {
            Some((path, query)) => Self::assemble(authority, path, Some(query)),
            None => Self::assemble(authority, path_and_query, None),
        }
    }

    fn assemble(authority: &str, path: &str, query: Option<&str>) -> Result<Self, TargetError> {
        let query_len = query.map_or(0, |query| query.len() + 1);
        let mut text = String::with_capacity(authority.len() + path.len() + query_len);
        let port = append_host(authority, &mut text).map_err(|_| TargetError::InvalidHost)?;
        let host_end = text.len();
        let has_encoded_slash = append_canonical(path, &mut text).map_err(|_| TargetError::AmbiguousPath)?;
        let path_end = text.len();
        if let Some(query) = query {
            if !query.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
                return Err(TargetError::AmbiguousPath);
            }
            text.push('?');
            text.push_str(query);
        }
        Ok(Self { text, host_end, path_end, port, has_encoded_slash })
    }

    /// Returns the host: lower case, no port, no final dot; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.text[..self.host_end]
    }

    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the canonical path; begins with `/`.
    pub fn path(&self) -> &str {
        &self.text[self.host_end..self.path_end]
    }

    /// Returns the query without its `?`, as it came.
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path_end + 1..)
    }

    /// Returns what is forwarded: the canonical path, and the query as it came.
    pub fn path_and_query(&self) -> &str {
        &self.text[self.host_end..]
    }

    /// Returns what is forwarded when a route takes `prefix` off: the rest of the path, which begins with `/`, and the query.
    pub fn path_and_query_without(&self, prefix: &str) -> String {
        [self.path_without(prefix), &self.text[self.path_end..]].concat()
    }

    /// Returns the rest of the path when `prefix` is taken off; begins with `/`. A path that isn't below it stays whole.
    /// Whole segments go, and the rest of a canonical path is one itself: no dot segment or doubled slash comes out of the cut.
    pub fn path_without(&self, prefix: &str) -> &str {
        let path = self.path();
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        match path.strip_prefix(prefix) {
            Some("") => return "/",
            Some(rest) if rest.starts_with('/') => return rest,
            // Another spelling of the prefix, or no segment's end.
            Some(_) | None => {}
        }
        let segments = prefix.bytes().filter(|&byte| byte == b'/').count();
        let cut = path.match_indices('/').nth(segments).map_or(path.len(), |(at, _)| at);
        if comparable(&path[..cut]) != comparable(prefix) {
            return path;
        }
        if cut == path.len() { "/" } else { &path[cut..] }
    }

    /// Whether the path came with a `%2F`; a route must allow that, else the answer is 400. One whose segment a `..` took
    /// away counts: who reads it as a slash takes away less.
    pub fn has_encoded_slash(&self) -> bool {
        self.has_encoded_slash
    }
}

/// Returns host and optional port as the request names them, in whichever of the two places.
fn authority<B>(request: &ClientRequest<B>) -> Result<&str, TargetError> {
    let host = host_field(&request.fields)?;
    let named = request.uri.authority().map(http::uri::Authority::as_str);
    match (named, host) {
        (None, None) => Err(TargetError::MissingHost),
        (Some(_), None) if request.version <= http::Version::HTTP_11 => Err(TargetError::MissingHost),
        (Some(named), None) => Ok(named),
        (None, Some(host)) => Ok(host),
        (Some(named), Some(host)) => check_agreement(&request.uri, named, host).map(|()| host),
    }
}

fn host_field(fields: &Fields) -> Result<Option<&str>, TargetError> {
    let mut hosts = fields.values(&HOST);
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(TargetError::SeveralHosts);
    }
    first.map(|host| text(host).ok_or(TargetError::InvalidHost)).transpose()
}

fn check_scheme(uri: &Uri) -> Result<(), TargetError> {
    match uri.scheme_str() {
        None | Some("http" | "https") => Ok(()),
        Some(_) => Err(TargetError::InvalidForm),
    }
}

/// RFC 9112 3.2.2 lets the target override Host, and not every upstream does: they must agree.
fn check_agreement(uri: &Uri, named: &str, host: &str) -> Result<(), TargetError> {
    if named == host {
        return Ok(());
    }
    let default_port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let canonical = |authority: &str| {
        let mut name = String::with_capacity(authority.len());
        let port = append_host(authority, &mut name).map_err(|_| TargetError::InvalidHost)?;
        Ok((name, port.unwrap_or(default_port)))
    };
    if canonical(named)? == canonical(host)? { Ok(()) } else { Err(TargetError::HostMismatch) }
}

#[cfg(test)]
mod tests;
