//! The form in which what a handler answers leaves: the members that are wanted, the status, and the envelope around it.
//! Called for every answer of ours; refusals come here only for the envelope.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::ApiSettings;
use super::answer::Reply;

/// What is said of a grant unless the configuration says otherwise.
const SIGNED_IN: [&str; 5] = ["user_id", "access_token", "refresh_token", "token_type", "expires_in"];
/// The same at the token endpoint (RFC 6749 section 5.1).
const ISSUED: [&str; 5] = ["access_token", "token_type", "expires_in", "refresh_token", "scope"];

impl ApiSettings {
    /// Returns the answer as it leaves `endpoint`; one without a body stays without.
    pub(super) fn shape(&self, endpoint: &str, reply: Reply) -> Response<Bytes> {
        let (mut parts, mut body) = reply.into_parts();
        if parts.status.is_success() && !body.is_null() {
            let wanted = self.answers.of.get(endpoint);
            parts.status = wanted.and_then(|wanted| wanted.status).unwrap_or(parts.status);
            let message = wanted.and_then(|wanted| wanted.message.as_deref());
            let (name, said) = match message {
                Some(message) => ("message", json!(message)),
                None => ("data", self.picked(endpoint, body)),
            };
            body = match (self.answers.wraps(endpoint), message) {
                (true, _) => envelope(parts.status, Vec::new(), (name, said)),
                (false, Some(_)) => json!({"message": said}),
                (false, None) => said,
            };
        }
        let (made, bytes) = json_response(&body).into_parts();
        parts.headers.extend(made.headers);
        Response::from_parts(parts, bytes)
    }

    /// Returns the members that the endpoint shows, the access token under its configured name.
    fn picked(&self, endpoint: &str, body: Value) -> Value {
        let Value::Object(mut members) = body else { return body };
        let wanted = self.answers.of.get(endpoint).and_then(|wanted| wanted.fields.as_ref());
        let names: Vec<&str> = match wanted {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => match usual_members(endpoint) {
                Some(names) => names.to_vec(),
                None => return Value::Object(members),
            },
        };
        let token_name = if endpoint == "token" { "access_token" } else { &self.access_token_name };
        let shown = |name: &str| if name == "access_token" { token_name } else { name }.to_owned();
        let picked = names.into_iter().filter_map(|name| Some((shown(name), members.remove(name)?)));
        Value::Object(picked.collect::<Map<_, _>>())
    }
}

/// Returns what an endpoint shows of all that its handler knows; `None`: everything.
fn usual_members(endpoint: &str) -> Option<&'static [&'static str]> {
    match endpoint {
        "register" | "login" | "refresh" => Some(&SIGNED_IN),
        "token" => Some(&ISSUED),
        _ => None,
    }
}

/// Returns the body as JSON, or nothing for `null`.
pub(super) fn json_response(body: &Value) -> Response<Bytes> {
    if body.is_null() {
        return Response::new(Bytes::new());
    }
    let mut response = Response::new(Bytes::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Returns `said` in an envelope; `headers` are those of the answer that belong to its meaning.
pub(super) fn envelope(status: StatusCode, headers: Vec<(&HeaderName, &HeaderValue)>, said: (&str, Value)) -> Value {
    let shown = headers.into_iter().filter_map(|(name, value)| Some((written(name), json!(value.to_str().ok()?))));
    let shown: Map<String, Value> = shown.collect();
    let (name, value) = said;
    json!({
        "status": if status.is_success() { "success" } else { "error" },
        "code": status.as_u16(),
        "response": spelt(status),
        name: value,
        "headers": if shown.is_empty() { Value::Null } else { Value::Object(shown) },
    })
}

/// Returns `WWW-Authenticate` for `www-authenticate`, as documents write names of headers.
fn written(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| match word.split_at_checked(1) {
        Some(("w", "ww")) => "WWW".to_owned(),
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<Vec<_>>().join("-")
}

/// Returns `401_UNAUTHORIZED` for 401.
fn spelt(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or("UNKNOWN").to_ascii_uppercase();
    let reason = reason.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    format!("{}_{reason}", status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_spelt_with_its_number_and_its_words() {
        for (status, words) in [(200, "200_OK"), (401, "401_UNAUTHORIZED"), (422, "422_UNPROCESSABLE_ENTITY")] {
            assert_eq!(spelt(StatusCode::from_u16(status).unwrap()), words);
        }
        assert_eq!(spelt(StatusCode::from_u16(414).unwrap()), "414_URI_TOO_LONG");
    }

    #[test]
    fn an_envelope_repeats_the_headers_that_say_what_to_do() {
        let challenge = (&http::header::WWW_AUTHENTICATE, &HeaderValue::from_static("Bearer"));
        let wrapped = envelope(StatusCode::UNAUTHORIZED, vec![challenge], ("message", json!("No.")));
        let expected = json!({
            "status": "error", "code": 401, "response": "401_UNAUTHORIZED", "message": "No.",
            "headers": {"WWW-Authenticate": "Bearer"},
        });
        assert_eq!(wrapped, expected);
        assert_eq!(envelope(StatusCode::OK, Vec::new(), ("data", json!(1)))["headers"], Value::Null);
    }
}
