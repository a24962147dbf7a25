//! The endpoints that OAuth clients know: token (RFC 6749), introspection (RFC 7662), revocation (RFC 7009), and verifying.

use serde_json::{Value, json};

use super::answer::Reply;
use super::error::Refusal;
use super::input::{BadForm, Form};
use super::{Api, Call, answer};
use crate::account::{AccountError, Grant, Login};
use crate::http::answers::TokenErrors;
use crate::identity::{Caller, Principal, Scope, UserId};
use crate::secret::Secret;

/// Whoever has this role may ask what anybody's token stands for.
const ADMIN: &str = "admin";

impl From<BadForm> for Refusal {
    fn from(bad: BadForm) -> Self {
        Self::Malformed(bad.0.to_owned())
    }
}

impl Api {
    pub(super) async fn issue_token(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        match self.grant_token(call).await {
            Err(refusal) if self.settings.answers.token_errors == TokenErrors::OAuth => Ok(refusal.into_oauth_reply()),
            granted => Ok(answer::ok(answer::grant(&granted?))),
        }
    }

    async fn grant_token(&self, call: &Call<'_>) -> Result<Grant, Refusal> {
        let mut form = Form::read(call.headers, call.body)?;
        let named = form.take("grant_type");
        match named.as_deref().or(self.settings.default_grant).ok_or_else(|| AccountError::missing("grant_type"))? {
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
            _ => Err(Refusal::UnsupportedGrant),
        }
    }

    pub(super) fn show_active(&self, caller: &Caller) -> Reply {
        answer::ok(answer::active(caller, &self.trust.current().expected.issuer))
    }

    pub(super) async fn verify_given(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let caller = self.verify(call.parameter.unwrap_or_default()).await?;
        Ok(self.show_active(&caller))
    }

    /// Says of foreign tokens what it says of dead ones, so that nobody can probe for them (RFC 7662 section 2.2).
    pub(super) async fn introspect(&self, call: &Call<'_>, principal: &Principal) -> Reply {
        let token = match Self::given_token(call) {
            Ok(token) => token,
            Err(refusal) => return refusal.into_oauth_reply(),
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
            Ok(Some(live)) if may_see(&live.user_id) => answer::ok(json!({
                "active": true,
                "type": "refresh",
                "iss": self.trust.current().expected.issuer,
                "sub": live.user_id.as_str(),
                "sid": live.session.to_string(),
                "exp": live.expires_at.as_secs(),
            })),
            Ok(_) => inactive(),
            Err(error) => Refusal::from(error).into_oauth_reply(),
        }
    }

    pub(super) async fn revoke(&self, call: &Call<'_>) -> Reply {
        let token = match Self::given_token(call) {
            Ok(token) => token,
            Err(refusal) => return refusal.into_oauth_reply(),
        };
        match self.accounts.revoke(&token, &call.context).await {
            Ok(()) => answer::ok(Value::Null),
            Err(error) => Refusal::from(error).into_oauth_reply(),
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

fn inactive() -> Reply {
    answer::ok(json!({"active": false}))
}
