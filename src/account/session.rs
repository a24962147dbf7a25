//! Sessions from their owner's side: leaving one, all, or a chosen one, and seeing which there are.

use super::error::AccountError;
use super::{Accounts, Context};
use crate::clock::Timestamp;
use crate::identity::{Principal, SessionId, UserId};
use crate::secret::Secret;
use crate::store::Session;
use crate::token::claims::{TokenError, verify_refresh};

/// How somebody who leaves says which session is theirs.
#[derive(Clone, Debug)]
pub enum Leaving<'a> {
    /// By an access token, verified already.
    Caller(&'a Principal),
    /// By a refresh token.
    Token(Secret<String>),
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub ip: String,
    pub user_agent: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl Accounts {
    /// Ends the session; leaving one that has ended or expired succeeds too.
    pub async fn logout(&self, leaving: Leaving<'_>, context: &Context) -> Result<(), AccountError> {
        match leaving {
            Leaving::Caller(principal) => self.end(principal.session, &principal.user_id, "logout", context).await,
            Leaving::Token(token) => {
                let trust = self.trust.current();
                match verify_refresh(&trust.refresh, &trust.expected, token.expose(), self.clock.now()) {
                    Ok(claims) => self.end(claims.session(), claims.user_id(), "logout", context).await,
                    Err(TokenError::Expired) => Ok(()),
                    Err(_) => Err(AccountError::InvalidToken),
                }
            }
        }
    }

    pub async fn logout_all(&self, principal: &Principal, context: &Context) -> Result<(), AccountError> {
        let ended = self.store.end_sessions(&principal.user_id, None, self.clock.now()).await?;
        self.feed.catch_up().await?;
        self.record_ended(&principal.user_id, &ended, "logout_all", context);
        Ok(())
    }

    /// Returns the caller's live sessions, newest first.
    pub async fn sessions(&self, principal: &Principal) -> Result<Vec<SessionView>, AccountError> {
        let sessions = self.store.list_sessions(Some(&principal.user_id), self.clock.now()).await?;
        let view = |session: Session| SessionView {
            id: session.id,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            ip: session.origin.ip,
            user_agent: session.origin.user_agent,
            current: session.id == principal.session,
        };
        Ok(sessions.into_iter().map(view).collect())
    }

    /// Ends one of the caller's own sessions; anybody else's is not found.
    pub async fn end_session(
        &self,
        principal: &Principal,
        id: SessionId,
        context: &Context,
    ) -> Result<(), AccountError> {
        // A session never changes its owner, so that looking first leaves no gap.
        match self.store.find_session(id).await? {
            Some(session) if session.user_id == principal.user_id => {
                self.end(id, &principal.user_id, "ended_by_owner", context).await
            }
            Some(_) | None => Err(AccountError::SessionNotFound),
        }
    }

    pub(super) async fn end(
        &self,
        session: SessionId,
        user: &UserId,
        reason: &str,
        context: &Context,
    ) -> Result<(), AccountError> {
        let existed = self.store.end_session(session, self.clock.now()).await?;
        self.feed.catch_up().await?;
        if existed {
            self.record_ended(user, &[session], reason, context);
        }
        Ok(())
    }

    /// Returns the ids of the user's live sessions but `keep`: what a step that ends them all will have ended.
    pub(super) async fn sessions_but(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
    ) -> Result<Vec<SessionId>, AccountError> {
        let sessions = self.store.list_sessions(Some(user), self.clock.now()).await?;
        Ok(sessions.iter().map(|session| session.id).filter(|id| Some(*id) != keep).collect())
    }
}
