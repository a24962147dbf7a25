//! Where another issuer's token keeps a claim: a name, or names joined by dots into nested objects. Pure; made when the
//! configuration is read, followed once per verified token.

use serde_json::Value;

use super::claims::TokenError;
use super::object::Object;

/// The members to follow from the payload; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Returns the path that `text` spells; `None` if a name in it is empty. A URL is one name, dots and all: that is how
    /// providers keep claims of their own apart from registered ones (`OpenID` Connect Core section 5.1.2).
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<String> =
            if text.contains("://") { vec![text.to_owned()] } else { text.split('.').map(str::to_owned).collect() };
        names.iter().all(|name| !name.is_empty()).then_some(Self(names))
    }

    /// Returns the value at the path, `None` if there is none. Something else than an object on the way refuses the token.
    pub(super) fn find<'p>(&self, payload: &'p Object) -> Result<Option<&'p Value>, TokenError> {
        let (first, rest) = self.0.split_first().expect("a path has a name");
        let mut found = payload.member(first);
        for name in rest {
            let Some(value) = found else { return Ok(None) };
            found = value.as_object().ok_or(TokenError::InvalidClaims)?.get(name);
        }
        Ok(found)
    }

    /// Whether this is the registered claim `sub`, which RFC 7519 makes a string.
    pub(super) fn is_subject(&self) -> bool {
        matches!(self.0.as_slice(), [name] if name == "sub")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, payload: &str) -> Result<Option<String>, TokenError> {
        let payload = Object::parse(payload.as_bytes()).unwrap();
        ClaimPath::parse(path).unwrap().find(&payload).map(|value| value.map(ToString::to_string))
    }

    #[test]
    fn dots_lead_into_objects_and_a_url_is_one_name() {
        let payload = r#"{"a":{"b":{"c":1}},"https://x.example/roles":2,"a.b":3}"#;
        assert_eq!(found("a.b.c", payload), Ok(Some("1".into())));
        assert_eq!(found("https://x.example/roles", payload), Ok(Some("2".into())));
        assert_eq!(found("a.b", payload), Ok(Some(r#"{"c":1}"#.into())));
    }

    #[test]
    fn what_is_missing_is_absent_and_what_is_no_object_refuses_the_token() {
        assert_eq!(found("a.b", "{}"), Ok(None));
        assert_eq!(found("a.b", r#"{"a":{}}"#), Ok(None));
        for wrong in ["1", "null", "[]", "\"b\""] {
            assert_eq!(found("a.b", &format!(r#"{{"a":{wrong}}}"#)), Err(TokenError::InvalidClaims), "{wrong}");
        }
    }

    #[test]
    fn a_path_with_an_empty_name_is_none() {
        for wrong in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(ClaimPath::parse(wrong), None, "{wrong}");
        }
    }
}
