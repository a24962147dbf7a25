//! Register, login, refresh, and leaving again.

use http::StatusCode;

use super::answer::Reply;
use super::error::Refusal;
use super::input::{Fields, Form};
use super::{Api, Call, answer};
use crate::account::{Leaving, Login, Registering};
use crate::identity::Principal;
use crate::secret::Secret;

impl Api {
    pub(super) async fn register(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
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
        Ok(answer::json_with(StatusCode::CREATED, answer::grant(&grant)))
    }

    pub(super) async fn login(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let login = Login {
            email: fields.text("email"),
            username: fields.text("username"),
            password: fields.secret("password"),
            scopes: None,
        };
        fields.finish(&self.settings.ignored_fields)?;
        let grant = self.accounts.login(login, &call.context).await?;
        Ok(answer::ok(answer::grant(&grant)))
    }

    pub(super) async fn refresh(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let token = self.given_refresh_token(call)?;
        let grant = self.accounts.refresh(token, &call.context).await?;
        Ok(answer::ok(answer::grant(&grant)))
    }

    /// Returns the token from wherever it may stand; in two places at once two readers could take either.
    fn given_refresh_token(&self, call: &Call<'_>) -> Result<Option<Secret<String>>, Refusal> {
        let places = self.settings.refresh_from;
        let in_query =
            if places.query { Form::parse(call.query)?.take("refresh_token").map(Secret::new) } else { None };
        let in_body = if call.body.is_empty() && in_query.is_some() {
            None
        } else if places.form && (Form::is_sent(call.headers) || !places.json) {
            Form::read(call.headers, call.body)?.take("refresh_token").map(Secret::new)
        } else if places.json {
            let mut fields = Fields::read(call.headers, call.body)?;
            let token = fields.secret("refresh_token");
            fields.finish(&self.settings.ignored_fields)?;
            token
        } else {
            None
        };
        if in_query.is_some() && in_body.is_some() {
            return Err(Refusal::Malformed("`refresh_token` is given more than once".to_owned()));
        }
        Ok(in_query.or(in_body))
    }

    /// With a refresh token in the body an access token beside it may have expired: clients send it along out of habit.
    pub(super) async fn logout(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
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

    pub(super) async fn logout_all(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        self.accounts.logout_all(principal, &call.context).await?;
        Ok(answer::no_content())
    }
}
