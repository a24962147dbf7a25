//! Tokens handed in to be judged or taken back (RFC 7662, RFC 7009). Access tokens are judged by `auth`, refresh tokens here.

use super::error::AccountError;
use super::{Accounts, Context};
use crate::clock::Timestamp;
use crate::identity::{SessionId, UserId};
use crate::secret::Secret;
use crate::store::UserKey;
use crate::token::claims::{verify_access, verify_refresh};
use crate::token::refresh::hash;

/// A refresh token that would be honoured now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRefresh {
    pub user_id: UserId,
    pub session: SessionId,
    pub expires_at: Timestamp,
}

impl Accounts {
    /// Returns what a refresh token stands for; `None` if it would not be honoured. Spends nothing.
    pub async fn inspect_refresh(&self, token: &Secret<String>) -> Result<Option<LiveRefresh>, AccountError> {
        let now = self.clock.now();
        let trust = self.trust.current();
        let Ok(claims) = verify_refresh(&trust.refresh, &trust.expected, token.expose(), now) else {
            return Ok(None);
        };
        let Some(session) = self.store.find_session(claims.session()).await? else { return Ok(None) };
        let is_live = session.user_id == *claims.user_id()
            && session.refresh.current == hash(claims.jti())
            && session.refresh.expires_at > now;
        let user = self.store.find_user(&UserKey::Id(claims.user_id().clone())).await?;
        if !is_live || !user.is_some_and(|user| user.is_active) {
            return Ok(None);
        }
        Ok(Some(LiveRefresh { user_id: session.user_id, session: session.id, expires_at: session.refresh.expires_at }))
    }

    /// Ends the session that a token of either type belongs to. A token that is not valid has nothing to take back, which
    /// succeeds (RFC 7009 section 2.2).
    pub async fn revoke(&self, token: &Secret<String>, context: &Context) -> Result<(), AccountError> {
        let now = self.clock.now();
        let trust = self.trust.current();
        if let Ok(claims) = verify_refresh(&trust.refresh, &trust.expected, token.expose(), now) {
            return self.end(claims.session(), claims.user_id(), "revoked", context).await;
        }
        if let Ok(claims) = verify_access(&trust.access, &trust.expected, token.expose(), now) {
            let principal = claims.principal();
            return self.end(principal.session, &principal.user_id, "revoked", context).await;
        }
        Ok(())
    }
}
