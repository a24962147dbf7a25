//! Where a bearer token stands in a request (RFC 6750 section 2.1), and which fields hold credentials of ours.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Which header is read, and which schemes in it.
#[derive(Clone, Debug)]
pub struct BearerSettings {
    /// `authorization` unless configured.
    pub header: HeaderName,
    /// Compared without regard to case; `Bearer` unless configured. None at all: the whole field is the token.
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
    /// More than one field: 400 `invalid_request`.
    Repeated,
}

/// Returns what `headers` present.
pub fn read<'a>(headers: &'a HeaderMap, settings: &BearerSettings) -> Presented<'a> {
    let mut fields = headers.get_all(&settings.header).iter();
    let Some(field) = fields.next() else { return Presented::Nothing };
    if fields.next().is_some() {
        return Presented::Repeated;
    }
    classify(field, settings)
}

/// Returns what one field holds; `Nothing` and `Repeated` are not among the answers.
pub fn classify<'a>(field: &'a HeaderValue, settings: &BearerSettings) -> Presented<'a> {
    let bytes = field.as_bytes();
    if settings.schemes.is_empty() {
        return Presented::Token(text(bytes));
    }
    let scheme_end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at(scheme_end);
    if !settings.schemes.iter().any(|ours| scheme.eq_ignore_ascii_case(ours.as_bytes())) {
        return Presented::Foreign;
    }
    Presented::Token(text(rest))
}

/// What is no text can't be a token: it is read as an empty one, which nothing accepts.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default().trim_matches(' ')
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;

    fn presented(fields: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_static(field));
        }
        let settings = BearerSettings { header: AUTHORIZATION, schemes: vec!["Bearer".into(), "JWT".into()] };
        format!("{:?}", read(&headers, &settings))
    }

    #[test]
    fn our_schemes_are_recognised_in_any_case_and_others_are_foreign() {
        assert_eq!(presented(&["Bearer abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["bEARER abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["JWT abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["Basic abc"]), "Foreign");
        assert_eq!(presented(&["Bearerabc"]), "Foreign");
    }

    #[test]
    fn a_scheme_without_credentials_is_an_empty_token_and_not_nothing() {
        assert_eq!(presented(&["Bearer"]), r#"Token("")"#);
        assert_eq!(presented(&["Bearer   "]), r#"Token("")"#);
        assert_eq!(presented(&[]), "Nothing");
    }

    #[test]
    fn two_fields_are_never_read_as_one_of_them() {
        assert_eq!(presented(&["Bearer abc", "Basic abc"]), "Repeated");
    }
}
