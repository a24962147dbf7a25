//! Which methods go on to an app. Any token may be a method (RFC 9110 section 9.1), so that most do; whether a route takes one is
//! the policy's to say.

use http::Method;

/// Longer than any method that has been registered.
pub const METHOD_LENGTH: usize = 64;

/// Whether requests with this method may go on. Not those whose name differs from a common one in case alone: they are other
/// methods, but an app that folds case would do what a rule for the common one was to decide.
pub fn is_served(method: &Method) -> bool {
    const COMMON: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::OPTIONS => {
            true
        }
        // A tunnel would pass everything that is checked here by; TRACE would show our headers to a script.
        Method::CONNECT | Method::TRACE => false,
        _ => {
            let name = method.as_str();
            name.len() <= METHOD_LENGTH && !COMMON.iter().any(|common| common.eq_ignore_ascii_case(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_may_have_any_name_that_is_not_nearly_a_common_one() {
        let longest = "A".repeat(METHOD_LENGTH);
        for (name, expected) in [
            ("GET", true),
            ("PROPFIND", true),
            ("M-SEARCH", true),
            ("fetch", true),
            (&longest[..], true),
            (&format!("{longest}A")[..], false),
            ("get", false),
            ("Delete", false),
            ("CONNECT", false),
            ("TRACE", false),
            ("trace", false),
        ] {
            assert_eq!(is_served(&Method::from_bytes(name.as_bytes()).unwrap()), expected, "{name}");
        }
    }
}
