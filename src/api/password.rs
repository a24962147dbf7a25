//! Changing the password.

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
}
