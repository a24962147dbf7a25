//! How our values stand in columns. What does not read back as what we wrote is an error, never a default.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::clock::Timestamp;
use crate::identity::{ExternalId, Role, Scope, SessionId, UserId};
use crate::store::{ProfileFields, Purpose};
use crate::token::key::Algorithm;

/// The text in a column is not one of ours. The text itself is not repeated: it could be anything.
#[derive(Debug, thiserror::Error)]
#[error("not {0}")]
struct Foreign(&'static str);

fn foreign(expected: &'static str) -> FromSqlError {
    FromSqlError::other(Foreign(expected))
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_millis().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_millis)
    }
}

impl ToSql for UserId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for UserId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or_else(|| foreign("a user id"))
    }
}

impl ToSql for ExternalId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for ExternalId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or_else(|| foreign("an id of another system"))
    }
}

impl ToSql for SessionId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for SessionId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|_| foreign("a session id"))
    }
}

impl ToSql for Algorithm {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Algorithm {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or_else(|| foreign("an algorithm"))
    }
}

impl ToSql for Purpose {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Purpose {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).ok_or_else(|| foreign("what a mail is about"))
    }
}

/// Roles as a JSON array of strings.
pub(super) struct Roles(pub Vec<Role>);

impl ToSql for Roles {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let names: Vec<&str> = self.0.iter().map(Role::as_str).collect();
        json(&names)
    }
}

impl FromSql for Roles {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        parse_all(value, Role::parse, "a JSON array of roles").map(Self)
    }
}

/// Scopes in the same way.
pub(super) struct Scopes(pub Vec<Scope>);

impl ToSql for Scopes {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let names: Vec<&str> = self.0.iter().map(Scope::as_str).collect();
        json(&names)
    }
}

impl FromSql for Scopes {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        parse_all(value, Scope::parse, "a JSON array of scopes").map(Self)
    }
}

fn parse_all<T>(value: ValueRef<'_>, parse: fn(&str) -> Option<T>, expected: &'static str) -> FromSqlResult<Vec<T>> {
    let names: Vec<String> = serde_json::from_str(value.as_str()?).map_err(|_| foreign(expected))?;
    names.iter().map(|name| parse(name)).collect::<Option<_>>().ok_or_else(|| foreign(expected))
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<ToSqlOutput<'static>> {
    let text = serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    Ok(text.into())
}

/// The profile as a JSON object.
pub(super) struct Profile(pub ProfileFields);

impl ToSql for Profile {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        json(&self.0)
    }
}

impl FromSql for Profile {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(|_| foreign("a JSON object"))
    }
}
