//! People brought over from another system, each as it knew them: held to the rules of names here, with the hash they had.
//! One who can't come is refused alone, with the field and the reason, in words that repeat nothing of theirs.
//! Who is here already stays as they are, so that bringing the same people again changes nothing.

use serde_json::Value;
use tokio::task::JoinSet;

use super::{Admin, Result, users};
use crate::clock::Timestamp;
use crate::identity::email::Email;
use crate::identity::profile::{Kind, UserFields};
use crate::identity::username::Username;
use crate::identity::{ExternalId, Role, UserId};
use crate::password::foreign::Notation;
use crate::password::hash::Hasher;
use crate::store::{NewUser, ProfileFields, SharedStore, StoreError, User, UserKey};
use crate::telemetry::audit::Event;

/// A person as another system knew them, still unjudged.
#[derive(Clone, Default)]
pub struct Newcomer {
    /// The id that they had here, when they come back from an export.
    pub id: Option<String>,
    pub external_id: Option<String>,
    pub email: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub phone: Option<String>,
    pub roles: Vec<String>,
    /// `None` is yes.
    pub is_active: Option<bool>,
    pub email_verified: bool,
    pub password_hash: Option<String>,
    /// `None` is now.
    pub created_at: Option<Timestamp>,
    pub profile: ProfileFields,
}

/// Why somebody can't come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub field: String,
    pub reason: String,
}

impl Refusal {
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// What newcomers are held to.
pub struct Gate<'a> {
    /// Says which hashes can be used.
    pub hasher: &'a Hasher,
    /// What else a user may have.
    pub fields: &'a UserFields,
}

/// Somebody who may come.
#[derive(Clone)]
pub struct Admitted {
    user: NewUser,
    /// Whether the id is one they had, and not made just now.
    has_own_id: bool,
    /// Likewise the time at which they registered.
    has_own_time: bool,
    /// Of the hash that they bring; without one they need a new password.
    pub notation: Option<Notation>,
}

/// What became of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Added,
    /// Here already, and left as they are.
    Present,
    Refused(Refusal),
}

/// What is written.
#[derive(Clone)]
pub enum Mode {
    Write,
    /// Nothing: the store given is an empty one, where it is tried out who would take whose name.
    Rehearse(SharedStore),
}

impl Newcomer {
    /// Returns the account to be made.
    pub fn judge(self, gate: &Gate<'_>, now: Timestamp) -> std::result::Result<Admitted, Refusal> {
        let email = filled(self.email).map(|typed| Email::parse(&typed)).transpose();
        let username = filled(self.username).map(|typed| Username::parse(&typed)).transpose();
        let email = email.map_err(|error| Refusal::new("email", error.to_string()))?;
        let username = username.map_err(|error| Refusal::new("username", error.to_string()))?;
        if email.is_none() && username.is_none() {
            return Err(Refusal::new("email", "found neither an e-mail address nor a user name, expected one of them"));
        }
        let unfit = "expected 1 to 128 visible ASCII characters";
        let id = filled(self.id).map(|id| UserId::parse(&id).ok_or(Refusal::new("id", unfit))).transpose()?;
        let external_id = filled(self.external_id)
            .map(|id| ExternalId::parse(&id).ok_or(Refusal::new("external_id", unfit)))
            .transpose()?;
        let (password_hash, notation) = judge_hash(self.password_hash, gate.hasher)?;
        let has_own_id = id.is_some();
        let user = NewUser {
            id: id.unwrap_or_else(UserId::random),
            email,
            username,
            first_name: text("first_name", self.first_name)?,
            last_name: text("last_name", self.last_name)?,
            full_name: text("full_name", self.full_name)?,
            phone: text("phone", self.phone)?,
            profile: profile(&self.profile, gate.fields)?,
            external_id,
            roles: roles(&self.roles)?,
            is_active: self.is_active.unwrap_or(true),
            email_verified: self.email_verified,
            password_hash,
            now: self.created_at.unwrap_or(now),
        };
        Ok(Admitted { user, has_own_id, has_own_time: self.created_at.is_some(), notation })
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn text(field: &'static str, text: Option<String>) -> std::result::Result<Option<String>, Refusal> {
    let judged = filled(text).map(|text| users::text(field, &text)).transpose();
    judged
        .map_err(|_| Refusal::new(field, format!("expected at most {} characters, none of control", users::TEXT_LIMIT)))
}

fn roles(names: &[String]) -> std::result::Result<Vec<Role>, Refusal> {
    users::parse_roles(names)
        .map_err(|_| Refusal::new("roles", "expected names of 1 to 64 ASCII letters, digits, `-`, `_`, `.` or `:`"))
}

/// Returns the declared fields in their types. What a registration must carry may be missing: the other system did not ask for it.
fn profile(brought: &ProfileFields, declared: &UserFields) -> std::result::Result<ProfileFields, Refusal> {
    let mut fields = ProfileFields::new();
    for (name, value) in brought {
        let refuse = |reason: String| Refusal::new(format!("profile.{name}"), reason);
        let field =
            declared.get(name).ok_or_else(|| refuse("no such field; [auth.user_fields] declares them".into()))?;
        let judged = match value {
            Value::String(text) if field.kind == Kind::Date => field.read(day_of(text)),
            Value::String(text) if field.kind == Kind::Boolean => field.read(flag(text)),
            Value::Number(number) if field.kind == Kind::Boolean => field.read(flag(&number.to_string())),
            Value::String(text) => field.read(text),
            other => field.judge(other),
        };
        if let Some(value) = judged.map_err(|misfit| refuse(misfit.to_string()))? {
            fields.insert(name.clone(), value);
        }
    }
    Ok(fields)
}

/// Returns the date of a midnight: stores that have no type for days keep that.
fn day_of(text: &str) -> &str {
    text.split_once(['T', ' ']).filter(|(_, time)| time.starts_with("00:00:00")).map_or(text, |(day, _)| day)
}

/// Returns what `PostgreSQL` and `SQLite` mean by a letter or a number in a boolean column.
fn flag(written: &str) -> &str {
    match written.trim() {
        "0" | "f" => "false",
        "1" | "t" => "true",
        other => other,
    }
}

type Hash = (Option<String>, Option<Notation>);

/// Returns the hash to be kept. Django and others begin one with `!` that no password shall open.
fn judge_hash(hash: Option<String>, hasher: &Hasher) -> std::result::Result<Hash, Refusal> {
    let Some(hash) = filled(hash).filter(|hash| !hash.starts_with('!')) else { return Ok((None, None)) };
    let notation =
        hasher.judge_stored(&hash).map_err(|unusable| Refusal::new("password_hash", unusable.to_string()))?;
    Ok((Some(hash), Some(notation)))
}

impl Admin {
    /// Returns what became of each. Of two who want one name the earlier gets it, if the store takes requests in order.
    pub async fn bring_over(&self, people: Vec<Admitted>, mode: &Mode, now: Timestamp) -> Result<Vec<Outcome>> {
        let rehearsal = match mode {
            Mode::Write => return self.write_down(people, now).await,
            Mode::Rehearse(rehearsal) => rehearsal,
        };
        let mut outcomes = Vec::with_capacity(people.len());
        for person in &people {
            outcomes.push(match find_taken(&self.store, person).await? {
                Some(taken) => judge_taken(&self.store, person, taken).await?,
                None => insert(rehearsal, person).await?,
            });
        }
        Ok(outcomes)
    }

    async fn write_down(&self, people: Vec<Admitted>, now: Timestamp) -> Result<Vec<Outcome>> {
        let ids: Vec<UserId> = people.iter().map(|person| person.user.id.clone()).collect();
        let mut outcomes = vec![Outcome::Present; ids.len()];
        // All at once, because the store commits together what comes together.
        let mut coming = JoinSet::new();
        for (place, person) in people.into_iter().enumerate() {
            let store = self.store.clone();
            coming.spawn(async move { (place, insert(&store, &person).await) });
        }
        while let Some(done) = coming.join_next().await {
            let (place, outcome) = done.map_err(|_| StoreError::Unavailable("the request failed".to_owned()))?;
            outcomes[place] = outcome?;
        }
        let added = ids.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Added);
        added.for_each(|(id, _)| self.record(Event::UserRegistered, Some(id), None, now));
        Ok(outcomes)
    }
}

impl Admitted {
    /// Returns what they are looked for by. Who came with an id is known by that: an address may have been given to somebody else.
    fn key(&self) -> UserKey {
        let NewUser { id, email, username, external_id, .. } = &self.user;
        match (external_id, email, username) {
            _ if self.has_own_id => UserKey::Id(id.clone()),
            (Some(id), _, _) => UserKey::ExternalId(id.clone()),
            (None, Some(email), _) => UserKey::Email(email.clone()),
            (None, None, Some(username)) => UserKey::Username(username.clone()),
            (None, None, None) => UserKey::Id(id.clone()),
        }
    }

    /// Returns whether `found`, who has the same id, may be the same person: one thing more in common is enough, because the rest
    /// may have changed since they came.
    fn resembles(&self, found: &User) -> bool {
        let new = &self.user;
        let email = found.email.as_deref().and_then(|email| Email::parse(email).ok());
        let username = found.username.as_deref().and_then(|name| Username::parse(name).ok());
        self.has_own_id
            || new.email.as_ref().is_some_and(|own| email.is_some_and(|email| email.key() == own.key()))
            || new.username.as_ref().is_some_and(|own| username.is_some_and(|name| name.key() == own.key()))
            || new.password_hash.is_some() && new.password_hash == found.password_hash
            || self.has_own_time && new.now == found.created_at
    }
}

async fn insert(store: &SharedStore, person: &Admitted) -> std::result::Result<Outcome, StoreError> {
    match store.insert_user(person.user.clone(), None).await {
        Ok(_) => Ok(Outcome::Added),
        Err(taken) => judge_taken(store, person, taken).await,
    }
}

/// Two systems that count their users give the same ids to different people.
fn refuse_id() -> Outcome {
    Outcome::Refused(Refusal::new("external_id", StoreError::ExternalIdTaken.to_string()))
}

/// Returns what of the person's somebody has already.
async fn find_taken(store: &SharedStore, person: &Admitted) -> std::result::Result<Option<StoreError>, StoreError> {
    let NewUser { email, username, external_id, .. } = person.user.clone();
    let keys = [
        Some((person.key(), StoreError::ExternalIdTaken)),
        email.map(|email| (UserKey::Email(email), StoreError::EmailTaken)),
        username.map(|name| (UserKey::Username(name), StoreError::UsernameTaken)),
        external_id.map(|id| (UserKey::ExternalId(id), StoreError::ExternalIdTaken)),
    ];
    for (key, taken) in keys.into_iter().flatten() {
        if store.find_user(&key).await?.is_some() {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

/// Returns whether the person is here, or somebody else has the name that was found taken.
async fn judge_taken(
    store: &SharedStore,
    person: &Admitted,
    taken: StoreError,
) -> std::result::Result<Outcome, StoreError> {
    if let Some(found) = store.find_user(&person.key()).await? {
        return Ok(if person.resembles(&found) { Outcome::Present } else { refuse_id() });
    }
    let field = match taken {
        StoreError::EmailTaken => "email",
        StoreError::UsernameTaken => "username",
        StoreError::ExternalIdTaken => "external_id",
        StoreError::NotFound | StoreError::TooManyKeys | StoreError::Unavailable(_) | StoreError::Damaged(_) => {
            return Err(taken);
        }
    };
    Ok(Outcome::Refused(Refusal::new(field, taken.to_string())))
}

#[cfg(test)]
mod tests;
