//! Reading what a client sent, strictly: a JSON object of known members, each once and of the right kind; or a form.
//! Says what does not parse (400); what parses but breaks a rule is `account`'s to say.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::http::problem::FieldError;
use crate::secret::Secret;

use super::error::Refusal;
use super::object::Object;

/// Faults beyond these are not listed: an answer must not outgrow its request by much.
const MAX_FAULTS: usize = 16;

/// The members of a JSON object, to be taken one by one.
pub struct Fields {
    members: BTreeMap<String, Value>,
    faults: Vec<FieldError>,
}

impl Fields {
    /// Returns the members of the object that `body` is; `Content-Type` must say JSON.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if !is_type(headers, "application/json") {
            return Err(Refusal::NotJson);
        }
        let object: Object = serde_json::from_slice(body).map_err(|error| {
            // serde's own text may repeat what it found, which may be a password.
            Refusal::Malformed(format!("not a JSON object (line {}, column {})", error.line(), error.column()))
        })?;
        let fault = |name: String| fault(&name, "duplicate_field", "given more than once");
        Ok(Self { members: object.members, faults: object.repeated.into_iter().map(fault).collect() })
    }

    /// Like [`Fields::read`], but no body at all is an object without members.
    pub fn read_if_any(headers: &HeaderMap, body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self { members: BTreeMap::new(), faults: Vec::new() });
        }
        Self::read(headers, body)
    }

    /// Returns a text; `null` counts as absent.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.change(name).flatten()
    }

    pub fn secret(&mut self, name: &str) -> Option<Secret<String>> {
        self.text(name).map(Secret::new)
    }

    /// Returns `Some(None)` for `null`, which clears, and `None` for what is absent, which leaves.
    #[allow(clippy::option_option)] // JSON knows three: absent, null, and a value
    pub fn change(&mut self, name: &str) -> Option<Option<String>> {
        match self.members.remove(name)? {
            Value::String(text) => Some(Some(text)),
            Value::Null => Some(None),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                self.faults.push(fault(name, "wrong_type", "not a string"));
                None
            }
        }
    }

    /// Returns the texts of a list; none for `null` and what is absent.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        let items = match self.members.remove(name) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => return Vec::new(),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![Value::Null],
        };
        let count = items.len();
        let texts: Vec<String> = items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.len() < count {
            self.faults.push(fault(name, "wrong_type", "not a list of strings"));
        }
        texts
    }

    /// Returns a number of whole seconds; `null` counts as absent.
    pub fn seconds(&mut self, name: &str) -> Option<Duration> {
        let value = self.members.remove(name).filter(|value| !value.is_null())?;
        let seconds = value.as_u64().map(Duration::from_secs);
        if seconds.is_none() {
            self.faults.push(fault(name, "wrong_type", "not a whole number of seconds"));
        }
        seconds
    }

    /// Returns the members of an object; none for `null` and what is absent.
    pub fn object(&mut self, name: &str) -> Map<String, Value> {
        match self.members.remove(name) {
            Some(Value::Object(members)) => members,
            Some(Value::Null) | None => Map::new(),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                self.faults.push(fault(name, "wrong_type", "not an object"));
                Map::new()
            }
        }
    }

    /// Succeeds if every member was taken, but for those in `ignored`, and each was of its kind.
    pub fn finish(mut self, ignored: &BTreeSet<String>) -> Result<(), Refusal> {
        let unknown = self.members.into_keys().filter(|name| !ignored.contains(name));
        self.faults.extend(unknown.map(|name| fault(&name, "unknown_field", "no such field here")).take(MAX_FAULTS));
        if self.faults.is_empty() {
            return Ok(());
        }
        self.faults.truncate(MAX_FAULTS);
        Err(Refusal::BadFields(self.faults))
    }
}

fn fault(field: &str, code: &'static str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), code, message: message.to_owned() }
}

/// The parameters of an OAuth request (`application/x-www-form-urlencoded`).
pub struct Form(BTreeMap<String, String>);

/// The body is no form, or repeats a parameter (RFC 6749 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadForm(pub &'static str);

impl Form {
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, BadForm> {
        if !Self::is_sent(headers) {
            return Err(BadForm("the body must be application/x-www-form-urlencoded"));
        }
        Self::parse(std::str::from_utf8(body).map_err(|_| BadForm("the body is not UTF-8"))?)
    }

    /// Returns whether the body says that it is a form.
    pub fn is_sent(headers: &HeaderMap) -> bool {
        is_type(headers, "application/x-www-form-urlencoded")
    }

    /// Returns the parameters of a form's text, which a query is as well.
    pub fn parse(text: &str) -> Result<Self, BadForm> {
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if parameters.insert(decoded(name)?, decoded(value)?).is_some() {
                return Err(BadForm("a parameter is given more than once"));
            }
        }
        Ok(Self(parameters))
    }

    /// Returns a parameter; an empty one counts as absent (RFC 6749 section 3.2).
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }
}

fn decoded(text: &str) -> Result<String, BadForm> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| BadForm("an escape does not decode to UTF-8"))
}

/// Returns whether the one `Content-Type` is `expected`, with no parameter but `charset=utf-8`.
fn is_type(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let is_expected = parts.next().is_some_and(|media| media.eq_ignore_ascii_case(expected));
    is_expected
        && parts.all(|parameter| {
            parameter.eq_ignore_ascii_case("charset=utf-8") || parameter.eq_ignore_ascii_case("charset=\"utf-8\"")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())])
    }

    fn codes(body: &str, ignored: &[&str]) -> Vec<(String, &'static str)> {
        let mut fields = Fields::read(&json("application/json"), body.as_bytes()).ok().unwrap();
        fields.text("email");
        fields.secret("password");
        let ignored = ignored.iter().map(ToString::to_string).collect();
        match fields.finish(&ignored) {
            Ok(()) => Vec::new(),
            Err(Refusal::BadFields(faults)) => faults.into_iter().map(|fault| (fault.field, fault.code)).collect(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_fault_of_an_object_is_listed_with_its_field() {
        let found = codes(r#"{"email": 7, "password": {"$ne": ""}, "roles": ["admin"], "x": 1, "x": 2}"#, &[]);
        let expected = [
            ("x", "duplicate_field"),
            ("email", "wrong_type"),
            ("password", "wrong_type"),
            ("roles", "unknown_field"),
            ("x", "unknown_field"),
        ];
        assert_eq!(found, expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn an_ignored_field_is_accepted_and_a_repeated_one_never() {
        assert_eq!(codes(r#"{"email": "a", "is_active": false}"#, &["is_active"]), []);
        assert_eq!(codes(r#"{"is_active": 1, "is_active": 2}"#, &["is_active"]).len(), 1);
        assert_eq!(codes(r#"{"email": "a", "\u0065mail": "b"}"#, &[]).len(), 1);
        let nested = Fields::read(&json("application/json"), br#"{"profile": {"a": [{"x": 1, "x": 2}]}}"#);
        assert!(matches!(nested, Err(Refusal::Malformed(_))), "a name given twice further inside");
    }

    #[test]
    fn a_flood_of_unknown_fields_is_answered_in_few_words() {
        let members: Vec<String> = (0..5000).map(|number| format!("\"{number}\":0")).collect();
        assert_eq!(codes(&format!("{{{}}}", members.join(",")), &[]).len(), MAX_FAULTS);
    }

    #[test]
    fn what_is_no_single_json_object_is_malformed() {
        let deep = "[".repeat(100_000);
        let nested = format!("{{\"email\":{}", "{\"a\":".repeat(10_000));
        let cases = [
            "",
            "null",
            "[]",
            "\"text\"",
            "{",
            "{}{}",
            "{} x",
            "{\"email\":}",
            "{'email':1}",
            "\u{feff}{}",
            &deep,
            &nested,
        ];
        for body in cases {
            let read = Fields::read(&json("application/json"), body.as_bytes());
            assert!(matches!(read, Err(Refusal::Malformed(_))), "{body:.40}");
        }
        assert!(matches!(Fields::read(&json("application/json"), b"{\"email\":\"\xff\"}"), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn only_json_in_utf_8_is_json() {
        for good in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            assert!(Fields::read(&json(good), b"{}").is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/json; charset=latin1", "application/jsonx", "application/json; a=b", ""]
        {
            assert!(matches!(Fields::read(&json(bad), b"{}"), Err(Refusal::NotJson)), "{bad}");
        }
        assert!(matches!(Fields::read(&HeaderMap::new(), b"{}"), Err(Refusal::NotJson)));
    }

    #[test]
    fn a_form_has_each_parameter_once_and_decodes_escapes() {
        let headers = json("application/x-www-form-urlencoded");
        let mut form = Form::read(&headers, b"username=ada%40example.com&password=a+b%2B%C3%A9&scope=").ok().unwrap();
        assert_eq!(form.take("username").as_deref(), Some("ada@example.com"));
        assert_eq!(form.take("password").as_deref(), Some("a b+é"));
        assert_eq!(form.take("scope"), None);
        assert!(Form::read(&headers, b"a=1&%61=2").is_err());
        assert!(Form::read(&headers, b"a=%ff").is_err());
        assert!(Form::read(&json("application/json"), b"{}").is_err());
    }
}
