//! Register, login, refresh, and leaving again.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::error::Refusal;
use super::input::Fields;
use super::{Api, Call, answer};
use crate::account::{Leaving, Login, Registering};
use crate::identity::Principal;

impl Api {
    pub(super) async fn register(&self, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let typed = Registering {
            email: fields.text("email"),
            username: fields.text("username"),
            first_name: fields.text("first_name"),
            last_name: fields.text("last_name"),
            full_name: fields.text("full_name"),
            phone: fields.text("phone"),
            profile: fields.object("profile"),
            password: fields.secret("password"),
        };
        fields.finish(&self.settings.ignored_fields)?;
        let grant = self.accounts.register(typed, &call.context).await?;
        Ok(answer::json_with(StatusCode::CREATED, &answer::grant(&grant, &self.settings.access_token_name)))
    }

    pub(super) async fn login(&self, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let login = Login {
            email: fields.text("email"),
            username: fields.text("username"),
            password: fields.secret("password"),
            scopes: None,
        };
        fields.finish(&self.settings.ignored_fields)?;
        let grant = self.accounts.login(login, &call.context).await?;
        Ok(answer::ok(&answer::grant(&grant, &self.settings.access_token_name)))
    }

    pub(super) async fn refresh(&self, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let token = fields.secret("refresh_token");
        fields.finish(&self.settings.ignored_fields)?;
        let grant = self.accounts.refresh(token, &call.context).await?;
        Ok(answer::ok(&answer::grant(&grant, &self.settings.access_token_name)))
    }

    /// With a refresh token in the body an access token beside it may have expired: clients send it along out of habit.
    pub(super) async fn logout(&self, call: &Call<'_>) -> Result<Response<Bytes>, Refusal> {
        let mut fields = Fields::read_if_any(call.headers, call.body)?;
        let token = fields.secret("refresh_token");
        fields.finish(&self.settings.ignored_fields)?;
        let caller = self.require_caller(call.headers);
        match token {
            Some(token) => {
                self.accounts.logout(Leaving::Token(token), &call.context).await?;
                if let Ok(caller) = caller {
                    self.accounts.logout(Leaving::Caller(&caller.principal), &call.context).await?;
                }
            }
            None => self.accounts.logout(Leaving::Caller(&caller?.principal), &call.context).await?,
        }
        Ok(answer::no_content())
    }

    pub(super) async fn logout_all(&self, call: &Call<'_>, principal: &Principal) -> Result<Response<Bytes>, Refusal> {
        self.accounts.logout_all(principal, &call.context).await?;
        Ok(answer::no_content())
    }
}
