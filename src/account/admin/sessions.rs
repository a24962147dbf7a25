//! Sessions: listed, ended, and begun without a password to hand out tokens for scripts and tests.

use std::time::Duration;

use super::{Admin, AdminError, Result, shown};
use crate::auth::Trust;
use crate::clock::Timestamp;
use crate::identity::{Principal, Scope, SessionId};
use crate::secret::Secret;
use crate::store::records::Origin;
use crate::store::{NewSession, Session, StoreError, User};
use crate::telemetry::audit::Event;
use crate::token::claims::{NewRefresh, sign_access, sign_refresh};
use crate::token::refresh::{RefreshState, first_jti, hash};

/// What tokens are issued with.
pub struct Issue<'a> {
    pub trust: &'a Trust,
    pub access_ttl: Duration,
    /// How long the refresh token lives.
    pub refresh_ttl: Duration,
    /// The scopes that the user's roles grant.
    pub scopes: Vec<Scope>,
}

/// Tokens of a new session.
#[derive(Debug)]
pub struct IssuedTokens {
    pub session: SessionId,
    pub access_token: Secret<String>,
    pub refresh_token: Secret<String>,
    pub access_expires_at: Timestamp,
    pub refresh_expires_at: Timestamp,
}

impl Admin {
    /// Returns the user's live sessions, newest first; with `None`, everybody's.
    pub async fn list_sessions(&self, user: Option<&User>, now: Timestamp) -> Result<Vec<Session>> {
        Ok(self.store.list_sessions(user.map(|user| &user.id), now).await?)
    }

    /// Ends one session, everywhere, at once.
    pub async fn revoke_session(&self, id: SessionId, now: Timestamp) -> Result<()> {
        let session = self.store.find_session(id).await?.ok_or(AdminError::NoSuchSession(id))?;
        if !self.store.end_session(id, now).await? {
            return Err(AdminError::NoSuchSession(id));
        }
        self.record(Event::SessionEnded, Some(&session.user_id), Some(id), now);
        Ok(())
    }

    /// Ends all sessions of a user; returns those it ended.
    pub async fn revoke_sessions(&self, user: &User, now: Timestamp) -> Result<Vec<SessionId>> {
        let ended = self.store.end_sessions(&user.id, None, now).await?;
        for &session in &ended {
            self.record(Event::SessionEnded, Some(&user.id), Some(session), now);
        }
        Ok(ended)
    }

    /// Begins a session for the user and returns its tokens.
    pub async fn issue_tokens(&self, user: &User, issue: &Issue<'_>, now: Timestamp) -> Result<IssuedTokens> {
        let session = SessionId::random();
        let (jti, issued_at) = (first_jti(), now.floor_secs());
        let access_expires_at = issued_at.plus(issue.access_ttl);
        let refresh_expires_at = issued_at.plus(issue.refresh_ttl);
        let refresh =
            RefreshState { current: hash(&jti), previous: None, rotated_at: issued_at, expires_at: refresh_expires_at };
        let record = NewSession {
            id: session,
            user_id: user.id.clone(),
            created_at: now,
            origin: Origin { ip: String::new(), user_agent: "vestibule token issue".to_owned() },
            refresh,
            access_expires_at,
            scopes: None,
            password_changed_at: None,
        };
        self.store.insert_session(record).await.map_err(|error| match error {
            StoreError::NotFound => AdminError::Disabled(shown(user).to_owned()),
            other => AdminError::Store(other),
        })?;
        self.record(Event::LoginSucceeded, Some(&user.id), Some(session), now);
        let new_refresh =
            NewRefresh { user_id: &user.id, session, jti: &jti, issued_at, expires_at: refresh_expires_at };
        let trust = issue.trust;
        let principal = principal(user, session, issue.scopes.clone());
        Ok(IssuedTokens {
            session,
            access_token: Secret::new(sign_access(&trust.access, &trust.expected, &principal, now, issue.access_ttl)),
            refresh_token: Secret::new(sign_refresh(&trust.refresh, &trust.expected.issuer, &new_refresh)),
            access_expires_at,
            refresh_expires_at,
        })
    }
}

fn principal(user: &User, session: SessionId, scopes: Vec<Scope>) -> Principal {
    Principal {
        user_id: user.id.clone(),
        session,
        email: user.email.clone(),
        username: user.username.clone(),
        roles: user.roles.clone(),
        scopes,
    }
}
