//! What HTTP/2 asks of a request and its library leaves to us (RFC 9113 section 8). Who breaks it is answered and its stream
//! reset. It says nothing about what a request may do. Called by `service` for each HTTP/2 request, before the handler.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST};
use http::{Method, Uri};

use crate::http::fields::Lookup;
use crate::http::request::ClientRequest;
use crate::http::target::{Target, TargetError};
use crate::http::wire::{Violation, is_token};

/// Returns why a request is malformed, if it is.
pub fn check<B>(request: &ClientRequest<B>) -> Result<(), Violation> {
    let fields = &request.fields;
    if !fields.iter().all(|(name, value)| is_token(name) && !is_padded(value)) {
        return Err(Violation::MalformedField);
    }
    let mut lengths = fields.values(&CONTENT_LENGTH);
    if lengths.next().is_some_and(|length| lengths.next().is_some() || !is_number(length)) {
        return Err(Violation::InvalidContentLength);
    }
    if fields.values(&CONTENT_TYPE).nth(1).is_some() {
        return Err(Violation::RepeatedContentType);
    }
    if request.method == Method::CONNECT && request.uri.authority().is_none() {
        return Err(Violation::InvalidHost);
    }
    if !has_path(&request.uri, &request.method) {
        return Err(Violation::MalformedTarget);
    }
    // A Host that names another host than `:authority` is malformed (section 8.3.1); few clients send one at all.
    if fields.contains(&HOST) && Target::read(request).is_err_and(concerns_host) {
        return Err(Violation::InvalidHost);
    }
    Ok(())
}

/// Whether a request expects what nobody here can meet (RFC 9110 section 10.1.1). It is well-formed all the same: its stream goes on.
pub fn expects_the_unknown<B>(request: &ClientRequest<B>) -> bool {
    let mut fields = request.fields.values(&EXPECT);
    let is_known = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
    fields.next().is_some_and(|first| !is_known(first) || fields.next().is_some())
}

/// Whether a length is one (RFC 9110 section 8.6): the library takes nothing at all for a zero.
fn is_number(length: &[u8]) -> bool {
    !length.is_empty() && length.iter().all(u8::is_ascii_digit)
}

/// Section 8.2.1: white space around a value is not part of the value, and some parsers would take it off.
fn is_padded(value: &[u8]) -> bool {
    matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

/// Section 8.3.1: `:path` begins with a slash, or is the asterisk of OPTIONS; only CONNECT has none.
fn has_path(uri: &Uri, method: &Method) -> bool {
    uri.path_and_query().map_or(*method == Method::CONNECT, |path| {
        path.as_str().starts_with('/') || (path.as_str() == "*" && *method == Method::OPTIONS)
    })
}

fn concerns_host(error: TargetError) -> bool {
    match error {
        TargetError::MissingHost | TargetError::SeveralHosts | TargetError::InvalidHost | TargetError::HostMismatch => {
            true
        }
        TargetError::InvalidForm | TargetError::AmbiguousPath => false,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn request(method: &str, uri: &str, fields: &[(&'static str, &str)]) -> ClientRequest<()> {
        let mut request = Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into()
    }

    #[test]
    fn what_the_library_lets_pass_is_judged() {
        let there = "https://a.test/x";
        for (request, verdict) in [
            (request("GET", there, &[("x", ""), ("y", "a b")]), Ok(())),
            (request("GET", there, &[("x", " a")]), Err(Violation::MalformedField)),
            (request("GET", there, &[("x", "a\t")]), Err(Violation::MalformedField)),
            (request("GET", there, &[("host", "A.test")]), Ok(())),
            (request("GET", there, &[("host", "b.test")]), Err(Violation::InvalidHost)),
            (request("GET", there, &[("host", "a.test"), ("host", "a.test")]), Err(Violation::InvalidHost)),
            (request("POST", there, &[("content-length", "3")]), Ok(())),
            (request("POST", there, &[("content-length", "")]), Err(Violation::InvalidContentLength)),
            (request("POST", there, &[("content-length", "+3")]), Err(Violation::InvalidContentLength)),
            (
                request("POST", there, &[("content-length", "3"), ("content-length", "3")]),
                Err(Violation::InvalidContentLength),
            ),
            (
                request("POST", there, &[("content-type", "a/b"), ("content-type", "a/b")]),
                Err(Violation::RepeatedContentType),
            ),
            (request("OPTIONS", "*", &[]), Ok(())),
            (request("GET", "*", &[]), Err(Violation::MalformedTarget)),
            (request("CONNECT", "a.test:443", &[]), Ok(())),
            (request("CONNECT", "/x", &[]), Err(Violation::InvalidHost)),
        ] {
            assert_eq!(check(&request), verdict, "{request:?}");
        }
    }

    #[test]
    fn one_expectation_is_known() {
        for (fields, expected) in [
            (&[][..], false),
            (&[("expect", "100-Continue")], false),
            (&[("expect", "200-ok")], true),
            (&[("expect", "")], true),
            (&[("expect", "100-continue"), ("expect", "100-continue")], true),
        ] {
            assert_eq!(expects_the_unknown(&request("POST", "https://a.test/", fields)), expected, "{fields:?}");
        }
    }

    #[test]
    fn what_only_the_decoder_of_http2_makes_is_malformed() {
        let quoted = http::HeaderName::from_lowercase(b"x\"").unwrap();
        let mut odd_name = request("GET", "https://a.test/x", &[]);
        odd_name.fields.append(quoted, HeaderValue::from_static("a"));
        assert_eq!(check(&odd_name), Err(Violation::MalformedField));
        let mut parts = "https://a.test/".parse::<Uri>().unwrap().into_parts();
        parts.path_and_query = Some("?x".parse().unwrap());
        let mut no_path = request("GET", "https://a.test/x", &[]);
        no_path.uri = Uri::from_parts(parts).unwrap();
        assert_eq!(check(&no_path), Err(Violation::MalformedTarget));
    }
}
