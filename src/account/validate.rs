//! Whether what a person typed about themselves fits the rules. All faults are found, not only the first.

use std::borrow::Cow;

use super::error::{AccountError, Fault};
use super::settings::Field;
use crate::identity::email::Email;
use crate::identity::username::Username;
use crate::password::rules::Rules;
use crate::secret::Secret;

/// Of the free text fields.
const MAX_TEXT_CHARS: usize = 256;

/// The faults found so far.
#[derive(Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub fn note(&mut self, field: impl Into<Cow<'static, str>>, code: &'static str, message: impl Into<String>) {
        self.0.push(Fault { field: field.into(), code, message: message.into() });
    }

    pub fn missing(&mut self, field: impl Into<Cow<'static, str>>) {
        let field = field.into();
        let message = format!("`{field}` is required");
        self.note(field, "required", message);
    }

    /// Returns the address; `None` when nothing was typed or the fault was noted.
    pub fn email(&mut self, typed: Option<&str>) -> Option<Email> {
        let parsed = Email::parse(filled(typed)?);
        parsed.inspect_err(|error| self.note(Field::Email.name(), "invalid_email", error.to_string())).ok()
    }

    pub fn username(&mut self, typed: Option<&str>) -> Option<Username> {
        let parsed = Username::parse(filled(typed)?);
        parsed.inspect_err(|error| self.note(Field::Username.name(), "invalid_username", error.to_string())).ok()
    }

    /// Returns the text without white space at its ends.
    pub fn text(&mut self, field: Field, typed: Option<&str>) -> Option<String> {
        let text = filled(typed)?;
        if text.chars().count() > MAX_TEXT_CHARS {
            self.note(field.name(), "too_long", format!("more than {MAX_TEXT_CHARS} characters"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.note(field.name(), "invalid_characters", "control characters are not allowed");
            return None;
        }
        Some(text.to_owned())
    }

    /// Notes what makes `password` too weak; `own` are the names that its owner is known by.
    pub fn password(&mut self, field: &'static str, password: &Secret<String>, rules: &Rules, own: &[&str]) {
        if let Err(weakness) = rules.judge(password, own) {
            self.note(field, weakness.code(), weakness.to_string());
        }
    }

    pub fn finish(self) -> Result<(), AccountError> {
        if self.0.is_empty() { Ok(()) } else { Err(AccountError::Invalid(self.0)) }
    }
}

/// Returns what was typed without white space at its ends; nothing but white space is nothing.
pub fn filled(typed: Option<&str>) -> Option<&str> {
    typed.map(str::trim).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_at_most_256_characters_and_has_no_control_characters() {
        let mut faults = Faults::default();
        assert_eq!(faults.text(Field::Phone, Some(" +49 30 1 ")).as_deref(), Some("+49 30 1"));
        assert_eq!(faults.text(Field::FullName, Some(&"é".repeat(256))).map(|text| text.chars().count()), Some(256));
        assert_eq!(faults.text(Field::Phone, Some("   ")), None);
        assert!(faults.0.is_empty());
        assert_eq!(faults.text(Field::FullName, Some(&"é".repeat(257))), None);
        assert_eq!(faults.text(Field::FirstName, Some("a\r\nb")), None);
        let codes: Vec<_> = faults.0.iter().map(|fault| (fault.field.as_ref(), fault.code)).collect();
        assert_eq!(codes, [("full_name", "too_long"), ("first_name", "invalid_characters")]);
    }
}
