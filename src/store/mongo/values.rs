//! How our values stand in documents: text as strings, moments as dates, digests as binary. What does not read back as what we
//! wrote is an error that names the field, never a default; fields that we don't know are left alone.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};

use crate::clock::Timestamp;
use crate::identity::{Scope, SessionId, UserId};
use crate::store::{Result, StoreError};
use crate::token::refresh::JtiHash;

pub(super) fn date(moment: Timestamp) -> Bson {
    Bson::DateTime(DateTime::from_millis(moment.as_millis()))
}

pub(super) fn binary(bytes: &[u8]) -> Bson {
    Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

pub(super) fn text(text: impl AsRef<str>) -> Bson {
    Bson::String(text.as_ref().to_owned())
}

pub(super) fn texts(all: impl IntoIterator<Item = impl AsRef<str>>) -> Bson {
    Bson::Array(all.into_iter().map(text).collect())
}

pub(super) fn scopes(scopes: &[Scope]) -> Bson {
    texts(scopes.iter().map(Scope::as_str))
}

/// A document to be written: its id, and every other field that the store knows; `None` for one that must be absent.
pub(super) struct Draft {
    pub id: Bson,
    pub fields: Vec<(&'static str, Option<Bson>)>,
}

impl Draft {
    pub(super) fn into_document(self) -> Document {
        let mut document = doc! { "_id": self.id };
        document.extend(self.fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        document
    }

    /// Returns the update that leaves fields alone which the store does not know.
    pub(super) fn into_update(self) -> Document {
        let (mut set, mut unset) = (Document::new(), Document::new());
        for (name, value) in self.fields {
            match value {
                Some(value) => set.insert(name, value),
                None => unset.insert(name, ""),
            };
        }
        let mut update = doc! { "$set": set };
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        update
    }
}

/// Reads the fields of one document of a collection.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    collection: &'static str,
    document: &'a Document,
}

impl<'a> Fields<'a> {
    pub(super) fn of(collection: &'static str, document: &'a Document) -> Self {
        Self { collection, document }
    }

    /// Returns the error of a field that is not `expected`. What it holds is not repeated: it could be anything.
    fn foreign(self, field: &str, expected: &str) -> StoreError {
        StoreError::Damaged(format!("{}.{field} is not {expected}", self.collection))
    }

    /// Returns the field's value; a field that is `null` is as good as absent.
    fn present(self, field: &str) -> Option<&'a Bson> {
        self.document.get(field).filter(|value| **value != Bson::Null)
    }

    fn read<T>(self, field: &str, expected: &str, convert: impl Fn(&'a Bson) -> Option<T>) -> Result<T> {
        self.present(field).and_then(convert).ok_or_else(|| self.foreign(field, expected))
    }

    pub(super) fn optional_parsed<T>(
        self,
        field: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        self.read_optional(field, expected, |value| parse(value.as_str()?))
    }

    pub(super) fn read_optional<T>(
        self,
        field: &str,
        expected: &str,
        convert: impl Fn(&'a Bson) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.present(field) else { return Ok(None) };
        convert(value).map(Some).ok_or_else(|| self.foreign(field, expected))
    }

    pub(super) fn text(self, field: &str) -> Result<String> {
        self.read(field, "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn optional_text(self, field: &str) -> Result<Option<String>> {
        self.optional_parsed(field, "a text", |text| Some(text.to_owned()))
    }

    /// Returns what `parse` makes of a text.
    pub(super) fn parsed<T>(self, field: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
        self.read(field, expected, |value| parse(value.as_str()?))
    }

    /// Returns what `parse` makes of each text of a list.
    pub(super) fn list<T>(self, field: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        self.read(field, expected, |value| value.as_array()?.iter().map(|item| parse(item.as_str()?)).collect())
    }

    pub(super) fn optional_scopes(self, field: &str) -> Result<Option<Vec<Scope>>> {
        self.present(field).map(|_| self.list(field, "a list of scopes", Scope::parse)).transpose()
    }

    pub(super) fn user_id(self, field: &str) -> Result<UserId> {
        self.parsed(field, "a user id", UserId::parse)
    }

    pub(super) fn session_id(self, field: &str) -> Result<SessionId> {
        self.parsed(field, "a session id", |text| text.parse().ok())
    }

    pub(super) fn flag(self, field: &str) -> Result<bool> {
        self.read(field, "true or false", Bson::as_bool)
    }

    /// Returns a whole number, in whichever width the server or a person's hand has left it.
    pub(super) fn number(self, field: &str) -> Result<i64> {
        self.read(field, "a whole number", |value| match value {
            Bson::Int32(number) => Some(i64::from(*number)),
            Bson::Int64(number) => Some(*number),
            _ => None,
        })
    }

    pub(super) fn moment(self, field: &str) -> Result<Timestamp> {
        self.read(field, "a date", moment)
    }

    pub(super) fn optional_moment(self, field: &str) -> Result<Option<Timestamp>> {
        self.read_optional(field, "a date", moment)
    }

    pub(super) fn bytes(self, field: &str) -> Result<Vec<u8>> {
        self.read(field, "binary", |value| bytes(value).map(<[u8]>::to_vec))
    }

    pub(super) fn digest(self, field: &str) -> Result<JtiHash> {
        self.read(field, "a digest of 32 bytes", |value| bytes(value)?.try_into().ok())
    }

    pub(super) fn optional_digest(self, field: &str) -> Result<Option<JtiHash>> {
        self.read_optional(field, "a digest of 32 bytes", |value| bytes(value)?.try_into().ok())
    }
}

fn moment(value: &Bson) -> Option<Timestamp> {
    value.as_datetime().map(|date| Timestamp::from_millis(date.timestamp_millis()))
}

fn bytes(value: &Bson) -> Option<&[u8]> {
    match value {
        Bson::Binary(binary) => Some(&binary.bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::doc;

    use super::*;

    #[test]
    fn what_is_not_ours_is_damage_that_names_the_field_and_repeats_nothing() {
        let document = doc! { "at": "hunter2", "roles": ["a", 7] };
        let fields = Fields::of("users", &document);
        assert_eq!(fields.moment("at"), Err(StoreError::Damaged("users.at is not a date".into())));
        let roles = fields.list("roles", "a list of roles", |text| Some(text.to_owned()));
        assert_eq!(roles, Err(StoreError::Damaged("users.roles is not a list of roles".into())));
        assert_eq!(fields.text("none"), Err(StoreError::Damaged("users.none is not a text".into())));
    }

    #[test]
    fn null_is_as_good_as_absent_where_a_field_may_be_absent() {
        let document = doc! { "email": Bson::Null };
        assert_eq!(Fields::of("users", &document).optional_text("email"), Ok(None));
    }
}
