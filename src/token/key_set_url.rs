//! Where a key set is published: an `https` URL, or `http` on this machine, whose word nobody on the way could change.

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery};

/// A URL that key sets may come from; made only by [`KeySetUrl::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetUrl {
    is_tls: bool,
    authority: Authority,
    path: PathAndQuery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("not an absolute https URL")]
    NotAUrl,
    #[error("plain http to another machine, where keys could be replaced on the way")]
    NotSecure,
    #[error("a user name or password in the URL")]
    UserInfo,
}

impl KeySetUrl {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        // The parser drops a fragment in silence.
        let uri: Uri = text.parse().ok().filter(|_| !text.contains('#')).ok_or(UrlError::NotAUrl)?;
        let parts = uri.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(UrlError::NotAUrl) };
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        let is_tls = match scheme.as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(UrlError::NotAUrl),
        };
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let url = Self { is_tls, authority, path };
        if url.host().is_empty() || !url.has_port() {
            return Err(UrlError::NotAUrl);
        }
        if is_tls || url.is_loopback() { Ok(url) } else { Err(UrlError::NotSecure) }
    }

    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns host and port as they were written: the `Host` of a request.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }

    pub fn path_and_query(&self) -> &str {
        self.path.as_str()
    }

    /// Returns the name or address; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(if self.is_tls { 443 } else { 80 })
    }

    /// Whether the port is right, if one is written.
    fn has_port(&self) -> bool {
        let written = self.authority.as_str().strip_prefix(self.authority.host()).unwrap_or_default();
        written.is_empty() || self.authority.port_u16().is_some_and(|port| port > 0)
    }

    fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for KeySetUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(out, "{scheme}://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_goes_anywhere_and_http_no_farther_than_this_machine() {
        for right in [
            "https://idp.example.com/jwks.json",
            "https://idp.example.com:8443/a?b=c",
            "https://idp.example.com",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]/jwks",
            "http://localhost/jwks",
        ] {
            assert!(KeySetUrl::parse(right).is_ok(), "{right}");
        }
        for insecure in [
            "http://idp.example.com/",
            "http://10.0.0.1/",
            "http://localhost.evil.example/",
            "http://127.0.0.1.nip.io/",
        ] {
            assert_eq!(KeySetUrl::parse(insecure), Err(UrlError::NotSecure), "{insecure}");
        }
    }

    #[test]
    fn what_is_no_plain_url_is_refused() {
        for wrong in [
            "",
            "/jwks",
            "idp.example.com",
            "ftp://a/b",
            "file:///etc/keys",
            "https://",
            "https://a/#b",
            "https://a:0/",
        ] {
            assert_eq!(KeySetUrl::parse(wrong), Err(UrlError::NotAUrl), "{wrong}");
        }
        for wrong in ["https://user:pass@a/", "http://127.0.0.1@evil.example/"] {
            assert_eq!(KeySetUrl::parse(wrong), Err(UrlError::UserInfo), "{wrong}");
        }
    }

    #[test]
    fn it_is_shown_as_it_was_written() {
        for url in ["https://a.example/keys?v=1", "http://[::1]:80/"] {
            assert_eq!(KeySetUrl::parse(url).unwrap().to_string(), url);
        }
    }
}
