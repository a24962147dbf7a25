//! Requests by scripts of other origins (Fetch standard, "CORS protocol"): which origins may read what is answered, and what a
//! preflight is told. Decides nothing about who is asking: a request that a script may send is judged like any other.
//! Read by `config`, applied by `server` to our own endpoints and to routes that ask for it.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderValue, Method};

use super::fields::{Fields, Lookup};

/// The origins whose scripts may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Every one, none of them with the credentials that a browser keeps.
    Any,
    /// These alone, as browsers write them.
    These(Vec<HeaderValue>),
}

/// How long a browser may remember what a preflight was told.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");
/// What a script may read of a refusal: how to get past it.
const SHOWN: HeaderValue = HeaderValue::from_static("WWW-Authenticate, Retry-After");

/// Returns the method that a preflight asks for; `None`: the request is none.
pub fn preflight_method(method: &Method, fields: &Fields) -> Option<Method> {
    if method != Method::OPTIONS {
        return None;
    }
    origin(fields)?;
    Method::from_bytes(fields.only(&ACCESS_CONTROL_REQUEST_METHOD)?).ok()
}

/// Returns the origin that a request says it comes from; several are none.
pub fn origin(fields: &Fields) -> Option<HeaderValue> {
    HeaderValue::from_bytes(fields.only(&ORIGIN)?).ok()
}

impl Origins {
    /// Returns the answer's headers to a preflight that [`preflight_method`] has found, without those of [`Origins::mark`].
    /// It allows what is asked for: the request itself will be judged.
    pub fn preflight_fields(&self, asked: &Fields) -> Fields {
        let mut fields = Fields::default();
        if !origin(asked).is_some_and(|origin| self.includes(&origin)) {
            return fields;
        }
        fields.append(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        for (from, to) in [
            (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
            (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        ] {
            if let Some(Ok(value)) = asked.only(&from).map(HeaderValue::from_bytes) {
                fields.append(to, value);
            }
        }
        fields
    }

    /// Says on an answer whether a script of `origin` may read it, in place of what an app said of that.
    pub fn mark(&self, origin: Option<&HeaderValue>, fields: &mut Fields) {
        fields.remove(&ACCESS_CONTROL_ALLOW_ORIGIN);
        fields.remove(&ACCESS_CONTROL_ALLOW_CREDENTIALS);
        match self {
            Self::Any => fields.append(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            Self::These(_) => {
                // On every answer: a cache must not hand one origin's answer to another.
                vary_by_origin(fields);
                let Some(origin) = origin.filter(|origin| self.includes(origin)) else { return };
                fields.append(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                fields.append(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            }
        }
        if !fields.contains(&ACCESS_CONTROL_EXPOSE_HEADERS) {
            fields.append(ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
        }
    }

    fn includes(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Any => true,
            Self::These(origins) => origins.contains(origin),
        }
    }
}

fn vary_by_origin(fields: &mut Fields) {
    if !fields.list_holds(&VARY, b"*") && !fields.list_holds(&VARY, b"origin") {
        fields.append(VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName};

    use super::*;

    const APP: HeaderValue = HeaderValue::from_static("https://app.example.com");

    fn these() -> Origins {
        Origins::These(vec![APP])
    }

    fn marked(origins: &Origins, origin: &'static str, app: &[(HeaderName, &'static str)]) -> HeaderMap {
        let headers: HeaderMap =
            app.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let mut fields = Fields::from(headers);
        origins.mark(Some(&HeaderValue::from_static(origin)), &mut fields);
        fields.into_map()
    }

    #[test]
    fn an_origin_is_named_to_itself_alone() {
        let headers = marked(&these(), "https://app.example.com", &[]);
        assert_eq!(
            (&headers[ACCESS_CONTROL_ALLOW_ORIGIN], &headers[ACCESS_CONTROL_ALLOW_CREDENTIALS]),
            (&APP, &HeaderValue::from_static("true"))
        );
        for other in [
            "https://app.example.com.evil.example",
            "http://app.example.com",
            "https://app.example.com:8443",
            "null",
            "",
        ] {
            let headers = marked(&these(), other, &[]);
            assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{other}");
            assert_eq!(headers[VARY], "Origin", "{other}");
        }
    }

    #[test]
    fn everybody_is_never_allowed_with_credentials() {
        let app = [(ACCESS_CONTROL_ALLOW_CREDENTIALS, "true"), (ACCESS_CONTROL_ALLOW_ORIGIN, "https://evil.example")];
        let headers = marked(&Origins::Any, "https://evil.example", &app);
        assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) && !headers.contains_key(VARY));
    }

    #[test]
    fn what_an_app_allowed_is_replaced_and_what_it_varies_by_stays() {
        let app =
            [(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (VARY, "Accept-Encoding"), (ACCESS_CONTROL_EXPOSE_HEADERS, "ETag")];
        let headers = marked(&these(), "https://app.example.com", &app);
        assert_eq!(headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter().collect::<Vec<_>>(), [&APP]);
        assert_eq!(headers.get_all(VARY).iter().collect::<Vec<_>>(), ["Accept-Encoding", "Origin"]);
        assert_eq!(headers[ACCESS_CONTROL_EXPOSE_HEADERS], "ETag");
        let headers =
            marked(&these(), "https://evil.example", &[(ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (VARY, "origin, Cookie")]);
        assert!(!headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "the app opened what the gateway keeps");
        assert_eq!(headers.get_all(VARY).iter().count(), 1);
    }

    #[test]
    fn a_preflight_names_one_origin_and_one_method() {
        let headers = |given: &[(HeaderName, &'static str)]| -> Fields {
            let mut fields = Fields::default();
            for (name, value) in given {
                fields.append(name.clone(), HeaderValue::from_static(value));
            }
            fields
        };
        let asked = headers(&[
            (ORIGIN, "https://app.example.com"),
            (ACCESS_CONTROL_REQUEST_METHOD, "DELETE"),
            (ACCESS_CONTROL_REQUEST_HEADERS, "authorization"),
        ]);
        assert_eq!(preflight_method(&Method::OPTIONS, &asked), Some(Method::DELETE));
        assert_eq!(preflight_method(&Method::GET, &asked), None);
        let answered = these().preflight_fields(&asked).into_map();
        assert_eq!(
            (&answered[ACCESS_CONTROL_ALLOW_METHODS], &answered[ACCESS_CONTROL_ALLOW_HEADERS]),
            (&HeaderValue::from_static("DELETE"), &HeaderValue::from_static("authorization"))
        );
        let foreign = headers(&[(ORIGIN, "https://evil.example"), (ACCESS_CONTROL_REQUEST_METHOD, "DELETE")]);
        assert!(these().preflight_fields(&foreign).into_map().is_empty());
        let twice = headers(&[
            (ORIGIN, "https://app.example.com"),
            (ORIGIN, "https://evil.example"),
            (ACCESS_CONTROL_REQUEST_METHOD, "DELETE"),
        ]);
        assert_eq!(preflight_method(&Method::OPTIONS, &twice), None);
        assert_eq!(preflight_method(&Method::OPTIONS, &headers(&[(ORIGIN, "https://app.example.com")])), None);
    }
}
