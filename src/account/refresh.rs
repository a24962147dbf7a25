//! Trading a refresh token for the next pair. What the presented token means is decided inside the store's transaction;
//! here its signature is checked first and the verdict becomes tokens.

use super::error::AccountError;
use super::grant::Grant;
use super::{Accounts, Context, Subject};
use crate::secret::Secret;
use crate::store::{RefreshRequest, Rotation};
use crate::telemetry::audit::Event;
use crate::token::claims::verify_refresh;
use crate::token::refresh::successor_jti;

impl Accounts {
    /// Returns the next grant of the session that `token` belongs to; its user and roles are those of now.
    pub async fn refresh(&self, token: Option<Secret<String>>, context: &Context) -> Result<Grant, AccountError> {
        let token = token.ok_or_else(|| AccountError::missing("refresh_token"))?;
        let now = self.clock.now();
        let trust = self.trust.current();
        let claims = verify_refresh(&trust.refresh, &trust.expected, token.expose(), now)
            .map_err(|_why| AccountError::InvalidToken)?;
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
                Ok(self.grant(&user, session.id, next, now))
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
}
