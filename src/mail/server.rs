//! Which mail server is meant, read from its URL. No error repeats what stood there: it may hold a password.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::secret::{self, Secret};

/// How the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// `smtps://`: TLS from the first byte.
    Wrapped,
    /// `smtp://…?tls=required`: STARTTLS, or nothing is sent.
    StartTls,
    /// `smtp://…?tls=opportunistic`: STARTTLS where the server offers it.
    Opportunistic,
    /// `smtp://`: everything in clear text.
    None,
}

#[derive(Clone, Debug)]
pub struct SmtpServer {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub credentials: Option<(String, Secret<String>)>,
    /// How we greet it; `None`: by the name of the public URL.
    pub hello: Option<String>,
}

/// What a URL should have been, in words that repeat nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadServer {
    pub found: &'static str,
    pub hint: &'static str,
}

const EXAMPLE: &str =
    "write `smtps://user:password@mail.example.com`; `@`, `:` and `/` in a password are %40, %3A and %2F";

impl SmtpServer {
    /// Returns the server that `smtp://` or `smtps://` names.
    pub fn parse(text: &str) -> Result<Self, BadServer> {
        let bad = |found, hint| BadServer { found, hint };
        let url = Url::parse(text).map_err(|_| bad("what is no URL", EXAMPLE))?;
        let mut query = url.query_pairs();
        let (option, more) = (query.next(), query.next());
        let option = option.as_ref().map(|(key, value)| (key.as_ref(), value.as_ref()));
        let (security, port) = match (url.scheme(), option) {
            ("smtps", None) => (Security::Wrapped, 465),
            ("smtp", None) => (Security::None, 25),
            ("smtp", Some(("tls", "required"))) => (Security::StartTls, 587),
            ("smtp", Some(("tls", "opportunistic"))) => (Security::Opportunistic, 587),
            ("smtp" | "smtps", Some(_)) => {
                return Err(bad(
                    "an option that is unknown",
                    "`?tls=required` or `?tls=opportunistic` after an `smtp://` URL",
                ));
            }
            _ => return Err(bad("a URL of another scheme", EXAMPLE)),
        };
        if more.is_some() || url.fragment().is_some() {
            return Err(bad("something after the options", EXAMPLE));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(Host::Domain(_)) | None => return Err(bad("a URL without a host", EXAMPLE)),
        };
        let hello = Some(url.path().trim_matches('/')).filter(|name| !name.is_empty());
        if hello.is_some_and(|name| !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.[]:".contains(&byte)))
        {
            return Err(bad(
                "a path that is no host name",
                "a path is the name by which we greet the server: leave it out",
            ));
        }
        let credentials = credentials(&url).ok_or_else(|| bad("a user without a password, or none", EXAMPLE))?;
        let port = url.port().unwrap_or(port);
        Ok(Self { host, port, security, credentials, hello: hello.map(str::to_owned) })
    }

    /// Whether what is sent can be read on the way: links, and the password if there is one.
    pub fn is_clear_text(&self) -> bool {
        let is_local = self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        !is_local && matches!(self.security, Security::None | Security::Opportunistic)
    }
}

/// Returns both or none of user and password; outside `None` when one of them is missing or is no UTF-8.
#[allow(clippy::option_option)] // what is wrong, what is absent, what is there
fn credentials(url: &Url) -> Option<Option<(String, Secret<String>)>> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned);
    match (url.username(), url.password()) {
        ("", None) => Some(None),
        ("", Some(_)) | (_, None | Some("")) => None,
        (user, Some(password)) => Some(Some((decoded(user)?, Secret::new(decoded(password)?)))),
    }
}

impl PartialEq for SmtpServer {
    fn eq(&self, other: &Self) -> bool {
        let same_credentials = match (&self.credentials, &other.credentials) {
            (None, None) => true,
            (Some((user, password)), Some((other_user, other_password))) => {
                user == other_user && secret::equal(password.expose().as_bytes(), other_password.expose().as_bytes())
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        same_credentials
            && (&self.host, self.port, self.security, &self.hello)
                == (&other.host, other.port, other.security, &other.hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> SmtpServer {
        SmtpServer::parse(text).unwrap_or_else(|bad| panic!("{text}: {bad:?}"))
    }

    #[test]
    fn the_scheme_and_its_option_choose_security_and_port() {
        for (text, security, port) in [
            ("smtps://mail.example.com", Security::Wrapped, 465),
            ("smtps://mail.example.com:4650/", Security::Wrapped, 4650),
            ("smtp://mail.example.com", Security::None, 25),
            ("smtp://mail.example.com?tls=required", Security::StartTls, 587),
            ("smtp://mail.example.com:25?tls=opportunistic", Security::Opportunistic, 25),
        ] {
            let server = parsed(text);
            assert_eq!((server.host.as_str(), server.port, server.security), ("mail.example.com", port, security));
        }
        assert_eq!(parsed("smtp://[::1]:25").host, "::1");
        assert_eq!(parsed("smtp://127.0.0.1/gate.example.com").hello.as_deref(), Some("gate.example.com"));
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let server = parsed("smtps://ada%40example.com:hunter%2F2@mail.example.com");
        let (user, password) = server.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose().as_str()), ("ada@example.com", "hunter/2"));
        assert!(!format!("{server:?}").contains("hunter"));
    }

    #[test]
    fn what_names_no_server_is_refused() {
        for wrong in [
            "",
            "mail.example.com",
            "mail.example.com:25",
            "http://mail.example.com",
            "smtp://",
            "smtps://user@mail.example.com",
            "smtps://:password@mail.example.com",
            "smtps://user:@mail.example.com",
            "smtps://user:%ff@mail.example.com",
            "smtp://mail.example.com?tls=no",
            "smtps://mail.example.com?tls=required",
            "smtp://mail.example.com?tls=required&a=b",
            "smtp://mail.example.com#x",
            "smtp://mail.example.com/a%0d%0ab",
            "smtp://mail.example.com:99999",
        ] {
            assert!(SmtpServer::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn clear_text_is_told_apart_unless_it_stays_on_this_machine() {
        for text in ["smtp://mail.example.com", "smtp://10.0.0.1?tls=opportunistic"] {
            assert!(parsed(text).is_clear_text(), "{text}");
        }
        for text in ["smtp://localhost:25", "smtp://127.0.0.1", "smtp://[::1]", "smtps://a", "smtp://a?tls=required"] {
            assert!(!parsed(text).is_clear_text(), "{text}");
        }
    }
}
