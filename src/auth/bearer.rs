//! Where credentials stand in a request: a bearer token (RFC 6750 section 2.1), a user's key in any of three places, and which
//! fields hold credentials of ours.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::http::fields::Lookup;
use crate::token::api_key;

/// Which header is read, and which schemes in it.
#[derive(Clone, Debug)]
pub struct BearerSettings {
    /// `authorization` unless configured.
    pub header: HeaderName,
    /// Compared without regard to case; `Bearer` unless configured. None at all: the whole field is the token.
    pub schemes: Vec<String>,
}

/// Where a place looks for credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// After one of the schemes, in the configured header.
    pub bearer: bool,
    /// A key of a user in `X-Api-Key`.
    pub api_key_header: bool,
    /// A key of a user as the password of `Authorization: Basic`.
    pub basic: bool,
}

impl Accepted {
    pub const ALL: Self = Self { bearer: true, api_key_header: true, basic: true };
}

/// Where a credential was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Bearer,
    ApiKeyHeader,
    Basic,
}

/// What a request presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    Nothing,
    /// A scheme that is not ours: the app's own Basic, say.
    Foreign,
    /// The credentials after one of our schemes, which may be no token at all, or a key.
    Token(Place, Cow<'a, str>),
    /// More than one: 400 `invalid_request`.
    Repeated,
}

pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Returns what `fields` present in the places that are looked at. With a bearer token alone it allocates nothing.
pub fn read<'a>(fields: &'a impl Lookup, settings: &BearerSettings, accepted: Accepted) -> Presented<'a> {
    let mut found = if accepted.bearer { bearer(fields, settings) } else { Presented::Nothing };
    let others = [
        if accepted.basic { basic(fields) } else { Presented::Nothing },
        if accepted.api_key_header { api_key_header(fields) } else { Presented::Nothing },
    ];
    for other in others {
        found = match (found, other) {
            (found, Presented::Nothing | Presented::Foreign) => found,
            (Presented::Nothing | Presented::Foreign, other) => other,
            (Presented::Token(..) | Presented::Repeated, Presented::Token(..) | Presented::Repeated) => {
                Presented::Repeated
            }
        };
    }
    found
}

fn bearer<'a>(fields: &'a impl Lookup, settings: &BearerSettings) -> Presented<'a> {
    match one(fields, &settings.header) {
        Ok(Some(field)) => classify(field, settings),
        Ok(None) => Presented::Nothing,
        Err(Several) => Presented::Repeated,
    }
}

/// Returns what one field holds.
fn classify<'a>(bytes: &'a [u8], settings: &BearerSettings) -> Presented<'a> {
    if settings.schemes.is_empty() {
        return Presented::Token(Place::Bearer, text(bytes).into());
    }
    let (scheme, rest) = split_scheme(bytes);
    if !settings.schemes.iter().any(|ours| scheme.eq_ignore_ascii_case(ours.as_bytes())) {
        return Presented::Foreign;
    }
    Presented::Token(Place::Bearer, text(rest).into())
}

fn api_key_header(fields: &impl Lookup) -> Presented<'_> {
    let name = API_KEY;
    let mut keys = fields.values(&name);
    let Some(first) = keys.next() else { return Presented::Nothing };
    let Some(key) = Some(text(first)).filter(|text| api_key::looks_like_one(text)) else {
        return Presented::Foreign;
    };
    if keys.next().is_some() {
        return Presented::Repeated;
    }
    Presented::Token(Place::ApiKeyHeader, key.into())
}

fn basic(fields: &impl Lookup) -> Presented<'_> {
    match one(fields, &AUTHORIZATION) {
        Ok(Some(field)) => match basic_key(field) {
            Some(key) => Presented::Token(Place::Basic, key.into()),
            None => Presented::Foreign,
        },
        Ok(None) | Err(Several) => Presented::Nothing,
    }
}

/// Returns the password of Basic credentials (RFC 7617) if it is meant to be a key of ours; the user name says nothing.
pub fn basic_key(field: &[u8]) -> Option<String> {
    let (scheme, rest) = split_scheme(field);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = FORGIVING.decode(text(rest)).ok()?;
    let password = pair.splitn(2, |byte| *byte == b':').nth(1)?;
    let password = std::str::from_utf8(password).ok()?;
    api_key::looks_like_one(password).then(|| password.to_owned())
}

/// As forgiving about padding as what is behind us could be: what it would read must not stay in the field.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

struct Several;

fn one<'a>(fields: &'a impl Lookup, name: &HeaderName) -> Result<Option<&'a [u8]>, Several> {
    let mut values = fields.values(name);
    let first = values.next();
    if values.next().is_some() { Err(Several) } else { Ok(first) }
}

/// A tab ends a scheme, too, though none may (RFC 9110 section 11.4): what follows is then a bad credential, and not somebody else's.
fn split_scheme(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len()))
}

/// What is no text can't be a token: it is read as an empty one, which nothing accepts.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default().trim_matches(' ')
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn presented(fields: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_static(field));
        }
        let settings = BearerSettings { header: AUTHORIZATION, schemes: vec!["Bearer".into(), "JWT".into()] };
        match read(&headers, &settings, Accepted::ALL) {
            Presented::Token(_, token) => format!("Token({token:?})"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn our_schemes_are_recognised_in_any_case_and_others_are_foreign() {
        assert_eq!(presented(&["Bearer abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["bEARER abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["JWT abc"]), r#"Token("abc")"#);
        assert_eq!(presented(&["Basic abc"]), "Foreign");
        assert_eq!(presented(&["Bearerabc"]), "Foreign");
        assert_eq!(presented(&["Bearer\tabc"]), r#"Token("\tabc")"#);
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

    fn places(fields: &[(HeaderName, &str)], accepted: Accepted) -> Option<Place> {
        let field = |(name, value): &(HeaderName, &str)| (name.clone(), HeaderValue::from_str(value).unwrap());
        let headers: HeaderMap = fields.iter().map(field).collect();
        let settings = BearerSettings { header: AUTHORIZATION, schemes: vec!["Bearer".into()] };
        match read(&headers, &settings, accepted) {
            Presented::Token(place, _) => Some(place),
            Presented::Nothing | Presented::Foreign | Presented::Repeated => None,
        }
    }

    #[test]
    fn a_key_is_found_in_the_places_that_are_looked_at_and_an_apps_own_is_not() {
        let key = api_key::new().expose().clone();
        let encode = |pair: String| base64::engine::general_purpose::STANDARD.encode(pair);
        let basic = format!("basic {}", encode(format!("anyone:{key}")));
        let header = Accepted { bearer: false, api_key_header: true, basic: false };
        assert_eq!(places(&[(API_KEY, &key)], header), Some(Place::ApiKeyHeader));
        assert_eq!(places(&[(AUTHORIZATION, &basic)], Accepted::ALL), Some(Place::Basic));
        assert_eq!(places(&[(AUTHORIZATION, &format!("Bearer {key}"))], Accepted::ALL), Some(Place::Bearer));
        assert_eq!(places(&[(AUTHORIZATION, &format!("Bearer {key}"))], header), None);
        assert_eq!(places(&[(AUTHORIZATION, &basic)], header), None);
        let own = format!("Basic {}", encode("ada:secret".to_owned()));
        assert_eq!(places(&[(AUTHORIZATION, &own), (API_KEY, "their-own")], Accepted::ALL), None);
        assert_eq!(places(&[(AUTHORIZATION, &own), (API_KEY, &key)], Accepted::ALL), Some(Place::ApiKeyHeader));
    }

    #[test]
    fn two_credentials_of_ours_are_not_chosen_between() {
        let key = api_key::new().expose().clone();
        for fields in [[(API_KEY, key.as_str()), (API_KEY, "x")], [(API_KEY, &key), (AUTHORIZATION, "Bearer abc")]] {
            assert_eq!(places(&fields, Accepted::ALL), None);
        }
    }
}
