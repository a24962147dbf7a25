//! Trading a refresh token for the next pair. What the presented token means is decided inside the store's transaction;
//! here its signature is checked first and the verdict becomes tokens.

use super::error::AccountError;
use super::grant::{Grant, Reach};
use super::{Accounts, Context, Subject};
use crate::identity::Scope;
use crate::secret::Secret;
use crate::store::{RefreshRequest, Rotation, UserKey};
use crate::telemetry::audit::Event;
use crate::token::claims::{RefreshClaims, verify_refresh};
use crate::token::refresh::successor_jti;

impl Accounts {
    /// Returns the next grant of the session that `token` belongs to; its user and roles are those of now.
    pub async fn refresh(&self, token: Option<Secret<String>>, context: &Context) -> Result<Grant, AccountError> {
        self.refresh_within(token, None, context).await
    }

    /// Returns the same with an access token of no more than the `asked` scopes, all of which the session must have
    /// (RFC 6749 section 6).
    pub async fn refresh_within(
        &self,
        token: Option<Secret<String>>,
        asked: Option<&[Scope]>,
        context: &Context,
    ) -> Result<Grant, AccountError> {
        let token = token.ok_or_else(|| AccountError::missing("refresh_token"))?;
        let now = self.clock.now();
        let trust = self.trust.current();
        let claims = verify_refresh(&trust.refresh, &trust.expected, token.expose(), now)
            .map_err(|_why| AccountError::InvalidToken)?;
        if let Some(asked) = asked {
            self.check_reach(&claims, asked).await?;
        }
        let settings = self.settings.current();
        let request = RefreshRequest {
            session: claims.session(),
            user_id: claims.user_id().clone(),
            jti: claims.jti().to_owned(),
            policy: settings.refresh,
            origin: context.origin(),
            access_expires_at: now.plus(settings.access_ttl),
            now,
        };
        let subject = Subject { session: Some(claims.session()), ..Subject::user(claims.user_id()) };
        match self.store.rotate_refresh(request).await? {
            Rotation::Continued { session, user, kept } => {
                let next = if kept {
                    token
                } else {
                    self.refresh_token(&user.id, session.id, &successor_jti(claims.jti()), &session.refresh)
                };
                self.record(Event::SessionRefreshed, &subject, context);
                let limit = asked.or(session.scopes.as_deref());
                Ok(self.grant(&user, Reach { session: session.id, limit }, next, now))
            }
            Rotation::Reused => {
                self.feed.catch_up().await?;
                self.record(Event::SessionReuseDetected, &subject, context);
                self.record_ended(claims.user_id(), &[claims.session()], "refresh_reused", context);
                Err(AccountError::InvalidToken)
            }
            Rotation::Ended => Err(AccountError::InvalidToken),
        }
    }

    /// Looked at before the token is spent: a client that asks for too much keeps it.
    async fn check_reach(&self, claims: &RefreshClaims, asked: &[Scope]) -> Result<(), AccountError> {
        let user = self.store.find_user(&UserKey::Id(claims.user_id().clone())).await?;
        let session = self.store.find_session(claims.session()).await?;
        let (Some(user), Some(session)) = (user, session) else { return Err(AccountError::InvalidToken) };
        let granted = self.settings.current().scopes_of(&user.roles);
        let is_within = |scope: &Scope| {
            granted.contains(scope) && session.scopes.as_ref().is_none_or(|limit| limit.contains(scope))
        };
        if asked.iter().all(is_within) { Ok(()) } else { Err(AccountError::InvalidScope) }
    }
}
