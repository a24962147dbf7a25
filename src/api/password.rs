//! Changing the password, and what is done by way of a mail: choosing a new one, verifying an address.

use super::answer::Reply;
use super::error::Refusal;
use super::input::Fields;
use super::{Api, Call, answer};
use crate::identity::Principal;

impl Api {
    pub(super) async fn change_password(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let current = fields.secret("current_password");
        let new = fields.secret("new_password");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.change_password(principal, current, new, &call.context).await?;
        Ok(answer::no_content())
    }

    pub(super) async fn forgot_password(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let email = fields.text("email");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.forgot_password(email, &call.context).await?;
        Ok(answer::accepted())
    }

    pub(super) async fn reset_password(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let token = fields.secret("token");
        let new = fields.secret("new_password");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.reset_password(token, new, &call.context).await?;
        Ok(answer::no_content())
    }

    pub(super) async fn verify_email(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let token = fields.secret("token");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.verify_email(token, &call.context).await?;
        Ok(answer::no_content())
    }

    pub(super) async fn send_verification(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        self.accounts.ask_to_verify(principal, &call.context).await?;
        Ok(answer::accepted())
    }
}
