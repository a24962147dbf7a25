//! What a successful sign-in hands out: an access token and the refresh token of a session.

use std::time::Duration;

use super::{Accounts, Context, Profile};
use crate::clock::Timestamp;
use crate::identity::{Principal, Scope, SessionId, UserId};
use crate::secret::Secret;
use crate::store::{NewSession, User};
use crate::token::claims::{NewAccess, NewRefresh, sign_new_access, sign_refresh};
use crate::token::refresh::{RefreshState, first_jti, hash};

#[derive(Clone, Debug)]
pub struct Grant {
    pub user: Profile,
    pub session: SessionId,
    pub access_token: Secret<String>,
    pub refresh_token: Secret<String>,
    /// Of the access token.
    pub expires_in: Duration,
    pub scopes: Vec<Scope>,
}

/// A session that is not in the store yet, with the one secret of it that never will be.
pub(super) struct Beginning {
    pub session: NewSession,
    pub jti: String,
}

/// Which session a grant is for, and to which scopes it is limited; `None`: to none.
#[derive(Clone, Copy)]
pub(super) struct Reach<'a> {
    pub session: SessionId,
    pub limit: Option<&'a [Scope]>,
}

impl<'a> Reach<'a> {
    pub(super) fn of(session: SessionId, limit: Option<&'a Vec<Scope>>) -> Self {
        Self { session, limit: limit.map(Vec::as_slice) }
    }
}

impl Accounts {
    /// Returns a session of `user_id` to be inserted; `password_changed_at` as it was when the password was checked.
    pub(super) fn begin_session(
        &self,
        user_id: &UserId,
        password_changed_at: Option<Timestamp>,
        context: &Context,
        now: Timestamp,
    ) -> Beginning {
        let settings = self.settings.current();
        let jti = first_jti();
        let refresh = RefreshState {
            current: hash(&jti),
            previous: None,
            rotated_at: now,
            expires_at: now.plus(settings.refresh.ttl.min(settings.refresh.session_max)),
        };
        let session = NewSession {
            id: SessionId::random(),
            user_id: user_id.clone(),
            created_at: now,
            origin: context.origin(),
            refresh,
            access_expires_at: now.plus(settings.access_ttl),
            scopes: None,
            password_changed_at,
        };
        Beginning { session, jti }
    }

    /// Returns the refresh token with `jti` of a session whose refresh state is `state`.
    pub(super) fn refresh_token(
        &self,
        user_id: &UserId,
        session: SessionId,
        jti: &str,
        state: &RefreshState,
    ) -> Secret<String> {
        let trust = self.trust.current();
        let refresh = NewRefresh { user_id, session, jti, issued_at: state.rotated_at, expires_at: state.expires_at };
        Secret::new(sign_refresh(&trust.refresh, &trust.expected.issuer, &refresh))
    }

    /// Returns the grant for `user` as they are now, with a new access token of `session`.
    pub(super) fn grant(&self, user: &User, reach: Reach<'_>, refresh_token: Secret<String>, now: Timestamp) -> Grant {
        let settings = self.settings.current();
        let trust = self.trust.current();
        let Reach { session, limit } = reach;
        let mut scopes = settings.scopes_of(&user.roles);
        scopes.retain(|scope| limit.is_none_or(|limit| limit.contains(scope)));
        let principal = Principal {
            user_id: user.id.clone(),
            session,
            email: user.email.clone(),
            username: user.username.clone(),
            roles: user.roles.clone(),
            scopes: scopes.clone(),
        };
        let new = NewAccess { principal: &principal, is_narrowed: limit.is_some(), ttl: settings.access_ttl };
        let token = sign_new_access(&trust.access, &trust.expected, &new, now);
        Grant {
            user: self.shown(user.clone()),
            session,
            access_token: Secret::new(token),
            refresh_token,
            expires_in: settings.access_ttl,
            scopes,
        }
    }
}
