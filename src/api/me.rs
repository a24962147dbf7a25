//! The caller's own record.

use super::answer::Reply;
use super::error::Refusal;
use super::input::Fields;
use super::{Api, Call, answer};
use crate::account::ProfileChange;
use crate::identity::Principal;

impl Api {
    pub(super) async fn show_me(&self, principal: &Principal) -> Result<Reply, Refusal> {
        Ok(answer::ok(answer::profile(&self.accounts.profile(principal).await?)))
    }

    pub(super) async fn change_me(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let mut fields = Fields::read(call.headers, call.body)?;
        let wanted = ProfileChange {
            email: fields.change("email"),
            username: fields.change("username"),
            first_name: fields.change("first_name"),
            last_name: fields.change("last_name"),
            full_name: fields.change("full_name"),
            phone: fields.change("phone"),
            profile: fields.object("profile"),
        };
        fields.finish(&self.settings.ignored_fields)?;
        let profile = self.accounts.change_profile(principal, &wanted, &call.context).await?;
        Ok(answer::ok(answer::profile(&profile)))
    }

    pub(super) async fn delete_me(&self, call: &Call<'_>, principal: &Principal) -> Result<Reply, Refusal> {
        let mut fields = Fields::read_if_any(call.headers, call.body)?;
        let password = fields.secret("password");
        fields.finish(&self.settings.ignored_fields)?;
        self.accounts.delete_account(principal, password, &call.context).await?;
        Ok(answer::no_content())
    }
}
