//! Which field of ours is found where in a row of another system: the export's own names, a ready map of a known system, and
//! what `--map` says over either.

use serde_json::{Map, Value};

use crate::cli::command::Origin;
use crate::cli::failure::{Failure, Result};
use crate::cli::table::printable;
use crate::identity::Role;
use crate::identity::profile::UserFields;

pub type Record = Map<String, Value>;

/// A field of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Id,
    ExternalId,
    Email,
    Username,
    FirstName,
    LastName,
    FullName,
    Phone,
    Roles,
    /// This role, if what is found there is true.
    Role(Role),
    IsActive,
    EmailVerified,
    PasswordHash,
    CreatedAt,
    /// All declared fields, as one object.
    Profile,
    ProfileField(String),
}

const NAMES: [(&str, Target); 14] = [
    ("id", Target::Id),
    ("external_id", Target::ExternalId),
    ("email", Target::Email),
    ("username", Target::Username),
    ("first_name", Target::FirstName),
    ("last_name", Target::LastName),
    ("full_name", Target::FullName),
    ("phone", Target::Phone),
    ("roles", Target::Roles),
    ("is_active", Target::IsActive),
    ("email_verified", Target::EmailVerified),
    ("password_hash", Target::PasswordHash),
    ("created_at", Target::CreatedAt),
    ("profile", Target::Profile),
];

/// What the models of the two have beside the rest; `role` and `is_verified` where their documentation adds them.
const RAVYN: &[(&str, &str)] = &[
    ("email", "email"),
    ("username", "username"),
    ("first_name", "first_name"),
    ("last_name", "last_name"),
    ("password_hash", "password|hashed_password"),
    ("is_active", "is_active"),
    ("roles", "role|roles"),
    ("role.admin", "is_superuser"),
    ("role.staff", "is_staff"),
    ("email_verified", "is_verified"),
    ("created_at", "created_at|date_joined"),
];

const AUTH_JWT: &[(&str, &str)] = &[
    ("external_id", "_id|id"),
    ("email", "email"),
    ("password_hash", "hashed_password|password_hash|password"),
    ("is_active", "is_active"),
    ("created_at", "created_at"),
];

const ZENTRA: &[(&str, &str)] = &[
    ("external_id", "id"),
    ("username", "username"),
    ("email", "email"),
    ("phone", "phone"),
    ("full_name", "full_name"),
    ("is_active", "is_active"),
    ("password_hash", "hashed_password|password"),
    ("created_at", "created_at"),
];

impl Target {
    fn parse(name: &str) -> Option<Self> {
        if let Some(role) = name.strip_prefix("role.") {
            return Role::parse(role).map(Self::Role);
        }
        if let Some(field) = name.strip_prefix("profile.") {
            return Some(Self::ProfileField(field.to_owned()));
        }
        NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, target)| target)
    }
}

/// Where one field is found.
#[derive(Clone, Debug)]
pub struct Entry {
    pub target: Target,
    /// The first that a row has counts.
    paths: Vec<String>,
    /// Whether somebody typed it: then a table without such a column is a mistake.
    is_typed: bool,
}

#[derive(Clone, Debug)]
pub struct FieldMap(Vec<Entry>);

impl FieldMap {
    /// Returns the map of `origin`, or without one that of an export, with `typed` over it.
    pub fn new(origin: Option<Origin>, typed: &[String], declared: &UserFields) -> Result<Self> {
        let ready: Vec<(&str, &str)> = match origin {
            None => NAMES.iter().map(|(name, _)| (*name, *name)).collect(),
            Some(Origin::RavynMongoz) => [&[("external_id", "_id|id")][..], RAVYN].concat(),
            Some(Origin::RavynEdgy) => [&[("external_id", "id")][..], RAVYN].concat(),
            Some(Origin::AuthJwt) => AUTH_JWT.to_vec(),
            Some(Origin::Zentra) => ZENTRA.to_vec(),
        };
        let mut map = Self(Vec::new());
        for name in declared.keys() {
            map.set(Target::ProfileField(name.clone()), name, false);
        }
        for (name, paths) in ready {
            let target = Target::parse(name).expect("a ready map names fields of ours");
            map.set(target, paths, false);
        }
        for entry in typed {
            let unknown = || {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                Failure::usage(format!(
                    "--map {}: expected FIELD=PATH with one of {}, role.NAME, profile.NAME",
                    printable(entry),
                    names.join(", ")
                ))
            };
            let (name, paths) = entry.split_once('=').ok_or_else(unknown)?;
            map.set(Target::parse(name.trim()).ok_or_else(unknown)?, paths, true);
        }
        Ok(map)
    }

    /// Replaces where `target` is found; no path at all leaves it out.
    fn set(&mut self, target: Target, paths: &str, is_typed: bool) {
        self.0.retain(|entry| entry.target != target);
        let paths: Vec<String> =
            paths.split('|').map(str::trim).filter(|path| !path.is_empty()).map(str::to_owned).collect();
        if !paths.is_empty() {
            self.0.push(Entry { target, paths, is_typed });
        }
    }

    /// Returns each field that `record` has something for, with what that is.
    pub fn fields<'a>(&'a self, record: &'a Record) -> impl Iterator<Item = (&'a Target, &'a Value)> {
        self.0.iter().filter_map(|entry| {
            let value = entry.paths.iter().find_map(|path| look_up(record, path)).filter(|value| !value.is_null())?;
            Some((&entry.target, value))
        })
    }

    /// Says why rows with these columns can't hold users.
    pub fn check_columns(&self, columns: &[String]) -> std::result::Result<(), String> {
        let has = |entry: &Entry| entry.paths.iter().any(|path| columns.iter().any(|column| column == path));
        if let Some(missing) = self.0.iter().find(|entry| entry.is_typed && !has(entry)) {
            return Err(format!("no column is called {}; it has {}", missing.paths.join(" or "), listed(columns)));
        }
        if !self.0.iter().any(|entry| matches!(entry.target, Target::Email | Target::Username) && has(entry)) {
            let hint = "say where they are: --map email=COLUMN or --map username=COLUMN";
            return Err(format!("no column holds e-mail addresses or user names; it has {}; {hint}", listed(columns)));
        }
        Ok(())
    }
}

/// Returns what stands at `path`: a name as a whole, or names of nested objects with dots between.
fn look_up<'a>(record: &'a Record, path: &str) -> Option<&'a Value> {
    if let Some(value) = record.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    look_up(record.get(first)?.as_object()?, rest)
}

fn listed(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().take(30).map(|name| printable(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(map: &FieldMap, record: &Value) -> Vec<(Target, Value)> {
        map.fields(record.as_object().unwrap()).map(|(target, value)| (target.clone(), value.clone())).collect()
    }

    fn typed(entries: &[&str]) -> FieldMap {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        FieldMap::new(None, &entries, &UserFields::new()).unwrap()
    }

    #[test]
    fn what_is_typed_replaces_what_is_ready_and_nothing_leaves_out() {
        let map = typed(&["email=contact.mail|mail", "username=", "role.admin=is_root"]);
        let record = json!({"email": "no", "username": "no", "mail": "b", "contact": {"mail": "a"}, "is_root": 1});
        let expected = vec![
            (Target::Email, json!("a")),
            (Target::Role(Role::parse("admin").unwrap()), json!(1)), //
        ];
        assert_eq!(found(&map, &record), expected);
        assert_eq!(found(&map, &json!({"mail": "b"})), [(Target::Email, json!("b"))]);
    }

    #[test]
    fn a_field_that_we_lack_is_a_mistake_of_the_command_line() {
        for wrong in ["mail=email", "email", "role.a b=x", "="] {
            let error = FieldMap::new(None, &[wrong.to_owned()], &UserFields::new()).unwrap_err();
            assert_eq!(error.code, 64, "{wrong}");
            assert!(error.message.contains("password_hash"), "{}", error.message);
        }
    }

    #[test]
    fn columns_that_hold_no_users_are_told_with_what_there_is() {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let map = typed(&["phone=tel"]);
        assert_eq!(map.check_columns(&columns(&["email", "tel"])), Ok(()));
        assert!(map.check_columns(&columns(&["email", "phone"])).unwrap_err().contains("no column is called tel"));
        let error = map.check_columns(&columns(&["price", "tel"])).unwrap_err();
        assert!(error.contains("e-mail") && error.contains("price, tel") && error.contains("--map"), "{error}");
    }
}
