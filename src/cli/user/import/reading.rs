//! From a row to a [`Newcomer`]: values as JSON, MongoDB's extended JSON, CSV and `SQLite` write them.
//! A value of a wrong kind refuses its row; it is never repeated.

use std::result::Result;

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use super::field_map::{FieldMap, Record, Target};
use crate::account::admin::{Newcomer, Refusal};
use crate::clock::Timestamp;

/// Returns whom `record` describes.
pub fn newcomer(map: &FieldMap, record: &Record) -> Result<Newcomer, Refusal> {
    let mut newcomer = Newcomer::default();
    for (target, value) in map.fields(record) {
        take(&mut newcomer, target, value)?;
    }
    Ok(newcomer)
}

fn take(newcomer: &mut Newcomer, target: &Target, value: &Value) -> Result<(), Refusal> {
    match target {
        Target::Id => newcomer.id = text("id", value)?,
        Target::ExternalId => newcomer.external_id = text("external_id", value)?,
        Target::Email => newcomer.email = text("email", value)?,
        Target::Username => newcomer.username = text("username", value)?,
        Target::FirstName => newcomer.first_name = text("first_name", value)?,
        Target::LastName => newcomer.last_name = text("last_name", value)?,
        Target::FullName => newcomer.full_name = text("full_name", value)?,
        Target::Phone => newcomer.phone = text("phone", value)?,
        Target::PasswordHash => newcomer.password_hash = text("password_hash", value)?,
        Target::Roles => newcomer.roles.extend(roles(value)?),
        Target::Role(role) => {
            if flag("roles", value)? == Some(true) {
                newcomer.roles.push(role.as_str().to_owned());
            }
        }
        Target::IsActive => newcomer.is_active = flag("is_active", value)?,
        Target::EmailVerified => newcomer.email_verified = flag("email_verified", value)?.unwrap_or(false),
        Target::CreatedAt => newcomer.created_at = moment(value)?,
        Target::Profile => {
            let expected = || Refusal::new("profile", "found something else, expected an object");
            let object = value.as_object().ok_or_else(expected)?;
            newcomer.profile.extend(object.iter().map(|(name, value)| (name.clone(), plain(value))));
        }
        Target::ProfileField(name) => drop(newcomer.profile.insert(name.clone(), plain(value))),
    }
    Ok(())
}

/// Returns the value that extended JSON stands for (`{"$oid": "…"}`); what is none stays as it is.
fn plain(value: &Value) -> Value {
    let Some((name, inner)) =
        value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next())
    else {
        return value.clone();
    };
    match (name.as_str(), inner) {
        ("$oid" | "$uuid" | "$symbol" | "$date", Value::String(_)) => inner.clone(),
        ("$numberInt" | "$numberLong" | "$numberDouble", Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        ("$date", Value::Object(_) | Value::Number(_)) => {
            let millis = plain(inner).as_i64();
            millis.map_or_else(|| value.clone(), |millis| Timestamp::from_millis(millis).to_rfc3339().into())
        }
        _ => value.clone(),
    }
}

fn text(field: &'static str, value: &Value) -> Result<Option<String>, Refusal> {
    match plain(value) {
        Value::String(text) => Ok(Some(text)),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Null => Ok(None),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Refusal::new(field, format!("found {}, expected a text", kind(value))))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Returns the names in a list, or in a text with commas or spaces between, which may be a list of JSON or `PostgreSQL`.
fn roles(value: &Value) -> Result<Vec<String>, Refusal> {
    let expected = || Refusal::new("roles", format!("found {}, expected names of roles", kind(value)));
    match value {
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned).ok_or_else(expected)).collect(),
        Value::String(text) => {
            let is_mark =
                |letter: char| matches!(letter, '[' | ']' | '{' | '}' | '"' | '\'' | ',') || letter.is_whitespace();
            Ok(text.split(is_mark).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(expected()),
    }
}

fn flag(field: &'static str, value: &Value) -> Result<Option<bool>, Refusal> {
    let word = match plain(value) {
        Value::Bool(flag) => return Ok(Some(flag)),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        Value::Null | Value::Array(_) | Value::Object(_) => "?".to_owned(),
    };
    match word.as_str() {
        "1" | "t" | "true" | "y" | "yes" => Ok(Some(true)),
        "0" | "f" | "false" | "n" | "no" => Ok(Some(false)),
        "" => Ok(None),
        _ => Err(Refusal::new(field, "expected true or false")),
    }
}

/// Numbers above are milliseconds: as seconds they would be in the year 5138.
const GREATEST_SECONDS: i64 = 100_000_000_000;

/// Returns the moment that RFC 3339, a SQL timestamp (in UTC, if it doesn't say), a date or a Unix time means.
fn moment(value: &Value) -> Result<Option<Timestamp>, Refusal> {
    let read = match plain(value) {
        Value::Number(number) => number.as_f64().map(of_unix),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => of_text(text.trim()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    // A time far off is no time of a registration, but of a field that means something else.
    let is_likely = |moment: &Timestamp| (0..GREATEST_SECONDS).contains(&moment.as_secs());
    let expected = "expected a time such as 2026-01-31T12:00:00Z, 2026-01-31 12:00:00 or 1769860800";
    read.filter(is_likely).map(Some).ok_or_else(|| Refusal::new("created_at", expected))
}

#[allow(clippy::cast_possible_truncation)] // `as` saturates, and what is out of range is refused
fn of_unix(number: f64) -> Timestamp {
    let is_seconds = (number as i64).saturating_abs() < GREATEST_SECONDS;
    Timestamp::from_millis(if is_seconds { number * 1000.0 } else { number } as i64)
}

fn of_text(text: &str) -> Option<Timestamp> {
    // PostgreSQL writes a space for `T` and `+00` for `+00:00`.
    let mut written = text.replacen(' ', "T", 1);
    let zone = written.len().checked_sub(3).and_then(|at| written.get(at..)).unwrap_or_default();
    if written.contains('T') && matches!(zone.as_bytes(), [b'+' | b'-', _, _]) {
        written.push_str(":00");
    }
    let moment = OffsetDateTime::parse(&written, &Rfc3339).ok().or_else(|| {
        let seconds = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
        let fraction = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]");
        let local =
            PrimitiveDateTime::parse(&written, fraction).or_else(|_| PrimitiveDateTime::parse(&written, seconds));
        let day = || Date::parse(&written, format_description!("[year]-[month]-[day]")).map(Date::midnight);
        local.or_else(|_| day()).ok().map(PrimitiveDateTime::assume_utc)
    })?;
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests;
