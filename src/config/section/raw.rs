//! A value before it is parsed, and how problems speak of it: short, and without a secret that stands in a URL.

use toml::de::DeValue;

use crate::config::problem::has_user_info;

/// A value as it stands in the file or in a variable.
pub(super) enum Raw<'a> {
    Toml(&'a DeValue<'a>),
    Variable(&'a str),
}

impl Raw<'_> {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Toml(value) => describe(value),
            Self::Variable(text) => quoted(text),
        }
    }
}

pub(super) fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(integer) => format!("the number {integer}"),
        DeValue::Float(float) => format!("the number {float}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// Returns `text` in quotes, cut short; a URL that carries a user is not repeated.
pub(super) fn quoted(text: &str) -> String {
    if has_user_info(text) {
        return "a URL with a user name or password".to_owned();
    }
    let mut shown: String = text.chars().take(80).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

pub(super) fn quoting_hint(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
            Some("write it in quotes, with its unit if it has one".to_owned())
        }
        DeValue::String(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
