//! The endpoints that OAuth clients know: token (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), and verifying.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::error::Refusal;
use super::input::{BadForm, Form};
use super::{Api, Call, answer};
use crate::account::{AccountError, Grant, Login};
use crate::identity::{Caller, Principal, Scope, UserId};
use crate::secret::Secret;

/// Whoever has this role may ask what anybody's token stands for.
const ADMIN: &str = "admin";

impl From<BadForm> for Refusal {
    fn from(bad: BadForm) -> Self {
        Self::Malformed(bad.0.to_owned())
    }
}

/// What the token endpoint does not grant.
enum NotIssued {
    Refused(Refusal),
    UnsupportedGrant,
}

impl<E: Into<Refusal>> From<E> for NotIssued {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Api {
    pub(super) async fn issue_token(&self, call: &Call<'_>) -> Response<Bytes> {
        match self.grant_token(call).await {
            Ok(grant) => answer::ok(&answer::oauth_grant(&grant)),
            Err(NotIssued::Refused(refusal)) => refusal.into_oauth_response(),
            Err(NotIssued::UnsupportedGrant) => {
                let description = "grant_type must be password or refresh_token";
                let body = json!({"error": "unsupported_grant_type", "error_description": description});
                answer::json_with(StatusCode::BAD_REQUEST, &body)
            }
        }
    }

    async fn grant_token(&self, call: &Call<'_>) -> Result<Grant, NotIssued> {
        let mut form = Form::read(call.headers, call.body)?;
        let Some(grant_type) = form.take("grant_type") else { return Err(AccountError::missing("grant_type").into()) };
        match grant_type.as_str() {
            "password" => {
                let username = form.take("username").ok_or_else(|| AccountError::missing("username"))?;
                let password = form.take("password").map(Secret::new);
                let login = Login { email: None, username: Some(username), password, scopes: scopes(&mut form)? };
                Ok(self.accounts.login(login, &call.context).await?)
            }
            "refresh_token" => {
                let token = form.take("refresh_token").map(Secret::new);
                let asked = scopes(&mut form)?;
                Ok(self.accounts.refresh_within(token, asked.as_deref(), &call.context).await?)
            }
            _ => Err(NotIssued::UnsupportedGrant),
        }
    }

    pub(super) fn show_active(&self, caller: &Caller) -> Response<Bytes> {
        answer::ok(&answer::active(caller, &self.trust.current().expected.issuer))
    }

    pub(super) async fn verify_given(&self, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
        let caller = self.verify(call.parameter.unwrap_or_default()).await?;
        Ok(self.show_active(&caller))
    }

    /// Says of foreign tokens what it says of dead ones, so that nobody can probe for them (RFC 7662 section 2.2).
    pub(super) async fn introspect(&self, call: &Call<'_>, principal: &Principal) -> Response<Bytes> {
        let token = match Self::given_token(call) {
            Ok(token) => token,
            Err(refusal) => return refusal.into_oauth_response(),
        };
        let may_see =
            |user: &UserId| *user == principal.user_id || principal.roles.iter().any(|role| role.as_str() == ADMIN);
        if let Ok(caller) = self.authenticator.verify_bearer(token.expose(), self.accounts.now()) {
            if may_see(&caller.principal.user_id) {
                return self.show_active(&caller);
            }
            return inactive();
        }
        match self.accounts.inspect_refresh(&token).await {
            Ok(Some(live)) if may_see(&live.user_id) => answer::ok(&json!({
                "active": true,
                "type": "refresh",
                "iss": self.trust.current().expected.issuer,
                "sub": live.user_id.as_str(),
                "sid": live.session.to_string(),
                "exp": live.expires_at.as_secs(),
            })),
            Ok(_) => inactive(),
            Err(error) => Refusal::from(error).into_oauth_response(),
        }
    }

    pub(super) async fn revoke(&self, call: &Call<'_>) -> Response<Bytes> {
        let token = match Self::given_token(call) {
            Ok(token) => token,
            Err(refusal) => return refusal.into_oauth_response(),
        };
        match self.accounts.revoke(&token, &call.context).await {
            Ok(()) => Response::new(Bytes::new()),
            Err(error) => Refusal::from(error).into_oauth_response(),
        }
    }

    /// Returns the `token` parameter. Its hint may be wrong and is not needed (RFC 7009 section 2.1).
    fn given_token(call: &Call<'_>) -> Result<Secret<String>, Refusal> {
        let mut form = Form::read(call.headers, call.body)?;
        let token = form.take("token").ok_or_else(|| AccountError::missing("token"))?;
        Ok(Secret::new(token))
    }
}

/// Returns the scopes that are asked for (RFC 6749 section 3.3); `None` if none is.
fn scopes(form: &mut Form) -> Result<Option<Vec<Scope>>, AccountError> {
    let Some(list) = form.take("scope") else { return Ok(None) };
    let parsed: Option<Vec<Scope>> = list.split(' ').map(Scope::parse).collect();
    parsed.map(Some).ok_or(AccountError::InvalidScope)
}

fn inactive() -> Response<Bytes> {
    answer::ok(&json!({"active": false}))
}
