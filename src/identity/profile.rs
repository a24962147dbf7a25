//! What else may be known of a user: fields that an operator declares (`[auth.user_fields]`), each with its type.
//! Decides whether a value fits its field; whether a caller may write one is `account`'s to ask of [`Writer`].

use std::collections::BTreeMap;

use http::Uri;
use serde_json::{Number, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// Characters that a text may have unless its declaration says otherwise, and the most that one may allow.
pub const USUAL_LENGTH: usize = 256;
pub const MAX_LENGTH: usize = 4096;
/// Fields that may be declared: a profile is read with every sign-in.
pub const MAX_FIELDS: usize = 64;

/// Whole numbers beyond these are read differently by different programs (RFC 8259 section 6).
const EXACT: i64 = (1 << 53) - 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// `2026-01-31`.
    Date,
    /// RFC 3339.
    DateTime,
    /// http or https.
    Url,
}

impl Kind {
    pub const ALL: [(&str, Self); 7] = [
        ("string", Self::Text),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("date", Self::Date),
        ("datetime", Self::DateTime),
        ("url", Self::Url),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Integer => "a whole number between -(2^53 - 1) and 2^53 - 1",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Date => "a date such as \"2026-01-31\"",
            Self::DateTime => "a date and time such as \"2026-01-31T12:00:00Z\" (RFC 3339)",
            Self::Url => "an http or https URL",
        }
    }
}

/// Who may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// Its user, and operators.
    User,
    Operator,
}

/// One declared field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserField {
    pub kind: Kind,
    /// Whether a registration must carry it.
    pub required: bool,
    pub writer: Writer,
    /// The only texts that it may be; empty: any.
    pub values: Vec<String>,
    /// In characters, of texts and URLs.
    pub max_length: usize,
}

/// All of them, by name.
pub type UserFields = BTreeMap<String, UserField>;

/// Why a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("expected {}", .0.expected())]
    OtherType(Kind),
    #[error("more than {0} characters")]
    TooLong(usize),
    #[error("control characters are not allowed")]
    ControlCharacters,
    #[error("expected one of {}", .0.join(", "))]
    NotListed(Vec<String>),
}

impl Misfit {
    /// Returns the stable code of a fault.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherType(_) => "wrong_type",
            Self::TooLong(_) => "too_long",
            Self::ControlCharacters => "invalid_characters",
            Self::NotListed(_) => "not_allowed",
        }
    }
}

impl UserField {
    /// Returns the value as it is kept: texts without white space at their ends. `None` clears the field, as `null` and
    /// empty texts do.
    pub fn judge(&self, value: &Value) -> Result<Option<Value>, Misfit> {
        match (self.kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::Boolean, Value::Bool(_)) | (Kind::Number, Value::Number(_)) => Ok(Some(value.clone())),
            (Kind::Integer, Value::Number(number)) if is_exact(number) => Ok(Some(value.clone())),
            (Kind::Text | Kind::Date | Kind::DateTime | Kind::Url, Value::String(text)) => self.judge_text(text.trim()),
            _ => Err(Misfit::OtherType(self.kind)),
        }
    }

    /// Returns the value that a typed text means, such as an argument of a command or a cell of a table.
    pub fn read(&self, typed: &str) -> Result<Option<Value>, Misfit> {
        let typed = typed.trim();
        let value = match self.kind {
            _ if typed.is_empty() => return Ok(None),
            Kind::Integer | Kind::Number | Kind::Boolean => serde_json::from_str(typed).unwrap_or(Value::Null),
            Kind::Text | Kind::Date | Kind::DateTime | Kind::Url => Value::from(typed),
        };
        self.judge(&value)?.ok_or(Misfit::OtherType(self.kind)).map(Some)
    }

    fn judge_text(&self, text: &str) -> Result<Option<Value>, Misfit> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().count() > self.max_length {
            return Err(Misfit::TooLong(self.max_length));
        }
        if text.chars().any(char::is_control) {
            return Err(Misfit::ControlCharacters);
        }
        let is_of_kind = match self.kind {
            Kind::Date => Date::parse(text, format_description!("[year]-[month]-[day]")).is_ok(),
            Kind::DateTime => OffsetDateTime::parse(text, &Rfc3339).is_ok(),
            Kind::Url => is_web_address(text),
            Kind::Text | Kind::Integer | Kind::Number | Kind::Boolean => true,
        };
        if !is_of_kind {
            return Err(Misfit::OtherType(self.kind));
        }
        if !self.values.is_empty() && !self.values.iter().any(|value| value == text) {
            return Err(Misfit::NotListed(self.values.clone()));
        }
        Ok(Some(Value::from(text)))
    }
}

fn is_exact(number: &Number) -> bool {
    number.as_i64().is_some_and(|number| (-EXACT..=EXACT).contains(&number))
}

/// A user name before the host would make a link that looks like another one.
fn is_web_address(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri
                .authority()
                .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: Kind) -> UserField {
        UserField { kind, required: false, writer: Writer::User, values: Vec::new(), max_length: 30 }
    }

    #[test]
    fn each_type_takes_its_own_values_and_no_others() {
        let samples = [
            (Kind::Text, json!("x")),
            (Kind::Integer, json!(-7)),
            (Kind::Number, json!(1.5)),
            (Kind::Boolean, json!(false)),
            (Kind::Date, json!("2024-02-29")),
            (Kind::DateTime, json!("2026-01-31T12:00:00.5+01:00")),
            (Kind::Url, json!("https://example.com/a?b#c")),
        ];
        for (kind, own) in &samples {
            assert_eq!(field(*kind).judge(own), Ok(Some(own.clone())), "{}", kind.name());
            for (_, other) in samples.iter().filter(|(other, _)| other != kind) {
                let fits = field(*kind).judge(other).is_ok();
                let is_wider = *kind == Kind::Text && other.is_string() || *kind == Kind::Number && other.is_number();
                assert_eq!(fits, is_wider, "{} {other}", kind.name());
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_date_number_or_address_is_refused() {
        for text in ["2023-02-29", "2026-1-1", "31.01.2026", "2026-01-31T00:00:00Z", "+002026-01-01"] {
            assert!(field(Kind::Date).judge(&json!(text)).is_err(), "{text}");
        }
        for text in ["2026-01-31", "2026-01-31T12:00:00", "now"] {
            assert!(field(Kind::DateTime).judge(&json!(text)).is_err(), "{text}");
        }
        for text in ["javascript:alert(1)", "/a", "ftp://a.example", "https://", "https://a@b.example", "https://a b"] {
            assert!(field(Kind::Url).judge(&json!(text)).is_err(), "{text}");
        }
        for number in [json!(1.5), json!(9_007_199_254_740_993_u64), json!("1"), json!(true)] {
            assert!(field(Kind::Integer).judge(&number).is_err(), "{number}");
        }
    }

    #[test]
    fn texts_are_trimmed_bounded_and_of_the_list() {
        let mut role = field(Kind::Text);
        assert_eq!(role.judge(&json!("  a b ")), Ok(Some(json!("a b"))));
        assert_eq!(role.judge(&json!("   ")), Ok(None));
        assert_eq!(role.judge(&json!("é".repeat(31))), Err(Misfit::TooLong(30)));
        assert_eq!(role.judge(&json!("a\u{1b}[2J")), Err(Misfit::ControlCharacters));
        role.values = vec!["user".into(), "other".into()];
        assert_eq!(role.judge(&json!("other")), Ok(Some(json!("other"))));
        assert_eq!(role.judge(&json!("Other")).unwrap_err().to_string(), "expected one of user, other");
    }

    #[test]
    fn a_typed_text_becomes_a_value_of_the_fields_type() {
        assert_eq!(field(Kind::Integer).read(" 42 "), Ok(Some(json!(42))));
        assert_eq!(field(Kind::Boolean).read("true"), Ok(Some(json!(true))));
        assert_eq!(field(Kind::Text).read("42"), Ok(Some(json!("42"))));
        assert_eq!(field(Kind::Number).read(""), Ok(None));
        for (kind, text) in
            [(Kind::Boolean, "yes"), (Kind::Integer, "null"), (Kind::Integer, "4x"), (Kind::Number, "NaN")]
        {
            assert_eq!(field(kind).read(text), Err(Misfit::OtherType(kind)), "{text}");
        }
    }
}
