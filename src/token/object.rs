//! A JSON object in which no member stands twice. Two parsers may disagree about which of two `exp` members counts
//! (RFC 8725 section 2.4), so nobody gets to choose: the object is refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The members of a JSON object, each once, at every depth.
pub struct Object(Map<String, Value>);

impl Object {
    /// Returns the object that `json` is; `None` for anything else, and if a member is repeated in it or in any object below.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        let Unambiguous(value) = serde_json::from_slice(json).ok()?;
        if let Value::Object(members) = value { Some(Self(members)) } else { None }
    }

    /// Returns the object that a part of another one is.
    pub(super) fn from_value(value: &Value) -> Option<Self> {
        value.as_object().cloned().map(Self)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Any JSON value in which no object has a member twice.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(OnceEach).map(Self)
    }
}

struct OnceEach;

impl<'de> Visitor<'de> for OnceEach {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON without repeated members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Unambiguous(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(value))) = map.next_entry::<String, Unambiguous>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_refused_however_it_is_spelt() {
        assert!(Object::parse(br#"{"a":1,"b":2}"#).is_some());
        assert!(Object::parse(br#"{"a":1,"a":1}"#).is_none());
        assert!(Object::parse(br#"{"a":1,"\u0061":2}"#).is_none());
        assert!(Object::parse(br#"{"a":{"b":1,"c":2},"d":[{"b":1}]}"#).is_some());
        assert!(Object::parse(br#"{"a":{"b":1,"b":1}}"#).is_none());
        assert!(Object::parse(br#"{"a":[1,{"b":1,"b":2}]}"#).is_none());
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        for text in ["", "[]", "1", "null", "\"a\"", "{} {}", "{}x", "{\"a\":}", "{a:1}", "\u{feff}{}"] {
            assert!(Object::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none());
    }
}
