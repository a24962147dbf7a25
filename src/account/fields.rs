//! The declared fields of a user's profile, as their owner writes them: known, theirs to write, and of the declared type.

use std::collections::BTreeMap;

use serde_json::Value;

use super::validate::Faults;
use crate::identity::profile::{UserFields, Writer};
use crate::store::ProfileFields;

/// Faults beyond these are not listed: an answer must not outgrow its request by much.
const MAX_FAULTS: usize = 16;

impl Faults {
    /// Returns the fields of a new account.
    pub fn new_profile(&mut self, typed: &ProfileFields, declared: &UserFields) -> ProfileFields {
        let written = self.profile(typed, declared);
        let fields: ProfileFields = written.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        for (name, field) in declared {
            // What was typed and is wrong has its fault already.
            if field.required && typed.get(name).is_none_or(is_nothing) {
                self.missing(format!("profile.{name}"));
            }
        }
        fields
    }

    /// Returns what is to be changed: `None` clears a field.
    pub fn profile_change(&mut self, typed: &ProfileFields, declared: &UserFields) -> BTreeMap<String, Option<Value>> {
        let written = self.profile(typed, declared);
        for (name, value) in &written {
            if value.is_none() && declared.get(name).is_some_and(|field| field.required) {
                self.missing(format!("profile.{name}"));
            }
        }
        written
    }

    fn profile(&mut self, typed: &ProfileFields, declared: &UserFields) -> BTreeMap<String, Option<Value>> {
        let mut written = BTreeMap::new();
        let mut unknown = 0;
        for (name, value) in typed {
            let path = || format!("profile.{name}");
            match declared.get(name) {
                None => {
                    unknown += 1;
                    if unknown <= MAX_FAULTS {
                        self.note(path(), "unknown_field", "no such field here");
                    }
                }
                Some(field) if field.writer == Writer::Operator => {
                    self.note(path(), "read_only", "not yours to write");
                }
                Some(field) => match field.judge(value) {
                    Ok(value) => drop(written.insert(name.clone(), value)),
                    Err(misfit) => self.note(path(), misfit.code(), misfit.to_string()),
                },
            }
        }
        written
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}
