//! What has been taken back before its time: ended sessions and changed users.
//! Each user has a version; a cached caller counts only while its version is the current one, so that an end or a change
//! costs the hot path one atomic load, and nobody searches the cache.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::clock::Timestamp;
use crate::identity::{Role, Scope, SessionId, UserId};

/// What a changed user is now, for tokens that were signed before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Active {
        email: Option<String>,
        username: Option<String>,
        roles: Vec<Role>,
        scopes: Vec<Scope>,
    },
    /// Disabled or deleted.
    Gone,
}

/// The version of a user's standing at the moment it was looked at.
#[derive(Clone, Debug)]
pub struct Version {
    current: Arc<AtomicU64>,
    seen: u64,
}

impl Version {
    /// Returns whether nothing about the user or their sessions has changed since.
    pub fn is_current(&self) -> bool {
        self.current.load(Ordering::Acquire) == self.seen
    }
}

/// What ended, and with it every stream that hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    Session(SessionId),
    /// A user with all that stands for them, such as keys, which are no sessions.
    User(UserId),
}

const TABLES: usize = 128;

/// Everything revoked that a live token could still need; shared by all workers and the office. What is known of a user and
/// their sessions stands in one of many tables, so that a worker never waits while a million users are swept.
#[derive(Debug)]
pub struct Revocations {
    tables: [Mutex<Table>; TABLES],
    places: RandomState,
    /// What ended, for those who hold a stream open on it.
    ended: broadcast::Sender<Ended>,
}

#[derive(Debug, Default)]
struct Table {
    sessions: HashMap<SessionId, Timestamp>,
    standings: HashMap<UserId, (Standing, Timestamp)>,
    versions: HashMap<UserId, Arc<AtomicU64>>,
}

/// What a token's session and user are now.
#[derive(Debug)]
pub enum Looked {
    /// Nothing was taken back; the token's own claims hold.
    AsSigned(Version),
    /// The user was changed; these hold instead of the claims.
    Changed(Version, Standing),
    Revoked,
}

impl Revocations {
    pub fn new() -> Self {
        Self {
            tables: std::array::from_fn(|_| Mutex::default()),
            places: RandomState::new(),
            ended: broadcast::channel(4096).0,
        }
    }

    /// Returns what holds for a token of `session`; the version is taken before anything is looked at.
    pub fn look(&self, session: SessionId, user: &UserId) -> Looked {
        let mut table = self.table_of(user);
        let current = table.versions.entry(user.clone()).or_default().clone();
        let version = Version { seen: current.load(Ordering::Acquire), current };
        if table.sessions.contains_key(&session) {
            return Looked::Revoked;
        }
        match table.standings.get(user) {
            Some((Standing::Gone, _)) => Looked::Revoked,
            Some((standing, _)) => Looked::Changed(version, standing.clone()),
            None => Looked::AsSigned(version),
        }
    }

    /// Refuses every token of `session` from now on; it must be remembered until the last of them expires.
    pub fn end_session(&self, session: SessionId, user: &UserId, remember_until: Timestamp) {
        let mut table = self.table_of(user);
        table.sessions.insert(session, remember_until);
        table.bump(user);
        drop(table);
        // Nobody listening is no failure: no stream is open.
        let _ = self.ended.send(Ended::Session(session));
    }

    /// Holds `standing` against every token of `user` from now on; must be remembered until the last one signed before expires.
    pub fn change_user(&self, user: &UserId, standing: Standing, remember_until: Timestamp) {
        let is_gone = standing == Standing::Gone;
        let mut table = self.table_of(user);
        table.standings.insert(user.clone(), (standing, remember_until));
        table.bump(user);
        drop(table);
        if is_gone {
            let _ = self.ended.send(Ended::User(user.clone()));
        }
    }

    /// Returns the feed of ended sessions and users from here on.
    pub fn ended(&self) -> broadcast::Receiver<Ended> {
        self.ended.subscribe()
    }

    /// Returns whether the session or its user has ended.
    pub fn is_ended(&self, session: SessionId, user: &UserId) -> bool {
        let table = self.table_of(user);
        table.sessions.contains_key(&session) || matches!(table.standings.get(user), Some((Standing::Gone, _)))
    }

    /// Forgets what no live token can need, with `slack` for clocks that differ, and versions that nobody holds.
    pub fn forget_expired(&self, now: Timestamp, slack: Duration) {
        let limit = now.minus(slack);
        for table in &self.tables {
            let mut table = lock(table);
            table.sessions.retain(|_, until| *until > limit);
            table.standings.retain(|_, (_, until)| *until > limit);
            table.versions.retain(|_, version| Arc::strong_count(version) > 1);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // whatever is left of a hash is one
    fn table_of(&self, user: &UserId) -> MutexGuard<'_, Table> {
        lock(&self.tables[self.places.hash_one(user) as usize % TABLES])
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().expect("no holder of this lock can panic")
}

impl Default for Revocations {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn bump(&mut self, user: &UserId) {
        if let Some(version) = self.versions.get(user) {
            version.fetch_add(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Timestamp = Timestamp::from_secs(900);

    fn version_of(looked: Looked) -> Version {
        match looked {
            Looked::AsSigned(version) | Looked::Changed(version, _) => version,
            Looked::Revoked => panic!("revoked"),
        }
    }

    #[test]
    fn an_ended_session_is_refused_and_what_was_cached_of_its_user_is_stale() {
        let revocations = Revocations::new();
        let (user, ended, other) = (UserId::random(), SessionId::random(), SessionId::random());
        let version = version_of(revocations.look(ended, &user));
        revocations.end_session(ended, &user, LATER);
        assert!(!version.is_current());
        assert!(matches!(revocations.look(ended, &user), Looked::Revoked));
        assert!(matches!(revocations.look(other, &user), Looked::AsSigned(_)));
    }

    #[test]
    fn a_changed_user_is_what_they_are_now_and_a_gone_one_is_refused() {
        let revocations = Revocations::new();
        let (user, session) = (UserId::random(), SessionId::random());
        let demoted = Standing::Active { email: None, username: None, roles: Vec::new(), scopes: Vec::new() };
        revocations.change_user(&user, demoted.clone(), LATER);
        assert!(matches!(revocations.look(session, &user), Looked::Changed(_, standing) if standing == demoted));
        revocations.change_user(&user, Standing::Gone, LATER);
        assert!(matches!(revocations.look(session, &user), Looked::Revoked));
    }

    #[test]
    fn forgetting_keeps_what_a_live_token_could_need() {
        let revocations = Revocations::new();
        let (user, session) = (UserId::random(), SessionId::random());
        revocations.end_session(session, &user, LATER);
        revocations.forget_expired(Timestamp::from_secs(899), Duration::ZERO);
        assert!(revocations.is_ended(session, &user));
        revocations.forget_expired(Timestamp::from_secs(901), Duration::ZERO);
        assert!(!revocations.is_ended(session, &user));
    }

    #[test]
    fn a_version_survives_forgetting_while_it_is_held() {
        let revocations = Revocations::new();
        let (user, session) = (UserId::random(), SessionId::random());
        let version = version_of(revocations.look(session, &user));
        revocations.forget_expired(LATER, Duration::ZERO);
        revocations.end_session(session, &user, LATER);
        assert!(!version.is_current());
    }
}
