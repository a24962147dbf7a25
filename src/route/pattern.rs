//! Host and path patterns in their checked form.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::http::authority::is_name;
use crate::http::path::{append_canonical, comparable};

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
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let (name, is_suffix) = match text.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let name = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) if !is_suffix => {
                let address: std::net::Ipv6Addr = address.parse().map_err(|_| PatternError::InvalidHost)?;
                format!("[{address}]")
            }
            _ => to_ascii_name(name)?,
        };
        if !is_suffix {
            return Ok(Self::Exact(name));
        }
        // An address has no names below it.
        if name.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(PatternError::InvalidHost);
        }
        Ok(Self::Suffix(format!(".{name}")))
    }

    /// Whether a canonical host falls under the pattern.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => name == host,
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }

    /// Whether every host that falls under `other` falls under this pattern too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (_, Self::Exact(name)) => self.matches(name),
            (Self::Suffix(wide), Self::Suffix(narrow)) => narrow.ends_with(wide.as_str()),
            (Self::Exact(_) | Self::Suffix(_), _) => false,
        }
    }
}

/// Returns the name as requests carry it: lower-case A-labels without final dot.
fn to_ascii_name(name: &str) -> Result<String, PatternError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_strict(name).map_err(|_| PatternError::InvalidHost)?
    };
    if is_name(&ascii) { Ok(ascii) } else { Err(PatternError::InvalidHost) }
}

/// People write `/café` and `/my files`; no request does, so the refusal names the form that requests have.
fn escape_unsendable(text: &str) -> String {
    const SPACE: &AsciiSet = &AsciiSet::EMPTY.add(b' ');
    utf8_percent_encode(text, SPACE).to_string()
}

impl PathPrefix {
    /// Returns the prefix; a final `/` is taken off (but for the root), so `/api/` and `/api` are one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::NotAbsolute);
        }
        let mut canonical = String::with_capacity(text.len());
        append_canonical(&escape_unsendable(text), &mut canonical).map_err(|_| PatternError::Unreachable)?;
        if canonical != text {
            return Err(PatternError::NotCanonical(canonical));
        }
        if canonical.len() > 1 && canonical.ends_with('/') {
            canonical.pop();
        }
        Ok(Self(canonical))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what the prefix is looked up by: its escapes read, the root as the empty text.
    pub(super) fn key(&self) -> String {
        let key = comparable(&self.0).into_owned();
        if key == "/" { String::new() } else { key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_held_as_requests_carry_them() {
        for (text, expected) in [
            ("", HostPattern::Any),
            ("App.Example.com.", HostPattern::Exact("app.example.com".into())),
            ("*.Example.com", HostPattern::Suffix(".example.com".into())),
            ("bücher.example", HostPattern::Exact("xn--bcher-kva.example".into())),
            ("127.0.0.1", HostPattern::Exact("127.0.0.1".into())),
            ("[2001:DB8::0]", HostPattern::Exact("[2001:db8::]".into())),
        ] {
            assert_eq!(HostPattern::parse(text), Ok(expected), "{text}");
        }
        for text in [
            "*",
            "*.",
            "a.*",
            "*a.example",
            "https://a",
            "a:443",
            "a/b",
            "a b",
            "*.127.0.0.1",
            "*.[::1]",
            "a..b",
            "127.1",
        ] {
            assert_eq!(HostPattern::parse(text), Err(PatternError::InvalidHost), "{text}");
        }
    }

    #[test]
    fn a_suffix_wants_a_label_in_front() {
        let pattern = HostPattern::parse("*.example.com").unwrap();
        assert!(pattern.matches("a.example.com") && pattern.matches("a.b.example.com"));
        assert!(
            !pattern.matches("example.com") && !pattern.matches("badexample.com") && !pattern.matches(".example.com")
        );
    }

    #[test]
    fn paths_are_canonical_or_told_how_to_be() {
        let parse = |text| PathPrefix::parse(text).map(|path| path.as_str().to_owned());
        assert_eq!(parse("/"), Ok("/".into()));
        assert_eq!(parse("/api/"), Ok("/api".into()));
        assert_eq!(parse("/caf%C3%A9"), Ok("/caf%C3%A9".into()));
        assert_eq!(parse("/a//b"), Err(PatternError::NotCanonical("/a/b".into())));
        assert_eq!(parse("/%61"), Err(PatternError::NotCanonical("/a".into())));
        assert_eq!(parse("/x/../a"), Err(PatternError::NotCanonical("/a".into())));
        assert_eq!(parse("api"), Err(PatternError::NotAbsolute));
        assert_eq!(parse(""), Err(PatternError::NotAbsolute));
        assert_eq!(parse("/my café"), Err(PatternError::NotCanonical("/my%20caf%C3%A9".into())));
        for text in ["/a*?", "/..;/a", "/a%00", "/a\\b"] {
            assert_eq!(parse(text), Err(PatternError::Unreachable), "{text}");
        }
    }
}
